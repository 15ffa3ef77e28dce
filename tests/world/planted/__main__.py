"""`python -m tests.world.planted`: each planted bug in a copy of the tree, and the first seed whose world finds it."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from syncer.model.errors import OperatorError

PATCHES = Path(__file__).parent
ROOT = PATCHES.parents[2]
SEEDS = 200
_FOUND = re.compile(r"seed (\d+) failed after (\d+) worlds and (\d+) s: (.*)")
_WORDS = 90


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one bug. worlds: how many it took, None when no world found it. sentence: what the law said."""

    name: str
    worlds: int | None
    seconds: float
    sentence: str


def main() -> int:
    """0 when every bug was found."""
    options = _options()
    patches = [path for path in sorted(PATCHES.glob("*.patch")) if not options.names or path.stem in options.names]
    with ThreadPoolExecutor(options.jobs) as pool:
        tries = [pool.submit(tried, path, options.seeds) for path in patches]
        rows = list(_told(one.result() for one in as_completed(tries)))
    missed = [row.name for row in rows if row.worlds is None]
    print(f"{len(rows) - len(missed)} of {len(rows)} planted bugs were found", *missed)  # noqa: T201
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.world.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="of patches; all when none is named")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many worlds each bug has to pass")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at once")
    return parser.parse_args()


def _told(rows: Iterator[Found]) -> Iterator[Found]:
    for row in rows:
        worlds = "NOT FOUND" if row.worlds is None else f"{row.worlds} worlds"
        print(f"{row.name:26}{worlds:>12}{row.seconds:7.0f} s  {row.sentence[:_WORDS]}", flush=True)  # noqa: T201
        yield row


def tried(patch: Path, seeds: int) -> Found:
    """The worlds of one bug, from seed 1 on."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="syncer-planted-") as folder:
        try:
            planted(Path(folder), patch)
        except OperatorError as error:
            return Found(patch.stem, None, 0.0, str(error))
        lived = subprocess.run(
            [sys.executable, "-m", "tests.world", "--seeds", str(seeds), "--no-shrink"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    match, seconds = _FOUND.search(lived.stdout), time.monotonic() - began
    if match is None:
        return Found(patch.stem, None, seconds, lived.stderr[-_WORDS:] if lived.returncode else "")
    return Found(patch.stem, int(match[2]), seconds, match[4])


def planted(folder: Path, patch: Path) -> None:
    """A copy of the tree with this bug in it. Raises OperatorError when the patch does not fit."""
    for name in ("syncer", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    command = ["git", "apply", "--recount", str(patch)]
    # Not part of any repository, or git would look for the files there.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    applied = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if applied.returncode:
        raise OperatorError(f"{patch.name} does not fit the tree any more: {applied.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
