"""Copies of a Postgres that the user who is to run it cannot reach, as in a virtual environment below root's home."""

import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from syncer.embedded.errors import EmbeddedError

# For building programs on top of Postgres, not for running it.
_LEFT_OUT = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")


def places() -> tuple[Path, ...]:
    """Where copies may stand, best first. Not root's own cache: that is as closed as root's home."""
    return Path("/var/cache/syncer"), Path(tempfile.gettempdir()) / "syncer-cache", Path("/tmp/syncer-cache")  # noqa: S108


def made(root: Path, parts: Sequence[str], places: Sequence[Path]) -> Path:
    """A copy of some folders of `root` that every user can run, made at the first call only.

    parts: the folders, relative to `root` and so in the copy; the first holds `postgres`.
    places: folders to try in turn; one is used only if it is ours and nobody else can write there.
    Raises EmbeddedError when none can be used.
    """
    for place in places:
        if not _is_safe(place):
            continue
        try:
            return _copied(root, parts, place / f"postgres-{_fingerprint(root / parts[0] / 'postgres')}")
        except OSError:
            continue  # full, or mounted read-only: the next place may do
    raise EmbeddedError(
        f"Postgres in {root / parts[0]} cannot be reached by the user who is to run it, and no copy can be made in "
        f"{', '.join(map(str, places))}: set SYNCER_PG_BIN to a Postgres that all users can run."
    )


def _is_safe(place: Path) -> bool:
    """Makes the folder if need be; refuses one that others could have prepared or that others cannot enter."""
    try:
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o755)  # whatever our umask
        for step in (place, *place.parents):
            if not stat.S_IMODE(step.stat().st_mode) & stat.S_IXOTH:
                return False
        found = place.lstat()
    except OSError:
        return False
    shared = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & shared


def _fingerprint(server: Path) -> str:
    """Another wheel is another copy: its server has another place, size or time."""
    found = server.stat()
    return sha256(f"{server}\n{found.st_size}\n{found.st_mtime_ns}".encode()).hexdigest()[:16]


def _copied(root: Path, parts: Sequence[str], target: Path) -> Path:
    if target.is_dir():
        return target
    building = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        for part in parts:
            shutil.copytree(root / part, building / part, symlinks=True, ignore=_LEFT_OUT)
        _open_up(building)
        _settle(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _settle(building: Path, target: Path) -> None:
    try:
        building.rename(target)
    except OSError:
        # Somebody else was quicker with the same copy.
        if not target.is_dir():
            raise


def _open_up(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            is_run = path.is_dir() or bool(path.stat().st_mode & stat.S_IXUSR)
            path.chmod(0o755 if is_run else 0o644)
