"""The demo's own look into the database: its tenants, what is held, and the clock where that may be set."""

from __future__ import annotations

import json
from asyncio import sleep
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncer.model.errors import StoreError
from syncer.simulator.people.record import Json
from syncer.store import retries, tenants
from syncer.store.database import Database

_COUNT = """
SELECT count(*) FROM syncer.conference JOIN syncer.tenant USING (tenant_id) JOIN syncer.project USING (project_id)
WHERE project.slug = $1 AND ($2::text IS NULL OR conference.state = $2)
"""
_WATCHED = """
SELECT count(*) FROM syncer.channel JOIN syncer.tenant USING (tenant_id) JOIN syncer.project USING (project_id)
WHERE project.slug = $1 AND channel.state = 'open'
"""
_SHIFT = "UPDATE syncer.test_clock SET shift = $1::timestamptz - clock_timestamp()"
_WORKER_CLOCK = "SELECT owner_clock_at FROM syncer.lease JOIN syncer.project USING (project_id) WHERE slug = $1"
_MARK = "INSERT INTO syncer.test_clock DEFAULT VALUES ON CONFLICT DO NOTHING"
_TOLD = """
SELECT to_jsonb(c) - 'applied' - 'meeting' || jsonb_build_object(
    'now', syncer.clock(),
    'links', (SELECT jsonb_agg(jsonb_build_object('calendar_id', calendar_id, 'event_id', event_id))
              FROM syncer.link l WHERE l.tenant_id = c.tenant_id AND l.conference_id = c.conference_id),
    'history', (SELECT jsonb_agg(jsonb_build_object('at', at, 'kind', kind, 'detail', detail) ORDER BY at)
                FROM syncer.history h WHERE h.tenant_id = c.tenant_id AND h.conference_id = c.conference_id))
FROM syncer.conference c JOIN syncer.tenant t USING (tenant_id) WHERE t.slug = $1 AND c.meeting_id = $2
"""
_REMOVE_TENANTS = """
DELETE FROM syncer.tenant WHERE project_id = (SELECT project_id FROM syncer.project WHERE slug = $1)
"""
# By their credentials, so that those are found too whose tenants went just before somebody was killed.
_REMOVE_ACCOUNTS = """
DELETE FROM syncer.provider_account a WHERE starts_with(a.credential, 'file:' || $1 || '-')
    AND NOT EXISTS (SELECT FROM syncer.tenant t WHERE t.account_id = a.account_id)
"""
_TRIES = 5
_TRY_SECONDS = 0.5
_REMOVE_PROJECT = "DELETE FROM syncer.project WHERE slug = $1"


@dataclass(frozen=True, slots=True)
class Ledger:
    """One demo's rows. project: slug of its project."""

    database: Database
    project: str

    async def conferences(self, state: str | None = None) -> int:
        """How many conferences the demo's tenants have, all or in one state."""
        return int(await self.database.value(_COUNT, self.project, state))

    async def channels(self) -> int:
        """How many channels of notifications are open."""
        return int(await self.database.value(_WATCHED, self.project))

    async def told(self, tenant: str, meeting_id: str) -> Json | None:
        """What the service itself knows of a meeting and did to it, None when it knows nothing."""
        row = await self.database.value(_TOLD, tenant, meeting_id)
        return None if row is None else json.loads(row)

    async def release(self, tenant: str, calendar_id: str) -> int:
        """Let the held deletions of a calendar through; gives how many."""
        return await tenants.release(self.database, tenant, calendar_id)

    async def resume(self, tenant: str) -> None:
        """Have a tenant's parked calendars looked at at once."""
        await tenants.set_state(self.database, tenant, "active")

    async def retry(self, tenant: str) -> None:
        """Have a tenant's meetings tried again at once that failed."""
        await retries.retry(self.database, tenant)

    async def make_clock_settable(self) -> timedelta | None:
        """Mark the database as one for tests; gives the shift that a mark had before, None without one."""
        before = await self.database.value("SELECT shift FROM syncer.test_clock")
        await self.database.run(_MARK)
        return before if isinstance(before, timedelta) else None

    async def restore_clock(self, shift: timedelta | None) -> None:
        """Leave the clock as `make_clock_settable` found it."""
        if shift is None:
            await self.database.run("DELETE FROM syncer.test_clock")
        else:
            await self.database.run("UPDATE syncer.test_clock SET shift = $1", shift)

    async def set_clock(self, at: datetime) -> None:
        """Make it `at` for the database, and through it for the worker."""
        await self.database.run(_SHIFT, at)

    async def worker_clock(self) -> datetime | None:
        """What time it was for the worker when it renewed its lease last; None before the first."""
        at = await self.database.value(_WORKER_CLOCK, self.project)
        return at if isinstance(at, datetime) else None

    async def remove(self) -> None:
        """Take all rows of the demo out again; what a killed worker sent last may still be in the way for a moment."""
        for _ in range(_TRIES - 1):
            with suppress(StoreError):
                await self._remove()
                return
            await sleep(_TRY_SECONDS)
        await self._remove()

    async def _remove(self) -> None:
        await self.database.run(_REMOVE_TENANTS, self.project)
        await self.database.run(_REMOVE_ACCOUNTS, self.project)
        await self.database.run(_REMOVE_PROJECT, self.project)
