"""`syncer run`: everything in one process."""

from syncer.cli import connect, output


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
