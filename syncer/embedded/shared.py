"""A Postgres that keeps its data, shared by all processes of one user.

The first to come starts it, later ones attach, the last to go stops it. `gate.lock` is held while one of them starts
or stops it, `users.lock` is held by each for as long as it uses it. A process that is killed lets go of both; if it
was the last, Postgres goes on and the next to come attaches.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import platformdirs

from syncer.embedded import binaries, cluster, locks, postmaster, process, server
from syncer.embedded.account import Account
from syncer.embedded.cluster import Cluster
from syncer.embedded.errors import EmbeddedError
from syncer.embedded.process import Running
from syncer.embedded.server import Server

_GATE_SECONDS = 180.0


def default_folder() -> Path:
    """The user's data folder; for root one below /var/lib, since who runs Postgres for root cannot enter its home."""
    if os.geteuid() == 0:
        return Path("/var/lib/syncer/postgres")
    return platformdirs.user_data_path("syncer") / "postgres"


@asynccontextmanager
async def lasting(folder: Path, *, pg_bin: Path | None = None) -> AsyncIterator[Server]:
    """A local Postgres with its data in `folder`, for as long as the block lasts.

    pg_bin: folder of the binaries; without it they are looked for. Not needed where it already runs.
    Raises EmbeddedError when it cannot be had.
    """
    wanted = _prepared(folder)
    users, gate = wanted.folder / "users.lock", wanted.folder / "gate.lock"
    with locks.opened(users) as ours, locks.opened(gate) as door:
        await locks.take(door, gate, seconds=_GATE_SECONDS)
        running = await _found(wanted) or await _started(wanted, pg_bin)
        locks.taken(ours, is_shared=True)
        try:
            found = await server.opened(wanted)
            locks.let_go(door)
            yield found
        finally:
            await locks.take(door, gate, seconds=_GATE_SECONDS)
            if locks.taken(ours):
                await process.stop(running, signal.SIGINT)
                wanted.remove_outside()


def _prepared(folder: Path) -> Cluster:
    wanted = Cluster(folder.expanduser().resolve(), Account.chosen())
    cluster.prepare(wanted)
    return wanted


async def _found(wanted: Cluster) -> Running | None:
    """The Postgres that already serves the folder, perhaps left by a process that was killed."""
    found = postmaster.of(wanted.data_folder)
    if found is None:
        return None
    running = Running(wanted, found.pid)
    return running if await process.wait_ready(running) else None


async def _started(wanted: Cluster, pg_bin: Path | None) -> Running:
    found = await asyncio.to_thread(binaries.find, pg_bin, wanted.account)
    if not wanted.data_folder.exists():
        await cluster.create(wanted, found, is_lasting=True)
    made_by = (wanted.data_folder / "PG_VERSION").read_text("ascii").strip()
    if made_by != str(found.major):
        raise EmbeddedError(
            f"The data in {wanted.folder} were made by Postgres {made_by} but {found.folder} holds {found.version}: "
            f"set SYNCER_PG_BIN to a Postgres {made_by}, or move that folder away to begin with an empty one."
        )
    return await process.start(wanted, found, is_lasting=True)
