"""What the corridor works with: the walls, a clock, chance; and one project while it is served."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from syncer.clients.google.calendar import GoogleCalendar
from syncer.clients.providers.directory import Providers
from syncer.model.calendar import Calendar, CalendarKey, Cursor, Lease, Tenant
from syncer.model.errors import FencedOut
from syncer.rules.schedule import Schedule
from syncer.store.database import Database


class Clock:
    """Tells the time. Set off from the real one only on a cluster that is marked for tests or demos."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once in `app`. chance: draws from [0, 1). zones: the IANA names that are known."""

    database: Database
    google: GoogleCalendar
    providers: Providers
    clock: Clock
    chance: Callable[[], float]
    zones: frozenset[str]


class Tenure:
    """A lease as its owner knows it.

    The deadline (loop time, seconds) counts from before the renewal was sent, so it ends before the database's.
    """

    def __init__(self, lease: Lease, deadline: float) -> None:
        self.lease = lease
        self._deadline = deadline

    def prolong(self, deadline: float) -> None:
        """The lease was renewed."""
        self._deadline = deadline

    def end(self) -> None:
        """The lease is lost: nothing may be sent any more."""
        self._deadline = float("-inf")

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """A block for one outside write, which cannot outlive the lease.

        Raises FencedOut when the lease is over already, TimeoutError when it ends in the middle.
        """
        if asyncio.get_running_loop().time() >= self._deadline:
            raise FencedOut("Nothing was sent: the lease on the project has run out.")
        async with asyncio.timeout_at(self._deadline):
            yield


@dataclass(slots=True)
class Project:
    """One project while this worker serves it, in memory. moved: (old, new) sync tokens that moved without changes."""

    tenure: Tenure
    schedule: Schedule
    tenants: dict[int, Tenant] = field(default_factory=dict)
    calendars: dict[CalendarKey, Calendar] = field(default_factory=dict)
    moved: dict[CalendarKey, tuple[str, str]] = field(default_factory=dict)

    @property
    def lease(self) -> Lease:
        return self.tenure.lease

    def list_anew(self, tenants: dict[int, Tenant], served: Iterable[Calendar], now: datetime) -> None:
        """Take over what the rows say. Cursors stay as we know them: ours are never behind the rows."""
        fresh = {calendar.key: calendar for calendar in served if calendar.key.tenant_id in tenants}
        waited_for = {key for key, known in self.calendars.items() if known.next_look_at is not None}
        mended = {key for key in waited_for & fresh.keys() if fresh[key].next_look_at is None}
        for key, calendar in fresh.items():
            known = self.calendars.get(key)
            if known is not None:
                failures = calendar.failures if key in mended else known.failures
                fresh[key] = replace(calendar, cursor=known.cursor, failures=failures)
        added = fresh.keys() - self.calendars.keys()
        is_restart = not self.calendars
        urgent = {key for key in added if not is_restart or fresh[key].cursor.sync_token is None}
        self.tenants, self.calendars = tenants, fresh
        self.schedule.keep(fresh, now, urgent=urgent)
        for key in added:
            later = fresh[key].next_look_at
            if later is not None and later > now:
                self.schedule.postpone(key, later)
        for key in mended:
            # Somebody has mended what it waited for.
            self.schedule.hurry(key, now)

    def keep_cursor(self, key: CalendarKey, cursor: Cursor) -> None:
        """The calendar was read as far as this, and is well."""
        known = self.calendars.get(key)
        if known is not None:
            self.calendars[key] = replace(known, cursor=cursor, failures=0, next_look_at=None)

    def forget_cursor(self, key: CalendarKey, now: datetime) -> None:
        """The calendar is to be read from the start, at once."""
        known = self.calendars.get(key)
        if known is not None:
            cursor = replace(known.cursor, sync_token=None, page_token=None, is_full_read=True)
            self.calendars[key] = replace(known, cursor=cursor)
            self.schedule.hurry(key, now)

    def note_failure(self, failed: Calendar) -> None:
        """The calendar failed so many times, and is looked at again at that time."""
        known = self.calendars.get(failed.key)
        if known is not None:
            self.calendars[failed.key] = replace(known, failures=failed.failures, next_look_at=failed.next_look_at)

    def looked_everywhere(self, tenant_id: int, since: datetime) -> bool:
        """Each calendar of the tenant was looked at, by a look that began after this instant."""
        return all(
            self.schedule.looked_at(key) > since.timestamp() for key in self.calendars if key.tenant_id == tenant_id
        )
