"""A simulated Google on a local port, and short ways to talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google import GoogleSimulator
from syncer.simulator.serve import serving
from tests.simulator.watching import Watcher

ANA, BO, CLEO = "ana@tenant-a.test", "bo@tenant-a.test", "cleo@tenant-b.test"
ROOM = "room@group.tenant-a.test"
START = {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Paris"}
END = {"dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/Paris"}
ADD_ON = {"X-Simulator-Add-On": "Example Meeting"}
PEOPLE = {"X-Simulator-People": "1"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, parsed body (None when it is empty), headers."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        """The reason in Google's error envelope."""
        return str(self.body["error"]["errors"][0]["reason"])

    @property
    def location(self) -> str:
        """The location in Google's error envelope."""
        return str(self.body["error"]["errors"][0]["location"])


@dataclass(slots=True)
class Stage:
    """The running simulator, spoken to as one user at a time."""

    root: str
    session: aiohttp.ClientSession
    tokens: dict[str, str]

    async def control(self, verb: str, path: str, body: Any = None) -> Any:
        """A request to the control face; fails when it was refused."""
        reply = await self.request(verb, f"simulator/{path}", body)
        assert reply.status == 200, reply.body
        return reply.body

    async def request(self, verb: str, path: str, body: Any = None, **more: Any) -> Reply:
        """Any request; body: JSON, or bytes as they are."""
        text = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        async with self.session.request(verb, self.root + path, data=text, **more) as response:
            raw = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            parsed = orjson.loads(raw) if is_json and raw else raw or None
            return Reply(response.status, parsed, response.headers)

    async def call(self, verb: str, path: str, body: Any = None, *, user: str = ANA, **more: Any) -> Reply:
        """A Calendar API request; more: query parameters, and `headers`."""
        headers = {"Authorization": f"Bearer {await self.token(user)}", **more.pop("headers", {})}
        return await self.request(verb, f"calendar/v3/{path}", body, headers=headers, params=more)

    async def token(self, user: str) -> str:
        """An access token of a user, made by a refresh grant."""
        if user not in self.tokens:
            grant = await self.control("POST", "users", {"email": user})
            form = {name: grant[name] for name in ("client_id", "client_secret", "refresh_token")}
            async with self.session.post(grant["token_uri"], data={**form, "grant_type": "refresh_token"}) as reply:
                self.tokens[user] = (await reply.json())["access_token"]
        return self.tokens[user]

    async def insert(self, calendar: str = ANA, *, user: str = ANA, **fields: Any) -> Any:
        """A new event on a calendar."""
        body = {"summary": "Review", "start": START, "end": END, **fields}
        reply = await self.call("POST", events(calendar), body, user=user)
        assert reply.status == 200, reply.body
        return reply.body

    async def insert_with_conference(self, calendar: str = ANA, *, user: str = ANA, **fields: Any) -> Any:
        """A new event with a conference that the add-on made."""
        body = {"summary": "Review", "start": START, "end": END, "conferenceData": conference(), **fields}
        reply = await self.call("POST", events(calendar), body, user=user, headers=ADD_ON, conferenceDataVersion=1)
        assert reply.status == 200, reply.body
        return reply.body

    async def sync_token(self, calendar: str = ANA, *, user: str = ANA, **query: Any) -> str:
        """The token at the end of a whole listing."""
        return str((await self.pages(calendar, user=user, **query))[-1]["nextSyncToken"])

    async def pages(self, calendar: str = ANA, *, user: str = ANA, **query: Any) -> list[Any]:
        """All pages of a listing."""
        found: list[Any] = []
        while True:
            after = {"pageToken": found[-1]["nextPageToken"]} if found else {}
            reply = await self.call("GET", events(calendar), user=user, **query, **after)
            assert reply.status == 200, reply.body
            found.append(reply.body)
            if "nextPageToken" not in reply.body:
                return found

    async def changes(self, token: str, calendar: str = ANA, *, user: str = ANA) -> list[Any]:
        """The entries changed since a sync token."""
        return [row for page in await self.pages(calendar, user=user, syncToken=token) for row in page["items"]]


def events(calendar: str = ANA, *parts: str) -> str:
    """The path of a calendar's events, or of one of them."""
    return "/".join(["calendars", quote(calendar, safe=""), "events", *parts])


def conference(number: str = "81234567890", **more: Any) -> Any:
    """An add-on's conference data, not signed."""
    return {
        "entryPoints": [{"entryPointType": "video", "uri": f"https://meet.example.org/j/{number}"}],
        "conferenceSolution": {"key": {"type": "addOn"}, "name": "Example Meeting"},
        "conferenceId": number,
        **more,
    }


@asynccontextmanager
async def a_stage(seed: int = 1) -> AsyncIterator[Stage]:
    """A simulator with three people in two domains and one room calendar of Ana's.

    At the end fails if any of its answers is none that Google's discovery document allows.
    """
    watcher = Watcher()
    application = GoogleSimulator(SimulatedClock(), seed, witness=watcher).application()
    async with serving(application) as root, aiohttp.ClientSession() as session:
        stage = Stage(root, session, {})
        for user in (ANA, BO, CLEO):
            await stage.control("POST", "calendars", {"id": user, "time_zone": "Europe/Paris"})
        await stage.control("POST", "calendars", {"id": ROOM, "owner": ANA, "summary": "Room"})
        yield stage
    watcher.check()
