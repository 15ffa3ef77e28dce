"""Half of all worlds have notifications: a receiver, and what becomes of Google's messages on their way to it.

Calendars are looked at by the clock once an hour there, so that what a message told of is seen because it was told.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncer import app
from syncer.run.listening import Address
from syncer.run.notifications import PATH
from syncer.settings import Settings
from syncer.simulator.demo.town import Town
from syncer.simulator.people.record import Json
from syncer.store.database import Database
from syncer.sync.tools import Tools

CYCLE_SECONDS = 3600.0
# Renewed in the last third of it, and over when nobody served it meanwhile.
_LONGEST_SECONDS = 5 * 3600
_LATE_SECONDS = 0.03
ANYWHERE = Address("127.0.0.1", 0)
WAYS: dict[str, Json] = {
    "messages lost": {"loss": 1.0},
    "messages lost now and then": {"loss": 0.5},
    "messages doubled": {"duplicate": 0.5, "several": 0.5},
    "messages late": {"delay_seconds": [0.0, _LATE_SECONDS]},
    "messages in disorder": {"reorder": 0.7, "reorder_seconds": _LATE_SECONDS},
    "messages well": {},
}
"""What becomes of messages from then on, by the move that brings it about."""
_WELL: Json = {
    "loss": 0.0,
    "duplicate": 0.0,
    "several": 0.0,
    "reorder": 0.0,
    "delay_seconds": [0.0, 0.0],
    "first_pause_seconds": 0.02,
    "longest_seconds": _LONGEST_SECONDS,
}
_MARKED = "SELECT google_id FROM syncer.notified JOIN syncer.calendar USING (tenant_id, calendar_id)"
_CHANNELS = "SELECT channel_id::text FROM syncer.channel"
_WATCHES = """
SELECT google_id, greatest(due_at, syncer.clock()) AS due_at, ARRAY(
    SELECT channel_id::text FROM syncer.channel h
    WHERE h.tenant_id = w.tenant_id AND h.calendar_id = w.calendar_id AND h.state = 'open'
) AS channels
FROM syncer.watch w JOIN syncer.calendar USING (tenant_id, calendar_id)
"""

Fetch = Callable[[str], Awaitable[Sequence[Any]]]


def is_told(seed: int) -> bool:
    """Whether this world has notifications."""
    return random.Random(f"told:{seed}").random() < 0.5


@dataclass(slots=True)
class Telling:
    """The receiver of a world, and the simulated Google's ways with messages."""

    town: Town
    tools: Tools
    url: str = ""
    _address: Address = ANYWHERE
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    is_there: bool = False

    async def come(self, settings: Settings) -> None:
        """The receiver takes calls, at the same address as before."""
        if not self.is_there:
            receiver = app.receiver_of(settings, self.tools)
            address = await self._open.enter_async_context(receiver.listening(self._address))
            assert address is not None
            self._address, self.url, self.is_there = address, f"http://{address}{PATH}", True

    async def go(self) -> None:
        """The receiver is away: nobody takes what Google sends."""
        self.is_there = False
        await self._open.aclose()

    async def set(self, ways: Json) -> None:
        """What becomes of messages from now on."""
        await self.town.google("PUT", "notifications", {**_WELL, **ways})

    async def waiting(self) -> int:
        """How many messages are on their way."""
        return int((await self.town.google("GET", "notifications"))["waiting"])


@asynccontextmanager
async def telling(town: Town, settings: Settings, database: Database, seed: int) -> AsyncIterator[Telling]:
    """A receiver of its own, which no worker's end touches."""
    habits = random.Random(f"telling:{seed}")
    async with app.tools_over(settings, database) as tools:
        made = Telling(town, tools)
        await made.come(settings)
        await made.set({"sync_first": habits.random() < 0.5, "after_stop": habits.choice((0, 0, 2))})
        try:
            yield made
        finally:
            await made.go()


async def unheeded(fetch: Fetch, google: Sequence[Json]) -> Iterator[str]:
    """Each message that was taken has left a mark, or a look that came after its change. google: the whole diary."""
    marked = {row["google_id"] for row in await fetch(_MARKED)}
    looks: dict[str, float] = {}
    for entry in google:
        if entry["actor"] == "client" and entry["method"] == "GET" and entry["event_id"] is None:
            looks[entry["calendar_id"]] = float(entry["monotonic_ms"])
    taken = [one for one in google if one["kind"] == "notification" and one["fate"] == "taken"]
    found = {
        one["calendar_id"]: f"a message told of {one['calendar_id']}, and nobody looked at it or remembers to"
        for one in taken
        if one["state"] == "exists"
        and one["calendar_id"] not in marked
        and looks.get(one["calendar_id"], 0.0) < float(one["born_ms"])
    }
    return iter(found.values())


async def unwatched(fetch: Fetch, town: Town) -> dict[str, datetime]:
    """The calendars of which no channel tells that is open at Google and in its row; and when one is asked for next."""
    channels = (await town.google("GET", "channels"))["channels"]
    live = {one["id"] for one in channels if one["state"] == "live"}
    return {row["google_id"]: row["due_at"] for row in await fetch(_WATCHES) if live.isdisjoint(row["channels"])}


async def orphans(fetch: Fetch, town: Town) -> Iterator[str]:
    """Google has no channel open that the database knows nothing of."""
    known = {row["channel_id"] for row in await fetch(_CHANNELS)}
    channels = (await town.google("GET", "channels"))["channels"]
    live = [one for one in channels if one["state"] == "live" and one["id"] not in known]
    return iter([f"Google tells of {one['calendar_id']} by a channel that nobody knows" for one in live])
