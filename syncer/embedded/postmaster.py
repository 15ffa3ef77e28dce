"""What a data folder's `postmaster.pid` says, and whether that process is really the one.

Source: Postgres documentation, "Database File Layout", on postmaster.pid; its lines are pid, data folder, start,
port, socket folder, address, shared memory key, status.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SHARED_MEMORY_LINE = 7
_STATUS_LINE = 8


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running Postgres. is_ready: it takes connections."""

    pid: int
    port: int
    sockets: Path
    is_ready: bool


def of(data_folder: Path) -> Postmaster | None:
    """The Postgres that serves this folder now, or None: none, one that is only just starting, or a stale file."""
    try:
        lines = (data_folder / "postmaster.pid").read_text("utf-8").splitlines()
    except OSError:
        return None
    if len(lines) < _SHARED_MEMORY_LINE - 1 or not lines[0].isdigit() or not serves(int(lines[0]), data_folder):
        return None
    status = lines[_STATUS_LINE - 1].strip() if len(lines) >= _STATUS_LINE else ""
    return Postmaster(int(lines[0]), int(lines[3]), Path(lines[4]), status == "ready")


def forget_stale(data_folder: Path) -> None:
    """Removes a pid file whose pid is another program's now, or that of a Postgres nobody has waited for yet.

    Postgres would refuse to start beside it. A file whose process is gone is left to Postgres itself, and so is one
    whose shared memory is in use: sessions of a killed Postgres take a moment to end.
    """
    path = data_folder / "postmaster.pid"
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return
    if not lines or not lines[0].isdigit() or not _exists(int(lines[0])) or serves(int(lines[0]), data_folder):
        return
    if not _is_attached(lines[_SHARED_MEMORY_LINE - 1] if len(lines) >= _SHARED_MEMORY_LINE else ""):
        path.unlink(missing_ok=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_attached(key_and_id: str) -> bool:
    """Whether a process is attached to the shared memory that line 7 names (Linux; elsewhere we cannot see it)."""
    try:
        rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text("ascii").splitlines()]
    except OSError:
        return False
    attached = {row[1]: row[6] for row in rows[1:]}
    return attached.get(key_and_id.split()[-1] if key_and_id.split() else "", "0") != "0"


def serves(pid: int, data_folder: Path) -> bool:
    """Whether process `pid` is alive and was started for this folder."""
    return str(data_folder) in _command_of(pid)


def has_ended(pid: int, data_folder: Path) -> bool:
    """Whether a process that served this folder is gone.

    Not simply the opposite of `serves`: in the moment in which a process becomes another program it has no arguments.
    """
    if not _exists(pid) or _is_unwaited(pid):
        return True
    command = _command_of(pid)
    return bool(command) and str(data_folder) not in command


def _is_unwaited(pid: int) -> bool:
    """Whether it has ended and its parent has not asked for its exit code yet (Linux; elsewhere `ps` tells)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2]
    except OSError:
        return False
    return after_name.split()[0] in {"Z", "X"}


def _command_of(pid: int) -> tuple[str, ...]:
    """The arguments of a process, none if it is gone."""
    if not Path("/proc/self/cmdline").exists():
        return _command_by_ps(pid)
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").rstrip("\0")
    except OSError:
        return ()
    return tuple(text.split("\0")) if text else ()


def _command_by_ps(pid: int) -> tuple[str, ...]:
    answer = subprocess.run(  # noqa: S603 (our own argument list)
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    words = answer.stdout.split()
    # A folder with blanks in its name comes in pieces: what follows -D up to the next option belongs together.
    if "-D" not in words:
        return tuple(words)
    after = words[words.index("-D") + 1 :]
    end = next((n for n, word in enumerate(after) if word == "-c"), len(after))
    return (*words, " ".join(after[:end]))
