"""Calls to the Calendar API: what is asked, what is handed on, and what one calendar's trouble does to the others."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from aiohttp import web
from msgspec import structs

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import (
    EVENT_FIELDS,
    LIST_FIELDS,
    Capacity,
    Failed,
    GoogleCalendar,
    Look,
    Looked,
    Patch,
    look_at,
    quota_user,
)
from syncer.clients.google.credential import GOOGLE_TOKEN_URI
from syncer.clients.http import Http
from syncer.clients.references import References
from syncer.model.calendar import Calendar, CalendarKey, Cursor
from syncer.model.errors import Conflict, GrantLost, Missing, NotThere, Refused, TokenRefused, Unreadable

Put = Callable[[str, Any], str]
TIME_MIN = datetime(2026, 11, 30, 10, 0, 0, 500, tzinfo=timezone(timedelta(hours=1)))
GONE = {"error": {"errors": [{"domain": "global", "reason": "notFound"}], "code": 404}}


@dataclass
class Google:
    """Answers each path with its own JSON, and takes only the newest token."""

    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    tokens: int = 0
    is_strict: bool = True
    by_calendar: dict[str, tuple[int, Any]] = field(default_factory=dict)
    together: int = 0
    most_together: int = 0
    barrier: asyncio.Barrier | None = None

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/token":
            self.tokens += 1
            return web.json_response({"access_token": f"ya29.{self.tokens}", "expires_in": 3600})
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self.is_strict and request.headers["Authorization"] != f"Bearer ya29.{self.tokens}":
            return web.json_response({"error": {"errors": [{"reason": "authError"}]}}, status=401)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        if self.barrier is not None:
            await self.barrier.wait()
        self.together -= 1
        status, body = self.by_calendar.get(request.path.split("/")[4], (200, {"path": request.raw_path}))
        return web.json_response(body, status=status)


@dataclass
class Room:
    google: Google
    calendars: GoogleCalendar
    reference: str

    def calendar(self, google_id: str = "ana@example.test", number: int = 1, **cursor: Any) -> Calendar:
        return Calendar(
            key=CalendarKey(1, number),
            google_id=google_id,
            subject=None,
            credential=self.reference,
            addresses=frozenset(),
            cursor=Cursor(**cursor),
        )

    async def query(self, look: Look) -> dict[str, str]:
        (answered,) = await self.calendars.look([look])
        assert isinstance(answered, Looked)
        return dict(self.google.requests[-1].query)


@pytest.fixture
async def room(http: Http, references: References, serve: Any, put: Put) -> Room:
    google = Google()
    root = await serve(google.answer)
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    reference = put("u.json", {**user, "token_uri": f"{root}token"})
    credentials = Credentials(http, references, token_uris=(f"{root}token",))
    return Room(google, GoogleCalendar(http, credentials, api_root=root, capacity=Capacity(at_once=3)), reference)


ALWAYS = {
    "singleEvents": "false",
    "maxResults": "2500",
    "prettyPrint": "false",
    "fields": LIST_FIELDS,
    "quotaUser": quota_user("ana@example.test"),
}
MINIMUM = "2026-11-30T09:00:00Z"


@pytest.mark.parametrize(
    ("cursor", "more"),
    [
        ({}, {"timeMin": MINIMUM}),
        ({"page_token": "p=1+/&"}, {"timeMin": MINIMUM, "pageToken": "p=1+/&"}),
        ({"sync_token": "s==", "is_full_read": False}, {"syncToken": "s=="}),
        ({"sync_token": "s==", "is_full_read": False, "page_token": "p"}, {"syncToken": "s==", "pageToken": "p"}),
        ({"sync_token": "s==", "is_full_read": True}, {"syncToken": "s=="}),
    ],
    ids=["first", "first, later page", "changes", "changes, later page", "full, names left"],
)
async def test_a_look_asks_from_where_the_cursor_stands(
    room: Room, cursor: dict[str, Any], more: dict[str, str]
) -> None:
    assert await room.query(look_at(room.calendar(**cursor), TIME_MIN)) == {**ALWAYS, **more}


async def test_a_full_read_may_go_back_to_the_beginning(room: Room) -> None:
    assert await room.query(look_at(room.calendar(), None)) == ALWAYS


async def test_ids_are_percent_encoded(room: Room) -> None:
    await room.calendars.look([look_at(room.calendar("a/b#holiday@group.v.calendar.google.com"), None)])
    path = room.google.requests[-1].raw_path.split("?")[0]
    assert path == "/calendar/v3/calendars/a%2Fb%23holiday%40group.v.calendar.google.com/events"


async def test_an_id_of_dots_leads_nowhere(room: Room) -> None:
    with pytest.raises(Refused):
        look_at(room.calendar(".."), None)
    with pytest.raises(Refused):
        await room.calendars.get(room.calendar(), "..")
    assert room.google.requests == []


async def test_one_calendars_failure_is_its_own(room: Room) -> None:
    room.google.by_calendar["gone@example.test"] = (404, GONE)
    calendars = [
        room.calendar(number=1),
        room.calendar("gone@example.test", number=2),
        structs.replace(room.calendar(number=3), credential="file:missing.json"),
        room.calendar(number=4),
    ]
    answers = await room.calendars.look([look_at(calendar, None) for calendar in calendars])
    errors = [type(answer.error) if isinstance(answer, Failed) else None for answer in answers]
    assert errors == [None, Missing, NotThere, None]


async def test_many_looks_keep_to_the_bound_and_ask_for_one_token(room: Room) -> None:
    room.google.barrier = asyncio.Barrier(3)  # three must be there before one is answered
    async with asyncio.timeout(10):
        answers = await room.calendars.look([look_at(room.calendar(number=n), None) for n in range(39)])
    assert all(isinstance(answer, Looked) for answer in answers)
    assert room.google.most_together == 3
    assert room.google.tokens == 1


async def test_the_body_is_handed_on_as_it_came(room: Room) -> None:
    (answered,) = await room.calendars.look([look_at(room.calendar(), None)])
    assert isinstance(answered, Looked)
    assert json.loads(answered.body)["path"].startswith("/calendar/v3/calendars/ana%40example.test/events?")


async def test_a_refused_token_is_renewed_once_for_all(room: Room) -> None:
    await room.calendars.get(room.calendar(), "e1")
    room.google.tokens += 1  # what we hold is refused from now on
    answers = await room.calendars.look([look_at(room.calendar(number=n), None) for n in range(10)])
    assert all(isinstance(answer, Looked) for answer in answers)
    assert room.google.tokens == 3


async def test_a_token_that_is_refused_again_is_told(room: Room) -> None:
    room.google.by_calendar["ana@example.test"] = (401, {})
    with pytest.raises(TokenRefused):
        await room.calendars.get(room.calendar(), "e1")
    assert len(room.google.requests) == 2


async def test_an_event_is_got(room: Room) -> None:
    body = await room.calendars.get(room.calendar(), "abc_20261201T090000Z")
    assert json.loads(body)["path"].startswith("/calendar/v3/calendars/ana%40example.test/events/abc_20261201T090000Z?")
    assert set(room.google.requests[0].query) == {"prettyPrint", "quotaUser", "fields"}


async def test_a_patch_is_conditional_and_tells_no_guest(room: Room) -> None:
    await room.calendars.patch(1, Patch(room.calendar(), "e1", {"location": "über"}, '"3588"'))
    (request,) = room.google.requests
    assert request.method == "PATCH"
    assert request.headers["If-Match"] == '"3588"'
    assert request.headers["Content-Type"] == "application/json"
    assert (request.query["conferenceDataVersion"], request.query["sendUpdates"]) == ("1", "none")
    assert request.query["fields"] == EVENT_FIELDS
    assert json.loads(room.google.bodies[0]) == {"location": "über"}


async def test_a_patch_of_another_version_is_a_conflict_and_not_repeated(room: Room) -> None:
    room.google.by_calendar["ana@example.test"] = (412, {})
    with pytest.raises(Conflict):
        await room.calendars.patch(1, Patch(room.calendar(), "e1", {"location": "x"}, '"1"'))
    assert len(room.google.requests) == 1


async def test_an_etag_cannot_smuggle_a_header(room: Room) -> None:
    with pytest.raises(Refused):
        await room.calendars.patch(1, Patch(room.calendar(), "e1", {}, '"1"\r\nX-More: 1'))
    assert room.google.requests == []


def test_the_quota_user_is_short_and_hides_the_address() -> None:
    assert len(quota_user("ana@example.test")) <= 40
    assert quota_user("ana@example.test") != quota_user("bo@example.test")


async def test_googles_own_addresses_are_the_default(http: Http, references: References, put: Put, canned: Any) -> None:
    reference = put("u.json", {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"})
    calendars = GoogleCalendar(http, Credentials(http, references))
    calendar = structs.replace(Room(Google(), calendars, reference).calendar(), subject="ana@example.test")
    url = re.compile(r"https://www\.googleapis\.com/calendar/v3/calendars/ana%40example\.test/events/e1\?.*")
    canned.post(GOOGLE_TOKEN_URI, payload={"access_token": "ya29.a", "expires_in": 3599, "token_type": "Bearer"})
    canned.get(url, payload={"id": "e1"})
    assert json.loads(await calendars.get(calendar, "e1")) == {"id": "e1"}
    canned.get(url, body="<html>", content_type="text/html")
    with pytest.raises(Unreadable):
        await calendars.get(calendar, "e1")
    calendar = structs.replace(calendar, subject="bo@example.test")
    canned.post(GOOGLE_TOKEN_URI, status=400, payload={"error": "invalid_grant"})
    with pytest.raises(GrantLost):
        await calendars.get(calendar, "e1")
