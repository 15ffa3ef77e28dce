"""A Postgres that is gone without a trace when its user has ended.

Each lives in a folder of its own, whose `owner.lock` its user holds. Should that user be killed, the kernel ends
Postgres (where it can), and the next to come removes what is left.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from syncer.embedded import binaries, cluster, folders, locks, postmaster, process, server
from syncer.embedded.account import Account
from syncer.embedded.cluster import Cluster
from syncer.embedded.errors import EmbeddedError
from syncer.embedded.process import Running
from syncer.embedded.server import Server

_PREFIX = "syncer-postgres-"
_REAP_SECONDS = 5.0
_MEMORY = Path("/dev/shm")  # noqa: S108 (only folders of our own making are used in it)
_MEMORY_BYTES = 2 * 2**30
# What a crash would lose is gone anyway.
_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")


@asynccontextmanager
async def throwaway(*, pg_bin: Path | None = None) -> AsyncIterator[Server]:
    """A new, empty local Postgres for as long as the block lasts.

    pg_bin: folder of the binaries; without it they are looked for.
    On Linux it ends with the thread that made it, which must be the main one; elsewhere, or made by another thread,
    it survives the SIGKILL of its process until the next call.
    Raises EmbeddedError when it cannot be had.
    """
    account = Account.chosen()
    found = await asyncio.to_thread(binaries.find, pg_bin, account)
    await asyncio.to_thread(reap)
    with folders.owned(_PREFIX, base_for(account)) as folder:
        wanted = Cluster(folder, account, _OPTIONS)
        cluster.prepare(wanted)
        await cluster.create(wanted, found, is_lasting=False)
        running = await process.start(wanted, found, is_lasting=False)
        try:
            yield await server.opened(wanted)
        finally:
            await process.stop(running, signal.SIGQUIT)


def reap() -> None:
    """Ends and removes the throw-away clusters whose users have ended, of this user of the machine only."""
    for folder in (found for base in _bases() for found in base.glob(f"{_PREFIX}*")):
        with suppress(OSError, EmbeddedError):  # another process may be removing the same one
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _reap_one(folder)


def _reap_one(folder: Path) -> None:
    with locks.opened(folder / folders.LOCK) as lock:
        if not locks.taken(lock):
            return
        left = postmaster.of(folder / "data")
        if left is not None:
            running = Running(Cluster(folder, Account.chosen()), left.pid)
            os.kill(left.pid, signal.SIGQUIT)
            deadline = time.monotonic() + _REAP_SECONDS
            while not running.has_ended() and time.monotonic() < deadline:
                time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)


def base_for(account: Account) -> Path:
    """Where to put a cluster: TMPDIR, if set; memory, where it is plentiful; or a temporary folder.

    A new cluster is a thousand small files and each new database three hundred; in memory that takes a tenth of the
    time it takes on some disks.
    """
    for base in _bases():
        is_small = base == _MEMORY and shutil.disk_usage(base).free < _MEMORY_BYTES
        if account.reaches(base) and os.access(base, os.W_OK) and not is_small:
            return base
    raise EmbeddedError(f"The user {account.name} can reach no temporary folder: set TMPDIR to one open to all.")


def _bases() -> list[Path]:
    """All places where a cluster may be, best first."""
    chosen = [Path(os.environ["TMPDIR"])] if os.environ.get("TMPDIR") else []
    places = [*chosen, _MEMORY, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108
    return list(dict.fromkeys(place.resolve() for place in places if place.is_dir()))
