"""Players of scripts: syncer and the loops, each on servers of its own that begin empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from tests.conftest import TEMPLATE, Databases
from tests.peers.loops import Loop
from tests.sync.stage import Acted, a_stage

Seen = tuple[object, ...]


class Player(Protocol):
    """Who keeps the meetings in step."""

    async def follow(self) -> None:
        """Looks once, and does what is to be done."""

    async def message(self) -> None:
        """Google's message that something has changed."""

    async def renew(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """The channel of the messages is renewed while something happens."""

    async def wait(self) -> None:
        """A long time goes by without a message."""


@dataclass(frozen=True, slots=True)
class Syncer:
    """syncer's worker. It hears no messages here: what it does not hear of it finds by looking."""

    stage: Acted

    async def follow(self) -> None:
        await self.stage.follow()

    async def message(self) -> None:
        pass

    async def renew(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        await meanwhile()

    async def wait(self) -> None:
        await self.stage.follow()


Script = Callable[[Acted, Player], Awaitable[Seen]]


@dataclass(slots=True)
class Play:
    """Plays a script; a fresh database for each."""

    databases: Iterator[str]
    folder: Path

    async def syncer(self, script: Script) -> Seen:
        """What syncer comes to."""
        async with self._a_stage() as stage:
            return await script(stage, Syncer(stage))

    async def loop(self, script: Script, kind: type[Loop] = Loop, **more: Any) -> Seen:
        """What a loop comes to."""
        async with self._a_stage() as stage, aiohttp.ClientSession() as session:
            return await script(stage, kind(session, stage.google, stage.vendor, stage.clock, **more))

    async def right(self, script: Script) -> Seen:
        """What syncer comes to, and the careful loop too: so whoever comes to something else is to blame for it."""
        seen = await self.syncer(script)
        assert await self.loop(script) == seen
        return seen

    @asynccontextmanager
    async def _a_stage(self) -> AsyncIterator[Acted]:
        async with a_stage(next(self.databases), self.folder) as stage:
            await stage.follow()
            yield stage


@pytest.fixture
def play(databases: Databases, tmp_path: Path) -> Iterator[Play]:
    """Three plays on servers and databases of their own."""
    made = [databases.make(TEMPLATE) for _ in range(3)]
    yield Play(iter(made), tmp_path)
    for dsn in made:
        databases.drop(dsn)
