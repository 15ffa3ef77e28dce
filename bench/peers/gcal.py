"""gcal-sync: one sync manager a calendar, as its pages show it, fifty at once."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from gcal_sync.api import GoogleCalendarService
from gcal_sync.auth import AbstractAuth
from gcal_sync.const import EVENT_SYNC, ITEMS, SYNC_TOKEN, SYNC_TOKEN_VERSION
from gcal_sync.store import CalendarStore
from gcal_sync.sync import VERSION, CalendarEventSyncManager

from bench.canned import names
from bench.peers import looks

IS_ON_UVLOOP = False


class _Auth(AbstractAuth):
    async def async_get_access_token(self) -> str:
        return looks.token(0)


class _Store(CalendarStore):
    """A calendar that was read before and has no events."""

    def __init__(self, calendar_id: str) -> None:
        known = {ITEMS: {}, SYNC_TOKEN: looks.SYNC_TOKEN, SYNC_TOKEN_VERSION: VERSION}
        self._kept: dict[str, Any] = {EVENT_SYNC: {calendar_id: known}}

    async def async_load(self) -> dict[str, Any] | None:
        return self._kept

    async def async_save(self, data: dict[str, Any]) -> None:
        self._kept = data


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """One session; a manager is made when its calendar is first looked at."""
    connector = aiohttp.TCPConnector(limit=looks.AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        client = GoogleCalendarService(_Auth(session, f"{root}calendar/v3"))

        async def one(number: int) -> None:
            calendar_id = names.calendar_id(number)
            store = _Store(calendar_id)
            await CalendarEventSyncManager(client, calendar_id, store).run()
            kept = (await store.async_load() or {})[EVENT_SYNC][calendar_id]
            looks.check({"items": kept[ITEMS], "nextSyncToken": kept[SYNC_TOKEN]})

        async def some(numbers: list[int]) -> int:
            for number in numbers:
                await one(number)
            return len(numbers)

        async def look(numbers: range) -> int:
            shares = [list(numbers[first :: looks.AT_ONCE]) for first in range(looks.AT_ONCE)]
            return sum(await asyncio.gather(*(some(share) for share in shares)))

        yield look
