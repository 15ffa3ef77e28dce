"""Leases on projects: taking, keeping and giving back the right to serve one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from syncer.model.calendar import Lease
from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("leases")
_AT_ONCE = 1000


async def take(
    database: Database, owner: UUID, held: Sequence[int] = (), *, lease_seconds: float, now: datetime
) -> list[Lease]:
    """Leases that were free or had run out by the database's clock, ours now under a new epoch.

    held: project ids that we know to be ours already.
    """
    rows = await database.fetch(_SQL["take"], owner, lease_seconds, now, _AT_ONCE, list(held))
    return [Lease(row["project_id"], owner, row["epoch"]) for row in rows]


async def renew(
    database: Database, owner: UUID, held: Sequence[Lease], *, lease_seconds: float, now: datetime
) -> frozenset[int]:
    """Renews what is held; gives the project ids that are still ours. The others are lost."""
    projects = [lease.project_id for lease in held]
    epochs = [lease.epoch for lease in held]
    rows = await database.fetch(_SQL["renew"], owner, lease_seconds, now, projects, epochs)
    return frozenset(row["project_id"] for row in rows)


async def release(database: Database, owner: UUID) -> None:
    """Gives back everything that this owner holds."""
    await database.run(_SQL["release"], owner)


async def clock_shift(database: Database) -> timedelta:
    """How far this cluster's clock is set off; nothing except on clusters for tests and demos."""
    shift = await database.value(_SQL["shift"])
    return shift if isinstance(shift, timedelta) else timedelta()
