"""A worker that is told of changes: the simulated Google sends its messages to a receiver of ours, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syncer.run import notifications
from syncer.run.listening import Address
from syncer.run.receiver import Receiver
from tests.run.worker import Worker, a_worker, until, until_row
from tests.sync.stage import Acted

ANYWHERE = Address("127.0.0.1", 0)
OPEN = "SELECT count(*) FROM syncer.channel WHERE state = 'open'"
ALL_OPEN = "SELECT (SELECT count(*) FROM syncer.calendar) = (SELECT count(*) FROM syncer.channel WHERE state = 'open')"
NO_MARK = "SELECT count(*) = 0 FROM syncer.notified"
# So rarely that no test sees a look by the clock.
RARELY = 36_000.0


@dataclass(frozen=True, slots=True)
class Told:
    """A stage whose worker is told of changes. url: where messages go."""

    stage: Acted
    receiver: Receiver
    worker: Worker
    url: str

    async def settled(self) -> None:
        """Every calendar has its channel, nothing is on its way, and all that was told is looked at."""
        await until_row(self.stage, ALL_OPEN)
        await until(self._is_quiet)

    async def _is_quiet(self) -> bool:
        counts = await counted(self.stage)
        return not counts["waiting"] and bool(await self.stage.tools.database.value(NO_MARK))

    async def looks(self) -> int:
        """How often the worker has looked at anything."""
        return len([row for row in await self.stage.requests("GET") if row["path"].endswith("/events")])


async def counted(stage: Acted) -> dict[str, Any]:
    """What the simulated Google has done about messages."""
    return dict(await stage.google.control("GET", "notifications"))


async def notify(stage: Acted, **settings: Any) -> None:
    """How the simulated Google sends messages from now on."""
    await stage.google.control("PUT", "notifications", settings)


@asynccontextmanager
async def told(stage: Acted, **settings: Any) -> AsyncIterator[Told]:
    """A worker and a receiver. settings: of the worker."""
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE) as address:
        url = f"http://{address}{notifications.PATH}"
        chosen = {"cycle_seconds": RARELY, "notifications_url": url, **settings}
        async with a_worker(stage, **chosen) as worker:
            yield Told(stage, receiver, worker, url)


async def channels(stage: Acted) -> list[dict[str, Any]]:
    """The channels that the simulated Google has had, oldest first."""
    return list((await stage.google.control("GET", "channels"))["channels"])


async def live(stage: Acted) -> list[str]:
    """The calendars of its live channels, in order."""
    return sorted(str(one["calendar_id"]) for one in await channels(stage) if one["state"] == "live")


async def until_live(stage: Acted, *google_ids: str) -> None:
    """Waits until each of these calendars, and no other, has one live channel."""

    async def holds() -> bool:
        return await live(stage) == sorted(google_ids)

    await until(holds)
