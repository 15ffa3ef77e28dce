"""One measured run of one program: a process of its own, on the core that is kept for clients."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.canned.serving import Canned

_NODE_PACKAGES = machine.ROOT / "tests" / "node"
_LONGEST_SECONDS = 180


class RunFailedError(Exception):
    """A program that was to be measured did not do what was asked of it."""


class NotHereError(Exception):
    """A program cannot run on this machine; says why."""


def peer(name: str, count: int, canned: Canned) -> dict[str, Any]:
    """What so many looks cost a peer. Raises NotHereError or RunFailedError."""
    if name == "calendar.mjs":
        return _node(count, canned)
    return run([sys.executable, "-m", "bench.peers", name, str(count), canned.secret], canned)


def _node(count: int, canned: Canned) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None or not (_NODE_PACKAGES / "node_modules" / "@googleapis" / "calendar").is_dir():
        raise NotHereError("there is no Node 18 or newer with npm here")
    script = Path(__file__).parent / "peers" / "calendar.mjs"
    return run([node, str(script), str(count), canned.secret, str(_NODE_PACKAGES)], canned)


def run(command: Sequence[str], canned: Canned, extra: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs a command, which trusts the canned Google's certificate, to its end; gives the JSON of its last line.

    extra: variables for its environment. Raises RunFailedError with the end of what it said.
    """
    certificate = str(canned.certificate)
    trusted = dict.fromkeys(("SSL_CERT_FILE", "HTTPLIB2_CA_CERTS", "NODE_EXTRA_CA_CERTS"), certificate)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SYNCER_")}
    done = subprocess.run(  # noqa: S603 (our own)
        command,
        env=ours | trusted | dict(extra or {}),
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
        cwd=machine.ROOT,
        preexec_fn=machine.pinning(machine.CLIENTS_CORE),
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip() or f"exit code {done.returncode}, and it said nothing").splitlines()
        raise RunFailedError(f"{' '.join(command[1:4])} failed: {' / '.join(said[-3:])}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
