"""Temporary folders that say by a lock whether their owner is alive, so that others may remove them when it is not."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.embedded import locks

LOCK = "owner.lock"


@contextmanager
def owned(prefix: str, base: Path | None = None) -> Iterator[Path]:
    """A new folder, removed at the end. It gets the name by which it is found only once its lock is held.

    base: where to put it, None for the machine's temporary folder.
    """
    hidden = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=base))
    folder = hidden.with_name(hidden.name[1:])
    try:
        with locks.opened(hidden / LOCK) as lock:
            locks.taken(lock)
            hidden.rename(folder)
            yield folder
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
