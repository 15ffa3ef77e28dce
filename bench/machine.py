"""The machine: which core is whose, what a process has cost, and what all this was measured on."""

import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLIENTS_CORE, SERVERS_CORE = 0, 1
_LIBRARIES = (
    "aiohttp",
    "uvloop",
    "orjson",
    "msgspec",
    "asyncpg",
    "aiogoogle",
    "google-api-python-client",
    "gcal-sync",
)


def pinning(core: int) -> Callable[[], None] | None:
    """What a new process calls first, to stay on one core; None where there is only one, or no way to say so."""
    if (os.cpu_count() or 1) < 2 or not hasattr(os, "sched_setaffinity"):
        return None
    return lambda: os.sched_setaffinity(0, {core})


def cpu_seconds() -> float:
    """CPU time of this process so far, user and system, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def pin_family(pid: int, core: int) -> None:
    """Keeps a process, its children and those that they will have on one core."""
    if pinning(core) is None:
        return
    os.sched_setaffinity(pid, {core})  # first: whoever is born from now on stays there
    for child in _children(pid):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(child, {core})


def family_cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children, those that have ended too."""
    ended = sum(int(ticks) for ticks in _stat(pid)[13:15]) / os.sysconf("SC_CLK_TCK")
    return ended + sum(_alive_seconds(member) for member in (pid, *_children(pid)))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _stat(pid: int) -> list[str]:
    # Source: proc(5), /proc/pid/stat, from the third field on; the second may hold blanks.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _alive_seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has just ended, and counts among those


def described(postgres: str) -> dict[str, str]:
    """What it runs on and with. postgres: its version."""
    found = {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Postgres": postgres,
        "Node": node_version() or "none",
    }
    return found | {name: _version(name) for name in _LIBRARIES}


def node_version() -> str | None:
    """Node's version, None where there is none."""
    node = shutil.which("node")
    if node is None:
        return None
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
