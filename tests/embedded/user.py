"""A process that uses a local Postgres until its standard input ends; `python -m tests.embedded.user KIND [FOLDER]`.

KIND: `throwaway`, `untied` (a throw-away one made by another thread than the main one) or `lasting`.
Prints one line when it can be used: the folder, the pid of Postgres and its address, separated by tabs.
"""

import asyncio
import os
import sys
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from syncer.embedded import Server, lasting, postmaster, throwaway


async def use(wanted: AbstractAsyncContextManager[Server]) -> None:
    async with wanted as server:
        running = postmaster.of(server.folder / "data")
        assert running is not None
        sys.stdout.write(f"{server.folder}\t{running.pid}\t{server.dsn}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def main(kind: str, folder: str = "") -> None:
    pg_bin = Path(os.environ["SYNCER_PG_BIN"]) if os.environ.get("SYNCER_PG_BIN") else None
    if kind == "lasting":
        asyncio.run(use(lasting(Path(folder), pg_bin=pg_bin)))
    elif kind == "throwaway":
        asyncio.run(use(throwaway(pg_bin=pg_bin)))
    else:
        thread = threading.Thread(target=lambda: asyncio.run(use(throwaway(pg_bin=pg_bin))))
        thread.start()
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
