"""`python -m tests.chaos`: many rounds, one after the other, each told in a line; at the end, which were not right.

Before them receivers are killed, each right after an answer to Google.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter

from tests.chaos import receivers, rounds
from tests.chaos.rounds import Round
from tests.chaos.violence import Blow
from tests.conftest import TEMPLATE, Databases
from tests.world.ground import cluster


def main() -> int:
    """0 when every round ended right, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--kills", type=int, default=1000, help="how many receivers are killed before")
    options = parser.parse_args()
    with cluster() as databases:
        lost = _receivers(databases, options.kills)
        played = [_one(databases, seed) for seed in range(options.first, options.first + options.rounds)]
    wrong = [str(one.seed) for one in played if not one.is_right]
    blows: Counter[Blow] = sum((one.blows for one in played), Counter())
    told = ", ".join(f"{blows[blow]} times {blow}" for blow in Blow)
    told += f" ({sum(one.on_holders for one in played)} times with the lease)"
    _tell(f"{len(played) - len(wrong)} of {len(played)} rounds right; workers were {told}.")
    if wrong:
        _tell(f"Not right: {', '.join(wrong)}.")
    return 1 if wrong or lost else 0


def _receivers(databases: Databases, kills: int) -> list[str]:
    dsn, began = databases.make(TEMPLATE), time.monotonic()
    try:
        lost = asyncio.run(receivers.play(dsn, kills))
    finally:
        databases.drop(dsn)
    _tell(
        "\n".join(
            [f"{kills} receivers killed, {len(lost) or 'none'} lost an answer; {time.monotonic() - began:.0f} s", *lost]
        )
    )
    return lost


def _one(databases: Databases, seed: int) -> Round:
    dsn = databases.make(TEMPLATE)
    try:
        played = asyncio.run(rounds.play(dsn, seed))
    finally:
        databases.drop(dsn)
    _tell("\n".join([str(played), *played.faults()]))
    return played


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
