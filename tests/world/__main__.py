"""`python -m tests.world`: many worlds by their seeds, or one again by its moves."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.world import draws, engine, moves, together
from tests.world.engine import Outcome
from tests.world.ground import Ground, own_ground
from tests.world.moves import Move

DONE = Path(__file__).parent / "done.txt"
"""How many seeds were lived through without a failure, by commit; of this machine, and not in git."""
FAILED = Path(__file__).parent / "failed"
"""The stories of worlds that failed; of this machine too."""
_TRIES = 60
_EVERY = 25


def main() -> int:
    """0 when no law was broken, 1 when one was, 2 for wrong usage."""
    options = _options()
    try:
        listed = None if options.moves is None else moves.heard(options.moves)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if options.seed is not None:
        with own_ground() as ground:
            return _one(ground, options.seed, listed, times=options.times, is_shrinking=options.shrink)
    seeds = range(options.first, options.first + options.seeds)
    return _many(seeds, jobs=options.jobs, is_shrinking=options.shrink, goes_on=options.go_on)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at once, each in a process of its own")
    parser.add_argument("--go-on", action="store_true", help="live all worlds, though some have failed")
    parser.add_argument("--seed", type=int, help="this world only")
    parser.add_argument("--moves", help="with --seed: these moves instead of the seed's own")
    parser.add_argument("--times", type=int, default=1, help="with --seed: so often")
    parser.add_argument(
        "--no-shrink", dest="shrink", action="store_false", help="leave a failing world as long as it is"
    )
    return parser.parse_args()


def _one(ground: Ground, seed: int, listed: Sequence[Move] | None, *, times: int, is_shrinking: bool) -> int:
    chosen = draws.drawn(seed) if listed is None else list(listed)
    outcomes = [engine.live(ground, seed, chosen) for _ in range(times)]
    failed = [outcome for outcome in outcomes if outcome.broken]
    for outcome in failed:
        _write(outcome)
    if failed:
        _tell(engine.shortened(ground, failed[0], tries=_TRIES) if is_shrinking and listed is None else failed[0])
    _say(f"{len(failed)} of {times} failed; {sum(outcome.seconds for outcome in outcomes) / times:.2f} s a world")
    return 1 if failed else 0


def _many(seeds: range, *, jobs: int, is_shrinking: bool, goes_on: bool) -> int:
    began, number, failed = time.monotonic(), 0, list[Outcome]()
    try:
        with closing(together.lived(seeds, jobs)) as outcomes:
            for number, outcome in enumerate(outcomes, 1):
                _tell_progress(outcome, number, len(seeds), time.monotonic() - began)
                failed += [outcome] if outcome.broken else []
                if failed and not goes_on:
                    break
    finally:
        _keep(number - len(failed))
    seconds = time.monotonic() - began
    _say(f"{number} worlds, {len(failed) or 'none'} against the law; {seconds:.0f} s, {seconds / number:.2f} s a world")
    if failed and is_shrinking:
        with own_ground() as ground:
            _tell(engine.shortened(ground, failed[0], tries=_TRIES))
    return 1 if failed else 0


def _tell_progress(outcome: Outcome, number: int, count: int, seconds: float) -> None:
    if outcome.broken:
        _write(outcome)
        _say(f"seed {outcome.seed} failed after {number} worlds and {seconds:.0f} s: {outcome.broken[0]}")
    elif number % _EVERY == 0:
        _say(f"{number} of {count} worlds, {seconds:.0f} s")


def _tell(outcome: Outcome) -> None:
    _say(f"The shortest failing world of seed {outcome.seed} has {len(outcome.moves)} moves:")
    for move in outcome.moves:
        _say(f"    {move}")
    for sentence in outcome.broken:
        _say(f"  {sentence}")
    _say(f"Again: {outcome.command}")


def _write(outcome: Outcome) -> None:
    FAILED.mkdir(exist_ok=True)
    lines = [*outcome.broken, outcome.command, "", *outcome.story]
    (FAILED / f"{outcome.seed}.txt").write_text("\n".join(lines) + "\n", "utf-8")


def _keep(count: int) -> None:
    """Add to the seeds done for this commit."""
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    commit = git.stdout.strip() or "unknown"
    lines = DONE.read_text("utf-8").splitlines() if DONE.exists() else []
    done = Counter({name: int(number) for name, number in (line.split() for line in lines)})
    done[commit] += count
    DONE.write_text("".join(f"{name} {number}\n" for name, number in done.items()), "utf-8")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
