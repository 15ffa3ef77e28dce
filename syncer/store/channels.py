"""Channels by which Google tells of calendars: which are due, what became of each, how one calendar is told of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from syncer.model.calendar import CalendarKey, Lease
from syncer.store import statements
from syncer.store.database import Database

_SQL = statements.of("channels")
_SETTLED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Due:
    """A calendar whose channel is to be made or renewed. failures: tries that failed, in a row."""

    key: CalendarKey
    failures: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A channel that is about to be asked for.

    lasts_seconds: it is over then, unless Google grants something else. again_seconds: another one is not asked for
    before, while nobody knows what came of this one.
    """

    channel_id: UUID
    key: CalendarKey
    secret_hash: bytes
    address: str
    credential: str
    subject: str | None
    lasts_seconds: float
    again_seconds: float


@dataclass(frozen=True, slots=True)
class Setback:
    """A watch that failed. may_exist: nobody knows whether there is a channel. due_at: when to ask again, aware."""

    may_exist: bool
    due_at: datetime
    failures: int
    is_unwatchable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """A channel that is to be stopped, and whose it is. failures: tries that failed, in a row."""

    channel_id: UUID
    resource_id: str
    credential: str
    subject: str | None
    failures: int


@dataclass(frozen=True, slots=True)
class ChannelView:
    """How a calendar is told of.

    state: of its newest channel that is not over, `asked` or `open`, None without one. due_at: when a new one is due,
    None for at once. told_at: of a message whose look has not ended. has_any: some calendar has a channel.
    """

    state: str | None
    opened_at: datetime | None
    expires_at: datetime | None
    due_at: datetime | None
    failures: int
    is_unwatchable: bool
    reason: str | None
    told_at: datetime | None
    has_any: bool


async def due(database: Database, tenant_ids: Iterable[int], *, limit: int) -> list[Due]:
    """Calendars of these tenants, by turns, whose channel is to be made or renewed; of each the longest due first."""
    rows = await database.fetch(_SQL["due"], list(tenant_ids), limit)
    return [Due(CalendarKey(row["tenant_id"], row["calendar_id"]), row["failures"]) for row in rows]


async def ask(database: Database, lease: Lease, asked: Ask) -> bool:
    """Writes down that a channel is about to be asked for; False where the lease or the calendar is not ours."""
    row = await database.first(
        _SQL["ask"],
        *(lease.project_id, lease.owner, lease.epoch, asked.key.tenant_id, asked.key.calendar_id),
        *(asked.channel_id, asked.secret_hash, asked.address, asked.credential, asked.subject),
        *(asked.lasts_seconds, asked.again_seconds),
    )
    return row is not None


async def opened(
    database: Database, channel_id: UUID, resource_id: str, *, expires_at: datetime, renew_at: datetime
) -> bool:
    """Writes down what Google granted; False where the channel is not wanted any more and is to be stopped."""
    return await database.first(_SQL["open"], channel_id, resource_id, expires_at, renew_at) is not None


async def failed(database: Database, channel_id: UUID, setback: Setback) -> None:
    """Writes down that a watch failed."""
    await database.run(
        _SQL["fail"],
        *(channel_id, setback.may_exist, setback.due_at, setback.failures, setback.is_unwatchable, setback.reason),
    )


async def to_stop(database: Database, project_id: int, *, limit: int) -> list[Stopping]:
    """Channels of a project that are to be stopped, and can be."""
    return [Stopping(**row) for row in await database.fetch(_SQL["to_stop"], project_id, limit)]


async def stopped(database: Database, channel_id: UUID) -> None:
    """Forgets a channel that is no more."""
    await database.run(_SQL["stopped"], channel_id)


async def not_stopped(database: Database, channel_id: UUID, *, failures: int, again_at: datetime) -> None:
    """Writes down that a channel could not be stopped."""
    await database.run(_SQL["not_stopped"], channel_id, failures, again_at)


async def settle(database: Database, lease: Lease, address: str | None) -> None:
    """Has the channels of a project go, stop or be replaced that are over, of no use, or lead to another address.

    address: where messages are to come; None stops all channels.
    """
    behind: tuple[int, int, UUID] | None = (0, 0, UUID(int=0))
    while behind is not None:
        row = await database.first(
            _SQL["settle"], lease.project_id, lease.owner, lease.epoch, address, *behind, _SETTLED_AT_ONCE
        )
        behind = None if row is None else (row["tenant_id"], row["calendar_id"], row["channel_id"])


async def replace(database: Database, silent: Sequence[tuple[CalendarKey, datetime]]) -> list[CalendarKey]:
    """Has the channels of these calendars replaced that were open at these instants already; gives those calendars."""
    rows = await database.fetch(
        _SQL["replace"],
        [key.tenant_id for key, _ in silent],
        [key.calendar_id for key, _ in silent],
        [at for _, at in silent],
    )
    return [CalendarKey(row["tenant_id"], row["calendar_id"]) for row in rows]


async def standing(database: Database, key: CalendarKey) -> ChannelView | None:
    """How a calendar is told of; None where there is no such calendar."""
    row = await database.first(_SQL["standing"], key.tenant_id, key.calendar_id)
    return None if row is None else ChannelView(**row)
