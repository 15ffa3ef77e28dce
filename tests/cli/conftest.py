"""The command line as people use it, in process, on a real database."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import orjson
import pytest

from syncer.cli.application import invoke
from syncer.store import tenants
from syncer.store.database import Database
from syncer.store.tenants import NewCalendar, NewTenant
from tests.cli.outside import Outside, Person, both, meeting, tell

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


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """Both simulators, as processes of their own, with Ana's calendar."""
    with both(ANA) as simulators:
        yield simulators


@pytest.fixture
def secrets(outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials folder, with a service account's key and a webhook's secret; settings that lead to `outside`."""
    (tmp_path / "google.json").write_text(json.dumps(outside.key))
    for name, value in reaching(outside, tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@dataclass(frozen=True, slots=True)
class Served:
    """A tenant `acme` with Ana's calendar, on both simulators. variables: what a worker of it needs."""

    outside: Outside
    ana: Person
    account: dict[str, Any]
    variables: dict[str, str]

    def title(self, meeting_id: str) -> str:
        return str(meeting(self.outside, self.account, meeting_id)["title"])

    def state(self, meeting_id: str) -> str:
        return str(meeting(self.outside, self.account, meeting_id)["state"])


@pytest.fixture
def served(a_calendar: str, rows: Rows, outside: Outside, secrets: Path, database: str) -> Served:
    """Ana's calendar, added to `acme` and served by nobody yet; what is on it goes with the test."""
    account = tell(f"{outside.conferencing}simulator/accounts", {"slug": secrets.name.replace("_", "-").lower()})
    (secrets / "webhook").write_text(account["webhook_secret"])
    rows.run(
        "UPDATE syncer.provider_account SET credential = 'file:webhook', "
        "settings = jsonb_build_object('url', $1::text)",
        account["webhook_url"],
    )
    # A calendar of its own for each test: events of another would be read too.
    ana = outside.person(f"ana-{secrets.name.replace('_', '-').lower()}@tenant-a.test")
    rows.run("UPDATE syncer.calendar SET google_id = $1, subject = $1", ana.address)
    hurry = {f"SYNCER_{name}_SECONDS": "0.2" for name in ("CYCLE", "RELIST", "RESCUE")}
    return Served(outside, ana, account, {"SYNCER_DATABASE_URL": database, **reaching(outside, secrets), **hurry})


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


def reaching(outside: Outside, credentials: Path) -> dict[str, str]:
    """The settings that lead to the simulators."""
    return {
        "SYNCER_CREDENTIALS_FOLDER": str(credentials),
        "SYNCER_GOOGLE_API_ROOT": outside.google,
        "SYNCER_TOKEN_URIS": outside.key["token_uri"],
        "SYNCER_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


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
