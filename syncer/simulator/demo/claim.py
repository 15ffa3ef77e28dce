"""A demo's claim on the operator's own database: one demo at a time, and nobody else's projects in it."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from syncer.model.errors import OperatorError
from syncer.store.database import translated
from syncer.store.reach import reach

# "syncdemo" in ASCII: any number does, if all demos use the same and the migrations another.
ADVISORY_LOCK = 0x73796E6364656D6F
_CONNECT_SECONDS = 10.0
# Postgres takes a moment to see that whoever had the claim has ended.
_CLAIM_SECONDS = 3.0
_POLL_SECONDS = 0.1
_NAMED = 3
_TAKE = "SELECT pg_try_advisory_lock($1)"
_HAS_PROJECTS = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'syncer' AND c.relname = 'project')
"""
# A project may be called like a demo's by chance; its tenants are then not called and not set up like a demo's.
_STRANGERS = """
SELECT p.slug FROM syncer.project p
WHERE p.slug !~ '^demo-[0-9a-f]{6}$' OR EXISTS (
    SELECT FROM syncer.tenant t WHERE t.project_id = p.project_id
        AND (t.slug !~ ('^' || p.slug || '-[0-9]+$') OR t.credential <> 'file:' || t.slug || '.google'))
ORDER BY p.slug
"""


@asynccontextmanager
async def claimed(dsn: str) -> AsyncIterator[None]:
    """The database for one demo alone, for as long as the block lasts; Postgres ends the claim of one that is killed.

    So whoever has the claim knows that each demo whose rows are there is dead.
    Raises OperatorError, with nothing changed, when another demo has it or projects are there that are no demo's: a
    worker serves all projects of its database, and the demo's would serve those under the demo's settings.
    """
    await reach(dsn)
    # A connection of its own: a pool lets go of such locks when a connection is given back.
    with translated():
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        with translated():
            await _take(connection)
        yield
    finally:
        connection.terminate()


async def _take(connection: asyncpg.Connection) -> None:
    deadline = time.monotonic() + _CLAIM_SECONDS
    while not await connection.fetchval(_TAKE, ADVISORY_LOCK):
        if time.monotonic() > deadline:
            raise OperatorError(
                "Another demo is using the database in SYNCER_DATABASE_URL: wait until it has ended, or leave "
                "SYNCER_DATABASE_URL out."
            )
        await sleep(_POLL_SECONDS)
    if not await connection.fetchval(_HAS_PROJECTS):
        return
    strangers = [row["slug"] for row in await connection.fetch(_STRANGERS)]
    if strangers:
        named = ", ".join(strangers[:_NAMED]) + (", …" if len(strangers) > _NAMED else "")
        raise OperatorError(
            f"The database in SYNCER_DATABASE_URL holds projects that are not the demo's ({named}): give it an empty "
            "database, or leave SYNCER_DATABASE_URL out."
        )
