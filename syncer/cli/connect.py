"""Where a command finds its database: SYNCER_DATABASE_URL, or the embedded Postgres in the user's data folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from syncer.cli import progress
from syncer.cli.output import counted
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from syncer.settings import Settings
    from syncer.store.database import Database


def settings() -> "Settings":
    """This process's settings, with logging set up as they say. Raises OperatorError for each that is wrong."""
    from syncer import telemetry
    from syncer.settings import load

    loaded = load()
    telemetry.configure(loaded.log_level)
    return loaded


@asynccontextmanager
async def store() -> AsyncIterator["Database"]:
    """The installation's database with its schema up to date, for as long as the block lasts.

    Raises OperatorError when it cannot be used, saying what to do.
    """
    from syncer.store.database import Database

    async with address(settings()) as dsn, Database.opened(dsn, connections=1) as database:
        yield database


@asynccontextmanager
async def address(chosen: "Settings", *, quietly: bool = False, needs_all: bool = True) -> AsyncIterator[str]:
    """The address of a database whose schema is up to date: the operator's, or the embedded one, migrated here.

    quietly: show no progress while the embedded one starts, for whoever shows some of their own. needs_all: the role
    must have rights to all tables.
    Raises OperatorError when it cannot be reached, lacks migrations or lacks privileges.
    """
    if chosen.database_url is not None:
        dsn = chosen.database_url.get_secret_value()
        await _is_ready(dsn, needs_all=needs_all)
        yield dsn
        return
    from syncer import embedded
    from syncer.store.migrate import migrate

    folder = chosen.data_folder or embedded.default_folder()
    async with AsyncExitStack() as stack:
        with nullcontext() if quietly else progress.shown("Starting the embedded Postgres"):
            server = await stack.enter_async_context(embedded.lasting(folder, pg_bin=chosen.pg_bin))
            await migrate(server.dsn)
        yield server.dsn


async def missing_privileges(dsn: str) -> str | None:
    """What keeps the role from using syncer's tables, as a sentence with the remedy; None when nothing does."""
    from syncer.store import overview
    from syncer.store.database import Database

    async with Database.opened(dsn, connections=1) as database:
        lacking = await overview.missing_privileges(database)
        access = await overview.access(database)
    if access.is_read_only:
        return (
            f"Database {access.database} is read-only for user {access.role} (a standby, or "
            "default_transaction_read_only is on); let SYNCER_DATABASE_URL name one that can be written"
        )
    if not lacking:
        return None
    relation, privilege = lacking[0]
    others = f" and {counted(len(lacking) - 1, 'more right')}" if len(lacking) > 1 else ""
    return (
        f"The database user lacks {privilege} on {f'table syncer.{relation}' if relation else 'schema syncer'}{others}"
        "; as the schema's owner run: GRANT USAGE ON SCHEMA syncer TO …; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncer TO …."
    )


async def missing_right_to_migrate(dsn: str) -> str | None:
    """Who may migrate and how to let this role, as a sentence; None when nothing is to be migrated or it may."""
    from syncer.store import overview
    from syncer.store.database import Database
    from syncer.store.migrate import before_code, pending

    async with Database.opened(dsn, connections=1) as database:
        access = await overview.access(database)
    if access.may_migrate or not before_code(await pending(dsn)):
        return None
    grant = (
        ""
        if access.has_schema
        else f", or as {access.owner} GRANT CREATE ON DATABASE {access.database} TO {access.role}"
    )
    return (
        f"Migrations are missing, and applying them needs more rights than user {access.role} has; "
        f"run `syncer migrate` as {access.owner}, the owner{grant}"
    )


async def _is_ready(dsn: str, *, needs_all: bool) -> None:
    from syncer.store.migrate import before_code, pending
    from syncer.store.reach import reach

    await reach(dsn)
    # First, for without USAGE on the schema the list of migrations cannot be read either.
    lacking = await missing_privileges(dsn) if needs_all else None
    if lacking is not None:
        raise OperatorError(lacking)
    missing = before_code(await pending(dsn))
    if missing:
        raise OperatorError(
            f"The database lacks {counted(len(missing), 'migration')} ({', '.join(missing)}); run `syncer migrate`."
        )
