"""Random worlds keep the law; `make world` runs many more of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Databases
from tests.world import draws, engine
from tests.world.engine import Outcome
from tests.world.ground import Ground, ground

SEEDS = range(1, 61)
_TRIES = 25


@pytest.fixture(scope="module", name="ground")
def one_ground(databases: Databases) -> Iterator[Ground]:
    """Where the worlds of this process follow one another."""
    with ground(databases) as made:
        yield made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_keeps_the_law(ground: Ground, seed: int) -> None:
    outcome = engine.live(ground, seed, draws.drawn(seed))
    assert not outcome.broken, _story(engine.shortened(ground, outcome, tries=_TRIES))


def _story(outcome: Outcome) -> str:
    return "\n".join(["", *outcome.broken, f"Again: {outcome.command}"])
