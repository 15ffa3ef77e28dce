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
TABLE = PATCHES / "FOUND.md"
"""What came of each bug when it was tried last."""
_FAILED = re.compile(r"seed (\d+) failed after \d+ worlds and \d+ s: (.*)")
_ROW = re.compile(r"\| `(\w+)` \|.*")
_WORDS = 110
_AGAIN = 3
"""Worlds without the bug, one after another, that must keep the law by the seed that found it."""
_HEAD = """# Planted bugs, and the worlds that found them

Made by `make planted`, which lives worlds with each bug from seed 1 on, at most {seeds}. A find counts only if the same
seed keeps the law without the bug, {again} times.

| bug | what is wrong | worlds | what the law said |
| --- | --- | ---: | --- |
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one bug. worlds: how many it took, None when no world found it. sentence: what the law said."""

    patch: Path
    worlds: int | None
    seconds: float
    sentence: str

    @property
    def row(self) -> str:
        """Its row in the table."""
        bug = self.patch.read_text("utf-8").splitlines()[0]
        worlds = "not found" if self.worlds is None else self.worlds
        return f"| `{self.patch.stem}` | {bug} | {worlds} | {self.sentence[:_WORDS].replace('|', '/')} |"


def main() -> int:
    """0 when every bug was found."""
    options = _options()
    patches = [path for path in sorted(PATCHES.glob("*.patch")) if not options.names or path.stem in options.names]
    with ThreadPoolExecutor(options.jobs) as pool:
        tries = [pool.submit(tried, path, options.seeds) for path in patches]
        rows = list(_told((one.result() for one in as_completed(tries)), options.seeds))
    missed = [row.patch.stem for row in rows if row.worlds is None]
    print(f"{len(rows) - len(missed)} of {len(rows)} planted bugs were found", *missed)  # noqa: T201
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.world.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="of patches; all when none is named")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many worlds each bug has to pass")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at once")
    return parser.parse_args()


def _told(rows: Iterator[Found], seeds: int) -> Iterator[Found]:
    for row in rows:
        worlds = "NOT FOUND" if row.worlds is None else f"{row.worlds} worlds"
        print(f"{row.patch.stem:31}{worlds:>12}{row.seconds:7.0f} s  {row.sentence[:_WORDS]}", flush=True)  # noqa: T201
        _keep(row, seeds)
        yield row


def _keep(row: Found, seeds: int) -> None:
    """Write the table: a new row for the bug that was tried, the old ones for the others."""
    lines = TABLE.read_text("utf-8").splitlines() if TABLE.exists() else []
    known = {match[1]: match[0] for match in map(_ROW.fullmatch, lines) if match}
    known[row.patch.stem] = row.row
    there = {path.stem for path in PATCHES.glob("*.patch")}
    table = [text for name, text in sorted(known.items()) if name in there]
    TABLE.write_text(_HEAD.format(seeds=seeds, again=_AGAIN) + "".join(f"{text}\n" for text in table), "utf-8")


def tried(patch: Path, seeds: int) -> Found:
    """The worlds of one bug, from seed 1 on."""
    began, first = time.monotonic(), 1
    with TemporaryDirectory(prefix="syncer-planted-") as folder:
        try:
            planted(Path(folder), patch)
        except OperatorError as error:
            return Found(patch, None, 0.0, str(error))
        while first <= seeds:
            lived = _lived(Path(folder), "--first", first, "--seeds", seeds - first + 1, "--no-shrink")
            match = _FAILED.search(lived.stdout)
            if match is None:
                return Found(patch, None, time.monotonic() - began, lived.stderr[-_WORDS:] if lived.returncode else "")
            seed = int(match[1])
            if not _lived(ROOT, "--seed", seed, "--times", _AGAIN, "--no-shrink").returncode:
                return Found(patch, seed, time.monotonic() - began, match[2])
            print(f"{patch.stem}: seed {seed} fails without the bug as well", flush=True)  # noqa: T201
            first = seed + 1
    return Found(patch, None, time.monotonic() - began, "")


def _lived(folder: Path, *options: str | int) -> subprocess.CompletedProcess[str]:
    """Worlds by the code in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "tests.world", *map(str, options)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


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
