"""The feed of changes: sync and page tokens, tombstones, filters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import ANA, BO, END, PEOPLE, ROOM, START, Stage, a_stage, events

DAY = {"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def test_an_entry_changed_five_times_appears_once_in_its_last_state(stage: Stage) -> None:
    event = await stage.insert()
    await stage.insert(summary="Other")
    token = await stage.sync_token()
    for number in range(5):
        await stage.call("PATCH", events(ANA, event["id"]), {"summary": f"Name {number}"})
    assert [row["summary"] for row in await stage.changes(token)] == ["Name 4"]


async def test_changes_come_oldest_first_and_only_from_their_calendar(stage: Stage) -> None:
    token = await stage.sync_token()
    await stage.insert(summary="First")
    await stage.insert(ROOM, summary="Elsewhere")
    await stage.insert(summary="Second")
    assert [row["summary"] for row in await stage.changes(token)] == ["First", "Second"]


async def test_nothing_changed_gives_an_empty_last_page_with_a_token(stage: Stage) -> None:
    await stage.insert()
    token = await stage.sync_token()
    (page,) = await stage.pages(syncToken=token)
    assert page["items"] == []
    assert "nextSyncToken" in page


async def test_a_deleted_event_comes_as_a_bare_tombstone(stage: Stage) -> None:
    event = await stage.insert()
    token = await stage.sync_token()
    await stage.call("DELETE", events(ANA, event["id"]))
    (row,) = await stage.changes(token)
    assert row.keys() == {"kind", "etag", "id", "status"}
    assert row["status"] == "cancelled"


async def test_show_deleted_gives_the_organizers_tombstone_its_details(stage: Stage) -> None:
    event = await stage.insert()
    token = await stage.sync_token(showDeleted="true")
    await stage.call("DELETE", events(ANA, event["id"]))
    (page,) = await stage.pages(syncToken=token, showDeleted="true")
    assert page["items"][0]["summary"] == "Review"


async def test_a_baseline_leaves_out_the_deleted_but_not_cancelled_instances(stage: Stage) -> None:
    gone = await stage.insert()
    await stage.call("DELETE", events(ANA, gone["id"]))
    master = await stage.insert(recurrence=["RRULE:FREQ=WEEKLY"])
    instance_id = f"{master['id']}_20261208T090000Z"
    await stage.call("DELETE", events(ANA, instance_id))
    (page,) = await stage.pages()
    assert [row["id"] for row in page["items"]] == [master["id"], instance_id]
    instance = page["items"][1]
    assert instance.keys() == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
    assert instance["originalStartTime"]["dateTime"] == "2026-12-08T10:00:00+01:00"


async def test_a_page_is_cut_before_it_is_filtered_so_it_may_be_empty(stage: Stage) -> None:
    for _ in range(2):
        gone = await stage.insert()
        await stage.call("DELETE", events(ANA, gone["id"]))
    await stage.insert()
    pages = await stage.pages(maxResults=2)
    assert [len(page["items"]) for page in pages] == [0, 1]
    assert ["nextSyncToken" in page for page in pages] == [False, True]


async def test_changes_made_while_paging_come_with_the_next_token(stage: Stage) -> None:
    made = [await stage.insert(summary=f"Event {number}") for number in range(3)]
    first = (await stage.call("GET", events(), maxResults=2)).body
    await stage.call("PATCH", events(ANA, made[0]["id"]), {"summary": "Renamed"})
    last = (await stage.call("GET", events(), maxResults=2, pageToken=first["nextPageToken"])).body
    assert [row["summary"] for row in await stage.changes(last["nextSyncToken"])] == ["Renamed"]


async def test_an_incremental_listing_pages_with_and_without_its_sync_token(stage: Stage) -> None:
    token = await stage.sync_token(maxResults=2)
    made = [await stage.insert(summary=f"Event {number}") for number in range(3)]
    first = (await stage.call("GET", events(), maxResults=2, syncToken=token)).body
    await stage.call("PATCH", events(ANA, made[2]["id"]), {"summary": "Renamed"})
    after = {"maxResults": 2, "pageToken": first["nextPageToken"]}
    with_token = (await stage.call("GET", events(), syncToken=token, **after)).body
    alone = (await stage.call("GET", events(), **after)).body
    assert with_token["items"] == alone["items"] == []
    assert [row["summary"] for row in await stage.changes(with_token["nextSyncToken"])] == ["Renamed"]


async def test_after_forgetting_a_sync_token_is_answered_410_and_a_new_one_works(stage: Stage) -> None:
    token = await stage.sync_token()
    await stage.control("POST", "forget", {"before": None})
    reply = await stage.call("GET", events(), syncToken=token)
    assert (reply.status, reply.reason, reply.location) == (410, "fullSyncRequired", "syncToken")
    assert await stage.changes(await stage.sync_token()) == []


async def test_forgetting_up_to_a_change_spares_later_tokens(stage: Stage) -> None:
    old = await stage.sync_token()
    await stage.insert()
    new = await stage.sync_token()
    (edit,) = [row for row in (await stage.control("GET", "diary"))["entries"] if row.get("change")]
    await stage.control("POST", "forget", {"before": edit["change_number"]})
    assert (await stage.call("GET", events(), syncToken=old)).status == 410
    assert (await stage.call("GET", events(), syncToken=new)).status == 200


async def test_a_changed_access_list_ends_sync_tokens(stage: Stage) -> None:
    token = await stage.sync_token()
    rule = {"role": "reader", "scope": {"type": "user", "value": BO}}
    await stage.call("POST", "calendars/primary/acl", rule)
    assert (await stage.call("GET", events(), syncToken=token)).reason == "fullSyncRequired"


@pytest.mark.parametrize("text", ["nonsense", "CJj0uN2K_5EDEJj0uN2K_5EDGAU=", "ü", "A" * 5000])
async def test_a_malformed_sync_token_is_a_400_at_its_parameter(stage: Stage, text: str) -> None:
    reply = await stage.call("GET", events(), syncToken=text)
    assert (reply.status, reply.location) == (400, "syncToken")


async def test_another_calendars_sync_token_is_refused(stage: Stage) -> None:
    reply = await stage.call("GET", events(ROOM), syncToken=await stage.sync_token())
    assert (reply.status, reply.location) == (400, "syncToken")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iCalUID", "a@google.com"),
        ("orderBy", "updated"),
        ("privateExtendedProperty", "a=b"),
        ("sharedExtendedProperty", "a=b"),
        ("q", "review"),
        ("timeMin", "2026-12-01T00:00:00Z"),
        ("timeMax", "2026-12-01T00:00:00Z"),
        ("updatedMin", "2026-12-01T00:00:00Z"),
        ("showDeleted", "false"),
    ],
)
async def test_what_may_not_come_with_a_sync_token_is_refused(stage: Stage, name: str, value: str) -> None:
    query = {"syncToken": await stage.sync_token(), name: value}
    reply = await stage.call("GET", events(), **query)
    assert (reply.status, reply.reason) == (400, "syncTokenWithRequestRestrictions")


@pytest.mark.parametrize(
    ("query", "is_given"),
    [
        ({}, True),
        ({"timeMin": "2026-11-01T00:00:00Z"}, True),
        ({"maxResults": "10", "showDeleted": "true"}, True),
        ({"orderBy": "updated"}, False),
        ({"timeMin": "2026-11-01T00:00:00Z", "timeMax": "2026-12-09T00:00:00Z"}, False),
        ({"q": "review"}, False),
    ],
)
async def test_which_first_listing_gives_a_sync_token(stage: Stage, query: dict[str, str], is_given: bool) -> None:
    await stage.insert()
    reply = await stage.call("GET", events(), **query)
    assert ("nextSyncToken" in reply.body, len(reply.body["items"])) == (is_given, 1)


@pytest.mark.parametrize(
    ("fields", "is_shown"),
    [
        ({}, True),
        ({"start": {"dateTime": "2026-11-30T10:00:00Z"}, "end": {"dateTime": "2026-11-30T23:00:00Z"}}, False),
        ({"start": {"dateTime": "2026-11-30T10:00:00Z"}, "end": {"dateTime": "2026-12-01T02:00:00Z"}}, True),
        ({"recurrence": ["RRULE:FREQ=DAILY"], "start": {**START, "dateTime": "2020-01-01T10:00:00"}}, True),
        ({"start": {"date": "2026-11-29"}, "end": {"date": "2026-11-30"}}, False),
        (DAY, True),
    ],
)
async def test_time_min_looks_at_the_end(stage: Stage, fields: dict[str, Any], is_shown: bool) -> None:
    await stage.insert(**fields)
    (page,) = await stage.pages(timeMin="2026-12-01T00:00:00Z")
    assert bool(page["items"]) is is_shown


@pytest.mark.parametrize(("until", "is_shown"), [("UNTIL=20261130T090000Z", False), ("COUNT=400", True)])
async def test_time_min_leaves_out_a_series_that_is_over(stage: Stage, until: str, is_shown: bool) -> None:
    times: dict[str, Any] = {
        "start": {**START, "dateTime": "2026-01-01T10:00:00"},
        "end": {**END, "dateTime": "2026-01-01T11:00:00"},
    }
    await stage.insert(recurrence=[f"RRULE:FREQ=DAILY;{until}"], **times)
    (page,) = await stage.pages(timeMin="2026-12-02T00:00:00Z")
    assert bool(page["items"]) is is_shown


async def test_a_family_is_found_by_its_uid_with_its_cancelled_instances(stage: Stage) -> None:
    await stage.insert()
    master = await stage.insert(recurrence=["RRULE:FREQ=WEEKLY"])
    await stage.call("DELETE", events(ANA, f"{master['id']}_20261208T090000Z"))
    (page,) = await stage.pages(iCalUID=master["iCalUID"], showDeleted="true")
    assert [row["status"] for row in page["items"]] == ["confirmed", "cancelled"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"timeMin": "2026-12-02T00:00:00Z", "timeMax": "2026-12-01T00:00:00Z"}, "timeRangeEmpty"),
        ({"timeMin": "2026-12-02T00:00:00"}, "badRequest"),
        ({"orderBy": "startTime"}, "invalid"),
        ({"singleEvents": "true"}, "invalid"),
        ({"maxResults": "0"}, "invalid"),
        ({"pageToken": "nonsense"}, "invalid"),
        ({"colour": "red"}, "badRequest"),
        ({"quotaUser": "x" * 41}, "invalid"),
        ({"fields": "items(id"}, "invalidParameter"),
    ],
)
async def test_a_query_that_makes_no_sense_is_a_400(stage: Stage, query: dict[str, str], reason: str) -> None:
    reply = await stage.call("GET", events(), **query)
    assert (reply.status, reply.reason) == (400, reason)


async def test_updated_min_shows_deletions_and_reaches_back_only_so_far(stage: Stage) -> None:
    event = await stage.insert()
    await stage.call("DELETE", events(ANA, event["id"]))
    assert len((await stage.call("GET", events(), updatedMin=event["updated"])).body["items"]) == 1
    reply = await stage.call("GET", events(), updatedMin="2020-01-01T00:00:00Z")
    assert (reply.status, reply.reason) == (410, "updatedMinTooLongAgo")


async def test_fields_select_what_is_answered(stage: Stage) -> None:
    event = await stage.insert()
    reply = await stage.call("GET", events(), fields="nextSyncToken,items(id,start/dateTime)")
    assert reply.body.keys() == {"nextSyncToken", "items"}
    assert reply.body["items"] == [{"id": event["id"], "start": {"dateTime": START["dateTime"]}}]


async def test_times_are_written_in_the_zone_asked_for(stage: Stage) -> None:
    await stage.insert()
    (page,) = await stage.pages(timeZone="America/New_York")
    assert page["items"][0]["start"] == {"dateTime": "2026-12-01T04:00:00-05:00", "timeZone": "Europe/Paris"}


async def test_a_token_used_with_another_query_is_marked_in_the_diary(stage: Stage) -> None:
    token = await stage.sync_token(maxResults=10)
    await stage.call("GET", events(), syncToken=token, maxResults=10)
    await stage.call("GET", events(), syncToken=token, maxResults=20, headers=PEOPLE)
    marks = [row.get("query_differs") for row in (await stage.control("GET", "diary"))["entries"][-2:]]
    assert marks == [None, True]


async def test_the_calendar_list_names_roles_and_the_primary_calendar(stage: Stage) -> None:
    rule = {"role": "reader", "scope": {"type": "user", "value": BO}}
    await stage.call("POST", f"calendars/{ROOM}/acl", rule)
    mine = (await stage.call("GET", "users/me/calendarList")).body
    bos = (await stage.call("GET", "users/me/calendarList", user=BO, minAccessRole="reader")).body
    assert [(row["id"], row.get("primary", False)) for row in mine["items"]] == [(ANA, True), (ROOM, False)]
    assert [(row["id"], row["accessRole"]) for row in bos["items"]] == [(BO, "owner"), (ROOM, "reader")]
    assert (await stage.call("GET", f"users/me/calendarList/{ROOM}")).body["dataOwner"] == ANA
    assert (await stage.call("GET", f"calendars/{ROOM}")).body["summary"] == "Room"
