"""Stages without a worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.run.worker import leave
from tests.sync.stage import Acted, Booked, a_stage


@pytest.fixture
async def stage(database: str, tmp_path: Path) -> AsyncIterator[Acted]:
    """A tenant with three calendars that were read, and whose project nobody serves."""
    async with a_stage(database, tmp_path) as made:
        await made.follow()
        await leave(made)
        yield made


@pytest.fixture
async def booked(stage: Acted) -> Booked:
    """An event on Ana's calendar that nobody has followed yet."""
    return await stage.book()
