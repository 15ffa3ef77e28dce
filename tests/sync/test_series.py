"""Series: one meeting for a master, its exceptions and what is excluded, whatever order all of it comes in."""

import json
from datetime import timedelta
from typing import Any

import pytest

from syncer.rules import series as rules
from syncer.sync import rehearsal
from syncer.sync.rehearsal import Occurrence
from tests.simulator.google_stage import ANA, BO, ROOM
from tests.sync.stage import GRACE, POLICY, Acted, Booked, meet

ZONE = "Europe/Zurich"
RULE = "RRULE:FREQ=WEEKLY"


def timed(day: int, hour: int = 10) -> dict[str, Any]:
    return {"dateTime": f"2099-12-{day:02d}T{hour:02d}:00:00+01:00", "timeZone": ZONE}


SERIES: dict[str, Any] = {"start": timed(2), "end": timed(2, 11), "recurrence": [RULE]}
THIRD = "_20991216T090000Z"


@pytest.fixture
async def series(stage: Acted) -> Booked:
    """A weekly series with a meeting, followed."""
    booked = await stage.book(**SERIES)
    await stage.follow()
    return booked


def instance(booked: Booked, suffix: str = THIRD) -> Booked:
    return Booked(booked.calendar, booked.event_id + suffix, booked.meeting_id)


async def test_a_series_is_followed_with_its_rule(stage: Acted, series: Booked) -> None:
    meeting = await stage.meeting(series)
    assert (meeting["recurrence"], meeting["timezone"], meeting["title"]) == ([RULE], ZONE, "Standup")
    assert "overrides" not in meeting or not meeting["overrides"]


async def test_a_changed_rule_is_told(stage: Acted, series: Booked) -> None:
    await stage.edit(series, recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    await stage.follow()
    assert (await stage.meeting(series))["recurrence"] == ["RRULE:FREQ=DAILY;COUNT=5"]


async def test_a_cancelled_occurrence_is_left_out_and_the_meeting_stays(stage: Acted, series: Booked) -> None:
    await stage.delete(instance(series))
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(series)
    assert (meeting["state"], meeting["recurrence"]) == ("live", [RULE, "EXDATE;TZID=Europe/Zurich:20991216T100000"])


async def test_an_occurrence_that_is_brought_back_takes_place_again(stage: Acted, series: Booked) -> None:
    await stage.delete(instance(series))
    await stage.follow()
    await stage.edit(instance(series), status="confirmed")
    await stage.follow()
    meeting = await stage.meeting(series)
    assert meeting["recurrence"] == [RULE]
    assert await stage.rows("exclusion") == []


async def test_a_moved_and_renamed_occurrence_overrides_its_place(stage: Acted, series: Booked) -> None:
    await stage.edit(instance(series), summary="Retro", start=timed(17, 15), end=timed(17, 16))
    await stage.follow()
    (override,) = (await stage.meeting(series))["overrides"]
    assert (override["original_start"], override["title"]) == ("2099-12-16T09:00:00Z", "Retro")
    assert override["start"] == "2099-12-17T14:00:00+00:00"
    assert (await stage.meeting(series))["recurrence"] == [RULE]


@pytest.mark.parametrize("conference", [None, meet()])
async def test_an_occurrence_without_the_meeting_is_left_out(stage: Acted, series: Booked, conference: Any) -> None:
    await stage.swap(instance(series), conference)
    await stage.follow()
    assert len((await stage.meeting(series))["recurrence"]) == 2


async def test_an_occurrence_with_another_meeting_is_left_out_here_and_followed_there(
    stage: Acted, series: Booked
) -> None:
    other = await stage.book("Other", calendar=BO)
    conference = (await stage.event(other))["conferenceData"]
    await stage.swap(instance(series), conference)
    await stage.follow()
    assert len((await stage.meeting(series))["recurrence"]) == 2
    assert {row["event_id"] for row in await stage.rows("link")} >= {instance(series).event_id}


async def test_a_series_that_gains_its_meeting_later_knows_what_was_cancelled_before(stage: Acted) -> None:
    plain = await stage.book(**SERIES)
    conference = (await stage.event(plain))["conferenceData"]
    await stage.swap(plain, None)
    await stage.delete(instance(plain))
    await stage.follow()
    await stage.tools.database.run("DELETE FROM syncer.exclusion")
    await stage.swap(plain, conference)
    await stage.follow()
    assert len((await stage.meeting(plain))["recurrence"]) == 2


async def test_a_deleted_series_takes_its_exceptions_and_its_meeting(stage: Acted, series: Booked) -> None:
    await stage.edit(instance(series), summary="Retro")
    await stage.follow()
    await stage.delete(series)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(series))["state"] == "deleted"
    assert await stage.rows("link") == []


async def test_a_meeting_on_one_occurrence_only_is_like_one_of_a_single_event(stage: Acted) -> None:
    plain = await stage.book(**SERIES)
    conference = (await stage.event(plain))["conferenceData"]
    await stage.swap(plain, None)
    await stage.swap(instance(plain), conference)
    await stage.follow()
    meeting = await stage.meeting(plain)
    assert (meeting["recurrence"], meeting["start"]) == ([], "2099-12-16T09:00:00+00:00")
    await stage.delete(instance(plain))
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(plain))["state"] == "deleted"


@pytest.mark.parametrize("is_copied", [True, False])
async def test_this_and_following_loses_no_half_that_keeps_the_meeting(
    stage: Acted, series: Booked, is_copied: bool
) -> None:
    first_half = ["RRULE:FREQ=WEEKLY;UNTIL=20991215T225959Z"]
    await stage.edit(series, recurrence=first_half)
    if is_copied:
        meeting = await stage.meeting(series)
        await stage.insert(meeting, summary="Standup", recurrence=[RULE], start=timed(16, 12), end=timed(16, 13))
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(series)
    further = [(half["start"], half["recurrence"]) for half in meeting.get("further", [])]
    assert (meeting["state"], meeting["recurrence"]) == ("live", first_half)
    assert further == ([("2099-12-16T11:00:00+00:00", [RULE])] if is_copied else [])


async def test_the_second_half_keeps_the_meeting_when_the_first_goes(stage: Acted, series: Booked) -> None:
    await stage.edit(series, recurrence=["RRULE:FREQ=WEEKLY;UNTIL=20991215T225959Z"])
    await stage.insert(await stage.meeting(series), recurrence=[RULE], start=timed(16, 12), end=timed(16, 13))
    await stage.follow()
    await stage.delete(series)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(series)
    assert (meeting["state"], meeting["start"]) == ("live", "2099-12-16T11:00:00+00:00")
    assert not meeting.get("further")


async def test_a_series_that_moves_keeps_its_meeting_and_its_exceptions(stage: Acted, series: Booked) -> None:
    await stage.edit(instance(series), summary="Retro")
    await stage.follow()
    await stage.move(series, ROOM)
    await stage.follow()
    await stage.pass_time(timedelta(hours=2))
    await stage.follow()
    meeting = await stage.meeting(series)
    assert (meeting["state"], meeting["recurrence"]) == ("live", [RULE])
    assert [one["title"] for one in meeting["overrides"]] == ["Retro"]


async def test_a_full_read_knows_what_is_cancelled_and_asks_for_what_it_does_not_list(
    stage: Acted, series: Booked
) -> None:
    await stage.delete(instance(series))
    await stage.delete(instance(series, "_20991223T090000Z"))
    await stage.follow()
    await stage.edit(instance(series, "_20991223T090000Z"), status="confirmed")
    await stage.google.control("POST", "forget", {"before": None})
    await stage.follow()
    await stage.follow()
    meeting = await stage.meeting(series)
    assert meeting["recurrence"] == [RULE, "EXDATE;TZID=Europe/Zurich:20991216T100000"]


async def test_an_all_day_series_is_left_out_by_days(stage: Acted) -> None:
    booked = await stage.book(start={"date": "2099-12-02"}, end={"date": "2099-12-03"}, recurrence=[RULE])
    await stage.follow()
    await stage.delete(instance(booked, "_20991209"))
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["all_day"], meeting["recurrence"]) == (True, [RULE, "EXDATE;VALUE=DATE:20991209"])


async def test_the_addresses_of_a_meeting_reach_a_series_and_its_exceptions(stage: Acted, series: Booked) -> None:
    await stage.edit(instance(series), summary="Retro")
    await stage.follow()
    changed = await stage.change_meeting(series, new_join_url=True)
    await stage.read_back()
    for booked in (series, instance(series)):
        assert changed["join_url"] in str(await stage.event(booked))


async def test_a_calendars_other_series_write_nothing_but_what_is_cancelled(stage: Acted) -> None:
    path = f"calendars/{ANA}/events"
    reply = await stage.google.call("POST", path, {"summary": "Plain", **SERIES}, user=ANA)
    await stage.delete(Booked(ANA, reply.body["id"] + THIRD, ""))
    await stage.follow()
    assert (await stage.rows("link"), await stage.rows("conference")) == ([], [])
    assert [row["original_start"] for row in await stage.rows("exclusion")] == ["2099-12-16T09:00:00Z"]


async def test_more_changed_occurrences_than_are_sent_are_said_to_be_left_out(
    stage: Acted, series: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_OVERRIDES", 2)
    monkeypatch.setattr(rules, "MOST_EXCLUDED", 1)
    for day in (16, 23, 30):
        await stage.edit(instance(series, f"_209912{day}T090000Z"), summary=f"On {day}")
    for number in ("06", "13"):
        await stage.delete(instance(series, f"_210001{number}T090000Z"))
    await stage.follow()

    meeting = await stage.meeting(series)
    assert [one["title"] for one in meeting["overrides"]] == ["On 23", "On 30"]
    assert meeting["recurrence"] == [RULE, "EXDATE;TZID=Europe/Zurich:21000113T100000"]
    told = [json.loads(row["detail"]) for row in await stage.rows("history") if row["kind"] == "updated"]
    assert told[-1]["left_out"] == ["overrides", "excluded"]


async def test_a_rehearsal_says_which_occurrences_would_go_and_which_would_come_back(
    stage: Acted, series: Booked
) -> None:
    fourth = instance(series, "_20991223T090000Z")
    await stage.delete(fourth)
    await stage.follow()
    await stage.edit(fourth, status="confirmed")
    await stage.delete(instance(series))

    calendar = stage.project.calendars[stage.ids[ANA]]
    found = await rehearsal.rehearse(stage.tools, POLICY, calendar, lambda _: None)

    assert found.excluded == (Occurrence(series.event_id, series.meeting_id, "2099-12-16T09:00:00Z"),)
    assert found.included == (Occurrence(series.event_id, series.meeting_id, "2099-12-23T09:00:00Z"),)
    assert not found.is_quiet
