"""Random worlds keep the law; `make world` runs many more of them."""

from __future__ import annotations

import pytest

from tests.conftest import Databases
from tests.world import engine, moves
from tests.world.engine import Outcome

SEEDS = range(1, 17)
_TRIES = 25


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_keeps_the_law(databases: Databases, seed: int) -> None:
    outcome = engine.live(databases, seed, moves.drawn(seed))
    assert not outcome.broken, _story(engine.shortened(databases, outcome, tries=_TRIES))


def _story(outcome: Outcome) -> str:
    return "\n".join(["", *outcome.broken, f"Again: {outcome.command}"])
