"""The real worker as a process of its own: started, killed, started again."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from pathlib import Path

from syncer import embedded
from syncer.model.errors import OperatorError

_LAUNCHER = str(Path(embedded.__file__).with_name("launch.py"))
_STOP_SECONDS = 10.0
_LAST_LINES = 5
_POLL_SECONDS = 0.02
_ADDRESS = re.compile(rb'"where":"(http://[^"]+)","event":"taking calls"')
# What is said before it takes calls is less.
_FIRST_BYTES = 65_536


class Worker:
    """`syncer run`, or another verb of it, under an environment of its own. kills: how often it was killed."""

    def __init__(self, environment: Mapping[str, str], log_path: Path, verb: str = "run") -> None:
        # Nothing of the caller's own settings may leak into it.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
        self.environment = dict(environment)
        self._whole_environment = {**inherited, **environment}
        self._verb = verb
        self._process: Process | None = None
        self._fresh: Process | None = None
        self._starting = asyncio.Lock()
        self.log_path = log_path
        self.kills = 0
        self._log_begins = self._fresh_begins = 0

    async def start(self) -> None:
        """Start it, unless it runs."""
        async with self._starting:
            if self._process is None:
                self._log_begins = self._log_ends()
                self._process = await self._started()

    async def takes_calls(self) -> str:
        """Where it takes calls, once it does. Raises OperatorError when it ended by itself."""
        while (address := self.address()) is None:
            self.check()
            await asyncio.sleep(_POLL_SECONDS)
        return address

    async def stand_by(self) -> None:
        """Start a fresh one beside it, which serves nothing until `hand_over`."""
        async with self._starting:
            if self._fresh is None:
                self._fresh_begins = self._log_ends()
                self._fresh = await self._started()

    async def hand_over(self) -> None:
        """Stop it as soon as a fresh one takes calls, which is it from then on."""
        await self.stand_by()
        async with self._starting:
            while self._is_starting():  # noqa: ASYNC110 (another process)
                await asyncio.sleep(_POLL_SECONDS)
            before, self._process, self._fresh = self._process, self._fresh, None
            self._log_begins = self._fresh_begins
        if before is not None:
            await _end_in_time(before)

    def _is_starting(self) -> bool:
        """Whether the fresh one neither takes calls yet nor has ended."""
        is_alive = self._fresh is not None and self._fresh.returncode is None
        return is_alive and self._said(self._fresh_begins) is None

    async def _started(self) -> Process:
        command = [sys.executable, "-m", "syncer", self._verb]
        if sys.platform == "linux":
            # A demo that is killed must not leave its worker behind.
            command = [sys.executable, "-I", _LAUNCHER, "tied", str(os.getpid()), "-", "-", *command]
        with self.log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=self._whole_environment,
            )

    async def kill(self) -> None:
        """SIGKILL."""
        if (process := self._let_go()) is not None:
            self.kills += 1
            await _end(process, signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long; to one that stands by as well."""
        fresh, self._fresh = self._fresh, None
        for process in (fresh, self._let_go()):
            if process is not None:
                await _end_in_time(process)

    def freeze(self) -> None:
        """SIGSTOP: it stands still where it is, and knows nothing of it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on, if it stood still."""
        self._signal(signal.SIGCONT)

    def check(self) -> None:
        """Raises OperatorError with the end of its log when it ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            lines = self.log_path.read_text("utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise OperatorError(
                f"The worker ended by itself with code {self._process.returncode}; its last words: " + " / ".join(lines)
            )

    def address(self) -> str | None:
        """Where the one that runs now takes calls, as its log says; None until then. With no slash at the end."""
        return None if self._process is None else self._said(self._log_begins)

    def _log_ends(self) -> int:
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def _said(self, begins: int) -> str | None:
        """The first address that its log names from this byte on."""
        if not self.log_path.exists():
            return None
        with self.log_path.open("rb") as log:
            log.seek(begins)
            said = _ADDRESS.search(log.read(_FIRST_BYTES))
        return said[1].decode() if said else None

    def kept_log(self) -> Path:
        """A copy of its log that outlives the stage."""
        handle, name = tempfile.mkstemp(prefix="syncer-worker-", suffix=".log")
        os.close(handle)
        return Path(shutil.copy(self.log_path, name))

    def _signal(self, bell: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(bell)

    def _let_go(self) -> Process | None:
        """From here on its end is our doing, however late we learn of it."""
        process, self._process = self._process, None
        return process


async def _end_in_time(process: Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await _end(process, signal.SIGTERM)
    except TimeoutError:
        await _end(process, signal.SIGKILL)


async def _end(process: Process, bell: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(bell)
        await process.wait()
