"""Fixtures named for the state they are in."""

from collections.abc import AsyncIterator

import pytest

from tests.store.rows import Held, a_held_project


@pytest.fixture
async def held(database: str) -> AsyncIterator[Held]:
    """A project under a worker's lease, with one linked conference."""
    async with a_held_project(database) as made:
        yield made
