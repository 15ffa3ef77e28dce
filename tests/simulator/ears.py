"""Somebody to whom a simulated Google brings its messages, and short ways to open channels to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

from syncer.simulator.serve import serving
from tests.simulator.google_stage import ANA, Reply, Stage, a_stage, events

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def channel_id(self) -> str:
        """The channel that brought it."""
        return self.headers["X-Goog-Channel-ID"]

    @property
    def state(self) -> str:
        """What it says."""
        return self.headers["X-Goog-Resource-State"]

    @property
    def number(self) -> int:
        """Its number."""
        return int(self.headers["X-Goog-Message-Number"])


@dataclass(slots=True)
class Ear:
    """Takes messages at `address`. statuses: of its first answers, 204 after them.

    may_answer: while it is not set, nothing is answered.
    """

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """One message."""
        self.heard.append(Heard(request.headers, await request.read()))
        self.came.set()
        status = self.statuses.pop(0) if self.statuses else 204
        await self.may_answer.wait()
        return web.Response(status=status, headers={"Location": self.address} if 300 <= status < 400 else {})

    async def until(self, count: int) -> list[Heard]:
        """The messages, when so many have come."""
        async with asyncio.timeout(SECONDS):
            while len(self.heard) < count:
                self.came.clear()
                await self.came.wait()
        return self.heard

    def states(self, channel_id: str | None = None) -> list[str]:
        """What the messages said, of one channel or of all, in the order in which they came."""
        return [one.state for one in self.heard if channel_id in (None, one.channel_id)]


@asynccontextmanager
async def an_ear() -> AsyncIterator[Ear]:
    """Somebody who listens on this machine."""
    ear = Ear()
    ear.may_answer.set()
    application = web.Application()
    application.router.add_post("/notifications/google", ear.take)
    async with serving(application) as root:
        ear.address = f"{root}notifications/google"
        yield ear


@asynccontextmanager
async def a_listened_stage(seed: int = 1) -> AsyncIterator[tuple[Stage, Ear]]:
    """A simulated Google, and somebody who listens to it."""
    async with an_ear() as ear, a_stage(seed) as stage:
        yield stage, ear


async def watch(stage: Stage, ear: Ear, calendar: str = ANA, *, user: str = ANA, **fields: Any) -> Reply:
    """The answer to opening a channel; fields: what else the body says, None takes something away."""
    body = {"id": str(uuid4()), "type": "web_hook", "address": ear.address} | fields
    body = {name: value for name, value in body.items() if value is not None}
    return await stage.call("POST", events(calendar, "watch"), body, user=user)


async def watched(stage: Stage, ear: Ear, calendar: str = ANA, *, user: str = ANA, **fields: Any) -> Any:
    """An open channel whose sync message has been told of."""
    reply = await watch(stage, ear, calendar, user=user, **fields)
    assert reply.status == 200, reply.body
    await quiet(stage)
    return reply.body


async def stop(stage: Stage, channel: Mapping[str, str], *, user: str = ANA) -> Reply:
    """The answer to stopping a channel."""
    body = {"id": channel["id"], "resourceId": channel["resourceId"]}
    return await stage.call("POST", "channels/stop", body, user=user)


async def settle(stage: Stage, **settings: Any) -> Any:
    """Change settings of notifications."""
    return await stage.control("PUT", "notifications", settings)


async def quiet(stage: Stage, *, waiting: int = 0) -> Any:
    """What became of the messages, when none is on its way any more, or no more than so many."""
    async with asyncio.timeout(SECONDS):
        while (told := await stage.control("GET", "notifications"))["waiting"] > waiting:  # noqa: ASYNC110 (over HTTP)
            await asyncio.sleep(0.005)
    return told


async def notes(stage: Stage) -> list[Any]:
    """The diary's entries of messages."""
    entries = (await stage.control("GET", "diary?after=0"))["entries"]
    return [entry for entry in entries if entry["kind"] == "notification"]
