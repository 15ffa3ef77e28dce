"""A throw-away Postgres is quick, closed to others, and gone without a trace."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import uvloop

from syncer.embedded import EmbeddedError, Server, postmaster, temporary, throwaway
from tests.embedded.conftest import User, becomes, root_only

SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture
def script_folder(open_folder: Path) -> Callable[[str, str], Path]:
    """Makes a folder with stand-ins for `postgres` and `initdb`."""

    def make(postgres: str, initdb: str) -> Path:
        for name, text in (("postgres", postgres), ("initdb", initdb)):
            (open_folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (open_folder / name).chmod(0o755)
        return open_folder

    return make


async def test_it_is_reached_over_tcp_and_over_its_socket(postgres: Server) -> None:
    assert await ask(postgres.dsn, "SELECT inet_server_addr()::text") == "127.0.0.1/32"
    assert await ask(postgres.socket_dsn, "SELECT inet_server_addr()") is None
    assert await ask(postgres.dsn, "SELECT current_database()") == "syncer"
    assert await ask(postgres.dsn, "SELECT split_part(current_setting('server_version'), ' ', 1)") == postgres.version


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT current_setting('server_encoding')", "UTF8"),
        ("SELECT datcollate FROM pg_database WHERE datname = current_database()", "C"),
        ("SELECT current_setting('timezone')", "UTC"),
        ("SELECT current_setting('listen_addresses')", "127.0.0.1"),
        ("SELECT current_setting('fsync')", "off"),
    ],
    ids=["encoding", "order", "zone", "address", "fsync"],
)
async def test_it_is_set_up_the_same_everywhere(postgres: Server, sql: str, expected: str) -> None:
    assert await ask(postgres.dsn, sql) == expected


async def test_nobody_gets_in_without_the_password(postgres: Server) -> None:
    password = urlsplit(postgres.dsn).password
    assert password is not None
    for dsn in (postgres.dsn, postgres.socket_dsn):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn.replace(password, "guess"))


def test_the_password_is_not_shown_and_lies_where_only_we_can_read_it(postgres: Server) -> None:
    password = (postgres.folder / "password").read_text()
    assert password not in repr(postgres)
    assert stat.S_IMODE((postgres.folder / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((postgres.folder / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((postgres.folder / "data").stat().st_mode) == 0o700


@root_only
def test_root_has_it_run_by_somebody_else(postgres: Server) -> None:
    running = postmaster.of(postgres.folder / "data")
    assert running is not None
    assert Path(f"/proc/{running.pid}").stat().st_uid != 0


async def test_nothing_is_left_of_it_at_the_end(pg_bin: Path | None) -> None:
    async with throwaway(pg_bin=pg_bin) as server:
        running = postmaster.of(server.folder / "data")
        assert running is not None
    assert not postmaster.serves(running.pid, server.folder / "data")
    assert not server.folder.exists()


async def test_nothing_is_left_of_it_after_an_error(pg_bin: Path | None) -> None:
    with pytest.raises(ZeroDivisionError):
        async with throwaway(pg_bin=pg_bin) as server:
            raise ZeroDivisionError
    assert not server.folder.exists()


@pytest.mark.skipif(not SYSTEM_15.is_dir(), reason="no Postgres 15 on this machine")
async def test_the_postgres_that_was_named_is_used() -> None:
    async with throwaway(pg_bin=SYSTEM_15) as server:
        assert server.version.startswith("15.")
        assert str(await ask(server.dsn, "SELECT version()")).startswith("PostgreSQL 15.")


def test_it_works_on_uvloop(pg_bin: Path | None) -> None:
    async def main() -> object:
        async with throwaway(pg_bin=pg_bin) as server:
            return await ask(server.dsn, "SELECT 1")

    assert uvloop.run(main()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_killed_parent_leaves_no_postgres_behind(start_user: Callable[..., User]) -> None:
    user = start_user("throwaway")
    assert user.postgres_runs()
    user.kill()
    assert becomes(lambda: not user.postgres_runs())


def test_what_a_killed_parent_left_is_removed_by_the_next(start_user: Callable[..., User]) -> None:
    user = start_user("untied")
    user.kill()
    temporary.reap()
    assert becomes(lambda: not user.postgres_runs())
    assert becomes(lambda: not user.folder.exists())


async def test_one_in_use_is_never_removed(postgres: Server) -> None:
    temporary.reap()
    assert await ask(postgres.dsn, "SELECT 1") == 1


@pytest.mark.parametrize(
    ("postgres", "initdb", "sentence"),
    [
        ("echo 'postgres (PostgreSQL) 14.9'", "exit 0", "is 14.9, too old"),
        ("exit 127", "exit 0", "does not run on this machine"),
        ("echo 'postgres (PostgreSQL) 17.2'", "echo 'disk is full' >&2; exit 1", "said: disk is full$"),
    ],
    ids=["too old", "does not run", "initdb fails"],
)
async def test_a_named_postgres_that_will_not_do_is_told_in_a_sentence(
    script_folder: Callable[[str, str], Path], postgres: str, initdb: str, sentence: str
) -> None:
    with pytest.raises(EmbeddedError, match=sentence):
        async with throwaway(pg_bin=script_folder(postgres, initdb)):
            pass


async def test_a_folder_without_postgres_is_told_in_a_sentence(open_folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="there is no postgres and no initdb"):
        async with throwaway(pg_bin=open_folder):
            pass
