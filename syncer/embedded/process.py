"""Postgres as a process: start it and find it ready, stop it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from syncer.embedded import launch, postmaster
from syncer.embedded.binaries import Binaries
from syncer.embedded.cluster import Cluster, environment, make_private
from syncer.embedded.errors import EmbeddedError
from syncer.embedded.waiting import until

_LAUNCH_SECONDS = 20.0
# Long, for a cluster that was cut off replays its log first.
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_ATTEMPTS = 5
# Another program took the port between our look and Postgres's; survivors of a killed Postgres are about to end.
_PASSING = ("could not create any TCP/IP sockets", "is still in use", 'file "postmaster.pid" already exists')


@dataclass(frozen=True, slots=True)
class Running:
    """A Postgres that we started or found. child: its process where it is a child of ours."""

    cluster: Cluster
    pid: int
    child: subprocess.Popen[bytes] | None = None

    def has_ended(self) -> bool:
        """Whether it is gone; a child of ours is thereby waited for."""
        if self.child is not None:
            return self.child.poll() is not None
        return postmaster.has_ended(self.pid, self.cluster.data_folder)

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        found = postmaster.of(self.cluster.data_folder)
        return found is not None and found.pid == self.pid and found.is_ready


async def start(cluster: Cluster, binaries: Binaries, *, is_lasting: bool) -> Running:
    """Starts Postgres and waits until it takes connections.

    is_lasting: it outlives us; else it ends with us.
    Raises EmbeddedError with Postgres's own last lines when it does not start.
    """
    make_private(cluster.socket_folder, cluster.account)
    mode = "free" if is_lasting else _tie()
    for attempt in range(1, _ATTEMPTS):
        log_bytes = cluster.log_path.stat().st_size if cluster.log_path.exists() else 0
        try:
            return await _started(cluster, binaries, mode)
        except EmbeddedError:
            said = cluster.log_path.read_bytes()[log_bytes:].decode("utf-8", "replace")
            if not any(sign in said for sign in _PASSING):
                raise
        await asyncio.sleep(0.2 * attempt)
    return await _started(cluster, binaries, mode)


async def wait_ready(running: Running) -> bool:
    """Waits until Postgres takes connections or has ended; gives whether it takes them."""
    await until(lambda: running.is_ready() or running.has_ended(), _START_SECONDS)
    return running.is_ready()


async def stop(running: Running, how: signal.Signals) -> None:
    """Stops Postgres and waits until it has ended.

    how: SIGINT ends sessions and writes everything, SIGQUIT ends at once.
    Raises EmbeddedError when it does not end within a minute.
    """
    if running.has_ended():
        return
    os.kill(running.pid, how)
    if not await until(running.has_ended, _STOP_SECONDS):
        raise running.cluster.failure(f"Postgres (process {running.pid}) does not stop")


def _tie() -> str:
    """The kernel's tie belongs to the thread that starts Postgres, so only the main thread may ask for it."""
    is_main = threading.current_thread() is threading.main_thread()
    return "tied" if is_main and sys.platform == "linux" else "child"


async def _started(cluster: Cluster, binaries: Binaries, mode: str) -> Running:
    postmaster.forget_stale(cluster.data_folder)
    process = _launch(cluster, binaries, mode)
    if mode == "free":
        running = Running(cluster, await _pid_from(cluster, process))
    else:
        running = Running(cluster, process.pid, process)
    is_ready = False
    try:
        is_ready = await wait_ready(running)
    finally:
        if not is_ready:
            await _end(running)
    if not is_ready:
        raise cluster.failure(f"Postgres {binaries.version} did not start")
    return running


def _launch(cluster: Cluster, binaries: Binaries, mode: str) -> subprocess.Popen[bytes]:
    account = cluster.account
    drop = (str(account.uid), str(account.gid)) if account.is_other else ("-", "-")
    script = (sys.executable, "-I", "-S", str(Path(launch.__file__)), mode, str(os.getpid()), *drop)
    with cluster.log() as log:
        return subprocess.Popen(  # noqa: S603 (our own argument list)
            [*script, str(binaries.folder / "postgres"), *_arguments(cluster)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if mode == "free" else log,
            stderr=log,
            cwd="/",
            env=environment(),
            # Not in our group: Ctrl-C at a terminal is for us, who may still need the database to end well.
            start_new_session=True,
        )


def _arguments(cluster: Cluster) -> list[str]:
    settings = (
        f"port={_free_port()}",
        "listen_addresses=127.0.0.1",
        # A list of folders in Postgres's eyes: quoted, a comma in the name is part of the name.
        f'unix_socket_directories="{cluster.socket_folder}"',
        "unix_socket_permissions=0700",
        "timezone=UTC",
        "log_timezone=UTC",
        "log_checkpoints=off",
        "max_connections=200",
        *cluster.options,
    )
    return ["-D", str(cluster.data_folder), *(word for setting in settings for word in ("-c", setting))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _pid_from(cluster: Cluster, process: subprocess.Popen[bytes]) -> int:
    """The pid that the launching script tells before it ends."""
    if not await until(lambda: process.poll() is not None, _LAUNCH_SECONDS):
        process.kill()
    said = process.communicate()[0]
    if not said.strip().isdigit():
        raise cluster.failure("Postgres could not be launched")
    return int(said)


async def _end(running: Running) -> None:
    if not running.has_ended():
        os.kill(running.pid, signal.SIGQUIT)
        await until(running.has_ended, _STOP_SECONDS)
