"""Series at the simulated Google: instances, splits, and what becomes of exceptions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import ANA, BO, END, ROOM, START, Stage, a_stage, events

WEEKLY = ["RRULE:FREQ=WEEKLY;COUNT=6"]
SECOND, THIRD, FOURTH = "20261208T090000Z", "20261215T090000Z", "20261222T090000Z"
CUT = "2026-12-15T10:00:00+01:00"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def settings(stage: Stage, **values: bool) -> None:
    await stage.control("PUT", "faults", {"settings": values})


async def a_series(stage: Stage, **fields: Any) -> str:
    made = await stage.insert_with_conference(recurrence=WEEKLY, **fields)
    return str(made["id"])


async def instances(stage: Stage, series: str, **query: Any) -> list[Any]:
    reply = await stage.call("GET", events(ANA, series, "instances"), **query)
    assert reply.status == 200, reply.body
    return list(reply.body["items"])


async def change(stage: Stage, event_id: str, body: Any, verb: str = "PATCH", calendar: str = ANA) -> Any:
    reply = await stage.call(verb, events(calendar, event_id), body, conferenceDataVersion=1)
    assert reply.status == 200, reply.body
    return reply.body


async def split(stage: Stage, series: str, **more: Any) -> Any:
    return await stage.control("POST", "split", {"calendar": ANA, "event_id": series, "at": CUT, **more})


def starts(rows: list[Any]) -> list[str]:
    return [row["start"].get("date") or row["start"]["dateTime"] for row in rows]


async def test_instances_are_all_that_a_rule_makes_with_what_was_changed(stage: Stage) -> None:
    series = await a_series(stage)
    await change(stage, f"{series}_{SECOND}", {"summary": "Moved"})
    await stage.call("DELETE", events(ANA, f"{series}_{THIRD}"))

    rows = await instances(stage, series)
    assert len(rows) == 5
    assert [row["summary"] for row in rows[:2]] == ["Review", "Moved"]
    assert len(await instances(stage, series, showDeleted="true")) == 6
    assert len(await instances(stage, series, timeMin="2026-12-20T00:00:00Z")) == 3
    assert len(await instances(stage, series, originalStart="2026-12-08T09:00:00Z")) == 1
    page = (await stage.call("GET", events(ANA, series, "instances"), maxResults=2)).body
    assert len(await instances(stage, series, pageToken=page["nextPageToken"])) == 3


async def test_the_instances_of_an_instance_are_itself_or_none(stage: Stage) -> None:
    series = await a_series(stage)

    assert len(await instances(stage, f"{series}_{SECOND}")) == 1
    await stage.call("DELETE", events(ANA, f"{series}_{SECOND}"))
    assert await instances(stage, f"{series}_{SECOND}") == []


async def test_an_instance_keeps_its_hour_when_the_clocks_change(stage: Stage) -> None:
    made = await stage.insert(recurrence=["RRULE:FREQ=MONTHLY;COUNT=6"])

    assert starts(await instances(stage, made["id"]))[3:5] == ["2027-03-01T10:00:00+01:00", "2027-04-01T10:00:00+02:00"]


async def test_an_all_day_series_has_days(stage: Stage) -> None:
    body: dict[str, Any] = {
        "start": {"date": "2026-12-01"},
        "end": {"date": "2026-12-02"},
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
    }
    made = await stage.insert(**body)
    changed = await change(stage, f"{made['id']}_20261202", {"summary": "Other"})

    assert changed["originalStartTime"] == {"date": "2026-12-02"}
    assert starts(await instances(stage, made["id"])) == ["2026-12-01", "2026-12-02", "2026-12-03"]


async def test_there_is_no_instance_where_the_rule_has_none(stage: Stage) -> None:
    series = await a_series(stage)

    for other in ("20261207T090000Z", "20270119T090000Z"):
        assert (await stage.call("GET", events(ANA, f"{series}_{other}"))).status == 404


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
async def test_an_exception_keeps_its_series_and_its_place_in_it(stage: Stage, verb: str) -> None:
    series = await a_series(stage)
    body = {
        "summary": "Moved",
        "start": {"dateTime": "2026-12-09T10:00:00Z"},
        "end": {"dateTime": "2026-12-09T11:00:00Z"},
    }

    changed = await change(stage, f"{series}_{SECOND}", body, verb)

    assert changed["recurringEventId"] == series
    assert changed["originalStartTime"]["dateTime"] == "2026-12-08T10:00:00+01:00"


async def test_a_called_off_instance_comes_back_with_its_conference(stage: Stage) -> None:
    series = await a_series(stage)
    one = f"{series}_{SECOND}"
    await stage.call("DELETE", events(ANA, one))
    shown = [row for page in await stage.pages() for row in page["items"] if row["id"] == one]
    assert set(shown[0]) == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}

    back = await change(stage, one, {"status": "confirmed"})

    assert back["conferenceData"]["conferenceId"] == "81234567890"


async def test_exceptions_after_a_new_end_are_reset(stage: Stage) -> None:
    series = await a_series(stage)
    for when in (SECOND, FOURTH):
        await change(stage, f"{series}_{when}", {"summary": "Changed"})
    token = await stage.sync_token()

    await change(stage, series, {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261215T085959Z"]})

    changed = {row["id"]: row["status"] for row in await stage.changes(token)}
    assert changed == {series: "confirmed", f"{series}_{FOURTH}": "cancelled"}
    assert len(await instances(stage, series)) == 2
    refused = await stage.call("PATCH", events(ANA, f"{series}_{FOURTH}"), {"status": "confirmed"})
    assert refused.status == 403


async def test_the_family_is_listed_by_its_uid_with_or_without_details(stage: Stage) -> None:
    series = await a_series(stage)
    await change(stage, f"{series}_{SECOND}", {"summary": "Changed"})
    await stage.call("DELETE", events(ANA, f"{series}_{THIRD}"))
    query = {"iCalUID": f"{series}@google.com", "showDeleted": "true"}

    detailed = [row for page in await stage.pages(**query) for row in page["items"]]
    await settings(stage, detailed_tombstones=False)
    bare = [row for page in await stage.pages(**query) for row in page["items"]]

    assert [row["id"] for row in detailed] == [row["id"] for row in bare]
    assert len(detailed) == 3
    assert ["start" in row for row in detailed] == [True, True, True]
    assert ["start" in row for row in bare] == [True, True, False]


async def test_the_web_interface_splits_a_series_in_two_with_one_conference(stage: Stage) -> None:
    series = await a_series(stage, attendees=[{"email": BO}])
    await change(stage, f"{series}_{FOURTH}", {"summary": "Changed"})
    token = await stage.sync_token()

    later = await split(stage, series)

    assert later["id"] == f"{series}_R20261215T090000"
    assert later["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=4"]
    assert later["conferenceData"]["conferenceId"] == "81234567890"
    rows = {row["id"]: row for row in await stage.changes(token)}
    assert rows[series]["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20261215T085959Z"]
    assert rows[f"{series}_{FOURTH}"]["status"] == "cancelled"
    assert rows[f"{later['id']}_{FOURTH}"]["recurringEventId"] == later["id"]
    assert [len(await instances(stage, half)) for half in (series, later["id"])] == [2, 4]
    copy = await stage.call("GET", events(BO, later["id"]), user=BO)
    assert copy.body["recurrence"] == later["recurrence"]


async def test_a_split_may_leave_conference_and_exceptions_behind(stage: Stage) -> None:
    series = await a_series(stage)
    await change(stage, f"{series}_{FOURTH}", {"summary": "Changed"})

    later = await split(stage, series, conference=False, exceptions=False, fields={"summary": "Later"})

    assert "conferenceData" not in later
    assert [row["summary"] for row in await instances(stage, later["id"])] == ["Later"] * 4


async def test_the_parts_of_a_split_come_in_any_order() -> None:
    orders = set()
    for seed in range(12):
        async with a_stage(seed) as stage:
            series = await a_series(stage)
            await change(stage, f"{series}_{FOURTH}", {"summary": "Changed"})
            token = await stage.sync_token()
            await split(stage, series, exceptions=False)
            orders.add(tuple(row["id"].removeprefix(series) for row in await stage.changes(token)))
    assert len(orders) > 2


@pytest.mark.parametrize("at", ["2026-12-01T10:00:00+01:00", "2026-12-16T10:00:00+01:00", "soon"])
async def test_a_split_where_there_is_nothing_to_split_is_refused_in_a_sentence(stage: Stage, at: str) -> None:
    series = await a_series(stage)

    reply = await stage.request("POST", "simulator/split", {"calendar": ANA, "event_id": series, "at": at})

    assert reply.status == 400
    assert reply.body["error"].endswith(".")


async def test_a_rescheduled_instance_of_a_later_half_may_change_its_id(stage: Stage) -> None:
    await settings(stage, moved_instances_change_id=True)
    series = await a_series(stage)
    later = await split(stage, series)
    old = f"{later['id']}_{FOURTH}"
    await change(stage, old, {"summary": "Changed"})
    token = await stage.sync_token()

    moved = await change(stage, old, {"start": START, "end": END})

    assert moved["id"] == f"{series}_{FOURTH}"
    assert moved["recurringEventId"] == later["id"]
    assert [row["id"] for row in await stage.changes(token)] == [moved["id"]]
    assert (await stage.call("GET", events(ANA, old))).status == 404
    assert len(await instances(stage, later["id"])) == 4


async def test_instance_ids_may_tell_nothing(stage: Stage) -> None:
    await settings(stage, opaque_instance_ids=True)
    series = await a_series(stage, attendees=[{"email": BO}])
    row = (await instances(stage, series))[1]
    assert series not in row["id"]

    changed = await change(stage, row["id"], {"summary": "Changed"})

    assert (changed["id"], changed["recurringEventId"]) == (row["id"], series)
    copy = await stage.call("GET", events(BO, row["id"]), user=BO)
    assert (copy.body["summary"], copy.body["recurringEventId"]) == ("Changed", series)
    assert [one["summary"] for one in await instances(stage, series)][:3] == ["Review", "Changed", "Review"]


@pytest.mark.parametrize("vanish", [False, True])
async def test_a_deleted_series_takes_its_exceptions_along_and_brings_them_back(stage: Stage, vanish: bool) -> None:
    await settings(stage, exceptions_vanish=vanish)
    series = await a_series(stage)
    await change(stage, f"{series}_{SECOND}", {"summary": "Changed"})
    await stage.call("DELETE", events(ANA, f"{series}_{THIRD}"))
    token = await stage.sync_token()

    await stage.call("DELETE", events(ANA, series))
    gone = {row["id"] for row in await stage.changes(token)}
    await change(stage, series, {"status": "confirmed"})

    assert gone == ({series} if vanish else {series, f"{series}_{SECOND}"})
    assert [row["summary"] for row in await instances(stage, series)][:3] == ["Review", "Changed", "Review"]
    assert len(await instances(stage, series)) == 5
    rows = [row["id"] for page in await stage.pages() for row in page["items"]]
    assert sorted(rows) == sorted(set(rows))


async def test_a_series_moves_with_all_its_exceptions(stage: Stage) -> None:
    series = await a_series(stage)
    await change(stage, f"{series}_{SECOND}", {"summary": "Changed"})
    await stage.call("DELETE", events(ANA, f"{series}_{THIRD}"))

    await stage.call("POST", events(ANA, series, "move"), destination=ROOM)

    found = (await stage.call("GET", events(ROOM, series, "instances"))).body["items"]
    assert [row["summary"] for row in found] == ["Review", "Changed", "Review", "Review", "Review"]
    left = {row["status"] for page in await stage.pages(showDeleted="true") for row in page["items"]}
    assert left == {"cancelled"}


async def test_a_guest_of_one_instance_has_that_one_only(stage: Stage) -> None:
    series = await a_series(stage)

    await change(stage, f"{series}_{SECOND}", {"attendees": [{"email": BO}]})

    rows = [row for page in await stage.pages(BO, user=BO) for row in page["items"]]
    assert [row["id"] for row in rows] == [f"{series}_{SECOND}"]
    assert (await stage.call("GET", events(BO, series), user=BO)).status == 404
