"""Profiles: where the client's time goes in some rows, seen by py-spy; kept on the page beside the figures.

Each sample counts for the innermost function that Python knows: what a C extension does counts for who has called it.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench import report

PAGE = report.FOLDER / "README.md"
BEGIN, END = "<!-- profiles: made by `make profiles` -->", "<!-- end of profiles -->"
ROWS = {"quiet": "a quiet look", "changed": "a changed event", "pushed": "a changed meeting"}
_RATE = 250
_LONGEST = 8
# By where a function's file lies; the first that fits.
_ROOMS = {
    "syncer/rules/": "rules: parse, decide, compose, schedule",
    "syncer/sync/": "sync: sweep, pull, push, and what they know",
    "syncer/store/": "store: rows and statements",
    "asyncpg/": "store: rows and statements",
    "syncer/clients/google/": "clients: Google's batches",
    "syncer/clients/": "clients: calls to the provider",
    "standardwebhooks/": "clients: calls to the provider",
    "aiohttp/": "aiohttp, TLS, addresses",
    "yarl/": "aiohttp, TLS, addresses",
    "multidict/": "aiohttp, TLS, addresses",
    "ssl.py": "aiohttp, TLS, addresses",
    "syncer/": "supervisor, model, grouping",
    "asyncio/": "the loop and its tasks",
    "uvloop/": "the loop and its tasks",
}


def recorded(row: str) -> list[str]:
    """One round of a row under py-spy, as lines `frame;frame;… samples`. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "profile"
        spy = ["py-spy", "record", "--subprocesses", "--rate", str(_RATE), "--format", "raw", "--output", str(raw)]
        bench = [sys.executable, "-m", "bench", "--rounds", "1", "--only", row]
        subprocess.run([str(Path(sys.executable).parent / spy[0]), *spy[1:], "--", *bench], check=True, stdout=2)  # noqa: S603
        return raw.read_text("utf-8").splitlines()


def samples(lines: Iterable[str], row: str) -> Iterator[tuple[str, int]]:
    """The innermost frames of the service's own process while it runs, and how often each was seen."""
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        is_ours = any(f"bench.ours {row}" in frame for frame in frames)
        if is_ours and "uvloop/" in stack and "importlib" not in stack:
            yield frames[-1], int(count)


def table(lines: Iterable[str], row: str) -> str:
    """One row's profile as Markdown: shares of the rooms, and the functions that take most."""
    rooms, functions = Counter[str](), Counter[str]()
    for frame, count in samples(lines, row):
        name, _, where = frame.rstrip(")").partition(" (")
        path = where.rpartition(":")[0]
        rooms[next((room for start, room in _ROOMS.items() if path.startswith(start)), "others")] += count
        functions[f"`{name}` ({Path(path).name})"] += count
    whole = sum(rooms.values())
    shares = "\n".join(f"| {room} | {count / whole:.0%} |" for room, count in rooms.most_common())
    most = ", ".join(f"{name} {count / whole:.1%}" for name, count in functions.most_common(_LONGEST))
    return f"| {ROWS[row]} | of {whole:,} samples |\n| --- | ---: |\n{shares}\n\nMost: {most}."


def main() -> int:
    """Prints the profiles, and keeps them on the page."""
    made = "\n\n".join(table(recorded(row), row) for row in ROWS)
    print(made)
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
