"""Whatever lines a series has, its provider gets them, and its occurrences are those that the calendar shows."""

from typing import Any

import pytest

from tests.simulator.google_stage import ANA
from tests.sync import judged
from tests.sync.stage import SOLUTION, Acted, Booked
from tests.sync.test_splits import ZONE, instance, settle

ODD = [
    pytest.param(["RRULE:FREQ=WEEKLY;UNTIL=21000301"], id="UNTIL by day"),
    pytest.param(["RRULE:FREQ=WEEKLY;UNTIL=21000301T100000"], id="UNTIL on the clock"),
    pytest.param(["RRULE:FREQ=WEEKLY;UNTIL="], id="an empty UNTIL"),
    pytest.param(["RRULE:FREQ=WEEKLY;COUNT=3", "RDATE;TZID=Europe/Zurich:21000106T100000"], id="RDATE"),
    pytest.param(["RRULE:FREQ=WEEKLY;COUNT=3", "RDATE;VALUE=DATE:21000106"], id="RDATE by day"),
    pytest.param(["RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=MONTHLY;COUNT=3"], id="two rules"),
    pytest.param(["RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20991216"], id="EXDATE by day"),
    pytest.param(["RRULE:FREQ=WEEKLY", "EXDATE:20991216T090000Z"], id="EXDATE in UTC"),
    pytest.param(["RRULE:FREQ=SECONDLY"], id="a rule nobody reads"),
    pytest.param(["RRULE:FREQ=WEEKLY;COUNT=2", "EXRULE:FREQ=MONTHLY"], id="EXRULE"),
    pytest.param(["DATE;TZID=Europe/Zurich:20991209T100000"], id="DATE"),
]
ALL_DAY = [
    pytest.param(["RRULE:FREQ=WEEKLY;UNTIL=21000301T225959Z"], id="UNTIL with a time"),
    pytest.param(["RRULE:FREQ=WEEKLY;COUNT=3", "RDATE;VALUE=DATE:21000106"], id="RDATE"),
    pytest.param(["RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20991216"], id="EXDATE"),
]


def timed(day: str, hour: int = 10, offset: str = "+01:00", zone: str = ZONE) -> dict[str, Any]:
    return {"dateTime": f"{day}T{hour:02d}:00:00{offset}", "timeZone": zone}


async def loaded(stage: Acted, recurrence: list[str], **times: Any) -> Booked:
    """A series with these lines, however they came to be there."""
    meeting = await stage.vendor.new_meeting(title=None, organizer=None, attendee_count=0, timezone=None)
    conference = {
        "conferenceId": meeting["id"],
        "conferenceSolution": {"key": {"type": "addOn"}, "name": SOLUTION},
        "entryPoints": [{"entryPointType": "video", "uri": meeting["join_url"]}],
    }
    event = {"id": "odd00", "summary": "Odd", "conferenceData": conference, "recurrence": recurrence, **times}
    await stage.google.control("POST", f"calendars/{ANA}/load", {"events": [event]})
    return Booked(ANA, "odd00", meeting["id"])


@pytest.mark.parametrize("recurrence", ODD)
async def test_odd_lines_of_a_timed_series_reach_its_provider_as_they_stand(
    stage: Acted, recurrence: list[str]
) -> None:
    booked = await loaded(stage, recurrence, start=timed("2099-12-02"), end=timed("2099-12-02", 11))
    await settle(stage)
    meeting = await stage.meeting(booked)
    assert (meeting["title"], meeting["recurrence"], meeting["state"]) == ("Odd", recurrence, "live")
    assert await judged.differences(stage, booked) == []


@pytest.mark.parametrize("recurrence", ALL_DAY)
async def test_odd_lines_of_an_all_day_series_reach_its_provider_as_they_stand(
    stage: Acted, recurrence: list[str]
) -> None:
    booked = await loaded(stage, recurrence, start={"date": "2099-12-02"}, end={"date": "2099-12-03"})
    await settle(stage)
    assert (await stage.meeting(booked))["recurrence"] == recurrence
    assert await judged.differences(stage, booked) == []


async def test_a_change_of_the_clocks_moves_no_exclusion_and_no_override(stage: Acted) -> None:
    recurrence = ["RRULE:FREQ=WEEKLY"]
    booked = await stage.book(start=timed("2099-12-02"), end=timed("2099-12-02", 11), recurrence=recurrence)
    await stage.delete(await instance(stage, booked, "2100-03-31T08:00:00Z"))
    await stage.delete(await instance(stage, booked, "2100-03-24T09:00:00Z"))
    moved = {"start": timed("2100-04-08", 15, "+02:00"), "end": timed("2100-04-08", 16, "+02:00")}
    await stage.edit(await instance(stage, booked, "2100-04-07T08:00:00Z"), **moved)
    await settle(stage)
    assert (await stage.meeting(booked))["recurrence"] == [
        *recurrence,
        "EXDATE;TZID=Europe/Zurich:21000324T100000",
        "EXDATE;TZID=Europe/Zurich:21000331T100000",
    ]
    assert await judged.differences(stage, booked) == []


# Moscow has had no summer time since 2014, and Kyiv was called otherwise before.
ZONES = [("Europe/Moscow", "+03:00", "2099-12-09T07:00:00Z"), ("Europe/Kyiv", "+02:00", "2099-12-09T08:00:00Z")]


@pytest.mark.parametrize(("zone", "offset", "second"), ZONES)
async def test_a_series_in_a_zone_that_changed_its_rules_is_handed_on_in_that_zone(
    stage: Acted, zone: str, offset: str, second: str
) -> None:
    start, end = timed("2099-12-02", 10, offset, zone), timed("2099-12-02", 11, offset, zone)
    booked = await stage.book(start=start, end=end, recurrence=["RRULE:FREQ=WEEKLY"])
    await stage.delete(await instance(stage, booked, second))
    await settle(stage)
    meeting = await stage.meeting(booked)
    assert (meeting["timezone"], meeting["recurrence"][1]) == (zone, f"EXDATE;TZID={zone}:20991209T100000")
    assert await judged.differences(stage, booked) == []


async def test_an_occurrence_moved_beyond_the_end_of_its_series_takes_place_there(stage: Acted) -> None:
    booked = await stage.book(
        start=timed("2099-12-02"), end=timed("2099-12-02", 11), recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"]
    )
    far = {"start": timed("2100-02-10"), "end": timed("2100-02-10", 11)}
    await stage.edit(await instance(stage, booked, "2099-12-09T09:00:00Z"), **far)
    await settle(stage)
    assert await judged.differences(stage, booked) == []
    await stage.google.control("POST", "forget", {"before": None})
    await settle(stage)
    assert await judged.differences(stage, booked) == []


async def test_an_occurrence_ahead_keeps_the_meeting_of_a_series_that_is_over(stage: Acted) -> None:
    now = stage.tools.clock()
    day = now.date().isoformat()
    booked = await stage.book(
        start={"dateTime": f"{day}T00:10:00Z", "timeZone": "UTC"},
        end={"dateTime": f"{day}T00:20:00Z", "timeZone": "UTC"},
        recurrence=["RRULE:FREQ=DAILY;COUNT=2"],
    )
    await stage.edit(
        await instance(stage, booked, f"{day}T00:10:00Z"),
        start={"dateTime": "2099-12-02T10:00:00Z"},
        end={"dateTime": "2099-12-02T11:00:00Z"},
        summary="Late",
    )
    await stage.follow()
    await stage.google.control("PUT", "faults", {"settings": {"tombstone_days": 7}})
    await stage.pass_time(judged.WINDOW[0] - now)
    await stage.google.control("POST", "forget", {"before": None})
    await settle(stage)
    meeting = await stage.meeting(booked)
    assert (meeting["state"], [one["title"] for one in meeting["overrides"]]) == ("live", ["Late"])
    await stage.edit(await instance(stage, booked, f"{day}T00:10:00Z"), summary="Later")
    await settle(stage)
    assert [one["title"] for one in (await stage.meeting(booked))["overrides"]] == ["Later"]
