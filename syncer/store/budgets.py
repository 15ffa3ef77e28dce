"""Budgets: what projects may ask of Google, and what their workers have spent of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from syncer.model.budget import Limits, Spend
from syncer.model.calendar import Lease
from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("budgets")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands. spent: None where nobody has written anything down."""

    limits: Limits
    spent: Spend | None


@dataclass(frozen=True, slots=True)
class Written:
    """What is to be written down for a project that is held. pace: of the limit of a minute, 0.0-1.0."""

    lease: Lease
    spend: Spend
    pace: float


async def standing(database: Database, project_ids: Sequence[int]) -> Mapping[int, Standing]:
    """How these projects stand, by id; one that is gone is missing."""
    rows = await database.fetch(_SQL["standing"], list(project_ids))
    return {row["project_id"]: Standing(_limits(row), _spend(row)) for row in rows}


async def write(database: Database, owner: UUID, told: Sequence[Written]) -> Mapping[int, Limits]:
    """Writes down what was spent and is reserved; gives what the projects may ask, by id.

    One that is missing in the answer is another worker's now: nothing was written for it.
    """
    rows = await database.fetch(
        _SQL["write"],
        owner,
        [one.lease.project_id for one in told],
        [one.lease.epoch for one in told],
        [one.spend.minute for one in told],
        [one.spend.reserved for one in told],
        [one.spend.day for one in told],
        [one.spend.day_count for one in told],
        [one.pace for one in told],
    )
    return {row["project_id"]: _limits(row) for row in rows}


def _limits(row: Record) -> Limits:
    return Limits(row["per_minute"], row["per_user_minute"], row["per_day"])


def _spend(row: Record) -> Spend | None:
    if row["day"] is None:
        return None
    return Spend(row["minute_count"], row["reserved_count"], row["day"], row["day_count"])
