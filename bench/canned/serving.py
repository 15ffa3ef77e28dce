"""The canned Google as a process of its own, and what a run asks of it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import machine


@dataclass(frozen=True, slots=True)
class Canned:
    """A running canned Google. plain, secret: its roots without and with TLS. certificate: what proves the latter."""

    plain: str
    secret: str
    certificate: Path

    def set(self, **wanted: object) -> None:
        """Sets what looks find and whether the provider answers, and forgets the counts."""
        ask(self.plain, "PUT", wanted)

    def told(self) -> dict[str, Any]:
        """What was counted since."""
        return ask(self.plain, "GET")


def ask(root: str, method: str, wanted: object = None) -> dict[str, Any]:
    """One call to the control face of the canned Google at this plain root."""
    connection = http.client.HTTPConnection(urlsplit(root).netloc, timeout=10)
    try:
        connection.request(method, "/bench", body=None if wanted is None else json.dumps(wanted))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer


@contextmanager
def canned(folder: Path) -> Iterator[Canned]:
    """Serves for as long as the block lasts, on the core that is kept for servers."""
    process = subprocess.Popen(  # noqa: S603 (our own)
        [sys.executable, "-m", "bench.canned", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=machine.ROOT,
        preexec_fn=machine.pinning(machine.SERVERS_CORE),
    )
    assert process.stdin is not None  # noqa: S101 (asked for above)
    assert process.stdout is not None  # noqa: S101
    try:
        said = json.loads(process.stdout.readline())
        yield Canned(said["plain"], said["secret"], folder / "certificate.pem")
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
