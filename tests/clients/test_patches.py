"""Patches that go together: of one project, one to a calendar, each under its own token, and each outcome its own."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from msgspec import structs

from syncer.clients.google.auth import Credentials
from syncer.clients.google.calendar import GoogleCalendar, Looked, Patch, look_at
from syncer.clients.http import Http
from syncer.clients.references import References
from syncer.model.calendar import Calendar, CalendarKey, Cursor
from tests.clients.test_batch import Asked, answer, part

Put = Callable[[str, Any], str]
_CROWDED = b'{"error": {"errors": [{"domain": "global", "reason": "conflict"}], "code": 409}}'


@dataclass
class Google:
    """Takes batches and single calls; answers 401 to tokens of which there are newer ones, 409 once where told."""

    tokens: Counter[str] = field(default_factory=Counter)
    batches: list[list[str]] = field(default_factory=list)
    singles: list[str] = field(default_factory=list)
    crowded: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/token":
            user = str((await request.post())["refresh_token"])
            self.tokens[user] += 1
            return web.json_response({"access_token": f"{user}.{self.tokens[user]}", "expires_in": 3600})
        if request.path != "/batch/calendar/v3":
            calendar_id = request.path.split("/")[4]
            self.singles.append(calendar_id)
            return web.json_response({"calendar": calendar_id})
        asked = Asked(request, await request.read())
        self.batches.append([path.decode().split("/")[4] for _, _, path, _ in asked.parts])
        return answer([self._part(*one) for one in asked.parts])

    def _part(self, name: bytes, _: bytes, path: bytes, headers: bytes) -> bytes:
        calendar_id = path.decode().split("/")[4]
        user, number = headers.decode().split("Bearer ")[1].split("\r\n")[0].split(".")
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %%d\r\n\r\n"
        if int(number) != self.tokens[user]:
            return part(name, b"{}", head % b"401 Unauthorized")
        if calendar_id in self.crowded:
            self.crowded.discard(calendar_id)
            return part(name, _CROWDED, head % b"409 Conflict")
        return part(name, json.dumps({"calendar": calendar_id}).encode(), head % b"200 OK")


@dataclass
class Room:
    google: Google
    calendars: GoogleCalendar

    def calendar(self, number: int, user: str = "u1") -> Calendar:
        google_id, cursor = f"c{number}", Cursor(sync_token="s", is_full_read=False)
        return Calendar(CalendarKey(1, number), google_id, None, f"file:{user}.json", frozenset(), cursor)

    async def patch(self, number: int, project_id: int = 1) -> Any:
        return json.loads(await self.calendars.patch(project_id, Patch(self.calendar(number), "e", {}, '"1"')))


@pytest.fixture
async def room(http: Http, references: References, serve: Any, put: Put) -> Room:
    google = Google()
    root = await serve(google.answer)
    for user in ("u1", "u2"):
        grant = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": user}
        put(f"{user}.json", {**grant, "token_uri": f"{root}token"})
    credentials = Credentials(http, references, token_uris=(f"{root}token",))
    return Room(google, GoogleCalendar(http, credentials, api_root=root))


async def test_a_token_refused_in_a_part_is_renewed_for_its_own_user_only(room: Room) -> None:
    looks = [look_at(room.calendar(number, f"u{number % 2 + 1}"), None) for number in range(6)]
    await room.calendars.look(looks)
    room.google.tokens["u2"] += 1  # what we hold for that user is refused from now on
    answers = await room.calendars.look(looks)
    assert [json.loads(one.body)["calendar"] for one in answers if isinstance(one, Looked)] == [
        f"c{number}" for number in range(6)
    ]
    assert room.google.tokens == {"u1": 1, "u2": 3}
    assert room.google.batches[-1] == ["c1", "c3", "c5"]


async def test_patches_that_wait_at_the_same_moment_go_together(room: Room) -> None:
    await room.patch(0)
    found = await asyncio.gather(*(room.patch(number) for number in range(10)))
    assert [one["calendar"] for one in found] == [f"c{number}" for number in range(10)]
    assert sum(len(batch) for batch in room.google.batches) >= 8


async def test_one_that_was_in_anothers_way_is_sent_again_alone(room: Room) -> None:
    await room.patch(0)
    room.google.singles.clear()
    room.google.crowded = {"c3"}
    found = await asyncio.gather(*(room.patch(number) for number in range(5)))
    assert [one["calendar"] for one in found] == [f"c{number}" for number in range(5)]
    assert "c3" in room.google.singles


async def test_no_two_writes_to_a_calendar_are_in_one_batch(room: Room) -> None:
    await asyncio.gather(*(room.patch(number % 3) for number in range(30)))
    assert all(len(batch) == len(set(batch)) for batch in room.google.batches)
    assert Counter(room.google.singles) + Counter(one for batch in room.google.batches for one in batch) == {
        "c0": 10,
        "c1": 10,
        "c2": 10,
    }


async def test_patches_of_two_projects_never_share_a_batch(room: Room) -> None:
    await asyncio.gather(*(room.patch(number, number % 2) for number in range(20)))
    for batch in room.google.batches:
        assert len({int(one[1:]) % 2 for one in batch}) == 1


async def test_two_tenants_with_one_calendar_write_to_it_one_after_the_other(room: Room) -> None:
    first = room.calendar(1)
    second = structs.replace(first, key=CalendarKey(2, 77), credential="file:u2.json")
    both = [Patch(calendar, "e", {}, '"1"') for calendar in (first, second)]
    await asyncio.gather(*(room.calendars.patch(1, patch) for patch in both))
    assert (room.google.batches, room.google.singles) == ([], ["c1", "c1"])


async def test_what_each_calls_primary_is_another_calendar(room: Room) -> None:
    mine = structs.replace(room.calendar(1), google_id="primary")
    theirs = structs.replace(mine, key=CalendarKey(2, 77), credential="file:u2.json")
    await asyncio.gather(*(room.calendars.patch(1, Patch(calendar, "e", {}, '"1"')) for calendar in (mine, theirs)))
    assert room.google.batches == [["primary", "primary"]]
