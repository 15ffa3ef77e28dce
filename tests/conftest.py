"""Fixtures that all tests may use: one throw-away Postgres per worker process, and a fresh database for each test."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from syncer.embedded import Server, throwaway
from syncer.store import migrate

TEMPLATE = "syncer_template"


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes and drops databases of one server, from outside the event loops of the tests."""

    runner: asyncio.Runner
    admin: asyncpg.Connection
    server: Server
    numbers: Iterator[int]

    def make(self, template: str) -> str:
        """A new database that is a copy of `template`; gives its address."""
        name = f"test_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.address(name)

    def drop(self, dsn: str) -> None:
        """Drops it, whoever is still connected."""
        self.run(f"DROP DATABASE {urlsplit(dsn).path[1:]} WITH (FORCE)")

    def address(self, name: str) -> str:
        """The address of a database on this server."""
        return urlsplit(self.server.dsn)._replace(path=f"/{name}").geturl()

    def run(self, sql: str) -> None:
        """One statement by the superuser."""
        self.runner.run(self.admin.execute(sql))


@pytest.fixture(scope="session")
def pg_bin() -> Path | None:
    """The Postgres to test on: SYNCER_PG_BIN, else whatever is found."""
    return Path(os.environ["SYNCER_PG_BIN"]) if os.environ.get("SYNCER_PG_BIN") else None


@pytest.fixture(scope="session")
def databases(pg_bin: Path | None) -> Iterator[Databases]:
    """A throw-away Postgres of this worker process, and on it a template that holds our schema."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        try:
            server = runner.run(stack.enter_async_context(throwaway(pg_bin=pg_bin)))
            admin = runner.run(asyncpg.connect(server.dsn))
            stack.push_async_callback(admin.close)
            made = Databases(runner, admin, server, count(1))
            made.run(f"CREATE DATABASE {TEMPLATE}")
            runner.run(migrate.migrate(made.address(TEMPLATE)))
            made.run(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
            yield made
        finally:
            runner.run(stack.aclose())


@pytest.fixture(scope="session")
def postgres(databases: Databases) -> Server:
    """The throw-away Postgres of this worker process."""
    return databases.server


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database with our schema."""
    dsn = databases.make(TEMPLATE)
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database with nothing in it."""
    dsn = databases.make("template0")
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def run_sql(databases: Databases) -> Callable[[str], None]:
    """Runs one statement as the server's superuser; for roles and the like."""
    return databases.run
