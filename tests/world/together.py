"""Many worlds at once, each process on a ground of its own; what came of them is told in order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator
from contextlib import suppress
from multiprocessing.connection import Connection

from tests.world import draws, engine
from tests.world.engine import Outcome
from tests.world.ground import own_ground


def lived(seeds: range, jobs: int) -> Generator[Outcome, None, None]:
    """What came of each world, in the order of their seeds, however many are lived at once."""
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in range(min(jobs, len(seeds)))]
    children = [spawn.Process(target=_live, args=(seeds[n :: len(pipes)], pipe)) for n, (_, pipe) in enumerate(pipes)]
    for child, (_, there) in zip(children, pipes, strict=True):
        child.start()
        there.close()
    try:
        for number in range(len(seeds)):
            yield pipes[number % len(pipes)][0].recv()
    finally:
        for here, _ in pipes:
            here.close()
        for child in children:
            child.join()


def _live(seeds: range, outcomes: Connection) -> None:
    """Live these worlds one after another on a ground of their own, as long as anybody wants to know of them."""
    with own_ground() as ground, suppress(BrokenPipeError, KeyboardInterrupt):
        for seed in seeds:
            outcomes.send(engine.live(ground, seed, draws.drawn(seed)))
