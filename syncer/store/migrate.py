"""Brings the schema up to date from the files in `migrations/`, each applied once whoever starts at the same time.

A file is `NNNN_pre_name.sql` (expands, before the new code runs) or `NNNN_post_name.sql` (contracts, after it). Its
first line is `-- migrate:up`, or `-- migrate:up transaction:false` for the one statement that Postgres allows outside
a transaction only; its last line is `-- migrate:down` with nothing after it: there is only forward. dbmate can run
the same files.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg

from syncer.model.errors import OperatorError
from syncer.store.database import translated

FOLDER = Path(__file__).parent / "migrations"
# "syncer" in ASCII: any number does, if all versions of us use the same.
ADVISORY_LOCK = 0x73796E636572
_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 10.0
_WAIT_SECONDS = 300.0
_LOCK_SECONDS = 2.0
_NAME = re.compile(r"(\d{4})_(pre|post)_[a-z0-9_]+")
_UP = "-- migrate:up"
_UP_ALONE = "-- migrate:up transaction:false"
_DOWN = "-- migrate:down"
# SQLSTATE classes whose messages name objects of the schema, not values of rows.
_SPEAKABLE = ("0A", "2B", "3D", "3F", "42", "55", "57")

_SCHEMA = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'syncer')"
_HAS_TABLE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'syncer' AND c.relname = 'migration')
"""
# Its time is the server's own: syncer.clock() comes with the first migration only.
_TABLE = """
CREATE TABLE IF NOT EXISTS syncer.migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_APPLIED = "SELECT name, checksum FROM syncer.migration"
_RECORD = "INSERT INTO syncer.migration (name, checksum) VALUES ($1, $2)"
# Left by builds that failed; IF NOT EXISTS would take them for the real ones.
_DROP_UNFINISHED = """
SELECT 'DROP INDEX CONCURRENTLY ' || i.indexrelid::regclass::text FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'syncer' AND NOT i.indisvalid AND c.relkind = 'i'
"""
_SCRIPT_HEAD = """\
-- For psql, as the role that is to own the schema: psql --no-psqlrc --file FILE ADDRESS
-- What is applied is noted in syncer.migration, so syncer takes it for its own.
\\set ON_ERROR_STOP on
DO $$ BEGIN
    IF NOT pg_try_advisory_lock({lock}) THEN
        RAISE 'Another process is migrating this database: nothing was done, try again later.';
    END IF;
    IF to_regclass('syncer.migration') IS NOT NULL THEN
        IF EXISTS (SELECT FROM syncer.migration WHERE name = '{first}') THEN
            RAISE 'This script was run on this database before: nothing was done.'
                USING HINT = '`syncer migrate --sql` writes what is still missing.';
        END IF;
    END IF;
    IF to_regnamespace('syncer') IS NULL THEN
        CREATE SCHEMA syncer;
    END IF;
END $$;
{table};
"""
_SCRIPT_STEP = """\
-- {name}
BEGIN;
SET LOCAL lock_timeout = '2s';
{sql}
INSERT INTO syncer.migration (name, checksum) VALUES ('{name}', '{checksum}');
COMMIT;
"""
_SCRIPT_STEP_ALONE = """\
-- {name}
{clearing} \\gexec
{sql}
INSERT INTO syncer.migration (name, checksum) VALUES ('{name}', '{checksum}');
"""
_SCRIPT_END = "SELECT pg_advisory_unlock({lock});"


class MigrationError(OperatorError):
    """The schema was not brought up to date, or not all the way. The message says which file, why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. name: its name without `.sql`. checksum: SHA-256 of its bytes. is_alone: not in a transaction."""

    name: str
    sql: str
    checksum: str
    is_alone: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How a database stands to our files, names in order.

    unknown: applied there but not among our files: a newer version of us has been here.
    """

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]


def read(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The files of a folder in their order. Raises MigrationError when one is not in the form described above."""
    found = tuple(_parsed(path) for path in sorted(folder.glob("*.sql")))
    by_number: dict[str, str] = {}
    for migration in found:
        twin = by_number.setdefault(migration.name[:4], migration.name)
        if twin != migration.name:
            raise MigrationError(f"Two migrations have one number, {twin} and {migration.name}: give one a new number.")
    return found


async def status(database: str | asyncpg.Connection, *, folder: Path = FOLDER) -> Status:
    """How the database stands; reads only.

    database: its address, or an open connection that nobody else uses meanwhile.
    Raises MigrationError when an applied file is not what it was, or the database cannot be read.
    """
    files = read(folder)
    async with _connected(database) as connection:
        return await _compare(connection, files)


def before_code(missing: Sequence[str]) -> tuple[str, ...]:
    """Of missing migrations, in order, those that this code cannot do without: all but the last ones that contract."""
    last = max((place for place, name in enumerate(missing) if _expands(name)), default=-1)
    return tuple(missing[: last + 1])


async def pending(database: str | asyncpg.Connection, *, folder: Path = FOLDER) -> list[str]:
    """Names of the migrations that the database lacks, in order; reads only. Parameters and errors as `status`."""
    return list((await status(database, folder=folder)).pending)


async def migrate(
    database: str | asyncpg.Connection,
    *,
    folder: Path = FOLDER,
    wait_seconds: float = _WAIT_SECONDS,
    lock_seconds: float = _LOCK_SECONDS,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Applies what is missing, and gives the names of what it applied itself, in order.

    database: its address, or an open connection that nobody else uses meanwhile.
    wait_seconds: how long another process may keep us waiting that is migrating the same database.
    lock_seconds: how long a file may wait for a table that others use; all who come later wait behind it.
    tell: called with the name of each before it is applied.
    Raises MigrationError at the first file that fails; the ones before it stay.
    """
    files = read(folder)
    async with _connected(database) as connection, _alone(connection, wait_seconds):
        await _prepare(connection)
        missing = (await _compare(connection, files)).pending
        for migration in _named(files, missing, tell):
            await _apply(connection, migration, lock_seconds)
        return list(missing)


async def expand(
    database: str | asyncpg.Connection, *, folder: Path = FOLDER, tell: Callable[[str], None] = lambda _: None
) -> list[str]:
    """As `migrate`, but leaves out what takes away what the version before needs, for that may still run.

    Raises MigrationError also where what takes away stands before what is needed.
    """
    files = read(folder)
    async with _connected(database) as connection, _alone(connection, _WAIT_SECONDS):
        await _prepare(connection)
        missing = _beside_older_code(await _compare(connection, files))
        for migration in _named(files, missing, tell):
            await _apply(connection, migration, _LOCK_SECONDS)
        return list(missing)


async def script(database: str | asyncpg.Connection, *, folder: Path = FOLDER) -> str:
    """What `migrate` would do, as a script for psql, empty when nothing is missing; reads only.

    It applies each file once and notes it as applied, under the same lock. Parameters and errors as `status`.
    """
    files = read(folder)
    async with _connected(database) as connection:
        missing = (await _compare(connection, files)).pending
    if not missing:
        return ""
    head = _SCRIPT_HEAD.format(lock=ADVISORY_LOCK, first=missing[0], table=_TABLE.strip())
    steps = [_step(migration) for migration in files if migration.name in missing]
    return "\n".join([head, *steps, _SCRIPT_END.format(lock=ADVISORY_LOCK)])


def _named(files: Sequence[Migration], names: Collection[str], tell: Callable[[str], None]) -> Iterator[Migration]:
    """The files of these names, each told of before it is handed out."""
    for migration in files:
        if migration.name in names:
            tell(migration.name)
            yield migration


def _expands(name: str) -> bool:
    return name[5:].startswith("pre_")


def _beside_older_code(found: Status) -> tuple[str, ...]:
    """What can be applied while the version before runs. Where none has run yet, nothing is in its way."""
    needed = before_code(found.pending)
    contracting = next((name for name in needed if not _expands(name)), None)
    if contracting is not None and found.applied:
        raise MigrationError(
            f"Migration {contracting} takes away what an older version needs, and {needed[-1]} comes after it: upgrade "
            "by the versions between, one at a time, or end all workers and receivers and run `syncer migrate`."
        )
    return needed


def _step(migration: Migration) -> str:
    """One file with the line that notes it as applied."""
    text = _SCRIPT_STEP_ALONE if migration.is_alone else _SCRIPT_STEP
    return text.format(
        name=migration.name, sql=migration.sql, checksum=migration.checksum, clearing=_DROP_UNFINISHED.strip()
    )


def _parsed(path: Path) -> Migration:
    text = path.read_bytes()
    try:
        sql = text.decode("utf-8")
    except UnicodeDecodeError:
        raise MigrationError(f"Migration {path.name} is not UTF-8: save it as such.") from None
    lines = sql.rstrip().splitlines() or [""]
    if not _NAME.fullmatch(path.stem):
        raise MigrationError(f"Migration {path.name} is not named NNNN_pre_name.sql or NNNN_post_name.sql: rename it.")
    if lines[0] not in (_UP, _UP_ALONE):
        raise MigrationError(f"Migration {path.name} must begin with the line `{_UP}` or `{_UP_ALONE}`.")
    if lines[-1] != _DOWN:
        raise MigrationError(f"Migration {path.name} must end with the bare line `{_DOWN}`.")
    return Migration(path.stem, sql, sha256(text).hexdigest(), lines[0] == _UP_ALONE)


@asynccontextmanager
async def _connected(database: str | asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    if not isinstance(database, str):
        yield database
        return
    connection = await _connect(database)
    try:
        yield connection
    finally:
        # What we wanted is committed or has failed; a server that does not answer must not keep us.
        connection.terminate()


async def _connect(dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(
            dsn, timeout=_CONNECT_SECONDS, server_settings={"application_name": "syncer migrate"}
        )
    except (ValueError, asyncpg.ClientConfigurationError):
        raise MigrationError("The database's address cannot be read: check SYNCER_DATABASE_URL.", exit_code=2) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(
            f"The database to migrate cannot be reached ({type(error).__name__}): "
            "check SYNCER_DATABASE_URL and whether its server takes connections from here."
        ) from None


@asynccontextmanager
async def _alone(connection: asyncpg.Connection, wait_seconds: float) -> AsyncIterator[None]:
    """Holds the lock that one migrating process has at a time.

    Asked for again and again, for a call that waits holds a snapshot, and building an index concurrently waits for
    all older snapshots: each would wait for the other.
    """
    deadline = time.monotonic() + wait_seconds
    while not await _locked(connection):
        if time.monotonic() > deadline:
            raise MigrationError(
                f"Another process has been migrating this database for {wait_seconds:.0f} s: "
                "wait for it or end it, then run this again."
            )
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if not connection.is_closed():
            with translated():
                await connection.execute(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})")


async def _locked(connection: asyncpg.Connection) -> bool:
    with translated():
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK))


async def _prepare(connection: asyncpg.Connection) -> None:
    try:
        # Even CREATE SCHEMA IF NOT EXISTS wants a privilege on the database that a role with the schema alone lacks.
        if not await connection.fetchval(_SCHEMA):
            await connection.execute("CREATE SCHEMA syncer")
        if not await connection.fetchval(_HAS_TABLE):
            await connection.execute(_TABLE)
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"The schema syncer cannot be prepared ({_said(error)}): "
            "let this role create it, or make it with CREATE SCHEMA syncer AUTHORIZATION for this role."
        ) from None


async def _compare(connection: asyncpg.Connection, files: Sequence[Migration]) -> Status:
    try:
        rows = await connection.fetch(_APPLIED) if await connection.fetchval(_HAS_TABLE) else []
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"The table syncer.migration cannot be read ({_said(error)}): let this role read it, or use its owner."
        ) from None
    checksum_by_name = {row["name"]: row["checksum"] for row in rows}
    for migration in files:
        if checksum_by_name.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"Migration {migration.name} was applied to this database with other content than it has now: "
                "put the file back as it was and write the change as a new one."
            )
    ours = [migration.name for migration in files]
    return Status(
        applied=tuple(name for name in ours if name in checksum_by_name),
        pending=tuple(name for name in ours if name not in checksum_by_name),
        unknown=tuple(sorted(checksum_by_name.keys() - set(ours))),
    )


async def _apply(connection: asyncpg.Connection, migration: Migration, lock_seconds: float) -> None:
    try:
        if migration.is_alone:
            await _run_alone(connection, migration)
        else:
            await _run_together(connection, migration, lock_seconds)
    except asyncpg.LockNotAvailableError:
        raise MigrationError(
            f"Migration {migration.name} could not lock what it changes within {lock_seconds:g} s, for other sessions "
            "use it: nothing of it was applied, run it again in a quieter moment."
        ) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise MigrationError(
            f"Migration {migration.name} failed ({_said(error)}): the ones before it stay, mend the cause "
            "and run it again."
        ) from None


async def _run_together(connection: asyncpg.Connection, migration: Migration, lock_seconds: float) -> None:
    """The whole file in one call, which takes any number of statements: nothing here has to take SQL apart."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{lock_seconds * 1000:.0f}ms'")
        await connection.execute(migration.sql)
        await connection.execute(_RECORD, migration.name, migration.checksum)


async def _run_alone(connection: asyncpg.Connection, migration: Migration) -> None:
    """No lock timeout here: building an index concurrently waits long and keeps nobody from working."""
    for clearing in await connection.fetch(_DROP_UNFINISHED):
        await connection.execute(clearing[0])
    await connection.execute(migration.sql)
    await connection.execute(_RECORD, migration.name, migration.checksum)


def _said(error: Exception) -> str:
    """The error in words that hold nothing of any row."""
    state = getattr(error, "sqlstate", None) or ""
    message = getattr(error, "message", None)
    if state[:2] in _SPEAKABLE and message:
        return f"{type(error).__name__} {state}: {message}"
    constraint = getattr(error, "constraint_name", None) or ""
    return " ".join(part for part in (type(error).__name__, state, constraint) if part)
