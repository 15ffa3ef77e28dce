"""Builders of rows: a project, a tenant, a calendar and a conference, and a worker that holds the lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import structs

from syncer.model.calendar import CalendarKey, Cursor, Event, Lease, Status, When
from syncer.store import calendars, leases, statements, tenants
from syncer.store.calendars import LinkDrop, LinkPut, PageCommit
from syncer.store.database import Database

NOW = datetime(2099, 12, 1, tzinfo=UTC)
LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """A project under the lease of one worker, with one tenant, two calendars and one linked conference."""

    database: Database
    dsn: str
    lease: Lease
    key: CalendarKey
    other: CalendarKey

    async def everything(self) -> dict[str, list[Any]]:
        """All rows of the tables that a worker writes."""
        tables = ("calendar", "conference", "link", "note", "history", "meeting_owner")
        sql = "SELECT * FROM syncer.{} x ORDER BY x::text"
        return {table: await self.database.fetch(sql.format(table)) for table in tables}

    async def until_waiting(self, count: int) -> None:
        """So many statements wait for a lock."""
        sql = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        deadline = asyncio.get_running_loop().time() + 10
        async with connected(self.dsn) as watcher:
            while asyncio.get_running_loop().time() < deadline:
                if await watcher.fetchval(sql) >= count:
                    return
        raise AssertionError("Nothing waits for a lock.")

    async def run_out(self) -> None:
        """The lease runs out by the database's clock."""
        await self.database.run("UPDATE syncer.lease SET until = syncer.clock() - interval '1 second'")

    async def taken_over(self) -> Lease:
        """Another worker takes the project."""
        await self.run_out()
        (lease,) = await take(self.database)
        return lease

    async def conference_id(self) -> int:
        return int(await self.database.value("SELECT conference_id FROM syncer.conference"))


async def take(database: Database, owner: Any = None, held: Sequence[int] = ()) -> list[Lease]:
    """What a worker gets that takes what is free. held: projects that it knows to be its own."""
    return await leases.take(database, owner or uuid4(), held, lease_seconds=LEASE_SECONDS, now=NOW)


def an_event(event_id: str = "event1", **fields: Any) -> Event:
    """A timed event of an organizer."""
    made = Event(event_id, '"1"', Status.CONFIRMED, has_details=True, title="Review", created_at=NOW)
    return structs.replace(made, starts=When(at=NOW), ends=When(at=NOW), **fields)


def a_page(*puts: tuple[str, str], losses: tuple[str, ...] = (), **fields: Any) -> PageCommit:
    """A page with these (event id, meeting id), whose meetings `losses` lose a link."""
    page = PageCommit(
        cursor=Cursor(sync_token="token", generation=1, is_full_read=False, pin="pin"),
        puts=tuple(
            LinkPut(an_event(event_id), meeting_id, is_new=True, is_news=True, is_users=True)
            for event_id, meeting_id in puts
        ),
        drops=(),
        notes=(),
        losses=losses,
        event_ids=tuple(event_id for event_id, _ in puts),
    )
    return structs.replace(page, **fields)


def a_drop(event_id: str = "event1", meeting_id: str = "meeting1") -> PageCommit:
    """A page on which an event was deleted."""
    return a_page(drops=(LinkDrop(event_id, meeting_id, "the event was deleted", False),))


@asynccontextmanager
async def a_held_project(dsn: str) -> AsyncIterator[Held]:
    """One worker holds the lease; event1 of the first calendar refers to meeting1."""
    async with Database.opened(dsn) as database:
        await tenants.add_project(database, "main")
        tenant_id = await add_tenant(database, "acme")
        ids = [
            await tenants.add_calendar(database, "acme", tenants.NewCalendar(name)) for name in ("a@x.test", "b@x.test")
        ]
        (lease,) = await take(database)
        held = Held(database, dsn, lease, CalendarKey(tenant_id, ids[0]), CalendarKey(tenant_id, ids[1]))
        await calendars.commit_page(database, lease, held.key, a_page(("event1", "meeting1")))
        yield held


async def add_tenant(database: Database, slug: str, *, subject: str | None = None) -> int:
    """A tenant of the project `main`."""
    new = tenants.NewTenant(
        slug=slug,
        project="main",
        credential="file:key.json",
        provider_credential="file:secret",
        provider_settings={"url": "https://vendor.test/"},
        subject=subject,
    )
    return await tenants.add_tenant(database, new)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of its own, beside the pool."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def a_commit_under_way(held: Held) -> AsyncIterator[None]:
    """A commit of the holder has passed the fence and is not through."""
    async with connected(held.dsn) as connection, connection.transaction():
        fence = (held.lease.project_id, held.lease.owner, held.lease.epoch)
        sql = "SELECT FROM syncer.lease WHERE project_id = $1 AND owner = $2 AND epoch = $3 FOR KEY SHARE"
        assert len(await connection.fetch(sql, *fence)) == 1
        yield


def sql_of(noun: str) -> dict[str, str]:
    """The statements of one file by name."""
    return dict(statements.of(noun))
