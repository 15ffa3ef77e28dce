"""Fixtures for the local Postgres: processes that use one, and folders that whoever runs it can reach."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from syncer.embedded import postmaster, temporary
from syncer.embedded.account import Account

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30.0

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root's Postgres runs as another user")


def becomes(is_so: Callable[[], bool]) -> bool:
    """Whether something outside becomes so before the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()


@dataclass(frozen=True)
class User:
    """A process of `tests.embedded.user`. pid: of its Postgres."""

    process: subprocess.Popen[str]
    folder: Path
    pid: int
    dsn: str

    @classmethod
    def started(cls, *arguments: str) -> Self:
        """Starts one and waits until its Postgres can be used."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.embedded.user", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.communicate()
            raise AssertionError(f"tests.embedded.user ended with {process.returncode}")
        folder, pid, dsn = line.rstrip("\n").split("\t")
        return cls(process, Path(folder), int(pid), dsn)

    def kill(self) -> None:
        """SIGKILL, and waits for its end."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        """Ends it in good order."""
        self.process.communicate()
        assert self.process.returncode == 0

    def postgres_runs(self) -> bool:
        """Whether its Postgres is alive."""
        return postmaster.serves(self.pid, self.folder / "data")


@pytest.fixture
def start_user() -> Iterator[Callable[..., User]]:
    """Starts processes that use a Postgres; what is left of them at the end is killed."""
    with ExitStack() as stack:

        def start(*arguments: str) -> User:
            user = User.started(*arguments)
            stack.callback(user.kill)
            return user

        yield start


def make_open_folder(base: Path) -> Path:
    """An empty folder that every user can pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="syncer-test-", dir=base)).resolve()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every user can pass through and run programs from."""
    folder = make_open_folder(Path(tempfile.gettempdir()))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """The same for a cluster's data: in memory where there is plenty."""
    folder = make_open_folder(temporary.base_for(Account.chosen()))
    yield folder
    shutil.rmtree(folder)
