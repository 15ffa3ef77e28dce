"""The control face: diary, faults, clock, loading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import (
    ADD_ON,
    ANA,
    BO,
    END,
    PEOPLE,
    ROOM,
    START,
    Stage,
    a_stage,
    conference,
    events,
)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def diary(stage: Stage, after: int = 0) -> list[Any]:
    return list((await stage.control("GET", f"diary?after={after}"))["entries"])


async def test_the_diary_tells_who_asked_what_and_what_changed(stage: Stage) -> None:
    event = await stage.insert()
    (last,) = await diary(stage, after=(await diary(stage))[-1]["n"] - 1)
    assert (last["method"], last["status"], last["kind"], last["actor"]) == ("POST", 200, "edit", "client")
    assert (last["subject"], last["calendar_id"], last["event_id"]) == (ANA, ANA, event["id"])
    assert (last["change"], last["etag"]) == (True, event["etag"])
    await stage.call("GET", events(), headers=PEOPLE, maxResults=5)
    read = (await diary(stage, after=last["n"]))[0]
    assert (read["kind"], read["actor"], read["query"]) == ("api", "people", {"maxResults": "5"})
    assert read["monotonic_ms"] >= last["monotonic_ms"]


async def test_the_diary_marks_conditional_writes_and_keeps_no_text(stage: Stage) -> None:
    event = await stage.insert(summary="A secret")
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "B secret"}, headers={"If-Match": "*"})
    entries = await diary(stage)
    assert [row["if_match"] for row in entries if row["kind"] == "edit"] == [False, True]
    assert "secret" not in str(entries)


async def test_a_refused_write_and_one_that_changes_nothing_are_no_change(stage: Stage) -> None:
    event = await stage.insert()
    after = (await diary(stage))[-1]["n"]
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "X"}, headers={"If-Match": '"0"'})
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Review"})
    assert [(row["status"], row.get("change")) for row in await diary(stage, after)] == [(412, None), (200, None)]


@pytest.mark.parametrize("attendees", [[], [{"email": BO}], [{"email": "stranger@example.org"}]])
async def test_touch_before_patch_gives_a_real_412(stage: Stage, attendees: list[Any]) -> None:
    event = await stage.insert(attendees=attendees)
    await stage.control("PUT", "faults", {"next": {"touch_before_patch": 1}})
    reply = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"}, headers={"If-Match": event["etag"]})
    assert (reply.status, reply.reason) == (412, "conditionNotMet")
    fresh = (await stage.call("GET", events(ANA, event["id"]))).body
    assert (fresh["summary"], fresh["etag"] != event["etag"]) == ("Review", True)
    again = await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"}, headers={"If-Match": fresh["etag"]})
    assert again.status == 200
    assert (await stage.control("GET", "faults"))["happened"]["touch_before_patch"] == 1


async def test_a_touch_is_told_in_the_diary(stage: Stage) -> None:
    event = await stage.insert(attendees=[{"email": BO}])
    await stage.control("PUT", "faults", {"next": {"touch_before_patch": 1}})
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "New"}, headers={"If-Match": event["etag"]})
    touch, refused = (await diary(stage))[-2:]
    assert (touch["actor"], touch["kind"], touch["subject"], touch["change"]) == ("people", "edit", BO, True)
    assert (refused["status"], refused["fault"]) == (412, "touch_before_patch")


async def test_server_errors_strike_before_anything_is_done_and_spare_people(stage: Stage) -> None:
    await stage.control("PUT", "faults", {"chance": {"server_error": 1.0}})
    body = {"summary": "X", "start": START, "end": END}
    replies = [await stage.call("POST", events(), body) for _ in range(12)]
    assert {reply.status for reply in replies} == {500, 502, 503}
    assert any(isinstance(reply.body, bytes) and b"<html" in reply.body for reply in replies)
    spared = await stage.call("GET", events(), headers=PEOPLE)
    assert (spared.status, spared.body["items"]) == (200, [])
    assert (await stage.control("GET", "faults"))["happened"]["server_error"] == 12


async def test_a_sync_token_can_be_made_to_expire(stage: Stage) -> None:
    token = await stage.sync_token()
    await stage.control("PUT", "faults", {"next": {"expire_sync_token": 1}})
    assert (await stage.call("GET", events(), syncToken=token, headers=PEOPLE)).status == 200
    assert (await stage.call("GET", events(), syncToken=token)).reason == "fullSyncRequired"
    assert (await stage.call("GET", events(), syncToken=token)).status == 200


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("PUT", "faults", {"chance": {"typhoon": 1}}, 400),
        ("PUT", "faults", {"chance": {"server_error": 2}}, 400),
        ("PUT", "faults", {"next": {"server_error": 0.5}}, 400),
        ("PUT", "faults", {"next": []}, 400),
        ("PUT", "clock", {"now": "tomorrow"}, 400),
        ("POST", "calendars", {"id": ANA}, 409),
        ("POST", "calendars", {"id": "nowhere"}, 400),
        ("POST", "calendars", {"id": "x@tenant-a.test", "time_zone": "Mars/Olympus"}, 400),
        ("POST", "calendars", b"{", 400),
        ("POST", "service-accounts", {}, 400),
        ("POST", "forget", {"before": "x"}, 400),
        ("GET", "diary?after=x", None, 400),
        ("POST", f"calendars/{ANA}/load", {"events": {}}, 400),
        ("POST", f"calendars/{ANA}/load", {"events": [{"summary": "No id"}]}, 400),
        ("POST", f"calendars/{ANA}/load", {"events": [{"id": "a1", "attendees": [{}]}]}, 400),
        ("POST", "calendars/nobody@tenant-a.test/load", {"events": []}, 404),
    ],
)
async def test_a_wrong_control_request_is_told_in_a_sentence(
    stage: Stage, verb: str, path: str, body: Any, status: int
) -> None:
    reply = await stage.request(verb, f"simulator/{path}", body)
    assert reply.status == status
    assert reply.body["error"].endswith((".", ".)"))


async def test_the_clock_can_be_set_and_dates_the_events(stage: Stage) -> None:
    await stage.control("PUT", "clock", {"now": "2019-05-01T08:00:00+02:00"})
    event = await stage.insert()
    assert event["created"].startswith("2019-05-01T06:00:0")
    assert (await diary(stage))[-1]["at"].startswith("2019-05-01T06:00:0")
    assert (await stage.control("GET", "clock"))["now"].startswith("2019-05-01T06:00:0")


async def test_loaded_events_stand_as_they_are(stage: Stage) -> None:
    master_id = "abcdefgh_R20190501T080000"
    given = {
        "id": master_id,
        "created": "2018-01-01T00:00:00.000Z",
        "updated": "2018-01-02T00:00:00.000Z",
        "sequence": 4,
        "summary": "Weekly\u0000",
        "start": {"dateTime": "2019-05-01T10:00:00+02:00", "timeZone": "Nowhere/Land"},
        "end": {"dateTime": "2019-05-01T11:00:00+02:00", "timeZone": "Nowhere/Land"},
        "recurrence": ["RRULE:FREQ=WEEKLY"],
        "conferenceData": conference(),
        "attendees": [{"email": BO, "responseStatus": "accepted"}],
    }
    orphan = {"id": "lost_20190601T080000Z", "recurringEventId": "lost", "status": "cancelled"}
    answer = await stage.control("POST", f"calendars/{ANA}/load", {"events": [given, orphan]})
    assert answer["loaded"] == 2
    shown, instance = (await stage.pages())[0]["items"]
    assert {name: shown[name] for name in ("id", "created", "updated", "sequence", "summary", "start")} == {
        name: given[name] for name in ("id", "created", "updated", "sequence", "summary", "start")
    }
    assert shown["conferenceData"]["signature"]
    assert (instance["id"], instance["status"]) == (orphan["id"], "cancelled")
    copy = (await stage.call("GET", events(BO, master_id), user=BO)).body
    assert copy["organizer"] == {"email": ANA}


async def test_a_loaded_id_that_is_taken_loads_nothing(stage: Stage) -> None:
    event = {"id": "abcde1", "start": START, "end": END}
    reply = await stage.request("POST", f"simulator/calendars/{ANA}/load", {"events": [event, event]})
    assert reply.status == 400
    assert (await stage.pages())[0]["items"] == []


async def test_the_same_seed_gives_the_same_ids_etags_and_choices() -> None:
    async def history(seed: int) -> Any:
        async with a_stage(seed) as stage:
            event = await stage.insert_with_conference()
            changed = {**event["conferenceData"], "notes": "New"}
            path = events(ANA, event["id"])
            write = {"conferenceData": changed}
            replies = [await stage.call("PATCH", path, write, conferenceDataVersion=1) for _ in range(8)]
            return event["id"], event["etag"], event["conferenceData"], [reply.status for reply in replies]

    assert await history(7) == await history(7)
    assert (await history(7))[0] != (await history(8))[0]


async def test_what_is_not_there_is_a_404_in_googles_form(stage: Stage) -> None:
    for verb, path in (("GET", "colors"), ("POST", events() + "/import"), ("DELETE", f"calendars/{ROOM}")):
        reply = await stage.call(verb, path, headers=ADD_ON)
        assert (reply.status, reply.reason) == (404, "notFound")
