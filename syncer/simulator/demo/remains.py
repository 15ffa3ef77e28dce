"""What demos that were killed left behind: rows, a clock that was set, folders; and its removal by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from asyncio import sleep
from contextlib import suppress
from pathlib import Path

from syncer.embedded import EmbeddedError, folders, locks
from syncer.model.errors import OperatorError
from syncer.simulator.demo.ledger import Ledger
from syncer.store.database import Database

PREFIX = "syncer-demo-"
_LEASE_SECONDS = 5.0
_POLL_SECONDS = 0.1
_PROJECTS = "SELECT slug FROM syncer.project ORDER BY slug"
_SERVED = """
SELECT slug FROM syncer.lease JOIN syncer.project USING (project_id) WHERE until >= syncer.clock() ORDER BY slug LIMIT 1
"""
_IS_CLOCK_SET = "SELECT EXISTS (SELECT FROM syncer.test_clock)"


async def reap_rows(database: Database) -> list[str]:
    """Take out all projects, each a dead demo's since the database is claimed; gives what was removed, in words.

    The mark of a database for tests, with its shift of the clock, goes with them: a demo that could not give it back
    made it. Raises OperatorError when a worker goes on serving one.
    """
    slugs = [row["slug"] for row in await database.fetch(_PROJECTS)]
    if not slugs:
        return []
    await _wait_for_leases(database)
    removed = [f"project {slug}" for slug in slugs]
    for slug in slugs[:-1]:
        await Ledger(database, slug).remove()
    if await database.value(_IS_CLOCK_SET):
        # Before the last project: whoever is killed here leaves a sign that there is more to do.
        await Ledger(database, slugs[-1]).restore_clock(None)
        removed.append("the clock that was set")
    await Ledger(database, slugs[-1]).remove()
    return removed


async def _wait_for_leases(database: Database) -> None:
    """A worker ends with its demo, but its lease runs on for a moment."""
    deadline = time.monotonic() + _LEASE_SECONDS
    while (served := await database.value(_SERVED)) is not None:
        if time.monotonic() > deadline:
            raise OperatorError(
                f"A worker serves the project {served} in the database in SYNCER_DATABASE_URL, which a demo that was "
                "killed left behind: end that worker and try again."
            )
        await sleep(_POLL_SECONDS)


def reap_folders() -> list[str]:
    """Remove the folders whose demos have ended, of this user of the machine only; gives them, in words."""
    removed = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with suppress(OSError, EmbeddedError):  # another demo may be removing the same one
            is_ours = folder.lstat().st_uid == os.geteuid() and not folder.is_symlink()
            if is_ours and (folder / folders.LOCK).is_file() and _is_removed(folder):
                removed.append(f"folder {folder}")
    return removed


def _is_removed(folder: Path) -> bool:
    with locks.opened(folder / folders.LOCK) as lock:
        if not locks.taken(lock):
            return False
        shutil.rmtree(folder)
    return True
