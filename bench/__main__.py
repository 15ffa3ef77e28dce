"""Measures and tells: `make bench`, or `python -m bench --help`."""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import machine, measuring, picture, report, rows, runs
from bench.measuring import Bench
from bench.rows import FULL, QUICK

RESULTS = report.FOLDER / "results"
PAGE = report.FOLDER / "README.md"


def _command(size: rows.Size) -> str:
    chosen = "--quick" if size is QUICK else f"--rounds {size.rounds}" if size.rounds != FULL.rounds else ""
    return f'make bench BENCH_ARGUMENTS="{chosen}"' if chosen else "make bench"


def _arguments() -> argparse.Namespace:
    known = [*(one.name for one in rows.OURS), *(peer.name for peer in rows.PEERS)]
    parser = argparse.ArgumentParser(prog="python -m bench", description="What syncer costs, beside other clients.")
    parser.add_argument("--quick", action="store_true", help="one short round, shown and not kept")
    parser.add_argument("--rounds", type=int, default=FULL.rounds, help="of a full run, whose medians are kept")
    parser.add_argument("--only", nargs="+", default=[], choices=known, metavar="ROW", help="some rows, not kept")
    return parser.parse_args()


async def _measured(size: rows.Size, only: list[str]) -> dict[str, Any]:
    async with measuring.opened(size, only) as bench:
        ceiling = await bench.ceiling()
        for one in ceiling:
            print(
                f"The canned Google answers {one['per_s']:,} looks a second {one['how']}: {one['server_us']} µs each."
            )
        rounds = [await _round(bench, number) for number in range(size.rounds)]
        about = {
            "command": _command(size),
            "is_quick": size is QUICK,
            "machine": machine.described(bench.postgres.version),
            "ceiling": ceiling,
        }
        left_out = {peer.label: bench.left_out[peer.name] for peer in rows.PEERS if peer.name in bench.left_out}
        return report.document(rounds, left_out, about)


async def _round(bench: Bench, number: int) -> Any:
    print(f"round {number + 1} of {bench.size.rounds}", file=sys.stderr)
    return await bench.round(is_first=number == 0)


def _keep(made: dict[str, Any], folder: Path, page: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "looks.svg").write_text(picture.drawn(made), "utf-8")
    page.write_text(report.with_figures(page.read_text("utf-8"), made), "utf-8")


def main() -> int:
    """Measures, prints the tables, and keeps those of a full run."""
    arguments = _arguments()
    if sys.platform != "linux":
        print("The bench reads what processes cost from /proc, so it runs on Linux only.", file=sys.stderr)
        return 2
    size = QUICK if arguments.quick else replace(FULL, rounds=arguments.rounds)
    try:
        made = asyncio.run(_measured(size, arguments.only))
    except runs.RunFailedError as error:
        print(f"Nothing was kept: {error}", file=sys.stderr)
        return 1
    print(report.tables(made))
    if not arguments.quick and not arguments.only:
        _keep(made, RESULTS, PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
