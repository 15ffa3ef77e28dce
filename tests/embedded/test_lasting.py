"""A lasting Postgres keeps its data, serves several processes, and gets up again after a fall."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from syncer.embedded import EmbeddedError, Server, lasting, postmaster, temporary
from syncer.embedded.account import Account
from tests.embedded.conftest import User, becomes, make_open_folder, root_only


async def run(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def pid_of(server: Server) -> int:
    running = postmaster.of(server.folder / "data")
    assert running is not None
    return running.pid


async def made(folder: Path, pg_bin: Path | None) -> Server:
    async with lasting(folder, pg_bin=pg_bin) as server:
        return server


@pytest.fixture(scope="module")
def pattern(pg_bin: Path | None) -> Iterator[Path]:
    """A cluster that was made and stopped."""
    folder = make_open_folder(temporary.base_for(Account.chosen()))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(made(folder, pg_bin))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(quick_folder: Path, pattern: Path) -> Path:
    """A cluster of its own that was made and stopped."""
    copy = quick_folder / "of a user" / "postgres"
    copy.parent.mkdir()
    subprocess.run(["/bin/cp", "-a", pattern, copy], check=True)
    return copy


async def test_the_data_stay(folder: Path, pg_bin: Path | None) -> None:
    async with lasting(folder, pg_bin=pg_bin) as server:
        await run(server.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
        assert await run(server.dsn, "SELECT current_setting('fsync')") == "on"
    assert postmaster.of(folder / "data") is None
    async with lasting(folder, pg_bin=pg_bin) as server:
        assert await run(server.socket_dsn, "SELECT number FROM kept") == 7


def test_processes_share_it_and_the_last_to_go_stops_it(folder: Path, start_user: Callable[..., User]) -> None:
    first, second = (start_user("lasting", str(folder)) for _ in range(2))
    assert first.pid == second.pid
    first.end()
    assert second.postgres_runs()
    second.end()
    assert not second.postgres_runs()


async def test_users_within_one_process_share_it_too(folder: Path, pg_bin: Path | None) -> None:
    async with lasting(folder, pg_bin=pg_bin) as first:
        async with lasting(folder, pg_bin=pg_bin) as second:
            assert second == first
        assert await run(first.dsn, "SELECT 1") == 1


async def test_what_a_killed_process_left_running_is_taken_over(
    folder: Path, pg_bin: Path | None, start_user: Callable[..., User]
) -> None:
    user = start_user("lasting", str(folder))
    user.kill()
    async with lasting(folder, pg_bin=pg_bin) as server:
        assert pid_of(server) == user.pid
        assert server.dsn == user.dsn
    assert not user.postgres_runs()


async def test_a_postgres_that_was_killed_is_started_again(
    folder: Path, pg_bin: Path | None, start_user: Callable[..., User]
) -> None:
    user = start_user("lasting", str(folder))
    await run(user.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(user.pid, signal.SIGKILL)
    assert becomes(lambda: not user.postgres_runs())
    user.kill()
    async with lasting(folder, pg_bin=pg_bin) as server:
        assert await run(server.dsn, "SELECT number FROM kept") == 7


async def test_a_pid_that_is_now_another_programs_is_no_obstacle(folder: Path, pg_bin: Path | None) -> None:
    (folder / "data" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{folder}\n1\n5432\n{folder}\nlocalhost\n0 0\nready\n"
    )
    async with lasting(folder, pg_bin=pg_bin) as server:
        assert await run(server.dsn, "SELECT 1") == 1


async def test_a_making_that_was_cut_off_is_no_obstacle(quick_folder: Path, pg_bin: Path | None) -> None:
    (quick_folder / "data.new").mkdir()
    (quick_folder / "data.new" / "half").touch()
    assert (await made(quick_folder, pg_bin)).port


async def test_a_cluster_that_cannot_start_says_postgres_own_last_words(folder: Path, pg_bin: Path | None) -> None:
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match=r"did not start in .*unrecognized configuration parameter.*FATAL"):
        await made(folder, pg_bin)


async def test_data_of_another_postgres_are_left_alone(folder: Path, pg_bin: Path | None) -> None:
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"were made by Postgres 9 but .* set SYNCER_PG_BIN to a Postgres 9"):
        await made(folder, pg_bin)


async def test_a_lost_password_is_told_in_a_sentence(folder: Path, pg_bin: Path | None) -> None:
    (folder / "password").write_text("another")
    with pytest.raises(EmbeddedError, match="does not let us in"):
        await made(folder, pg_bin)
    assert postmaster.of(folder / "data") is None


async def test_a_folder_too_deep_for_a_socket_has_it_elsewhere(folder: Path, pg_bin: Path | None) -> None:
    async with lasting(folder.rename(folder.with_name("deep" * 20)), pg_bin=pg_bin) as server:  # noqa: ASYNC240
        assert await run(server.socket_dsn, "SELECT 1") == 1
        sockets = await run(server.dsn, "SELECT current_setting('unix_socket_directories')")
    assert not os.path.lexists(str(sockets).strip('"'))  # noqa: ASYNC240


async def test_a_file_in_the_place_of_the_folder_is_told_in_a_sentence(quick_folder: Path) -> None:
    (quick_folder / "taken").touch()
    with pytest.raises(EmbeddedError, match="cannot be used"):
        await made(quick_folder / "taken", None)


@root_only
async def test_root_is_told_when_whoever_runs_postgres_cannot_reach_the_folder(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="who runs Postgres, cannot reach"):
        await made(tmp_path / "postgres", None)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240
