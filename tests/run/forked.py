"""Receivers that are killed: for each line on stdin another process that is a whole receiver, whose id is printed.

They are forked from one that has imported everything, so that a hundred of them take seconds.
"""

import asyncio
import os
import sys

from syncer import app, telemetry
from syncer.settings import load


def main() -> None:
    """Forks one receiver for each line."""
    settings = load()
    telemetry.configure("info")
    assert settings.database_url is not None
    dsn = settings.database_url.get_secret_value()
    app._zones()
    for _ in sys.stdin:
        number = os.fork()
        if number == 0:
            asyncio.run(app.receive(settings, dsn))
            os._exit(0)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
