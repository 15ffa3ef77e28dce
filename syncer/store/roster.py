"""Who is served: what a worker must know of a project's tenants and calendars, all of it or what has changed."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from syncer.model.calendar import Calendar, CalendarKey, Lease
from syncer.store import calendars, statements
from syncer.store.database import Database

_SQL = statements.of("roster")
# So many are made and taken over in some milliseconds.
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Stirred:
    """What has changed in a project. since: where the next listing begins. revision: of the project itself; where it
    has moved, everything is to be listed. has_tenants: some tenant has changed."""

    since: int
    revision: int
    has_tenants: bool


class Moved(NamedTuple):
    """A sync token that moved though nothing had changed. generation: of the full read that it goes back to."""

    key: CalendarKey
    generation: int
    sync_token: str


async def stirred(database: Database, project_id: int, since: int) -> Stirred:
    """What has changed in a project since a listing that began with this `since`; 0 before the first."""
    row = await database.first(_SQL["stirred"], project_id, since)
    return Stirred(since, 0, has_tenants=False) if row is None else Stirred(**dict(row))


async def pages(
    database: Database,
    project_id: int,
    since: int,
    *,
    tenant_ids: Sequence[int] | None = None,
    is_restart: bool = False,
) -> AsyncIterator[list[Calendar]]:
    """The calendars that are served, parked ones included, and have changed since; by key, some hundreds at a time.

    since: 0 for all of them, and then of these tenants only, if any are named. is_restart: then those whose credential
    could not be used wait for nothing.
    """
    behind = (0, 0)
    while True:
        if since:
            rows = await database.fetch(_SQL["changed"], project_id, since, *behind, _PAGE)
        else:
            rows = await database.fetch(_SQL["all"], project_id, *behind, _PAGE, tenant_ids, is_restart)
        if rows:
            yield [calendars.calendar_of(row) for row in rows]
            behind = (rows[-1]["tenant_id"], rows[-1]["calendar_id"])
        if len(rows) < _PAGE:
            return


async def paused(database: Database, project_id: int, since: int) -> list[CalendarKey]:
    """The calendars that were paused since."""
    rows = await database.fetch(_SQL["paused"], project_id, since)
    return [CalendarKey(row["tenant_id"], row["calendar_id"]) for row in rows]


async def save_tokens(database: Database, lease: Lease, moved: Sequence[Moved]) -> None:
    """Saves sync tokens that moved without changes. Loses nothing when it is not done, or when the lease is lost."""
    await database.run(
        _SQL["save_tokens"],
        *(lease.project_id, lease.owner, lease.epoch),
        [one.key.tenant_id for one in moved],
        [one.key.calendar_id for one in moved],
        [one.generation for one in moved],
        [one.sync_token for one in moved],
    )
