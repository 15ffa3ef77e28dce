"""`syncer migrate`: brings a database's schema up to date."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli import connect, output, progress
from syncer.cli.output import AsJson, counted
from syncer.model.errors import OperatorError


async def migrate(
    *,
    check: Annotated[
        bool, Parameter(negative="", show_default=False, help="Only list what is missing; exit code 1 if anything is.")
    ] = False,
    sql: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Only print what is missing as a script for psql; change nothing."
        ),
    ] = False,
    expand: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Leave out what takes away what the version before needs, while that may still run.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Bring the database in SYNCER_DATABASE_URL up to date.

    Example: syncer migrate --check
    """
    from syncer.store import migrate as migrations
    from syncer.store.reach import reach

    url = connect.settings().database_url
    if url is None:
        raise OperatorError(
            "`syncer migrate` needs SYNCER_DATABASE_URL; the embedded Postgres is brought up to date where it is used.",
            exit_code=2,
        )
    if check + sql + expand > 1:
        raise OperatorError("Say one of --check, --sql and --expand.", exit_code=2)
    dsn = url.get_secret_value()
    await reach(dsn)
    if sql:
        return _tell_script(await migrations.script(dsn), as_json=as_json)
    if check:
        return _tell_missing(await migrations.pending(dsn), as_json=as_json)
    with progress.shown("Looking for what is missing") as bar:
        applied = await (migrations.expand if expand else migrations.migrate)(dsn, tell=bar.tell)
    left = await migrations.pending(dsn)
    if as_json:
        output.document({"applied": applied, "left": left})
        return 0
    _tell_applied(applied, left)
    return 0


def _tell_applied(applied: list[str], left: list[str]) -> None:
    done = f"{counted(len(applied), 'migration').capitalize()} applied"
    if left:
        later = "`syncer migrate` once no older version runs"
        output.lines([*applied, f"{done}; {counted(len(left), 'migration')} left for {later}."])
    else:
        output.lines([*applied, f"{done}; the database is up to date."])
    output.advise("syncer check")


def _tell_script(script: str, *, as_json: bool) -> int:
    if as_json:
        output.document({"sql": script})
    elif script:
        output.script(script)
        output.advise("syncer migrate --sql > migrations.sql, for psql")
    else:
        output.say("No migration is missing; there is nothing to run.")
    return 0


def _tell_missing(missing: list[str], *, as_json: bool) -> int:
    if as_json:
        output.document({"missing": missing})
    elif missing:
        output.lines(missing)
        output.say(f"{counted(len(missing), 'migration').capitalize()} missing; `syncer migrate` applies them.")
        output.advise("syncer migrate")
    else:
        output.lines(["No migration is missing."])
        output.advise("syncer run")
    return 1 if missing else 0
