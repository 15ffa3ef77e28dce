"""Conferences: our rows for meetings, what waits to be pushed, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

from syncer.model.calendar import CalendarKey, Event, Lease, Link
from syncer.model.conference import Conference, Meeting, State, Wanted
from syncer.model.errors import FencedOut
from syncer.rules.decide import Removals
from syncer.store import statements
from syncer.store.database import Database, Row

_SQL = statements.of("conferences")


@dataclass(frozen=True, slots=True)
class Told:
    """A line of history. detail: small facts, no event's text."""

    kind: str
    detail: dict[str, Any] = field(default_factory=dict)
    calendar: CalendarKey | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A conference as it is after a push. reason: why it is not as wanted. is_touched: it is to be pushed again, under
    a version of its own."""

    after: Conference
    told: tuple[Told, ...] = ()
    reason: str | None = None
    is_touched: bool = False


@dataclass(frozen=True, slots=True)
class WroteBack:
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


async def one(database: Database, tenant_id: int, conference_id: int) -> tuple[Conference, list[Link]] | None:
    """A conference and the links that its wanted_version stands for, or None when its row is gone."""
    row = await database.first(_SQL["one"], tenant_id, conference_id)
    if row is None:
        return None
    conference = _conference(row)
    return conference, [_link(conference, found) for found in msgspec.json.decode(row["links"], type=list[_LinkRow])]


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
    after = noted.after
    row = await database.first(
        _SQL["record"],
        *(lease.project_id, lease.owner, lease.epoch),
        *(after.tenant_id, after.conference_id),
        msgspec.json.encode(_document(after, noted.reason)),
        msgspec.json.encode([_line(line) for line in noted.told]),
        after.wanted_version,
        int(noted.is_touched),
    )
    if row is None:
        raise FencedOut("A push was not written down: another worker serves the project now.")


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
    await database.run(
        _SQL["wrote_back"],
        *(lease.project_id, lease.owner, lease.epoch),
        *(link.key.tenant_id, link.key.calendar_id, link.event_id),
        msgspec.json.encode(done.event),
        done.rung,
        done.today,
        done.told.kind,
        msgspec.json.encode(done.told.detail),
        link.etag,
    )


def _line(line: Told) -> dict[str, object]:
    return {
        "kind": line.kind,
        "calendar_id": line.calendar.calendar_id if line.calendar else None,
        "event_id": line.event_id,
        "detail": line.detail,
    }


def _document(conference: Conference, reason: str | None) -> dict[str, object]:
    return {
        "state": conference.state.value,
        "reason": reason,
        "applied_version": conference.applied_version,
        "applied": conference.applied,
        "meeting": conference.meeting,
        "is_in_doubt": conference.is_in_doubt,
        "driver_calendar_id": conference.driver.calendar_id if conference.driver else None,
        "driver_event_id": conference.driver_event_id,
        "unlinked_at": conference.unlinked_at,
        "delete_after": conference.delete_after,
        "was_released": conference.was_released,
        "failures": conference.failures,
        "next_try_at": conference.next_try_at,
        "read_back_at": conference.read_back_at,
    }


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
        applied=msgspec.json.decode(row["applied"], type=Wanted | None) if row["applied"] else None,
        meeting=msgspec.json.decode(row["meeting"], type=Meeting | None) if row["meeting"] else None,
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
    )
