"""A provider that applies late, gives new ids or holds less than it was told: all comes right, and it is said."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from msgspec import structs

from syncer.model.conference import Change, ChangeKind, Outcome, Retry
from syncer.simulator.conferencing.vendor import Vendor
from syncer.simulator.serve import serving
from tests.sync.interleavings import a_vendor_that
from tests.sync.stage import GRACE, Acted, Booked
from tests.sync.test_remedies import _move_account
from tests.sync.test_splits import FOURTH, RULE, SERIES, THIRD, instance, settle, split, timed

LATER = timedelta(minutes=10)


# Applied late.


@pytest.mark.parametrize("is_edited", [True, False], ids=["after a newer one", "before any other"])
async def test_what_a_stopped_worker_asked_for_arrives_late_and_changes_nothing(
    stage: Acted, booked: Booked, is_edited: bool
) -> None:
    late: list[Change] = []

    def holds_up(change: Change) -> Outcome | None:
        if change.kind is ChangeKind.UPDATE and not late:
            late.append(change)
            return Retry("no answer", is_in_doubt=True)
        return None

    real = stage.tools.providers
    a_vendor_that(stage, holds_up)
    await stage.edit(booked, summary="Of the stopped one")
    await stage.follow()
    await stage.restart()
    if is_edited:
        await stage.edit(booked, summary="Of the next")
        await stage.pass_time(LATER)
        await stage.follow()
    tenant = stage.project.tenants[1]
    await real.apply(tenant, late[0])
    await stage.pass_time(LATER)
    await stage.follow()
    await stage.read_back()
    wanted = "Of the next" if is_edited else "Of the stopped one"
    assert (await stage.meeting(booked))["title"] == wanted
    row = await stage.conference(booked)
    assert (row["is_in_doubt"], row["applied_version"]) == (False, row["wanted_version"])


async def test_a_late_update_does_not_bring_a_deleted_meeting_back(stage: Acted, booked: Booked) -> None:
    late: list[Change] = []

    def holds_up(change: Change) -> Outcome | None:
        if change.kind is ChangeKind.UPDATE and not late:
            late.append(change)
            return Retry("no answer", is_in_doubt=True)
        return None

    real = stage.tools.providers
    a_vendor_that(stage, holds_up)
    await stage.edit(booked, summary="Late")
    await stage.follow()
    await stage.restart()
    await stage.delete(booked)
    await settle(stage)
    await real.apply(stage.project.tenants[1], late[0])
    await settle(stage)
    assert (await stage.meeting(booked))["state"] == "deleted"
    assert (await stage.conference(booked))["state"] == "deleted"


# Another id.

NEW_ID, NEW_URL = "99900011122", "https://acme.meeting.test/j/99900011122"


@dataclass(slots=True)
class Replacing:
    """A vendor who cannot edit in place: each update makes the meeting anew, the first time under a new id."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        call = await request.json()
        asked, told = call["data"]["conference"]["id"], call["data"]
        self.calls.append((call["type"], asked))
        if call["type"] == "conference.deleted":
            return web.json_response({"status": "applied" if asked == NEW_ID else "not_found"})
        if call["type"] == "conference.updated":
            self.held = told["wanted"]
        status = "replaced" if asked != NEW_ID else "unchanged" if call["type"] == "conference.read" else "applied"
        return web.json_response({"status": status, "conference": self._conference(told["revision"])})

    def _conference(self, revision: int) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": NEW_ID, "join_url": NEW_URL, "passcode": None, "dial_in": []}
        return {**shown, "revision": revision, "holds": self.held}


@asynccontextmanager
async def replacing(stage: Acted) -> AsyncIterator[Replacing]:
    """Another vendor answers for the account."""
    vendor, application = Replacing(), web.Application()
    application.router.add_post("/", vendor.answer)
    async with serving(application) as root:
        await _move_account(stage, root)
        yield vendor


@pytest.mark.parametrize("fields", [{}, SERIES], ids=["an event", "a series"])
async def test_a_meeting_under_a_new_id_is_shown_followed_and_deleted_there(
    stage: Acted, fields: dict[str, Any]
) -> None:
    booked = await stage.book(description="Cake.", **fields)
    await stage.follow()
    async with replacing(stage) as vendor:
        await stage.edit(booked, summary="Renamed")
        await stage.follow()
        assert (await stage.event(booked))["location"] == NEW_URL
        await stage.edit(booked, summary="Renamed again")
        await stage.follow()
        await stage.read_back()
        assert vendor.held["title"] == "Renamed again"
        await stage.delete(booked)
        await settle(stage)
        assert {asked for kind, asked in vendor.calls[1:]} == {NEW_ID}
        assert vendor.calls[-1] == ("conference.deleted", NEW_ID)
        assert (await stage.conference(booked))["state"] == "deleted"


# Less than it was told.


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor keeps neither single occurrences nor further parts of a series, and short titles only."""
    real = Vendor.apply

    def cut(self: Vendor, account: Any, meeting: Any, wanted: Any, *, revision: int) -> Any:
        title = wanted.title[:8] if wanted.title else wanted.title
        kept = structs.replace(wanted, overrides=(), further=(), title=title)
        return real(self, account, meeting, kept, revision=revision)

    monkeypatch.setattr(Vendor, "apply", cut)


async def test_what_a_provider_does_not_hold_is_said_and_not_told_again(stage: Acted, narrow: None) -> None:
    series = await stage.book("A very long title", **SERIES)
    await stage.edit(await instance(stage, series, FOURTH), start=timed(24, 9), end=timed(24, 10))
    await stage.follow()
    await split(stage, series, THIRD)
    await stage.follow()
    told = [row for row in await stage.rows("history") if row["kind"] == "updated"]
    assert json.loads(told[-1]["detail"])["not_held"] == ["title", "further"]
    before = await stage.outside()
    for _ in range(3):
        await stage.pass_time(GRACE * 6)
        await stage.read_back()
        await stage.follow()
    assert await stage.outside() == before


async def test_what_a_provider_holds_is_not_said_to_be_lacking(stage: Acted) -> None:
    series = await stage.book(**SERIES)
    await stage.edit(await instance(stage, series, FOURTH), start=timed(24, 9), end=timed(24, 10))
    await stage.follow()
    assert (await stage.meeting(series))["recurrence"] == [RULE]
    assert not any("not_held" in json.loads(row["detail"]) for row in await stage.rows("history"))
