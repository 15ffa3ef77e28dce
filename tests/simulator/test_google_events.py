"""Events: what may be written, on which condition, and what Google refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import ANA, BO, CLEO, END, ROOM, START, Stage, a_stage, events


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def test_a_new_event_has_what_google_gives_it(stage: Stage) -> None:
    event = await stage.insert()
    assert event["organizer"] == event["creator"] == {"email": ANA, "self": True}
    assert event["etag"].startswith('"')
    assert event["iCalUID"] == f"{event['id']}@google.com"
    assert (event["status"], event["sequence"], event["eventType"]) == ("confirmed", 0, "default")


async def test_on_a_secondary_calendar_the_calendar_is_the_organizer(stage: Stage) -> None:
    event = await stage.insert(ROOM, attendees=[{"email": ANA}])
    assert event["organizer"] == {"email": ROOM, "displayName": "Room", "self": True}
    assert "self" not in event["creator"]
    assert "self" not in event["attendees"][0]


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"id": "wxyz1"}, 400, "invalid"),
        ({"start": None}, 400, "required"),
        ({"end": {}}, 400, "invalid"),
        ({"end": {"date": "2026-12-01"}}, 400, "invalid"),
        ({"start": {"dateTime": "2026-12-01T10:00:00"}}, 400, "invalid"),
        ({"start": {**START, "timeZone": "Mars/Olympus"}}, 400, "invalid"),
        ({"end": {"dateTime": "2026-11-01T10:00:00Z"}}, 400, "timeRangeEmpty"),
        ({"start": {"dateTime": "0001-01-01T00:00:00+14:00"}}, 400, "invalid"),
        ({"recurrence": ["FREQ=DAILY"]}, 400, "invalid"),
        ({"recurrence": ["RRULE:FREQ=DAILY"], "start": {"dateTime": START["dateTime"]}}, 400, "required"),
        ({"attendees": [{"displayName": "Nobody"}]}, 400, "required"),
        ({"summary": 5}, 400, "invalid"),
        ({"extendedProperties": {"private": "x"}}, 400, "invalid"),
    ],
)
async def test_an_event_that_makes_no_sense_is_refused(
    stage: Stage, fields: dict[str, Any], status: int, reason: str
) -> None:
    body = {"summary": "Review", "start": START, "end": END, **fields}
    reply = await stage.call("POST", events(), body)
    assert (reply.status, reply.reason) == (status, reason)


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"[]", b'"text"', b"\xff", b'{"summary": "\\ud800"}', b'{"gadget":' + b'{"a":' * 300 + b"1}" * 301],
)
async def test_a_malformed_body_is_a_parse_error(stage: Stage, body: bytes) -> None:
    reply = await stage.call("POST", events(), body)
    assert (reply.status, reply.reason) == (400, "parseError")


async def test_a_taken_id_is_a_duplicate_even_after_deletion(stage: Stage) -> None:
    event = await stage.insert(id="abcde12345")
    body = {"id": event["id"], "start": START, "end": END}
    assert (await stage.call("POST", events(), body)).reason == "duplicate"
    await stage.call("DELETE", events(ANA, event["id"]))
    reply = await stage.call("POST", events(), body)
    assert (reply.status, reply.reason) == (409, "duplicate")


async def test_a_patch_merges_objects_replaces_lists_and_removes_nulls(stage: Stage) -> None:
    event = await stage.insert(description="Bring the plans", extendedProperties={"private": {"a": "1", "b": "2"}})
    change = {"description": None, "extendedProperties": {"private": {"b": None, "c": "3"}}}
    after = (await stage.call("PATCH", events(ANA, event["id"]), change)).body
    assert "description" not in after
    assert after["extendedProperties"] == {"private": {"a": "1", "c": "3"}}
    assert after["etag"] != event["etag"]


async def test_a_patch_that_changes_nothing_leaves_the_etag_and_the_feed(stage: Stage) -> None:
    event = await stage.insert()
    token = await stage.sync_token()
    reply = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Review", "start": START})
    assert (reply.status, reply.body["etag"]) == (200, event["etag"])
    assert await stage.changes(token) == []


async def test_moving_in_time_raises_the_sequence_and_a_lower_one_is_refused(stage: Stage) -> None:
    event = await stage.insert()
    end = {"dateTime": "2026-12-01T12:00:00+01:00"}
    moved = (await stage.call("PATCH", events(ANA, event["id"]), {"end": end})).body
    assert (moved["sequence"], moved["end"]["timeZone"]) == (1, "Europe/Paris")
    assert (await stage.call("PATCH", events(ANA, event["id"]), {"sequence": 0})).status == 400


async def test_an_update_resets_what_it_leaves_out(stage: Stage) -> None:
    event = await stage.insert(description="Bring the plans", attendees=[{"email": "guest@example.org"}])
    after = (await stage.call("PUT", events(ANA, event["id"]), {"start": START, "end": END})).body
    assert not {"summary", "description", "attendees"} & after.keys()
    assert after["created"] == event["created"]


@pytest.mark.parametrize(("verb", "path"), [("PATCH", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/move")])
async def test_a_write_on_a_stale_etag_is_refused(stage: Stage, verb: str, path: str) -> None:
    event = await stage.insert()
    query = {"destination": ROOM} if path else {}
    body = None if verb in ("DELETE", "POST") else {"summary": "New", "start": START, "end": END}
    where = events(ANA, event["id"]) + path
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Meanwhile"})
    stale = await stage.call(verb, where, body, headers={"If-Match": event["etag"]}, **query)
    assert (stale.status, stale.reason, stale.location) == (412, "conditionNotMet", "If-Match")
    anyhow = await stage.call(verb, where, body, headers={"If-Match": "*"}, **query)
    assert anyhow.status in (200, 204)


async def test_a_write_on_the_current_etag_is_accepted(stage: Stage) -> None:
    event = await stage.insert()
    headers = {"If-Match": event["etag"]}
    reply = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"}, headers=headers)
    assert (reply.status, reply.headers["ETag"]) == (200, reply.body["etag"])


async def test_a_second_deletion_is_told_so(stage: Stage) -> None:
    event = await stage.insert()
    first = await stage.call("DELETE", events(ANA, event["id"]))
    second = await stage.call("DELETE", events(ANA, event["id"]))
    assert (first.status, first.body) == (204, None)
    assert (second.status, second.reason) == (410, "deleted")
    assert (await stage.call("DELETE", events(ANA, "neverwas"))).status == 404


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
async def test_a_deleted_event_can_be_read_and_undeleted(stage: Stage, verb: str) -> None:
    event = await stage.insert_with_conference()
    await stage.call("DELETE", events(ANA, event["id"]))
    gone = (await stage.call("GET", events(ANA, event["id"]))).body
    assert (gone["status"], gone["summary"]) == ("cancelled", "Review")
    body = {"status": "confirmed"} if verb == "PATCH" else {"summary": "Review", "start": START, "end": END}
    back = (await stage.call(verb, events(ANA, event["id"]), body)).body
    assert (back["status"], back["conferenceData"]) == ("confirmed", event["conferenceData"])


async def test_a_patch_to_cancelled_deletes(stage: Stage) -> None:
    event = await stage.insert()
    reply = await stage.call("PATCH", events(ANA, event["id"]), {"status": "cancelled"})
    assert (reply.status, reply.body["status"]) == (200, "cancelled")


async def test_a_move_leaves_a_bare_stub_and_the_event_lives_on_elsewhere(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    here, there = await stage.sync_token(), await stage.sync_token(ROOM)
    reply = await stage.call("POST", events(ANA, event["id"]) + "/move", destination=ROOM)
    assert (reply.status, reply.body["status"]) == (200, "cancelled")
    stub = (await stage.call("GET", events(ANA, event["id"]))).body
    assert stub.keys() == {"kind", "etag", "id", "status"}
    assert await stage.changes(here) == [stub]
    (moved,) = await stage.changes(there, ROOM)
    assert moved["organizer"]["email"] == ROOM
    assert (moved["id"], moved["iCalUID"], moved["conferenceData"]) == (
        event["id"],
        event["iCalUID"],
        event["conferenceData"],
    )


async def test_an_event_can_be_moved_back(stage: Stage) -> None:
    event = await stage.insert()
    await stage.call("POST", events(ANA, event["id"]) + "/move", destination=ROOM)
    await stage.call("POST", events(ROOM, event["id"]) + "/move", destination=ANA)
    back = (await stage.call("GET", events(ANA, event["id"]))).body
    assert (back["status"], back["organizer"]["email"]) == ("confirmed", ANA)


async def test_moves_that_google_refuses(stage: Stage) -> None:
    event = await stage.insert()
    path = events(ANA, event["id"]) + "/move"
    assert (await stage.call("POST", path)).reason == "required"
    assert (await stage.call("POST", path, destination=BO)).reason == "notFound"
    assert (await stage.call("POST", path, destination=ANA)).status == 400
    master = await stage.insert(recurrence=["RRULE:FREQ=WEEKLY"])
    instance = events(ANA, f"{master['id']}_20261208T090000Z") + "/move"
    assert (await stage.call("POST", instance, destination=ROOM)).reason == "cannotChangeOrganizerOfInstance"


async def test_an_instance_becomes_an_exception_when_patched(stage: Stage) -> None:
    master = await stage.insert_with_conference(recurrence=["RRULE:FREQ=WEEKLY"])
    token = await stage.sync_token()
    instance_id = f"{master['id']}_20261208T090000Z"
    untouched = (await stage.call("GET", events(ANA, instance_id))).body
    assert untouched["start"]["dateTime"] == "2026-12-08T10:00:00+01:00"
    change = {"start": {"dateTime": "2026-12-08T12:00:00+01:00"}, "end": {"dateTime": "2026-12-08T13:00:00+01:00"}}
    assert (await stage.call("PATCH", events(ANA, instance_id), change)).status == 200
    (exception,) = await stage.changes(token)
    assert (exception["id"], exception["recurringEventId"]) == (instance_id, master["id"])
    assert exception["originalStartTime"]["dateTime"] == "2026-12-08T10:00:00+01:00"
    assert exception["conferenceData"] == master["conferenceData"]
    assert "recurrence" not in exception


@pytest.mark.parametrize("suffix", ["20261208T093000Z", "20261124T090000Z", "20261208", "20269999T090000Z"])
async def test_an_instance_that_cannot_be_is_not_found(stage: Stage, suffix: str) -> None:
    master = await stage.insert(recurrence=["RRULE:FREQ=WEEKLY"])
    assert (await stage.call("GET", events(ANA, f"{master['id']}_{suffix}"))).status == 404


async def test_an_all_day_instance_is_named_by_its_day(stage: Stage) -> None:
    days: dict[str, Any] = {"start": {"date": "2026-03-26"}, "end": {"date": "2026-03-28"}}
    master = await stage.insert(recurrence=["RRULE:FREQ=DAILY;INTERVAL=3"], **days)
    instance = (await stage.call("GET", events(ANA, f"{master['id']}_20260329"))).body
    assert (instance["start"], instance["end"]) == ({"date": "2026-03-29"}, {"date": "2026-03-31"})


async def test_a_deleted_series_takes_its_exceptions_along_and_brings_them_back(stage: Stage) -> None:
    master = await stage.insert(recurrence=["RRULE:FREQ=WEEKLY"])
    kept, called_off = (f"{master['id']}_202612{day}T090000Z" for day in ("08", "15"))
    await stage.call("PATCH", events(ANA, kept), {"summary": "Longer"})
    await stage.call("DELETE", events(ANA, called_off))
    await stage.call("DELETE", events(ANA, master["id"]))
    assert (await stage.pages())[0]["items"] == []
    await stage.call("PATCH", events(ANA, master["id"]), {"status": "confirmed"})
    states = {row["id"]: row["status"] for row in (await stage.pages())[0]["items"]}
    assert states == {master["id"]: "confirmed", kept: "confirmed", called_off: "cancelled"}


async def test_clearing_deletes_everything_at_once_on_the_primary_calendar_only(stage: Stage) -> None:
    for _ in range(3):
        await stage.insert()
    token = await stage.sync_token()
    assert (await stage.call("POST", f"calendars/{ROOM}/clear")).status == 400
    assert (await stage.call("POST", "calendars/primary/clear")).status == 204
    assert [row["status"] for row in await stage.changes(token)] == ["cancelled"] * 3


async def test_strangers_see_no_calendar_and_readers_may_not_write(stage: Stage) -> None:
    event = await stage.insert(visibility="private")
    assert (await stage.call("GET", events(ANA), user=BO)).reason == "notFound"
    rule = {"role": "reader", "scope": {"type": "user", "value": BO}}
    await stage.call("POST", "calendars/primary/acl", rule)
    seen = (await stage.call("GET", events(ANA), user=BO)).body
    assert (seen["accessRole"], "summary" in seen["items"][0]) == ("reader", False)
    refused = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Mine"}, user=BO)
    assert (refused.status, refused.reason) == (403, "requiredAccessLevel")


async def test_free_busy_readers_get_times_only(stage: Stage) -> None:
    await stage.insert_with_conference()
    rule = {"role": "freeBusyReader", "scope": {"type": "user", "value": CLEO}}
    await stage.call("POST", "calendars/primary/acl", rule)
    (seen,) = (await stage.call("GET", events(ANA), user=CLEO)).body["items"]
    assert "start" in seen
    assert not {"summary", "conferenceData", "attendees", "organizer"} & seen.keys()
