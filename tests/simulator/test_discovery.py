"""Google's discovery document finds what is wrong in answers and requests, and nothing in what the simulator answers.

Every test on `a_stage` holds the simulator's answers against it too.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncer.simulator.google.faces import METHODS
from syncer.simulator.google.parameters import BY_METHOD, GLOBAL
from syncer.simulator.google.refusals import Refusal
from tests.simulator import discovery
from tests.simulator.discovery import Exchange
from tests.simulator.google_stage import ADD_ON, ANA, BO, END, ROOM, START, a_stage, conference, events

EVENTS, EVENT = "calendars/ana%40tenant-a.test/events", "calendars/ana%40tenant-a.test/events/abc123"
JSON = "application/json; charset=UTF-8"
GOOD: dict[str, Any] = {
    "kind": "calendar#event",
    "etag": '"3588988345678000"',
    "id": "abc123",
    "status": "confirmed",
    "updated": "2026-11-12T14:36:12.839Z",
    "start": {"dateTime": "2026-11-25T10:00:00+01:00", "timeZone": "Europe/Zurich"},
    "end": {"dateTime": "2026-11-25T10:45:00+01:00"},
    "sequence": 1,
    "attendees": [{"email": BO, "responseStatus": "needsAction", "self": True}],
    "extendedProperties": {"private": {"meetingRef": "m-4711"}},
    "conferenceData": conference(parameters={"addOnParameters": {"parameters": {"creator": "u-17"}}}),
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]},
    "eventType": "default",
}
GONE = Refusal(410, "fullSyncRequired", "A full sync is required.", where="parameter:syncToken").body()
ROW = GONE["error"]["errors"][0]


def answered(body: object, *, status: int = 200, path: str = EVENT, kind: str = JSON, **query: list[str]) -> list[str]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return discovery.calendar().wrong_in_answer(Exchange("GET", path, query, b"", status, kind, text))


def asked(verb: str, path: str, body: object = None, **query: str) -> list[str]:
    text = b"" if body is None else json.dumps(body).encode()
    values = {name: [value] for name, value in query.items()}
    return discovery.calendar().wrong_in_request(Exchange(verb, path, values, text, 200, JSON, b""))


def test_a_right_answer_is_right() -> None:
    page = {"kind": "calendar#events", "etag": '"p1"', "accessRole": "owner", "items": [GOOD, {"id": "gone12"}]}
    assert answered(GOOD) == []
    assert answered(page | {"nextSyncToken": "CKD1"}, path=EVENTS) == []
    assert answered({"items": [{"id": "abc123"}]}, path=EVENTS, fields=["items(id)"]) == []
    assert answered(GONE, status=410) == []
    assert answered(b"", status=304) == []
    assert answered(b"<html>Bad Gateway</html>", status=502, kind="text/html") == []


@pytest.mark.parametrize(
    ("planted", "where"),
    [
        ({"colour": "red"}, "Event.colour"),
        ({"start": {"datetime": "2026-11-25T10:00:00+01:00"}}, "Event.start.datetime"),
        ({"conferenceData": conference(meetingId="1")}, "Event.conferenceData.meetingId"),
        ({"sequence": "1"}, "Event.sequence"),
        ({"sequence": True}, "Event.sequence"),
        ({"sequence": 2**31}, "Event.sequence"),
        ({"summary": None}, "Event.summary"),
        ({"attendees": {"email": BO}}, "Event.attendees"),
        ({"attendees": [{"email": BO, "self": "true"}]}, "Event.attendees[0].self"),
        ({"extendedProperties": {"private": {"meetingRef": 4711}}}, "Event.extendedProperties.private.meetingRef"),
        ({"status": "deleted"}, "Event.status"),
        ({"eventType": "meeting"}, "Event.eventType"),
        ({"kind": "calendar#events"}, "Event.kind"),
        ({"attendees": [{"email": BO, "responseStatus": "maybe"}]}, "Event.attendees[0].responseStatus"),
        ({"conferenceData": {"conferenceSolution": {"key": {"type": "zoom"}}}}, "conferenceSolution.key.type"),
        ({"conferenceData": {"entryPoints": [{"entryPointType": "fax"}]}}, "entryPoints[0].entryPointType"),
        ({"updated": "2026-11-12 14:36"}, "Event.updated"),
        ({"updated": "2026-11-12T14:36:12"}, "Event.updated"),
        ({"updated": "2026-13-12T14:36:12Z"}, "Event.updated"),
        ({"start": {"date": "25.11.2026"}}, "Event.start.date"),
    ],
)
def test_a_planted_wrong_answer_is_found(planted: dict[str, Any], where: str) -> None:
    assert where in answered(GOOD | planted)[0]


def test_an_answer_of_another_method_is_found() -> None:
    assert answered([GOOD])
    assert answered(b"{")
    assert answered(GOOD, kind="text/plain")
    assert answered({name: value for name, value in GOOD.items() if name != "kind"})
    assert answered({name: value for name, value in GOOD.items() if name != "etag"})
    assert answered(GOOD, status=304)
    assert answered(GOOD, path=EVENTS)
    assert answered(GOOD, path="calendars/ana%40tenant-a.test/meetings")


@pytest.mark.parametrize(
    "body",
    [
        {"error": "gone"},
        {"error": GONE["error"], "status": 410},
        {"error": GONE["error"] | {"code": 400}},
        {"error": GONE["error"] | {"message": ""}},
        {"error": GONE["error"] | {"errors": []}},
        {"error": GONE["error"] | {"reason": "fullSyncRequired"}},
        {"error": GONE["error"] | {"errors": [ROW | {"domain": "global"}]}},
        {"error": GONE["error"] | {"errors": [ROW | {"reason": "syncTokenExpired"}]}},
        {"error": GONE["error"] | {"errors": [ROW | {"locationType": "query"}]}},
        {"error": GONE["error"] | {"errors": [ROW | {"parameter": "syncToken"}]}},
        {"error": GONE["error"] | {"errors": [{name: ROW[name] for name in ROW if name != "message"}]}},
        {"error": GONE["error"] | {"errors": [{name: ROW[name] for name in ROW if name != "locationType"}]}},
        b"<html>Gone</html>",
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_planted_wrong_error_is_found(body: object) -> None:
    assert answered(body, status=410)


def test_html_is_no_answer_below_502() -> None:
    assert answered(b"<html>Gone</html>", status=410, kind="text/html")


@pytest.mark.parametrize(
    "wrong",
    [
        asked("GET", EVENTS, singleevents="true"),
        asked("GET", EVENTS, showDeleted="yes"),
        asked("GET", EVENTS, maxResults="0"),
        asked("GET", EVENTS, orderBy="start"),
        asked("GET", EVENTS, timeMin="2026-12-01T00:00:00"),
        asked("GET", EVENTS, quotaUser="x" * 41),
        asked("GET", EVENTS, {"timeMin": "2026-12-01T00:00:00Z"}),
        asked("GET", EVENT, syncToken="CKD1"),
        asked("POST", EVENT + "/move"),
        asked("PATCH", EVENT, {"starts": START}),
        asked("PATCH", EVENT, ["summary"]),
        asked("PATCH", EVENT, {"location": 5}, sendUpdates="none"),
        asked("PATCH", EVENT, {"location": "here"}, sendUpdates="nobody"),
        asked("POST", EVENT, {"location": "here"}),
    ],
    ids=lambda wrong: str(wrong)[:80],
)
def test_a_planted_wrong_request_is_found(wrong: list[str]) -> None:
    assert len(wrong) == 1


def test_a_right_request_is_right() -> None:
    assert asked("GET", EVENTS, syncToken="CKD1", maxResults="2500", prettyPrint="false", quotaUser="a1") == []
    assert asked("PATCH", EVENT, {"location": None, "conferenceData": None}, conferenceDataVersion="1") == []
    assert asked("POST", EVENT + "/move", destination=BO) == []


def test_each_method_of_the_simulator_is_one_of_googles_with_all_its_parameters() -> None:
    by_name = {method.name: method for method in discovery.calendar().methods}
    for method in METHODS:
        theirs = by_name[method.name]
        assert theirs.verb == method.verb
        assert theirs.path.fullmatch(method.route.removeprefix("/")), method.name
        queried = {name for name, rule in theirs.parameters.items() if rule["location"] == "query"}
        assert BY_METHOD.get(method.name, frozenset()) == queried, method.name
    assert {"alt", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "userIp"} <= GLOBAL


ODD: dict[str, Any] = {
    "attachments": [{"fileUrl": 5}],
    "attendees": [{"email": "x@elsewhere.test", "displayName": 5}],
    "colour": "red",
    "extendedProperties": {"private": {"a": 5}},
    "gadget": {"display": "banner"},
    "reminders": {"overrides": [{"method": "sms", "minutes": 10}]},
    "sequence": 2**40,
    "source": {"url": "https://elsewhere.test", "name": "x"},
    "start": START | {"zone": "Europe/Paris"},
    "workingLocationProperties": {"type": "moon"},
}
ODD_CONFERENCES: list[Any] = [
    {"notes": 5},
    {"notes": None},
    {"meetingId": "1"},
    {"conferenceId": 5},
    {"conferenceSolution": {"key": {"type": "addOn"}, "name": 5}},
    {"entryPoints": [{"entryPointType": "video", "uri": "https://meet.example.org", "host": "x"}]},
    {"parameters": {"addOnParameters": {"parameters": {"a": 5}}}},
]


@pytest.mark.parametrize("name", ODD)
async def test_whatever_is_written_is_answered_as_the_document_says_or_refused(name: str) -> None:
    async with a_stage() as stage:
        event = await stage.insert(attendees=[{"email": BO}])
        for verb in ("PATCH", "PUT"):
            body = {"start": START, "end": END, name: ODD[name]}
            assert (await stage.call(verb, events(ANA, event["id"]), body)).status in (200, 400)
        await stage.pages()


async def test_whatever_an_add_on_writes_is_answered_as_the_document_says_or_refused() -> None:
    async with a_stage() as stage:
        for odd in ODD_CONFERENCES:
            body = {"start": START, "end": END, "conferenceData": conference(**odd)}
            reply = await stage.call("POST", events(), body, headers=ADD_ON, conferenceDataVersion=1)
            assert reply.status in (200, 400)
        await stage.pages()


async def test_what_is_not_about_events_is_answered_as_the_document_says() -> None:
    async with a_stage() as stage:
        await stage.call("POST", f"calendars/{ROOM}/acl", {"role": "reader", "scope": {"type": "user", "value": BO}})
        assert len((await stage.call("GET", f"calendars/{ROOM}/acl")).body["items"]) == 2
        assert len((await stage.call("GET", "users/me/calendarList", user=BO)).body["items"]) == 2
        assert (await stage.call("GET", f"users/me/calendarList/{ROOM}")).body["dataOwner"] == ANA
        assert (await stage.call("GET", f"calendars/{ROOM}")).body["summary"] == "Room"
        assert (await stage.call("DELETE", f"calendars/{ROOM}/acl/user:{BO}")).body is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/mixed; boundary=b", b"--b\r\n"), ("multipart/mixed; boundary=b", b"--b--\r\n"), ("text/plain", b"")],
)
async def test_a_batch_that_is_refused_is_refused_in_googles_words(content_type: str, body: bytes) -> None:
    async with a_stage() as stage:
        address, headers = f"{stage.root}batch/calendar/v3", {"Content-Type": content_type}
        async with stage.session.post(address, data=body, headers=headers) as reply:
            kind, text = reply.headers["Content-Type"], await reply.read()
            assert reply.status == 400
    assert discovery.wrong_in_error(Exchange("POST", "", {}, body, 400, kind, text)) == []


def test_lists_of_values_in_prose_are_read_where_they_are_whole() -> None:
    schemas = json.loads(discovery.DOCUMENT.read_text("utf-8"))["schemas"]
    status, reason = schemas["Event"]["properties"]["status"], schemas["Error"]["properties"]["reason"]
    assert discovery.values_in_prose(status["description"]) == {"confirmed", "tentative", "cancelled"}
    assert discovery.values_in_prose(reason["description"]) == frozenset()
