"""Marks on calendars that Google says changed: written by receivers, read and taken away by workers."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from syncer.model.calendar import CalendarKey
from syncer.store import statements
from syncer.store.database import Database

# What Postgres tells workers by; the payload is a project id.
CHANNEL = "syncer_notified"
_SQL = statements.of("notified")
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """A channel that a message named. is_live: it is not over. is_unnamed: what it watches has no name yet."""

    channel_id: UUID
    secret_hash: bytes
    key: CalendarKey
    project_id: int
    is_live: bool
    is_unnamed: bool


class Mark(NamedTuple):
    """A calendar that was told of. number: another one with each telling. at: when, the last time, by Postgres."""

    project_id: int
    key: CalendarKey
    number: int
    at: datetime


async def known(database: Database, channel_ids: Collection[UUID]) -> dict[UUID, Known]:
    """Those of these channels that there are, by their ids."""
    rows = await database.fetch(_SQL["known"], list(channel_ids))
    return {
        row["channel_id"]: Known(
            channel_id=row["channel_id"],
            secret_hash=row["secret_hash"],
            key=CalendarKey(row["tenant_id"], row["calendar_id"]),
            project_id=row["project_id"],
            is_live=row["is_live"],
            is_unnamed=row["is_unnamed"],
        )
        for row in rows
    }


async def mark(database: Database, told: Iterable[Known]) -> frozenset[CalendarKey]:
    """Marks the calendars of these channels in one statement, and wakes their projects' workers; gives those marked.

    Needs no lease, for a mark can only ask for a look.
    """
    named = list({(one.key, one.project_id) for one in told})
    if not named:
        return frozenset()
    rows = await database.fetch(
        _SQL["mark"],
        [key.tenant_id for key, _ in named],
        [key.calendar_id for key, _ in named],
        [project_id for _, project_id in named],
    )
    return frozenset(CalendarKey(row["tenant_id"], row["calendar_id"]) for row in rows)


async def name_resources(database: Database, resource_ids: dict[UUID, str]) -> None:
    """Keeps Google's names of what these channels watch, where none is known."""
    if resource_ids:
        await database.run(_SQL["name_resources"], list(resource_ids), list(resource_ids.values()))


async def pages(database: Database, project_ids: Sequence[int]) -> AsyncIterator[list[Mark]]:
    """The marks of these projects, by calendar, some hundreds at a time."""
    behind = (0, 0)
    while project_ids:
        rows = await database.fetch(_SQL["pages"], project_ids, *behind, PAGE)
        if rows:
            yield [
                Mark(
                    row["project_id"],
                    CalendarKey(row["tenant_id"], row["calendar_id"]),
                    row["mark"],
                    row["notified_at"],
                )
                for row in rows
            ]
            behind = (rows[-1]["tenant_id"], rows[-1]["calendar_id"])
        if len(rows) < PAGE:
            return


async def forget(database: Database, marks: Sequence[tuple[CalendarKey, int]]) -> None:
    """Takes away these marks, by calendar and number. A calendar that was told of again keeps its newer one."""
    if marks:
        await database.run(
            _SQL["forget"],
            [key.tenant_id for key, _ in marks],
            [key.calendar_id for key, _ in marks],
            [number for _, number in marks],
        )


async def prune(database: Database) -> None:
    """Takes away the marks of calendars that are gone."""
    await database.run(_SQL["prune"])
