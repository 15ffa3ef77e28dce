"""Killed and frozen workers lose, double and spoil nothing; `make chaos` plays many more rounds."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos import rounds
from tests.chaos.violence import Blow


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1])
def test_workers_that_are_killed_and_frozen_leave_every_meeting_right(database: str, seed: int) -> None:
    played = asyncio.run(rounds.play(database, seed))

    assert played.is_right, "\n".join([str(played), *played.faults()])
    assert played.blows[Blow.KILL] > 0
    assert played.on_holders > 0
