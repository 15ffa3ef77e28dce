"""A database with calendars in it, and the credentials that they name."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import machine
from bench.canned import names
from syncer.embedded import Server, postmaster, throwaway
from syncer.store import migrate

_TEMPLATE = "bench_template"
_A_TENANT = 100
# More than any run asks for: what limits do is not measured here.
_UNLIMITED, _UNLIMITED_DAY = 2_000_000_000, 10**15


@dataclass(frozen=True, slots=True)
class World:
    """What one run finds. has_own_subjects: each calendar is read as its own user, so each needs its own token.

    is_read: each calendar was read before and has a sync token.
    """

    calendars: int
    has_own_subjects: bool = False
    is_read: bool = True


class Postgres:
    """A throw-away Postgres on the servers' core."""

    def __init__(self, server: Server, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.version = server.version
        self._made = 0

    async def prepare(self) -> None:
        """Makes the template: our schema, no rows."""
        machine.pin_family(self.pid, machine.SERVERS_CORE)
        await self._run(f"CREATE DATABASE {_TEMPLATE}")
        await migrate.migrate(self._address(_TEMPLATE))

    async def filled(self, world: World, root: str) -> str:
        """A new database with this world in it; gives its address. root: of the canned Google, with TLS."""
        if self._made:
            await self._run(f"DROP DATABASE bench_{self._made} WITH (FORCE)")
        self._made += 1
        await self._run(f"CREATE DATABASE bench_{self._made} TEMPLATE {_TEMPLATE}")
        address = self._address(f"bench_{self._made}")
        connection = await asyncpg.connect(address)
        try:
            await _fill(connection, world, root)
        finally:
            await connection.close()
        return address

    def _address(self, database: str) -> str:
        return urlsplit(self._server.dsn)._replace(path=f"/{database}").geturl()

    async def _run(self, sql: str) -> None:
        connection = await asyncpg.connect(self._server.dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """Runs for as long as the block lasts. Of the main thread only: it ends with the thread that made it."""
    async with throwaway() as server:
        found = postmaster.of(server.folder / "data")
        assert found is not None  # noqa: S101 (it has just answered)
        made = Postgres(server, found.pid)
        await made.prepare()
        yield made


async def _fill(connection: asyncpg.Connection, world: World, root: str) -> None:
    await connection.execute(
        "INSERT INTO syncer.project (slug, per_minute, per_user_minute, per_day) VALUES ('bench', $1, $1, $2)",
        _UNLIMITED,
        _UNLIMITED_DAY,
    )
    await connection.execute(
        "INSERT INTO syncer.provider_account (provider, settings, credential) VALUES ('webhook', $1, 'file:webhook')",
        json.dumps({"url": f"{root}hooks/calendar"}),
    )
    await connection.execute(
        "INSERT INTO syncer.tenant (slug, project_id, account_id, credential, subject)"
        " SELECT 'tenant-' || number, project_id, account_id, 'file:key.json', 'admin' || number || '@example.org'"
        " FROM syncer.project, syncer.provider_account, generate_series(0, $1::int - 1) AS number",
        -(-world.calendars // _A_TENANT),
    )
    await connection.execute(
        "INSERT INTO syncer.calendar (tenant_id, google_id, subject, sync_token, is_full_read, generation)"
        " SELECT tenant_id, google_id, CASE WHEN $2 THEN google_id END,"
        " CASE WHEN $3 THEN 'CPj0000000000_5EDEPj0000000000_5EDGAUg' END, NOT $3, $3::int"
        " FROM (SELECT number, $4 || lpad(number::text, $5, '0') || '@example.org' AS google_id"
        "       FROM generate_series(0, $1::int - 1) AS number) AS made"
        " JOIN syncer.tenant ON slug = 'tenant-' || number / $6::int ORDER BY number",
        world.calendars,
        world.has_own_subjects,
        world.is_read,
        names.PREFIX[-1],
        names.DIGITS,
        _A_TENANT,
    )
    # Not the tables that are empty still: nobody does that, and plans made for them would be kept.
    await connection.execute("ANALYZE syncer.project, syncer.provider_account, syncer.tenant, syncer.calendar")


def write_credentials(folder: Path, root: str) -> None:
    """A service account's key that asks the canned Google for tokens, and the webhook's secret."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "type": "service_account",
        "client_email": "syncer@example.org",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "token_uri": f"{root}token",
    }
    (folder / "key.json").write_text(json.dumps(account))
    (folder / "webhook").write_text("whsec_c3luY2VyLXNhbXBsZS1zZWNyZXQtMzItYnl0ZXMhIQ==")
