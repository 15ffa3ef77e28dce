"""The command line as people use it, in process, on a real database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import orjson
import pytest

from syncer.cli.application import invoke
from syncer.store import tenants
from syncer.store.database import Database
from syncer.store.tenants import NewCalendar, NewTenant

ANA = "ana@tenant-a.test"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return orjson.loads(self.out)


@dataclass(frozen=True, slots=True)
class Terminal:
    """`terminal("tenant", "list")` runs `syncer tenant list`."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Answer:
        self.capture.readouterr()
        code = invoke(arguments)
        out, err = self.capture.readouterr()
        return Answer(code, out, err)


@dataclass(frozen=True, slots=True)
class Rows:
    """The database behind the commands, to arrange it and to look at it."""

    dsn: str

    def run(self, sql: str, *arguments: object) -> None:
        asyncio.run(self._with(lambda connection: connection.execute(sql, *arguments)))

    def value(self, sql: str, *arguments: object) -> Any:
        return asyncio.run(self._with(lambda connection: connection.fetchval(sql, *arguments)))

    def until(self, sql: str) -> None:
        """Waits for the first value to be true."""
        deadline = time.monotonic() + 20.0
        while not self.value(sql):
            assert time.monotonic() < deadline, sql

    def stored(self, write: Callable[[Database], Awaitable[_T]]) -> _T:
        async def inside() -> _T:
            async with Database.opened(self.dsn, connections=1) as database:
                return await write(database)

        return asyncio.run(inside())

    async def _with(self, call: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await call(connection)
        finally:
            await connection.close()


@pytest.fixture
def terminal(database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose SYNCER_DATABASE_URL is a fresh database with our schema."""
    monkeypatch.setenv("SYNCER_DATABASE_URL", database)
    return Terminal(capsys)


@pytest.fixture
def rows(database: str) -> Rows:
    return Rows(database)


@pytest.fixture
def a_calendar(rows: Rows) -> str:
    """Project `main`, tenant `acme`, and on it one calendar, whose Google id this is."""

    async def write(database: Database) -> None:
        await tenants.add_project(database, "main")
        await tenants.add_tenant(database, acme())
        await tenants.add_calendar(database, "acme", NewCalendar(ANA, subject=ANA))

    rows.stored(write)
    return ANA


def acme(slug: str = "acme", *, project: str = "main") -> NewTenant:
    return NewTenant(
        slug=slug,
        project=project,
        credential="file:google.json",
        provider_credential="env:SYNCER_CREDENTIAL_ACME",
        provider_settings={"url": "https://meet.example.org/hook"},
    )


ADD_TENANT = (
    *("tenant", "add", "acme", "--project", "main", "--credential", "file:google.json"),
    *("--provider-url", "https://meet.example.org/hook", "--provider-credential", "env:SYNCER_CREDENTIAL_ACME"),
)
