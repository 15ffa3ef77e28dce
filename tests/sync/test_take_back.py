"""Our lines in an event's description: all else is the user's, and they go when their meeting goes."""

from collections.abc import Callable
from datetime import timedelta
from html import escape
from typing import Any

import pytest

from syncer.simulator.google import edits, refusals
from tests.simulator.google_stage import BO
from tests.sync.stage import GRACE, Acted, Booked, meet
from tests.sync.test_splits import SERIES, THIRD, instance, settle


@pytest.fixture
async def told(stage: Acted) -> Booked:
    """An event with a text of its people's, in which our block stands."""
    return await a_told_event(stage)


async def a_told_event(stage: Acted, **fields: Any) -> Booked:
    booked = await stage.book(description="Bring cake.", **fields)
    await stage.follow()
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    assert "Passcode: 777" in (await stage.event(booked))["description"]
    return booked


def rewritten(monkeypatch: pytest.MonkeyPatch, rewrite: Callable[[str], str]) -> list[str]:
    """Google rewrites each description that we patch; gives what we sent."""
    real, sent = edits.patch, []

    def patch(world: Any, calendar: Any, event_id: str, body: Any, writing: Any) -> Any:
        if writing.if_match is not None and "description" in body:
            sent.append(body["description"])
            body = {**body, "description": rewrite(body["description"])}
        return real(world, calendar, event_id, body, writing)

    monkeypatch.setattr(edits, "patch", patch)
    return sent


def refused(monkeypatch: pytest.MonkeyPatch, refusal: refusals.Refusal) -> list[str]:
    """Google refuses each of our patches so; gives the ids of the events."""
    real, tried = edits.patch, []

    def patch(world: Any, calendar: Any, event_id: str, body: Any, writing: Any) -> Any:
        if writing.if_match is not None:
            tried.append(event_id)
            raise refusal
        return real(world, calendar, event_id, body, writing)

    monkeypatch.setattr(edits, "patch", patch)
    return tried


def html(text: str) -> str:
    return "<p>" + escape(text, quote=False).replace("\n\n", "</p><p>").replace("\n", "<br>") + "</p>"


# While the meeting lives.


async def test_an_edit_around_our_block_leaves_it_and_reaches_the_meeting(stage: Acted, told: Booked) -> None:
    before = (await stage.event(told))["description"]
    await stage.edit(told, description=before.replace("Bring cake.", "Bring fruit.") + "\nAnd plates.")
    await settle(stage)
    await stage.read_back()
    event = await stage.event(told)
    assert event["description"] == before.replace("Bring cake.", "Bring fruit.") + "\nAnd plates."
    assert (await stage.meeting(told))["description"] == "Bring fruit.\nAnd plates."


async def test_a_text_that_google_made_html_of_holds_our_block_once(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.edit(booked, description="Cake & fruit")
    await stage.follow()
    sent = rewritten(monkeypatch, html)
    for passcode in ("777", "888"):
        await stage.change_meeting(booked, passcode=passcode)
        await stage.read_back()
        await settle(stage)
    text = (await stage.event(booked))["description"]
    assert (text.count("end of meeting"), text.count("Passcode: 888"), text.count("777")) == (1, 1, 0)
    assert len(sent) == 2


REWRITES = [
    pytest.param(lambda text: text.replace("Passcode: ", "Pass word: "), id="rewrites"),
    pytest.param(lambda text: text.partition("-----")[0], id="drops"),
]


@pytest.mark.parametrize("rewrite", REWRITES)
async def test_a_server_that_rewrites_for_ever_is_written_to_five_times_a_day(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch, rewrite: Callable[[str], str]
) -> None:
    noon = stage.tools.clock().replace(hour=12) + timedelta(days=1)
    await stage.pass_time(noon - stage.tools.clock())
    sent = rewritten(monkeypatch, rewrite)
    await stage.change_meeting(booked, passcode="777")
    for _ in range(2):
        for _ in range(8):
            await stage.read_back()
            await stage.follow()
            await stage.pass_time(GRACE)
        await stage.pass_time(timedelta(days=1))
    assert len(sent) == 10


async def test_a_server_that_makes_a_text_of_our_lines_is_written_to_once(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = rewritten(monkeypatch, str.upper)
    await stage.change_meeting(booked, passcode="777")
    for _ in range(4):
        await stage.read_back()
        await settle(stage)
    assert len(sent) == 1
    assert (await stage.told()).count("write_back_refused") == 1
    await stage.edit(booked, summary="Renamed")
    await settle(stage)
    assert (len(sent), (await stage.meeting(booked))["title"]) == (1, "Renamed")


LOCKED = [
    pytest.param(refusals.not_the_organizer(), id="forbiddenForNonOrganizer"),
    pytest.param(refusals.invalid("The event is locked."), id="a locked copy"),
    pytest.param(refusals.writer_required(), id="read only"),
]


@pytest.mark.parametrize("refusal", LOCKED)
async def test_an_event_that_cannot_be_changed_is_tried_by_each_way_told_once_and_left(
    stage: Acted, booked: Booked, monkeypatch: pytest.MonkeyPatch, refusal: refusals.Refusal
) -> None:
    with monkeypatch.context() as locked:
        tried = refused(locked, refusal)
        await stage.change_meeting(booked, passcode="777")
        for _ in range(4):
            await stage.read_back()
            await stage.follow()
        assert 0 < len(tried) <= 3
        assert (await stage.told()).count("write_back_refused") == 1
        await stage.edit(booked, summary="Renamed")
        await stage.follow()
        assert (await stage.meeting(booked))["title"] == "Renamed"
    await settle(stage)
    await stage.pass_time(GRACE * 6 * 12)
    await stage.read_back()
    assert "Passcode: 777" in (await stage.event(booked))["description"]


# When the meeting goes.


@pytest.mark.parametrize("fields", [{}, SERIES], ids=["an event", "a series"])
@pytest.mark.parametrize("conference", [None, meet()], ids=["taken off", "swapped"])
async def test_our_block_goes_with_its_meeting_and_the_users_text_stays(
    stage: Acted, fields: dict[str, Any], conference: Any
) -> None:
    told = await a_told_event(stage, **fields)
    await stage.swap(told, conference)
    await stage.follow()
    assert "Passcode: 777" in (await stage.event(told))["description"]
    await settle(stage)
    assert (await stage.meeting(told))["state"] == "deleted"
    assert (await stage.event(told))["description"] == "Bring cake."
    kinds = await stage.told()
    assert kinds.index("took_back") < kinds.index("deleted")


async def test_our_block_goes_from_an_event_whose_meeting_is_gone_at_its_provider(stage: Acted, told: Booked) -> None:
    await stage.vendor.rest("DELETE", f"meetings/{told.meeting_id}")
    await stage.edit(told, summary="Renamed")
    await settle(stage)
    assert (await stage.conference(told))["state"] == "gone"
    assert (await stage.event(told))["description"] == "Bring cake."
    assert (await stage.told()).count("took_back") == 1
    before = await stage.outside()
    await settle(stage)
    assert await stage.outside() == before


async def test_a_block_that_a_user_edits_around_while_it_goes_is_decided_again(stage: Acted, told: Booked) -> None:
    await stage.swap(told, None)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.look(*stage.ids)
    await stage.set_google_faults(next={"touch_before_patch": 2})
    await settle(stage)
    assert (await stage.event(told)).get("description") == "Bring cake."
    assert (await stage.meeting(told))["state"] == "deleted"


async def test_a_meeting_waits_while_its_block_cannot_be_taken_out_for_now(stage: Acted, told: Booked) -> None:
    await stage.swap(told, None)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.look(*stage.ids)
    await stage.set_google_faults(chance={"touch_before_patch": 1.0})
    await stage.push()
    assert (await stage.conference(told))["state"] == "leaving"
    await stage.set_google_faults(chance={})
    await settle(stage)
    assert (await stage.event(told))["description"] == "Bring cake."
    assert (await stage.meeting(told))["state"] == "deleted"


async def test_a_block_that_nobody_lets_us_take_out_keeps_no_meeting(
    stage: Acted, told: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.swap(told, None)
    await stage.follow()
    tried = refused(monkeypatch, refusals.not_the_organizer())
    await settle(stage)
    assert tried == [told.event_id]
    assert (await stage.meeting(told))["state"] == "deleted"
    assert (await stage.told()).count("write_back_refused") == 1


async def test_a_block_of_ours_becomes_that_of_the_meeting_it_was_swapped_for(stage: Acted, told: Booked) -> None:
    other = await a_told_event(stage)
    await stage.swap(told, (await stage.event(other))["conferenceData"])
    await settle(stage)
    await stage.read_back()
    text = (await stage.event(told))["description"]
    assert text.startswith("Bring cake.\n\n-----")
    assert (text.count("Passcode"), other.meeting_id in text, told.meeting_id in text) == (1, True, False)
    assert (await stage.meeting(told))["state"] == "deleted"


async def test_matchers_that_changed_leave_every_block_where_it_is(stage: Acted, told: Booked) -> None:
    before = (await stage.event(told))["description"]
    typo = b'[{"solution_name": "Mistyped"}]'
    await stage.tools.database.run("UPDATE syncer.tenant SET matchers = $1", typo)
    await stage.restart()
    await settle(stage)
    assert (await stage.event(told))["description"] == before


# Events that lose their meeting while it lives on.


async def _a_told_copy(stage: Acted, told: Booked) -> Booked:
    """A copy on another calendar, with our block in it."""
    copy = Booked(BO, await stage.insert(await stage.meeting(told), BO, description="Bring cake."), told.meeting_id)
    await stage.follow()
    await stage.change_meeting(told, passcode="888")
    await stage.read_back()
    assert not await _is_tidy(stage, copy)
    return copy


async def _is_tidy(stage: Acted, one: Booked) -> bool:
    return bool((await stage.event(one)).get("description") == "Bring cake.")


async def test_a_copy_that_loses_its_conference_loses_our_lines_too(stage: Acted, told: Booked) -> None:
    copy = await _a_told_copy(stage, told)
    await stage.swap(copy, None)
    await stage.follow()
    assert await _is_tidy(stage, copy)
    assert not await _is_tidy(stage, told)
    assert (await stage.told()).count("took_back") == 1
    assert (await stage.meeting(told))["state"] == "live"


async def test_an_occurrence_that_loses_its_conference_loses_our_lines_too(stage: Acted) -> None:
    series = await a_told_event(stage, **SERIES)
    await stage.follow()
    one = await instance(stage, series, THIRD)
    await stage.swap(one, None)
    await stage.follow()
    assert await _is_tidy(stage, one)
    assert not await _is_tidy(stage, series)


async def test_what_cannot_be_tidied_now_is_tidied_with_the_next_push(stage: Acted, told: Booked) -> None:
    copy = await _a_told_copy(stage, told)
    await stage.swap(copy, None)
    touched = await stage.look(BO)
    await stage.set_google_faults(next={"server_error": 1})
    await stage.push(touched)
    assert not await _is_tidy(stage, copy)
    await stage.read_back()
    assert await _is_tidy(stage, copy)
