"""`syncer migrate`: brings a database's schema up to date."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli import connect, output
from syncer.cli.output import AsJson, counted
from syncer.model.errors import OperatorError


async def migrate(
    *,
    check: Annotated[
        bool, Parameter(negative="", show_default=False, help="Only list what is missing; exit code 1 if anything is.")
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
    dsn = url.get_secret_value()
    await reach(dsn)
    if check:
        return _tell_missing(await migrations.pending(dsn), as_json=as_json)
    applied = await migrations.migrate(dsn)
    if as_json:
        output.document({"applied": applied})
        return 0
    output.lines([*applied, f"{counted(len(applied), 'migration').capitalize()} applied; the database is up to date."])
    output.advise("syncer check")
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
