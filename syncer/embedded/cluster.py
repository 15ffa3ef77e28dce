"""A cluster in its folder, and the making of a new one.

The folder holds `data` and `socket` (owned by whoever runs Postgres), `password` and `postgres.log` (owned by us).
Other users of the machine cannot get in: the socket folder is closed to them and every connection needs the password.
"""

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedWriter
from pathlib import Path

from syncer.embedded.account import Account
from syncer.embedded.binaries import Binaries
from syncer.embedded.errors import EmbeddedError
from syncer.embedded.waiting import until

USER = "postgres"
_MAKE_SECONDS = 120.0
# sockaddr_un holds 104 bytes on macOS, 108 on Linux, and Postgres adds `/.s.PGSQL.65535.lock`.
_SOCKET_PATH_BYTES = 80
_LAST_LINES = 3
# What a shared library or an interpreter may need to be found. All else stays out: a stray PGDATA or LC_ALL would
# change what Postgres does, and our secrets are not for the user who runs it.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A folder for a cluster and the user who runs it. options: settings of Postgres beside the usual ones."""

    folder: Path
    account: Account
    options: tuple[str, ...] = ()

    @property
    def data_folder(self) -> Path:
        """Postgres's own folder."""
        return self.folder / "data"

    @property
    def log_path(self) -> Path:
        """Where Postgres and initdb write what they have to say."""
        return self.folder / "postgres.log"

    @property
    def password_path(self) -> Path:
        """The superuser's password, readable by us alone."""
        return self.folder / "password"

    @property
    def socket_folder(self) -> Path:
        """In the folder, or, where that path is too long for a socket, in the system's temporary folder."""
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
            return inside
        mark = sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"syncer-socket-{os.geteuid()}-{mark}"

    def remove_outside(self) -> None:
        """Removes what a stopped cluster leaves outside its folder."""
        if not self.socket_folder.is_relative_to(self.folder):
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def log(self) -> BufferedWriter:
        """The log, opened to go on at its end."""
        return os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb")

    def failure(self, what: str) -> EmbeddedError:
        """What went wrong, in one sentence with Postgres's own last lines."""
        text = self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""
        lines = [re.sub(r"^\S+ \S+ \S+ \[\d+\] ", "", line.strip()) for line in text.splitlines()]
        said = " | ".join([line for line in lines if line][-_LAST_LINES:])
        return EmbeddedError(f"{what} in {self.folder}, and said: {said or 'nothing'}")


def prepare(cluster: Cluster) -> None:
    """Makes the folder, if it is not there. Raises EmbeddedError when it cannot be made or used."""
    missing = [step for step in (cluster.folder, *cluster.folder.parents) if not step.exists()]
    if not cluster.account.reaches(missing[-1].parent if missing else cluster.folder.parent):
        raise EmbeddedError(
            f"The user {cluster.account.name}, who runs Postgres, cannot reach {cluster.folder}: "
            "name a folder that all users can pass through, such as one below /var/lib."
        )
    # Whoever runs Postgres for root must pass through, whatever our umask; what lies inside is closed by its own bits.
    mode = 0o711 if cluster.account.is_other else 0o700
    try:
        for step in reversed(missing):
            step.mkdir(exist_ok=True)
            step.chmod(mode)
        cluster.folder.chmod(mode)
        next(cluster.folder.iterdir(), None)  # a file has no entries to list
    except OSError as error:
        raise EmbeddedError(
            f"The folder {cluster.folder} for the local Postgres cannot be used ({error.strerror}): "
            "name another one, or set SYNCER_DATABASE_URL."
        ) from error


async def create(cluster: Cluster, binaries: Binaries, *, is_lasting: bool) -> None:
    """Makes a new cluster: UTF-8, C order, UTC, password on every way in. Whole or not at all.

    Raises EmbeddedError when initdb fails, with what it said.
    """
    building = cluster.folder / "data.new"
    shutil.rmtree(building, ignore_errors=True)
    make_private(building, cluster.account)
    password = secrets.token_urlsafe(32)
    _write_private(cluster.password_path, password)
    key = cluster.folder / "password.initdb"
    _write_private(key, password)
    cluster.account.takes(key)
    try:
        await _initdb(cluster, binaries, [f"--pwfile={key}", *([] if is_lasting else ["--no-sync"])])
    finally:
        key.unlink(missing_ok=True)
    building.rename(cluster.data_folder)


async def _initdb(cluster: Cluster, binaries: Binaries, more: list[str]) -> None:
    process = _launch_initdb(cluster, [str(binaries.folder / "initdb"), *more])
    try:
        await until(lambda: process.poll() is not None, _MAKE_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    if process.returncode:
        raise cluster.failure(f"Postgres {binaries.version} could not make a new cluster")


def _launch_initdb(cluster: Cluster, command: list[str]) -> subprocess.Popen[bytes]:
    habits = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-instructions"]
    account = cluster.account
    try:
        with cluster.log() as log:
            return subprocess.Popen(  # noqa: S603 (our own argument list)
                [*command, *habits, f"--username={USER}", "-D", str(cluster.folder / "data.new")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                user=account.spawn_uid,
                group=account.spawn_gid,
                extra_groups=account.spawn_groups,
                start_new_session=True,
            )
    except OSError as error:
        raise EmbeddedError(f"{command[0]} cannot be run as the user {account.name} ({error.strerror}).") from error


def make_private(folder: Path, account: Account) -> None:
    """Makes a folder that only this user can enter. Raises EmbeddedError when it is somebody else's already."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid not in {os.geteuid(), account.uid}:
            raise EmbeddedError(f"The folder {folder} belongs to somebody else: remove it and try again.")
        folder.chmod(0o700)
        account.takes(folder)
    except OSError as error:
        raise EmbeddedError(f"The folder {folder} cannot be made ({error.strerror}): free the place for it.") from error


def environment() -> dict[str, str]:
    """The variables that Postgres's programs get."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | kept


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
