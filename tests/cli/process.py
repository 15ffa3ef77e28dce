"""The console script as a process of its own."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 30.0


def environment(**more: str) -> dict[str, str]:
    """This process's variables without any SYNCER_… of its own, no port for callers, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
    return kept | {"SYNCER_LISTEN": "off"} | more


@contextmanager
def started(*arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`syncer` with these arguments and variables, killed at the end if it still runs."""
    with _interruptible():
        process = subprocess.Popen(
            [sys.executable, "-m", "syncer", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**more),
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=_SECONDS)


def on_a_terminal(*arguments: str, **more: str) -> str:
    """Everything that `syncer` shows on a terminal of its own."""
    _, shown = answered_on_a_terminal("", *arguments, **more)
    return shown


def answered_on_a_terminal(typed: str, *arguments: str, **more: str) -> tuple[int, str]:
    """The exit code, and everything that `syncer` shows on a terminal of its own on which this is typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    with subprocess.Popen(
        [sys.executable, "-m", "syncer", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm", **more),
    ) as process:
        os.close(theirs)
        shown = _until_closed(ours)
        return process.wait(_SECONDS), shown


@contextmanager
def _interruptible() -> Iterator[None]:
    """Children that are started inside heed SIGINT, which a shell has those that it starts with `&` ignore.

    A handler of ours becomes the default in the child; that needs no code between fork and exec.
    """
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _until_closed(terminal: int) -> str:
    shown = b""
    with os.fdopen(terminal, "rb", buffering=0) as stream:
        while True:
            try:
                chunk = stream.read(65_536)
            except OSError:  # EIO: on Linux the way a terminal says that its other side is closed
                chunk = b""
            if not chunk:
                return shown.decode()
            shown += chunk
