"""Conferences: our rows for meetings, what waits to be pushed, and what came of it."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from syncer.model.calendar import CalendarKey, Event, Lease, Link, Value
from syncer.model.conference import Conference, Meeting, State, Wanted
from syncer.model.errors import FencedOut
from syncer.rules import series
from syncer.rules.decide import Removals
from syncer.store import group, statements
from syncer.store.database import Database, Row

_SQL = statements.of("conferences")


class Told(Value, frozen=True):
    """A line of history. detail: small facts, no event's text."""

    kind: str
    detail: dict[str, Any] = msgspec.field(default_factory=dict)
    calendar: CalendarKey | None = None
    event_id: str | None = None


class Noted(Value, frozen=True):
    """A conference as it is after a push. reason: why it is not as wanted. is_touched: it is to be pushed again, under
    a version of its own."""

    after: Conference
    told: tuple[Told, ...] = ()
    reason: str | None = None
    is_touched: bool = False


class WroteBack(Value, frozen=True):
    """A write-back. link: as it was loaded. event: as the answer showed it. rung: the way that worked, None if none."""

    link: Link
    event: Event
    told: Told
    rung: str | None
    today: date


class _LinkRow(msgspec.Struct):
    calendar_id: int
    event_id: str
    generation: int
    event: Event
    rung: str | None
    write_backs: int
    write_backs_on: date | None
    excluded: tuple[str, ...] = ()


# Made once: what a type looks like takes longer to find out than to read one of it.
_LINKS = msgspec.json.Decoder(list[_LinkRow])
_APPLIED: msgspec.json.Decoder[Wanted | None] = msgspec.json.Decoder(Wanted | None)
_MEETING: msgspec.json.Decoder[Meeting | None] = msgspec.json.Decoder(Meeting | None)


class _Line(msgspec.Struct, gc=False):
    kind: str
    calendar_id: int | None
    event_id: str | None
    detail: dict[str, Any]


class _Record(msgspec.Struct, gc=False):
    project_id: int
    owner: UUID
    epoch: int
    tenant_id: int
    conference_id: int
    state: State
    reason: str | None
    applied_version: int
    applied: Wanted | None
    meeting: Meeting | None
    is_in_doubt: bool
    driver_calendar_id: int | None
    driver_event_id: str | None
    unlinked_at: datetime | None
    delete_after: datetime | None
    was_released: bool
    failures: int
    next_try_at: datetime | None
    read_back_at: datetime | None
    wanted_version: int
    raised_by: int
    told: list[_Line]


class _WrittenBack(msgspec.Struct, gc=False):
    project_id: int
    owner: UUID
    epoch: int
    tenant_id: int
    calendar_id: int
    event_id: str
    etag: str
    event: Event
    rung: str | None
    today: date
    kind: str
    detail: dict[str, Any]


class _Waiting(NamedTuple):
    """A row that waits to be written. key: what it writes. row: JSON."""

    key: Hashable
    row: bytes


async def one(database: Database, tenant_id: int, conference_id: int) -> tuple[Conference, list[Link]] | None:
    """A conference and the links that its wanted_version stands for, or None when its row is gone."""
    return await group.ask(database, _SEVERAL, (tenant_id, conference_id))


async def _several(database: Database, asked: Sequence[tuple[int, int]]) -> list[tuple[Conference, list[Link]] | None]:
    found: list[tuple[Conference, list[Link]] | None] = [None] * len(asked)
    # One more than is sent of each, so that it shows when there are more.
    most = (series.MOST_OVERRIDES + 1, series.MOST_EXCLUDED + 1)
    for row in await database.fetch(_SQL["several"], msgspec.json.encode(asked), *most):
        conference = _conference(row)
        links = [_link(conference, link) for link in _LINKS.decode(row["links"])]
        found[row["place"] - 1] = (conference, links)
    return found


def _link(conference: Conference, row: _LinkRow) -> Link:
    return Link(
        key=CalendarKey(conference.tenant_id, row.calendar_id),
        event_id=row.event_id,
        conference_id=conference.conference_id,
        meeting_id=conference.meeting_id,
        event=row.event,
        generation=row.generation,
        rung=row.rung,
        write_backs=row.write_backs,
        write_backs_on=row.write_backs_on,
        excluded=row.excluded,
    )


async def waiting(
    database: Database, tenant_ids: Iterable[int], *, limit: int, per_account: int
) -> list[tuple[int, int]]:
    """(tenant, conference) ids whose push is due now, so many at most in all and of one provider account."""
    rows = await database.fetch(_SQL["waiting"], list(tenant_ids), limit, per_account)
    return [(row["tenant_id"], row["conference_id"]) for row in rows]


async def unread(
    database: Database, tenant_ids: Iterable[int], *, before: datetime, limit: int, per_account: int
) -> list[tuple[int, int]]:
    """(tenant, conference) ids of live meetings that were read back last before this instant."""
    rows = await database.fetch(_SQL["unread"], list(tenant_ids), before, limit, per_account)
    return [(row["tenant_id"], row["conference_id"]) for row in rows]


async def record(database: Database, lease: Lease, noted: Noted) -> None:
    """Writes down a conference as it is after a push, with its history. Raises FencedOut, with nothing written."""
    key = (noted.after.tenant_id, noted.after.conference_id)
    await group.ask(database, _RECORD, _Waiting(key, group.rows([_recorded(lease, noted)])))


async def _record(database: Database, asked: Sequence[_Waiting]) -> list[FencedOut | None]:
    rows = await database.fetch(_SQL["record"], group.joined(waiting.row for waiting in asked))
    ours = {row["place"] for row in rows}
    return [None if place in ours else _fenced_out() for place in range(1, len(asked) + 1)]


def _fenced_out() -> FencedOut:
    return FencedOut("A push was not written down: another worker serves the project now.")


async def hand_over(database: Database, lease: Lease, conference: Conference) -> bool:
    """Gives the meeting to another tenant whose event refers to it, if there is one, and says whether there was."""
    row = await database.first(
        _SQL["hand_over"],
        *(lease.project_id, lease.owner, lease.epoch),
        *(conference.tenant_id, conference.account_id, conference.meeting_id),
    )
    return row is not None


async def doubt(database: Database, conference: Conference) -> None:
    """Marks that nobody knows how the meeting was left. Needs no lease, for it can only ask for another push."""
    await database.run(_SQL["doubt"], conference.tenant_id, conference.conference_id)


async def removals(database: Database, tenant_id: int, calendar: CalendarKey | None) -> Removals:
    """How many deletions are under way against how many meetings there are."""
    row = await database.first(_SQL["removals"], tenant_id, calendar.calendar_id if calendar else None)
    return Removals(**dict(row)) if row is not None else Removals(0, 0, 0, 0)


async def wrote_back(database: Database, lease: Lease, done: WroteBack) -> None:
    """Writes down a write-back. Its event is kept unless a pull has put a newer one there meanwhile.

    Writes nothing when the lease is another's or the link has gone.
    """
    link = done.link
    row = _WrittenBack(
        lease.project_id,
        lease.owner,
        lease.epoch,
        link.key.tenant_id,
        link.key.calendar_id,
        link.event_id,
        link.etag,
        done.event,
        done.rung,
        done.today,
        done.told.kind,
        done.told.detail,
    )
    await group.ask(database, _WROTE_BACK, _Waiting((link.key, link.event_id), group.rows([row])))


async def _wrote_back(database: Database, asked: Sequence[_Waiting]) -> list[None]:
    await database.run(_SQL["wrote_back"], group.joined(waiting.row for waiting in asked))
    return [None] * len(asked)


def _key_of(waiting: _Waiting) -> tuple[Hashable]:
    return (waiting.key,)


_SEVERAL = group.Kind(_several)
_RECORD = group.Kind(_record, keys=_key_of)
_WROTE_BACK = group.Kind(_wrote_back, keys=_key_of)


def _recorded(lease: Lease, noted: Noted) -> _Record:
    after = noted.after
    return _Record(
        project_id=lease.project_id,
        owner=lease.owner,
        epoch=lease.epoch,
        tenant_id=after.tenant_id,
        conference_id=after.conference_id,
        state=after.state,
        reason=noted.reason,
        applied_version=after.applied_version,
        applied=after.applied,
        meeting=after.meeting,
        is_in_doubt=after.is_in_doubt,
        driver_calendar_id=after.driver.calendar_id if after.driver else None,
        driver_event_id=after.driver_event_id,
        unlinked_at=after.unlinked_at,
        delete_after=after.delete_after,
        was_released=after.was_released,
        failures=after.failures,
        next_try_at=after.next_try_at,
        read_back_at=after.read_back_at,
        wanted_version=after.wanted_version,
        raised_by=int(noted.is_touched),
        told=[_line(line) for line in noted.told],
    )


def _line(line: Told) -> _Line:
    return _Line(line.kind, line.calendar.calendar_id if line.calendar else None, line.event_id, line.detail)


def _conference(row: Row) -> Conference:
    driver = row["driver_calendar_id"]
    return Conference(
        tenant_id=row["tenant_id"],
        conference_id=row["conference_id"],
        account_id=row["account_id"],
        meeting_id=row["meeting_id"],
        is_owner=row["is_owner"],
        state=State(row["state"]),
        wanted_version=row["wanted_version"],
        applied_version=row["applied_version"],
        applied=_APPLIED.decode(row["applied"]) if row["applied"] else None,
        meeting=_MEETING.decode(row["meeting"]) if row["meeting"] else None,
        is_in_doubt=row["is_in_doubt"],
        driver=CalendarKey(row["tenant_id"], driver) if driver is not None else None,
        driver_event_id=row["driver_event_id"],
        unlinked_at=row["unlinked_at"],
        strayed_at=row["strayed_at"],
        was_detached=row["was_detached"],
        reason=row["reason"],
        delete_after=row["delete_after"],
        was_released=row["was_released"],
        failures=row["failures"],
        next_try_at=row["next_try_at"],
        read_back_at=row["read_back_at"],
        is_expected=row["is_expected"],
    )
