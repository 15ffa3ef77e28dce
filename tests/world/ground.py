"""The ground that worlds stand on, one after another: an event loop, a database, and connections that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import asyncpg

from syncer.embedded import throwaway
from syncer.run import garbage
from syncer.store import migrate
from syncer.store.database import Database
from tests.conftest import TEMPLATE, Databases

_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname = 'syncer' AND tablename <> 'migration' ORDER BY name
"""
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences WHERE schemaname = 'syncer'"
_CONNECTIONS = 8


@dataclass(slots=True)
class Ground:
    """One database, empty before each world.

    admin: a connection beside the service. database: the service's own connections, which outlive its workers: each
    statement of the service stands alone, so nothing of one is left in a connection for the next.
    """

    runner: asyncio.Runner
    admin: asyncpg.Connection
    database: Database
    _clearing: str = field(default="")

    async def clear(self) -> None:
        """All rows are gone, and numbers begin anew. Much faster than a new database, and than TRUNCATE."""
        self._clearing = self._clearing or await self._written()
        await self.admin.execute(self._clearing)

    async def _written(self) -> str:
        tables = [row["name"] for row in await self.admin.fetch(_TABLES)]
        sequences = [row["name"] for row in await self.admin.fetch(_SEQUENCES)]
        return "; ".join(
            [
                # In one go, without the foreign keys, which would each look for what is left.
                "SET LOCAL session_replication_role = replica",
                *(f"DELETE FROM {table}" for table in tables),  # noqa: S608
                *(f"SELECT setval('{sequence}', 1, false)" for sequence in sequences),
            ]
        )


@contextmanager
def ground(databases: Databases) -> Iterator[Ground]:
    """A database of this server for as many worlds as follow."""
    dsn = databases.make(TEMPLATE)
    # Over a Unix socket, which takes a third of the time that TCP does.
    address = urlsplit(databases.server.socket_dsn)._replace(path=urlsplit(dsn).path).geturl()
    # Not the loop of `databases`: a world must leave nothing behind that others wait for.
    with asyncio.Runner() as runner, garbage.rare():
        stack = AsyncExitStack()
        try:
            admin = runner.run(asyncpg.connect(address))
            stack.push_async_callback(admin.close)
            opened = Database.opened(address, connections=_CONNECTIONS)
            yield Ground(runner, admin, runner.run(stack.enter_async_context(opened)))
        finally:
            runner.run(stack.aclose())
            databases.drop(dsn)


@contextmanager
def cluster() -> Iterator[Databases]:
    """A throw-away Postgres with our schema in a template; outside of pytest, which has the same as a fixture."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            server = runner.run(stack.enter_async_context(throwaway()))
            admin = runner.run(asyncpg.connect(server.dsn))
            stack.push_async_callback(admin.close)
            made = Databases(runner, admin, server, count(1))
            made.run(f"CREATE DATABASE {TEMPLATE}")
            runner.run(migrate.migrate(made.address(TEMPLATE)))
            made.run(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
            yield made
        finally:
            runner.run(stack.aclose())


@contextmanager
def own_ground() -> Iterator[Ground]:
    """The same on a Postgres of its own."""
    with cluster() as databases, ground(databases) as made:
        yield made
