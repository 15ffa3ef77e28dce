"""One worker as `syncer run` makes it, and what to wait for while it works."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from bench.ours import readings
from bench.ours.readings import Gauge, Reading
from syncer import app
from syncer.run import garbage
from syncer.run.bells import Bells
from syncer.run.supervisor import Supervisor
from syncer.settings import Settings
from syncer.sync.tools import Tools

_ASK_SECONDS = 0.02
_CHECK_SECONDS = 1.0
_LONGEST_SECONDS = 150.0
_SERVED = "SELECT count(*) FROM syncer.calendar WHERE failures > 0 OR state <> 'active'"


class Place(msgspec.Struct, frozen=True):
    """Where a run finds everything, handed on in the environment. dsn: a database with a world in it.

    secret, plain: roots of the canned Google with and without TLS. folder: of credentials.
    """

    dsn: str
    secret: str
    plain: str
    folder: str
    postgres_pid: int

    @classmethod
    def of_environment(cls) -> "Place":
        """As `variables` gave it."""
        return msgspec.json.decode(os.environ["BENCH_PLACE"], type=cls)

    def variables(self) -> dict[str, str]:
        """For the environment of the run: an argument would show the database's password to everybody."""
        return {"BENCH_PLACE": msgspec.json.encode(self).decode()}


class NotServedError(Exception):
    """The worker did not do what it was measured at."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker under way."""

    tools: Tools
    supervisor: Supervisor
    gauge: Gauge

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Waits until the canned Google's counts are so. Raises NotServedError when that takes too long."""

        async def is_there() -> bool:
            return is_so(await self.gauge.counts())

        await self._until(is_there)

    async def until_many(self, query: str, count: int) -> None:
        """Waits until a statement gives so great a number. Raises NotServedError when that takes too long."""

        async def is_there() -> bool:
            return int(await self.tools.database.value(query) or 0) >= count

        await self._until(is_there)

    async def _until(self, is_there: Callable[[], Awaitable[bool]]) -> None:
        loop = asyncio.get_running_loop()
        began_at = checked_at = loop.time()
        while not await is_there():
            if loop.time() - checked_at > _CHECK_SECONDS:
                await self.check()
                checked_at = loop.time()
            if checked_at - began_at > _LONGEST_SECONDS:
                raise NotServedError("The worker did not come far enough in time.")
            await asyncio.sleep(_ASK_SECONDS)

    async def settled(self, calendars: int, *, looks: float) -> None:
        """Waits until so many calendars are served, and each was looked at so often since, on the average.

        Listing them costs more than looking at them, and is no part of what a look costs.
        """

        async def are_served() -> bool:
            projects = self.supervisor.ownership.projects.values()
            return sum(len(project.calendars) for project in projects) >= calendars

        await self._until(are_served)
        before = await self.gauge.counts()
        await self.until(lambda counts: counts["looks"] >= before["looks"] + looks * calendars)

    async def read(self, **queries: str) -> Reading:
        """A reading. queries: statements that give one number each, by name."""
        numbers = {name: int(await self.tools.database.value(sql) or 0) for name, sql in queries.items()}
        return await self.gauge.read(numbers)

    async def window(self, seconds: float, moving: str, **queries: str) -> dict[str, Any]:
        """What happens in so many seconds, and until `moving`, a count or a query's number, has grown at all."""
        before = await self.read(**queries)
        await asyncio.sleep(seconds)
        if moving in queries:
            await self.until_many(queries[moving], before.numbers[moving] + 1)
        else:
            await self.until(lambda counts: counts[moving] > before.counts[moving])
        after = await self.read(**queries)
        await self.check()
        return readings.between(before, after)

    async def check(self) -> None:
        """Raises NotServedError unless every calendar is well and no request was refused."""
        failing = await self.tools.database.value(_SERVED)
        counts = await self.gauge.counts()
        if failing or counts["refused"]:
            raise NotServedError(
                f"{failing} calendars fail and {counts['refused']} requests were refused: "
                "the canned Google and syncer do not understand each other."
            )


@asynccontextmanager
async def working(place: Place, **settings: Any) -> AsyncIterator[Worker]:
    """A worker that serves this place for as long as the block lasts. settings: those that a row needs of its own."""
    chosen = _settings(place, settings)
    with garbage.rare():
        async with app.tools_of(chosen, place.dsn) as tools:
            supervisor = app.supervisor_of(chosen, tools)
            async with _run(supervisor):
                yield Worker(tools, supervisor, Gauge(place.plain, place.postgres_pid))


@asynccontextmanager
async def _run(supervisor: Supervisor) -> AsyncIterator[None]:
    bells = Bells()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(supervisor.run(bells))
        try:
            yield
        finally:
            bells.ring()
            bells.ring()
            await asyncio.wait([run], timeout=10)


def _settings(place: Place, own: dict[str, Any]) -> Settings:
    chosen: dict[str, Any] = {
        "google_api_root": place.secret,
        "token_uris": (f"{place.secret}token",),
        "credentials_folder": Path(place.folder),
        "private_networks": (ip_network("127.0.0.0/8"),),
        "grace_seconds": 0.0,
        "log_level": "warning",
    }
    return Settings(**chosen | own)
