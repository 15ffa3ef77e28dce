"""Named points at which a worker can be stopped: before and after each outside call and each statement.

They stand around the walls that the worker is given (`Tools`); the worker itself knows nothing of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from typing import Any, TypeVar, cast

from syncer.clients.google.batch import Whose
from syncer.clients.google.calendar import Answered, GoogleCalendar, Look, Patch
from syncer.clients.google.channels import Ask, Granted
from syncer.clients.google.metering import Meter
from syncer.clients.providers.base import Gate as CallGate
from syncer.clients.providers.directory import Providers
from syncer.model.calendar import Calendar, Tenant
from syncer.model.conference import Change, Outcome
from syncer.model.errors import StoreUnavailable, SyncerError, Unreachable
from syncer.store import statements
from syncer.store.database import Database, Row
from syncer.sync.tools import Tools

T = TypeVar("T")


WRITES = frozenset({"before update", "before delete", "before patch"})
"""Where a worker begins to change something outside."""
_LEASES = frozenset({"after take", "after renew"})
_FENCED = frozenset({"commit_pages", "record", "failed", "recovered"})
"""Statements over pieces, each of which is written down only while its lease is the worker's."""
_HELD = """
SELECT EXISTS (
    SELECT FROM jsonb_to_recordset($1) AS asked(project_id bigint, owner uuid, epoch bigint)
    JOIN syncer.lease USING (project_id, owner, epoch)
)
"""


class Gate:
    """What all of one worker's points go through. While it is shut, whoever comes to a point stays there.

    is_reading_back: whether the worker finds meetings to read back, which would heal what should not be ill.
    is_over: by its own count it has no lease any more. late: the changes outside that it began since, and what it wrote
    down under leases that were others' by then.
    shift: how far the clock is set off. breaks: the point at which the call, or the statement, is broken off once.
    """

    def __init__(self) -> None:
        self.passed: dict[str, int] = {}
        self.is_reading_back = False
        self.is_over = False
        self.late: list[str] = []
        self.shift = timedelta()
        self.breaks: str | None = None
        self._is_open = True
        self._is_dead = False
        self._awaited: str | None = None
        self._left: int | None = None
        self._stopper: object = None
        self._held: object = None
        self._changed = asyncio.Event()

    def open(self, *, until: str | None = None, points: int | None = None) -> None:
        """Let the worker go on: for good, until it comes to a point of that name, or past so many points."""
        self._awaited, self._left = until, points
        self._is_open = True
        self._tell()

    def shut(self) -> None:
        """Stop the worker wherever it comes next."""
        self._is_open = False
        self._tell()

    def hold(self) -> None:
        """Whoever had the gate shut stays at that point when it opens, while all others go on."""
        self._held = self._stopper

    def let_go(self) -> None:
        """Nobody is held any more."""
        self._held = None
        self._tell()

    def die(self) -> None:
        """Nothing gets through any more: whoever is at a point, or comes to one, ends there."""
        self._is_dead = True
        self._tell()

    @property
    def is_shut(self) -> bool:
        """Whether the worker is stopped."""
        return not self._is_open

    @property
    def is_holding(self) -> bool:
        """Whether somebody stays at a point while the others go on."""
        return self._held is not None

    async def stopped(self) -> None:
        """The gate has shut."""
        while self._is_open:
            await self._changed.wait()

    async def at(self, point: str) -> None:
        """The worker is at a point of this name."""
        if self.is_over and point in WRITES:
            self.late.append(point)
        me = object()
        if self._is_open and self._stops(point):
            self._stopper = me
            self.shut()
        was_here = not self._is_dead and (not self._is_open or self._held is me)
        while not self._is_dead and (not self._is_open or self._held is me):
            await self._changed.wait()
        if self._is_dead:
            raise asyncio.CancelledError
        if self.is_over and was_here and point in _LEASES:
            # What was promised before it was stopped is over; in the real world its count would say so.
            raise StoreUnavailable("Postgres went away while this worker was stopped.")
        if point == self.breaks:
            self.breaks = None
            raise _broken_off(point)
        self.passed[point] = self.passed.get(point, 0) + 1

    def _stops(self, point: str) -> bool:
        if self._left is not None:
            self._left -= 1
        return point == self._awaited or (self._left is not None and self._left < 0)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def around(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """One call between its two points; it comes to the second one whatever came of it."""
        await self.at(f"before {name}")
        try:
            return await work()
        finally:
            await self.at(f"after {name}")


def _broken_off(point: str) -> SyncerError:
    is_googles = point.endswith(" watch")
    return Unreachable("Google", 0, "it was broken off") if is_googles else StoreUnavailable("Postgres went away.")


def gated(tools: Tools, gate: Gate, chance: Callable[[], float]) -> Tools:
    """The same tools, with all that leaves the process going through the gate."""
    return replace(
        tools,
        database=_Database(tools.database, gate),
        google=cast(GoogleCalendar, _Google(tools.google, gate)),
        providers=cast(Providers, _Vendors(tools.providers, gate)),
        chance=chance,
    )


class _Google:
    def __init__(self, google: GoogleCalendar, gate: Gate) -> None:
        self._google = google
        self._gate = gate

    @property
    def looks_at_once(self) -> int:
        return self._google.looks_at_once

    def metered(self, meter: Meter) -> _Google:
        return _Google(self._google.metered(meter), self._gate)

    async def mind(self, credentials: Iterable[str]) -> None:
        await self._google.mind(credentials)  # nothing leaves the process for these two

    async def mended(self) -> frozenset[str]:
        return await self._google.mended()

    async def look(self, looks: Sequence[Look]) -> list[Answered]:
        return await self._gate.around("look", lambda: self._google.look(looks))

    async def get(self, calendar: Calendar, event_id: str) -> bytes:
        return await self._gate.around("get", lambda: self._google.get(calendar, event_id))

    async def events(self, calendar: Calendar, event_ids: Sequence[str]) -> list[bytes | SyncerError]:
        return await self._gate.around("get", lambda: self._google.events(calendar, event_ids))

    async def family(self, calendar: Calendar, ical_uid: str, page_token: str | None = None) -> bytes:
        return await self._gate.around("family", lambda: self._google.family(calendar, ical_uid, page_token))

    async def watch(self, calendar: Calendar, ask: Ask) -> Granted:
        return await self._gate.around("watch", lambda: self._google.watch(calendar, ask))

    async def stop(self, channel_id: str, resource_id: str, whose: Whose) -> None:
        return await self._gate.around("stop", lambda: self._google.stop(channel_id, resource_id, whose))

    async def patch(self, project_id: int, patch: Patch) -> bytes:
        return await self._gate.around("patch", lambda: self._google.patch(project_id, patch))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a world has no gate around GoogleCalendar.{name}: give it one in {__name__}")


class _Vendors:
    def __init__(self, providers: Providers, gate: Gate) -> None:
        self._providers = providers
        self._gate = gate

    async def apply(self, tenant: Tenant, change: Change, gate: CallGate) -> Outcome:
        return await self._gate.around(change.kind.value, lambda: self._providers.apply(tenant, change, gate))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a world has no gate around Providers.{name}: give it one in {__name__}")


class _Database(Database):
    def __init__(self, database: Database, gate: Gate) -> None:
        super().__init__(database._pool, database.dsn)
        self._gate = gate
        self._names = statement_names()

    async def fetch(self, sql: str, *arguments: object) -> list[Row]:
        name = self._name(sql)
        if name == "unread" and not self._gate.is_reading_back:
            return []

        async def work() -> list[Row]:
            is_lost = await self._is_lost(name, *arguments)
            found = await Database.fetch(self, sql, *arguments)
            self._tell_late(name, is_written=is_lost and bool(found))
            return found

        return await self._gate.around(name, work)

    async def first(self, sql: str, *arguments: object) -> Row | None:
        name = self._name(sql)

        async def work() -> Row | None:
            is_lost = await self._is_lost(name, *arguments)
            found = await Database.first(self, sql, *arguments)
            self._tell_late(name, is_written=is_lost and found is not None and bool(found["ours"]))
            return found

        return await self._gate.around(name, work)

    async def _is_lost(self, name: str, *arguments: object) -> bool:
        """It was stopped for so long that all of this is another's to write down, and stays so: epochs only grow."""
        if not self._gate.is_over or name not in _FENCED:
            return False
        return not await Database.value(self, _HELD, arguments[0])

    def _tell_late(self, name: str, *, is_written: bool) -> None:
        if is_written:
            self._gate.late.append(f"writing down ({name})")

    async def value(self, sql: str, *arguments: object) -> Any:
        name = self._name(sql)
        found = await self._gate.around(name, lambda: Database.value(self, sql, *arguments))
        # The clock is set by hand: an answer from before that must not set it back.
        return self._gate.shift if name == "shift" else found

    async def run(self, sql: str, *arguments: object) -> str:
        return await self._gate.around(self._name(sql), lambda: Database.run(self, sql, *arguments))

    def _name(self, sql: str) -> str:
        return self._names.get(sql, "a statement")


def statement_names() -> dict[str, str]:
    """The name of each of the store's statements, by its text."""
    folder = resources.files("syncer.store").joinpath("queries")
    nouns = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    return {text: name for noun in nouns for name, text in statements.of(noun).items()}
