"""The schema is brought up to date once, whoever starts at the same time, and never behind anyone's back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from syncer.store import migrate
from syncer.store.migrate import MigrationError

ONE = "0001_pre_one"
TWO = "0002_post_two"
ALONE = "-- migrate:up transaction:false"


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def write(folder: Path, name: str, sql: str, *, header: str = "-- migrate:up", footer: str = "-- migrate:down") -> None:
    (folder / f"{name}.sql").write_text(f"{header}\n{sql}\n{footer}\n")


async def value(dsn: str, sql: str) -> object:
    async with connected(dsn) as connection:
        return await connection.fetchval(sql)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, ONE, "CREATE TABLE syncer.a (id int); CREATE TABLE syncer.b (id int);")
    write(tmp_path, TWO, "INSERT INTO syncer.a VALUES (1); DROP TABLE syncer.b;")
    return tmp_path


@pytest.fixture
def schema_owner(empty_database: str, run_sql: Callable[[str], None]) -> Iterator[str]:
    """The address by which a role gets in that may log in and nothing else."""
    run_sql("CREATE ROLE schema_owner LOGIN PASSWORD 'secret'")
    parts = urlsplit(empty_database)
    yield parts._replace(netloc=f"schema_owner:secret@{parts.hostname}:{parts.port}").geturl()
    run_sql(f"DROP DATABASE {parts.path[1:]} WITH (FORCE)")
    run_sql("DROP ROLE schema_owner")
    run_sql(f"CREATE DATABASE {parts.path[1:]}")


async def test_all_files_are_applied_in_order_and_named(empty_database: str, folder: Path) -> None:
    assert await migrate.migrate(empty_database, folder=folder) == [ONE, TWO]
    assert await value(empty_database, "SELECT count(*) FROM syncer.a") == 1
    assert await value(empty_database, "SELECT array_agg(name ORDER BY name) FROM syncer.migration") == [ONE, TWO]


async def test_a_second_run_applies_nothing(empty_database: str, folder: Path) -> None:
    await migrate.migrate(empty_database, folder=folder)
    assert await migrate.migrate(empty_database, folder=folder) == []


async def test_asking_what_is_missing_changes_nothing(empty_database: str, folder: Path) -> None:
    assert await migrate.pending(empty_database, folder=folder) == [ONE, TWO]
    assert await value(empty_database, "SELECT to_regnamespace('syncer')") is None


async def test_what_is_missing_is_what_was_added_since(empty_database: str, folder: Path) -> None:
    await migrate.migrate(empty_database, folder=folder)
    write(folder, "0003_pre_three", "SELECT 1;")
    assert await migrate.pending(empty_database, folder=folder) == ["0003_pre_three"]


async def test_what_takes_away_waits_until_it_is_asked_for(empty_database: str, folder: Path) -> None:
    assert await migrate.expand(empty_database, folder=folder) == [ONE]
    assert await migrate.pending(empty_database, folder=folder) == [TWO]
    assert migrate.before_code([TWO]) == ()
    assert await migrate.migrate(empty_database, folder=folder) == [TWO]


async def test_where_nothing_has_run_yet_all_but_the_last_that_takes_away_is_applied(
    empty_database: str, folder: Path
) -> None:
    write(folder, "0003_pre_three", "SELECT 1;")
    write(folder, "0004_post_four", "SELECT 1;")
    assert await migrate.expand(empty_database, folder=folder) == [ONE, TWO, "0003_pre_three"]


async def test_nothing_is_taken_away_below_an_older_version(empty_database: str, folder: Path) -> None:
    await migrate.expand(empty_database, folder=folder)
    write(folder, "0003_pre_three", "SELECT 1;")
    assert migrate.before_code([TWO, "0003_pre_three"]) == (TWO, "0003_pre_three")
    with pytest.raises(MigrationError, match=f"{TWO} takes away what an older version needs"):
        await migrate.expand(empty_database, folder=folder)
    assert await migrate.pending(empty_database, folder=folder) == [TWO, "0003_pre_three"]


async def test_an_open_connection_serves_as_well_as_an_address(empty_database: str, folder: Path) -> None:
    async with connected(empty_database) as connection:
        assert await migrate.migrate(connection, folder=folder) == [ONE, TWO]
        assert await migrate.pending(connection, folder=folder) == []
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_four_starters_at_once_apply_each_file_once(empty_database: str, folder: Path) -> None:
    write(folder, "0003_pre_index", "CREATE INDEX CONCURRENTLY a_id ON syncer.a (id);", header=ALONE)
    starters = (migrate.migrate(empty_database, folder=folder) for _ in range(4))
    assert sorted(await asyncio.gather(*starters)) == [[], [], [], [ONE, TWO, "0003_pre_index"]]


async def test_a_role_that_owns_only_the_schema_can_migrate(
    empty_database: str, schema_owner: str, folder: Path
) -> None:
    async with connected(empty_database) as connection:
        await connection.execute("CREATE SCHEMA syncer AUTHORIZATION schema_owner")
    assert await migrate.migrate(schema_owner, folder=folder) == [ONE, TWO]
    assert await migrate.migrate(schema_owner, folder=folder) == []


async def test_a_role_that_may_not_make_the_schema_is_told_how(schema_owner: str, folder: Path) -> None:
    with pytest.raises(MigrationError, match="CREATE SCHEMA syncer AUTHORIZATION"):
        await migrate.migrate(schema_owner, folder=folder)


async def test_our_own_migrations_need_no_more_than_the_schema(empty_database: str, schema_owner: str) -> None:
    async with connected(empty_database) as connection:
        await connection.execute("CREATE SCHEMA syncer AUTHORIZATION schema_owner")
    assert await migrate.migrate(schema_owner) == [migration.name for migration in migrate.read()]


async def test_a_changed_file_is_refused_and_nothing_is_applied(empty_database: str, folder: Path) -> None:
    await migrate.migrate(empty_database, folder=folder)
    write(folder, ONE, "CREATE TABLE syncer.a (id bigint);")
    write(folder, "0003_pre_three", "CREATE TABLE syncer.c (id int);")
    for attempt in (migrate.migrate, migrate.pending):
        with pytest.raises(MigrationError, match=f"{ONE} was applied to this database with other content"):
            await attempt(empty_database, folder=folder)
    assert await value(empty_database, "SELECT to_regclass('syncer.c')") is None


async def test_migrations_of_a_newer_version_are_named_not_refused(empty_database: str, folder: Path) -> None:
    await migrate.migrate(empty_database, folder=folder)
    (folder / f"{TWO}.sql").unlink()
    assert await migrate.migrate(empty_database, folder=folder) == []
    found = await migrate.status(empty_database, folder=folder)
    assert (found.applied, found.pending, found.unknown) == ((ONE,), (), (TWO,))


async def test_a_file_that_fails_leaves_no_trace_and_the_ones_before_it_stay(empty_database: str, folder: Path) -> None:
    write(folder, "0003_pre_three", "CREATE TABLE syncer.c (id int); SELECT nonsense;")
    with pytest.raises(MigrationError, match=r'0003_pre_three failed .*column "nonsense" does not exist'):
        await migrate.migrate(empty_database, folder=folder)
    assert await value(empty_database, "SELECT to_regclass('syncer.c')") is None
    assert await migrate.pending(empty_database, folder=folder) == ["0003_pre_three"]


async def test_an_error_says_nothing_of_what_rows_hold(empty_database: str, folder: Path) -> None:
    write(folder, "0003_pre_three", "SELECT 'a private title'::int;")
    with pytest.raises(MigrationError) as caught:
        await migrate.migrate(empty_database, folder=folder)
    assert "22P02" in str(caught.value)
    assert "private" not in str(caught.value)


async def test_a_table_in_use_is_not_waited_for_long(empty_database: str, folder: Path) -> None:
    await migrate.migrate(empty_database, folder=folder)
    write(folder, "0003_pre_three", "ALTER TABLE syncer.a ADD COLUMN more int;")
    async with connected(empty_database) as other, other.transaction():
        await other.execute("LOCK TABLE syncer.a")
        with pytest.raises(MigrationError, match="could not lock what it changes"):
            await migrate.migrate(empty_database, folder=folder, lock_seconds=0.05)
    assert await migrate.migrate(empty_database, folder=folder) == ["0003_pre_three"]


async def test_an_index_whose_building_failed_is_built_again(empty_database: str, folder: Path) -> None:
    index = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON syncer.a (id);"
    write(folder, "0003_pre_index", index, header=ALONE)
    async with connected(empty_database) as connection:
        await connection.execute("CREATE SCHEMA syncer; CREATE TABLE syncer.keep (id int)")
        (folder / f"{TWO}.sql").write_text("-- migrate:up\nINSERT INTO syncer.a VALUES (1), (1);\n-- migrate:down\n")
        with pytest.raises(MigrationError, match="0003_pre_index failed"):
            await migrate.migrate(connection, folder=folder)
        await connection.execute("DELETE FROM syncer.a")
        assert await migrate.migrate(connection, folder=folder) == ["0003_pre_index"]
        assert await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'syncer.a_id'::regclass")


async def test_a_process_that_never_ends_migrating_is_reported(empty_database: str, folder: Path) -> None:
    async with connected(empty_database) as other:
        await other.execute(f"SELECT pg_advisory_lock({migrate.ADVISORY_LOCK})")
        with pytest.raises(MigrationError, match="Another process has been migrating"):
            await migrate.migrate(empty_database, folder=folder, wait_seconds=0.2)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("0003_three", "-- migrate:up\nSELECT 1;\n-- migrate:down\n", "is not named"),
        ("0003_pre_three", "SELECT 1;\n-- migrate:down\n", "must begin with"),
        ("0003_pre_three", "-- migrate:up\nSELECT 1;\n", "must end with"),
        ("0003_pre_three", "-- migrate:up\nSELECT 1;\n-- migrate:down\nDROP TABLE syncer.a;\n", "must end with"),
        ("0003_pre_three", "", "must begin with"),
        ("0002_pre_three", "-- migrate:up\nSELECT 1;\n-- migrate:down\n", "have one number"),
    ],
    ids=["name", "no header", "no footer", "a way back", "empty", "number taken"],
)
def test_a_file_in_another_form_is_refused(folder: Path, name: str, content: str, sentence: str) -> None:
    (folder / f"{name}.sql").write_text(content)
    with pytest.raises(MigrationError, match=sentence):
        migrate.read(folder)


@pytest.mark.parametrize(
    ("dsn", "sentence"),
    [
        ("postgresql://nobody:hunter2@127.0.0.1:1/syncer", "cannot be reached"),
        ("hunter2", "cannot be read"),
    ],
    ids=["nobody there", "no address"],
)
async def test_an_address_that_does_not_work_is_told_without_its_password(dsn: str, sentence: str) -> None:
    with pytest.raises(MigrationError, match=sentence) as caught:
        await migrate.migrate(dsn)
    assert "hunter2" not in str(caught.value)


async def test_a_fresh_test_database_lacks_nothing(database: str) -> None:
    assert await migrate.pending(database) == []
