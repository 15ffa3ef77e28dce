"""Locks between processes on files; the kernel lets go of them when a process ends, however it ends.

Source: flock(2).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.embedded.errors import EmbeddedError
from syncer.embedded.waiting import until


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A file to lock, made if it is not there; closing it lets go of the lock."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedError(f"The file {path} cannot be used ({error.strerror}): remove it and try again.") from error
    try:
        yield file
    finally:
        os.close(file)


def taken(file: int, *, is_shared: bool = False) -> bool:
    """Takes the lock, or turns the one that is held into this kind, if that is possible at once."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def let_go(file: int) -> None:
    """Lets go of the lock."""
    fcntl.flock(file, fcntl.LOCK_UN)


async def take(file: int, path: Path, *, seconds: float) -> None:
    """Takes the lock for ourselves alone. Raises EmbeddedError when another process keeps it that long."""
    if not await until(lambda: taken(file), seconds):
        raise EmbeddedError(
            f"Another process has been starting or stopping the Postgres of {path.parent} for {seconds:.0f} s: "
            "end it and try again."
        )
