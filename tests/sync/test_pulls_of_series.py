"""Pulls of series end, and hold up no other calendar; full reads leave no exception behind and ask for none in vain."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from syncer.model.calendar import Page
from syncer.model.errors import Refused
from syncer.rules.family import Known
from syncer.simulator import addon
from syncer.simulator.google import listing
from syncer.sync import page as read_page
from syncer.sync import pull, sweep
from syncer.sync.pull import Pulled
from tests.simulator.google_stage import ANA, BO
from tests.sync.stage import GRACE, SOLUTION, Acted, Booked, slot_of

ZONE = "Europe/Zurich"
RULE = "RRULE:FREQ=WEEKLY"


def timed(day: int, hour: int = 10) -> dict[str, Any]:
    return {"dateTime": f"2099-12-{day:02d}T{hour:02d}:00:00+01:00", "timeZone": ZONE}


SERIES: dict[str, Any] = {"start": timed(2), "end": timed(2, 11), "recurrence": [RULE]}
THIRD = "_20991216T090000Z"


async def plain_series(stage: Acted, calendar: str = ANA) -> str:
    """A series without a meeting; gives its id."""
    reply = await stage.google.call("POST", f"calendars/{calendar}/events", {"summary": "Plain", **SERIES}, user=ANA)
    return str(reply.body["id"])


async def read_anew(stage: Acted) -> None:
    """Google forgets all sync tokens, and the full reads that follow are done."""
    await stage.google.control("POST", "forget", {"before": None})
    await stage.follow()
    await stage.follow()


async def seen_by(stage: Acted, calendar: str) -> sweep.Changed:
    (seen,) = await sweep.sweep(stage.tools, stage.project, [slot_of(stage.project, stage.ids[calendar])])
    assert isinstance(seen, sweep.Changed)
    return seen


async def pulled(stage: Acted, *several: sweep.Changed) -> list[tuple[int, Pulled]]:
    return [(one.slot, outcome) async for one, outcome in pull.pull_together(stage.tools, stage.project, several)]


@pytest.mark.parametrize("recurrence", [[], [RULE]], ids=["a single event", "a series of which more must be read"])
async def test_a_page_that_is_passed_over_is_not_taken_for_a_look(stage: Acted, recurrence: list[str]) -> None:
    await stage.book(**{**SERIES, "recurrence": recurrence})
    seen = await seen_by(stage, ANA)
    stage.project.forget_cursor(stage.ids[ANA], stage.tools.clock())
    assert await pulled(stage, seen) == [(seen.slot, None)]
    assert await stage.rows("link") == []
    assert stage.project.calendars[stage.ids[ANA]].cursor.sync_token is None


async def test_a_calendar_of_which_more_must_be_read_keeps_no_other_waiting(stage: Acted) -> None:
    await stage.book(**SERIES)
    await stage.book(calendar=BO)
    ana, bo = await seen_by(stage, ANA), await seen_by(stage, BO)
    assert [slot for slot, _ in await pulled(stage, ana, bo)] == [bo.slot, ana.slot]
    assert len(await stage.rows("link")) == 2


async def test_a_series_that_is_not_there_any_more_takes_its_past_exceptions_with_it(stage: Acted) -> None:
    series = await stage.book(**SERIES)
    await stage.edit(Booked(ANA, series.event_id + THIRD, series.meeting_id), summary="Retro")
    await stage.follow()
    await stage.tools.database.run(
        "UPDATE syncer.link SET event_id = 'ghost', event = jsonb_set(event, '{event_id}', '\"ghost\"') "
        "WHERE master_id IS NULL"
    )
    past = json.dumps({"at": "2020-01-01T10:00:00Z"}).encode()
    await stage.tools.database.run(
        "UPDATE syncer.link SET event_id = 'ghost_1', master_id = 'ghost', event = event || jsonb_build_object("
        "'event_id', 'ghost_1', 'recurring_event_id', 'ghost', 'starts', $1::jsonb, 'ends', $1::jsonb) "
        "WHERE master_id IS NOT NULL",
        past,
    )
    await stage.delete(series)
    await read_anew(stage)
    assert await stage.rows("link") == []


async def test_a_write_back_does_not_make_a_series_endless(stage: Acted) -> None:
    series = await stage.book(**{**SERIES, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    await stage.follow()
    changed = await stage.change_meeting(series, new_join_url=True)
    await stage.read_back()
    assert changed["join_url"] in str(await stage.event(series))
    (row,) = await stage.rows("link")
    assert json.loads(row["event"])["last_ends_at"] == "2099-12-16T10:00:00Z"


async def test_a_series_that_nobody_may_ask_for_holds_up_no_calendar(
    stage: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> bytes:
        raise Refused("Google", 400, "badRequest")

    monkeypatch.setattr(stage.tools.google, "family", refused)
    series = await stage.book(**SERIES)
    await stage.follow()
    assert (await stage.meeting(series))["recurrence"] == [RULE]


async def test_a_full_read_forgets_what_was_left_out_of_other_series(stage: Acted) -> None:
    event_id = await plain_series(stage)
    await stage.delete(Booked(ANA, event_id + THIRD, ""))
    await stage.follow()
    await stage.tools.database.run("UPDATE syncer.exclusion SET master_id = 'gone', event_id = 'gone_1'")
    await stage.delete(Booked(ANA, event_id + "_20991223T090000Z", ""))
    await stage.follow()
    await read_anew(stage)
    kept = {(row["master_id"], row["original_start"]) for row in await stage.rows("exclusion")}
    assert kept == {(event_id, "2099-12-16T09:00:00Z"), (event_id, "2099-12-23T09:00:00Z")}


async def test_a_full_read_asks_for_no_occurrence_that_is_past(stage: Acted) -> None:
    series = await stage.book(**SERIES)
    await stage.follow()
    await stage.tools.database.run(
        "INSERT INTO syncer.exclusion (tenant_id, calendar_id, master_id, original_start, event_id, generation) "
        "SELECT tenant_id, calendar_id, event_id, n || '-12-16T09:00:00Z', event_id || '_' || n, 0 "
        "FROM syncer.link, unnest('{2019,2098}'::text[]) AS n"
    )
    before = len(await stage.requests("GET"))
    await read_anew(stage)
    asked = [row["path"] for row in (await stage.requests("GET"))[before:]]
    assert [path.endswith(f"{series.event_id}_2098") for path in asked if "_20" in path] == [True]


async def test_a_dropped_link_is_told_once(stage: Acted) -> None:
    series = await stage.book(**SERIES)
    exception = Booked(ANA, series.event_id + THIRD, series.meeting_id)
    await stage.edit(exception, summary="Retro")
    await stage.follow()
    await stage.set_google_faults(settings={"exceptions_vanish": True})
    await stage.delete(series)
    await read_anew(stage)
    told = [row["event_id"] for row in await stage.rows("history") if row["kind"] == "unlinked"]
    assert sorted(told) == [series.event_id, exception.event_id]
    await stage.pass_time(GRACE * 2 + timedelta(hours=1))
    await stage.follow()
    await stage.follow()
    assert (await stage.meeting(series))["state"] == "deleted"


async def test_a_page_of_series_does_not_hold_up_the_loop(stage: Acted) -> None:
    slow = "RRULE:FREQ=YEARLY;BYYEARDAY=366;COUNT=400"
    page = await seen_page(stage, [slow] * 20)
    sight = read_page.sight_of(stage.tools, stage.project, stage.project.calendars[stage.ids[ANA]], page)
    loop, steps = asyncio.get_running_loop(), 0

    def others() -> None:
        nonlocal steps
        steps += 1
        if steps < 20:
            loop.call_soon(others)

    loop.call_soon(others)
    told = await read_page.tell(page.events, Known(), sight)
    assert (len(told.decisions), steps >= 20) == (20, True)


async def seen_page(stage: Acted, rules: list[str]) -> Page:
    meeting = await stage.vendor.new_meeting(title=None, organizer=None, attendee_count=0, timezone=None)
    for rule in rules:
        await stage.insert(meeting, **{**SERIES, "recurrence": [rule]})
    return (await seen_by(stage, ANA)).page


async def test_a_series_that_is_not_read_to_its_end_is_followed_and_said_to_be_cut(
    stage: Acted, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = await plain_series(stage)
    for day in ("09", "16", "23"):
        one = Booked(ANA, f"{event_id}_209912{day}T090000Z", "none")
        await stage.delete(one)
    await stage.follow()
    monkeypatch.setattr(listing, "MAX_RESULTS_CAP", 1)
    monkeypatch.setattr(read_page, "_FAMILY_PAGES", 2)
    meeting = await stage.vendor.new_meeting(title=None, organizer=None, attendee_count=0, timezone=None)
    booked = Booked(ANA, event_id, meeting["id"])
    await stage.swap(booked, addon.conference_of(meeting, solution=SOLUTION))
    await stage.follow()

    assert (await stage.meeting(booked))["title"] == "Plain"
    (note,) = await stage.rows("note")
    assert (note["event_id"], note["kind"]) == (event_id, "set_aside")
    assert "more changed and cancelled occurrences" in note["reason"]
    assert "set_aside" in await stage.told()
