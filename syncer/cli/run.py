"""`syncer run`: everything in one process. `syncer work` and `syncer receive`: its two halves, each in its own."""

from syncer.cli import connect, output
from syncer.model.errors import OperatorError


async def run() -> None:
    """Serve all projects in this process until it is stopped.

    Without SYNCER_DATABASE_URL it keeps its data in an embedded Postgres in the user's data folder.

    Example: syncer run
    """
    from syncer import app

    chosen = connect.settings()
    async with connect.address(chosen) as dsn:
        if chosen.database_url is None:
            output.say("Using the embedded Postgres; set SYNCER_DATABASE_URL to use your own.")
        await app.run(chosen, dsn)


async def work() -> None:
    """Serve projects until it is stopped, and leave the calls from outside to `syncer receive`.

    At SYNCER_LISTEN it answers /live, /ready and /metrics only. Several share the projects.

    Example: syncer work
    """
    from syncer import app

    chosen = connect.settings()
    if chosen.database_url is None:
        raise OperatorError(
            "`syncer work` needs SYNCER_DATABASE_URL: in a database of its own it would find nothing to do; "
            "`syncer run` serves an embedded one.",
            exit_code=2,
        )
    async with connect.address(chosen) as dsn:
        await app.run(chosen, dsn, takes_calls=False)


async def receive() -> None:
    """Take calls from vendors and notifications from Google until it is stopped; workers do what follows.

    Example: syncer receive
    """
    from syncer import app

    chosen = connect.settings()
    if chosen.database_url is None:
        raise OperatorError(
            "`syncer receive` needs SYNCER_DATABASE_URL: in a database of its own no worker would find what it takes.",
            exit_code=2,
        )
    if chosen.listen == "off":
        raise OperatorError("`syncer receive` does nothing with SYNCER_LISTEN=off; give it a HOST:PORT.", exit_code=2)
    # What it takes from Google needs few rights; `docs/notifications.md` lists them.
    async with connect.address(chosen, needs_all=False) as dsn:
        await app.receive(chosen, dsn)
