""" "This and following", as Google's own pages do it: the meeting survives, and neither half of the series loses it."""

from datetime import timedelta
from typing import Any

import pytest

from syncer.simulator.google import listing
from tests.simulator.google_stage import ANA, BO
from tests.sync import judged
from tests.sync.stage import GRACE, Acted, Booked

ZONE = "Europe/Zurich"
RULE = "RRULE:FREQ=WEEKLY"
SECOND, THIRD, FOURTH, FIFTH = (f"2099-12-{day:02d}T09:00:00Z" for day in (9, 16, 23, 30))
SWITCHES = ("opaque_instance_ids", "moved_instances_change_id", "exceptions_vanish")


def timed(day: int, hour: int = 10) -> dict[str, Any]:
    return {"dateTime": f"2099-12-{day:02d}T{hour:02d}:00:00+01:00", "timeZone": ZONE}


SERIES: dict[str, Any] = {"start": timed(2), "end": timed(2, 11), "recurrence": [RULE]}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google gives one entry a page, however many are asked for."""
    monkeypatch.setattr(listing, "MAX_RESULTS_CAP", 1)


@pytest.fixture
async def series(stage: Acted) -> Booked:
    """A weekly series, followed, one of whose later occurrences was renamed and another cancelled."""
    return await a_series(stage)


async def a_series(stage: Acted, **fields: Any) -> Booked:
    booked = await stage.book(**SERIES, **fields)
    await stage.edit(await instance(stage, booked, FOURTH), summary="Retro")
    await stage.delete(await instance(stage, booked, FIFTH))
    await stage.follow()
    return booked


async def instance(stage: Acted, booked: Booked, original_start: str) -> Booked:
    """One occurrence, by its original start; nothing is read out of its id."""
    path = f"calendars/{booked.calendar}/events/{booked.event_id}/instances"
    reply = await stage.google.call("GET", path, user=booked.calendar, originalStart=original_start, showDeleted="true")
    (row,) = reply.body["items"]
    return Booked(booked.calendar, row["id"], booked.meeting_id)


async def split(stage: Acted, booked: Booked, at: str = THIRD, **more: Any) -> Booked:
    """A person changes this and all following occurrences; gives the later half."""
    body = {"calendar": booked.calendar, "event_id": booked.event_id, "at": at, **more}
    made = await stage.google.control("POST", "split", body)
    return Booked(booked.calendar, made["id"], booked.meeting_id)


async def switch(stage: Acted, **settings: bool) -> None:
    await stage.google.control("PUT", "faults", {"settings": settings})


async def settle(stage: Acted) -> None:
    """All that could still be done is done."""
    for _ in range(3):
        await stage.follow()
        await stage.pass_time(GRACE * 2)


async def is_right(stage: Acted, booked: Booked) -> bool:
    found = await judged.differences(stage, booked)
    assert found == []
    return True


async def test_the_judge_of_these_tests_finds_what_is_wrong(stage: Acted, series: Booked) -> None:
    assert await is_right(stage, series)
    await stage.change_meeting(series, title="By the vendor's user")
    assert await judged.differences(stage, series) != []


@pytest.mark.parametrize("switched", [(), *((name,) for name in SWITCHES), SWITCHES], ids=str)
@pytest.mark.parametrize("fields", [{}, {"start": timed(16, 14), "end": timed(16, 15)}], ids=["renamed", "moved"])
async def test_both_halves_keep_the_meeting_whatever_their_ids(
    stage: Acted, switched: tuple[str, ...], fields: dict[str, Any]
) -> None:
    await switch(stage, **dict.fromkeys(switched, True))
    series = await a_series(stage)
    await split(stage, series, fields={"summary": "Later", **fields})
    await settle(stage)
    assert await is_right(stage, series)
    assert len((await stage.meeting(series))["further"]) == 1


@pytest.mark.parametrize("conference", [True, False], ids=["copied", "not copied"])
@pytest.mark.parametrize("exceptions", [True, False], ids=["exceptions kept", "exceptions lost"])
async def test_a_split_across_pages_and_pulls_ends_the_same(
    stage: Acted, series: Booked, small_pages: None, conference: bool, exceptions: bool
) -> None:
    await split(stage, series, conference=conference, exceptions=exceptions)
    await stage.set_google_faults(next={"server_error": 1})
    await settle(stage)
    assert await is_right(stage, series)


@pytest.mark.parametrize("burned", range(6))
async def test_a_split_in_any_order_ends_the_same(stage: Acted, small_pages: None, burned: int) -> None:
    for number in range(burned):  # each split draws its order from one seeded chance
        await split(stage, await a_series(stage), fields={"summary": f"Other {number}"})
    series = await a_series(stage)
    await split(stage, series)
    await settle(stage)
    assert await is_right(stage, series)


async def test_a_half_is_split_again_and_all_three_are_one_meeting(stage: Acted, series: Booked) -> None:
    later = await split(stage, series)
    await split(stage, later, FOURTH, fields={"summary": "Third part"})
    await settle(stage)
    assert await is_right(stage, series)
    assert len((await stage.meeting(series))["further"]) == 2


async def test_between_two_pulls_nothing_is_lost(stage: Acted, series: Booked) -> None:
    later = await split(stage, series)
    await stage.push(await stage.look(ANA))
    await stage.edit(await instance(stage, later, FOURTH), summary="Retro again", start=timed(24, 9), end=timed(24, 10))
    await stage.delete(await instance(stage, later, THIRD))
    await settle(stage)
    assert await is_right(stage, series)


@pytest.mark.parametrize("changes_id", [True, False])
async def test_an_occurrence_of_the_later_half_that_gets_another_id_is_there_once(
    stage: Acted, series: Booked, changes_id: bool
) -> None:
    await switch(stage, moved_instances_change_id=changes_id)
    later = await split(stage, series)
    await stage.follow()
    for hour in (9, 13):
        moved = await instance(stage, later, FOURTH)
        await stage.edit(moved, start=timed(24, hour), end=timed(24, hour + 1))
        await stage.follow()
    assert await is_right(stage, series)


async def test_the_earlier_half_goes_and_the_later_one_keeps_the_meeting(stage: Acted, series: Booked) -> None:
    later = await split(stage, series, fields={"summary": "Later"})
    await stage.follow()
    await stage.delete(series)
    await settle(stage)
    assert await is_right(stage, later)
    assert (await stage.meeting(series))["title"] == "Later"


async def test_the_later_half_goes_and_the_earlier_one_keeps_the_meeting(stage: Acted, series: Booked) -> None:
    later = await split(stage, series)
    await stage.follow()
    await stage.delete(later)
    await settle(stage)
    assert await is_right(stage, series)
    assert "further" not in await stage.meeting(series) or not (await stage.meeting(series))["further"]


async def test_both_halves_go_and_so_does_the_meeting(stage: Acted, series: Booked) -> None:
    later = await split(stage, series)
    await stage.follow()
    await stage.delete(series)
    await stage.delete(later)
    await settle(stage)
    assert (await stage.meeting(series))["state"] == "deleted"
    assert (await stage.rows("link"), await stage.rows("exclusion")) == ([], [])


@pytest.mark.parametrize("vanish", [True, False])
async def test_a_split_in_the_gap_of_an_expired_token_is_found(stage: Acted, series: Booked, vanish: bool) -> None:
    await switch(stage, exceptions_vanish=vanish)
    await split(stage, series, fields={"summary": "Later"})
    await stage.google.control("POST", "forget", {"before": None})
    await stage.pass_time(timedelta(days=40))
    await settle(stage)
    assert await is_right(stage, series)


async def test_a_split_series_that_others_are_invited_to_is_one_meeting(stage: Acted) -> None:
    series = await a_series(stage, attendees=[{"email": ANA}, {"email": BO}])
    await split(stage, series, fields={"summary": "Later"})
    await settle(stage)
    assert await is_right(stage, series)
    assert {row["calendar_id"] for row in await stage.rows("link")} == {stage.ids[ANA].calendar_id}


async def test_what_a_split_leaves_without_the_meeting_is_not_told(stage: Acted, series: Booked) -> None:
    await split(stage, series, conference=False)
    await settle(stage)
    meeting = await stage.meeting(series)
    assert (meeting["state"], meeting.get("further", [])) == ("live", [])
    assert "UNTIL=" in meeting["recurrence"][0]


async def _called_otherwise(stage: Acted, former: Booked, event_id: str) -> None:
    """Google tells of an occurrence by another id too; of its former id nothing yet."""
    made = {**await stage.event(former), "id": event_id, "summary": "Retro, elsewhere", "sequence": 7}
    await stage.google.control("POST", f"calendars/{ANA}/load", {"events": [made]})


@pytest.mark.parametrize("is_full_read", [False, True])
async def test_a_former_ids_tombstone_in_a_later_pull_takes_no_link_away(
    stage: Acted, series: Booked, is_full_read: bool
) -> None:
    former = await instance(stage, series, FOURTH)
    await _called_otherwise(stage, former, "anotherid")
    await stage.follow()
    assert "anotherid" in {row["event_id"] for row in await stage.rows("link")}

    await stage.delete(former)
    if is_full_read:
        await stage.google.control("POST", "forget", {"before": None})
    await settle(stage)

    assert "anotherid" in {row["event_id"] for row in await stage.rows("link")}
    assert [one["title"] for one in (await stage.meeting(series))["overrides"]] == ["Retro, elsewhere"]
