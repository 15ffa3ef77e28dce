"""Fixtures named for the state they are in."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import TEMPLATE, Databases
from tests.store.rows import Held, a_held_project


@pytest.fixture
async def held(database: str) -> AsyncIterator[Held]:
    """A project under a worker's lease, with one linked conference."""
    async with a_held_project(database) as made:
        yield made


@pytest.fixture
def other_database(databases: Databases) -> Iterator[str]:
    """The address of a second fresh database with our schema."""
    dsn = databases.make(TEMPLATE)
    yield dsn
    databases.drop(dsn)
