"""Stages, named for the state they are in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sync.stage import Acted, Booked, a_stage


@pytest.fixture
async def stage(database: str, tmp_path: Path) -> AsyncIterator[Acted]:
    """A tenant with the calendars of Ana, of Bo and of a room, all empty."""
    async with a_stage(database, tmp_path) as made:
        await made.follow()
        yield made


@pytest.fixture
async def booked(stage: Acted) -> Booked:
    """An event on Ana's calendar whose meeting follows."""
    made = await stage.book()
    await stage.follow()
    return made
