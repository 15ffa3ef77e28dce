"""Calendars as they are served: who they belong to, how far they were read, and one page written down at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import msgspec

from syncer.model.calendar import Calendar, CalendarKey, Cursor, Event, Lease, Link, Matcher, Policy, Tenant
from syncer.model.errors import FencedOut
from syncer.store import statements
from syncer.store.database import Database, Row

_SQL = statements.of("calendars")


@dataclass(frozen=True, slots=True)
class BrokenTenant:
    """A tenant whose row cannot be used. reason: a sentence."""

    slug: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkPut:
    """A link to write.

    is_new: there was none from this event to this meeting. is_news: the conference is touched. is_users: people
    changed the event, not only we.
    """

    event: Event
    meeting_id: str
    is_new: bool
    is_news: bool
    is_users: bool


@dataclass(frozen=True, slots=True)
class LinkDrop:
    """A link to remove, and the meeting that loses it."""

    event_id: str
    meeting_id: str
    reason: str
    is_detaching: bool


@dataclass(frozen=True, slots=True)
class NotePut:
    """An entry that makes no link. kind: set_aside, guest or series."""

    event_id: str
    kind: str
    etag: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageCommit:
    """What one page says. event_ids: every entry on it. losses: meetings that lose a link to another meeting."""

    cursor: Cursor
    puts: tuple[LinkPut, ...]
    drops: tuple[LinkDrop, ...]
    notes: tuple[NotePut, ...]
    losses: tuple[str, ...]
    event_ids: tuple[str, ...]
    time_zone: str | None = None


async def tenants(database: Database, project_id: int) -> tuple[dict[int, Tenant], list[BrokenTenant]]:
    """The active tenants of a project by id, and those whose rows cannot be used."""
    found: dict[int, Tenant] = {}
    broken: list[BrokenTenant] = []
    for row in await database.fetch(_SQL["tenants"], project_id):
        try:
            found[row["tenant_id"]] = _tenant(row)
        except (msgspec.ValidationError, ValueError) as error:
            broken.append(BrokenTenant(row["slug"], f"its matchers or provider settings cannot be used: {error}"))
    return found, broken


async def served(database: Database, project_id: int) -> list[Calendar]:
    """The calendars of a project that are to be looked at, parked ones included."""
    return [_calendar(row) for row in await database.fetch(_SQL["calendars"], project_id)]


async def has_paused(database: Database, tenant_id: int) -> bool:
    """The tenant has calendars that nobody looks at."""
    return bool(await database.value(_SQL["paused"], tenant_id))


async def links_of(database: Database, key: CalendarKey, event_ids: Sequence[str]) -> dict[str, Link]:
    """The links that these events of one calendar have, by event id."""
    rows = await database.fetch(_SQL["known"], key.tenant_id, key.calendar_id, list(event_ids))
    return {row["event_id"]: link_of(row) for row in rows}


async def left_behind(database: Database, key: CalendarKey, generation: int) -> list[Link]:
    """The links of a calendar that the full read of this generation has not seen."""
    rows = await database.fetch(_SQL["left_behind"], key.tenant_id, key.calendar_id, generation)
    return [link_of(row) for row in rows]


async def commit_page(database: Database, lease: Lease, key: CalendarKey, page: PageCommit) -> list[int]:
    """Writes one page down; gives the ids of the conferences that it touched.

    Raises FencedOut, with nothing written, when the lease is another's.
    """
    row = await database.first(
        _SQL["commit_page"],
        *_fence(lease),
        key.tenant_id,
        key.calendar_id,
        [put.event.event_id for put in page.puts],
        [put.meeting_id for put in page.puts],
        [msgspec.json.encode(put.event) for put in page.puts],
        [put.is_news for put in page.puts],
        [drop.event_id for drop in page.drops],
        [drop.is_detaching for drop in page.drops],
        [*page.losses, *(drop.meeting_id for drop in page.drops)],
        msgspec.json.encode(page.notes),
        msgspec.json.encode(_history(page)),
        msgspec.json.encode(_cursor_document(page)),
        list(page.event_ids),
        [put.is_users for put in page.puts],
        [put.is_new for put in page.puts],
    )
    if row is None or not row["is_ours"]:
        raise FencedOut("A page was not written down: another worker serves the project now.")
    return list(row["touched"])


async def restart(database: Database, lease: Lease, key: CalendarKey, reason: str) -> None:
    """Forgets the cursor, so that the next look begins a full read. What was read stays. Raises FencedOut."""
    _ours(await database.first(_SQL["restart"], *_fence(lease), key.tenant_id, key.calendar_id, reason))


async def failed(database: Database, lease: Lease, calendar: Calendar, *, state: str, reason: str) -> None:
    """Writes down a failed look: `calendar.failures` and `calendar.next_look_at` are the new ones. Raises FencedOut."""
    where = (calendar.key.tenant_id, calendar.key.calendar_id)
    row = await database.first(
        _SQL["failed"], *_fence(lease), *where, state, reason, calendar.failures, calendar.next_look_at
    )
    _ours(row)


async def recovered(database: Database, lease: Lease, key: CalendarKey) -> None:
    """Writes down that a calendar that had failed is well again. Raises FencedOut."""
    _ours(await database.first(_SQL["recovered"], *_fence(lease), key.tenant_id, key.calendar_id))


async def save_tokens(database: Database, lease: Lease, moved: Sequence[tuple[CalendarKey, str, str]]) -> None:
    """Saves sync tokens (calendar, old, new) that moved without changes. Loses nothing when it is not done."""
    tenant_ids = [key.tenant_id for key, _, _ in moved]
    calendar_ids = [key.calendar_id for key, _, _ in moved]
    old = [token for _, token, _ in moved]
    new = [token for _, _, token in moved]
    await database.run(_SQL["save_tokens"], *_fence(lease), tenant_ids, calendar_ids, old, new)


def link_of(row: Row) -> Link:
    """A row of `link` with its conference's meeting_id."""
    return Link(
        key=CalendarKey(row["tenant_id"], row["calendar_id"]),
        event_id=row["event_id"],
        conference_id=row["conference_id"],
        meeting_id=row["meeting_id"],
        event=msgspec.json.decode(row["event"], type=Event),
        generation=row["generation"],
        rung=row["rung"],
        write_backs=row["write_backs"],
        write_backs_on=row["write_backs_on"],
    )


def _fence(lease: Lease) -> tuple[object, ...]:
    return (lease.project_id, lease.owner, lease.epoch)


def _ours(row: Row | None) -> None:
    if row is None:
        raise FencedOut("Nothing was written down: another worker serves the project now, or the calendar is gone.")


def _history(page: PageCommit) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = [
        {
            "kind": "linked" if put.is_new else "changed",
            "event_id": put.event.event_id,
            "meeting_id": put.meeting_id,
            "detail": {},
        }
        for put in page.puts
        if put.is_users
    ]
    dropped = [
        {
            "kind": "detached" if drop.is_detaching else "unlinked",
            "event_id": drop.event_id,
            "meeting_id": drop.meeting_id,
            "detail": {"reason": drop.reason},
        }
        for drop in page.drops
    ]
    aside = [
        {"kind": "set_aside", "event_id": note.event_id, "meeting_id": None, "detail": {"reason": note.reason}}
        for note in page.notes
        if note.kind == "set_aside"
    ]
    return seen + dropped + aside


def _cursor_document(page: PageCommit) -> dict[str, object]:
    cursor = page.cursor
    return {
        "sync_token": cursor.sync_token,
        "page_token": cursor.page_token,
        "generation": cursor.generation,
        "is_full_read": cursor.is_full_read,
        "read_from": cursor.read_from,
        "pin": cursor.pin,
        "time_zone": page.time_zone,
    }


def _tenant(row: Row) -> Tenant:
    settings = msgspec.json.decode(row["settings"], type=dict[str, str])
    return Tenant(
        tenant_id=row["tenant_id"],
        slug=row["slug"],
        policy=_policy(row),
        account_id=row["account_id"],
        provider=row["provider"],
        provider_settings=tuple(sorted(settings.items())),
        provider_credential=row["provider_credential"],
    )


def _policy(row: Row) -> Policy:
    return Policy(
        matchers=tuple(_matcher(said) for said in msgspec.json.decode(row["matchers"], type=list[dict[str, str]])),
        grace=row["grace"],
        window=row["read_window"],
        ladder=tuple(row["ladder"]),
        guard_calendar_count=row["guard_calendar_count"],
        guard_calendar_percent=row["guard_calendar_percent"],
        guard_tenant_count=row["guard_tenant_count"],
        guard_tenant_percent=row["guard_tenant_percent"],
    )


def _matcher(said: dict[str, str]) -> Matcher:
    # A misspelt condition must not become one less: a matcher without any takes every conference for the provider's.
    unknown = sorted(said.keys() - {known.name for known in fields(Matcher)})
    if unknown or not said:
        raise ValueError(f"a matcher knows no {unknown[0]!r}" if unknown else "a matcher has no condition")
    return Matcher(**said)


def _calendar(row: Row) -> Calendar:
    google_id = row["google_id"]
    own = {google_id.lower(), *(address.lower() for address in row["addresses"] if address)}
    return Calendar(
        key=CalendarKey(row["tenant_id"], row["calendar_id"]),
        google_id=google_id,
        subject=row["subject"],
        credential=row["credential"],
        addresses=frozenset(own),
        cursor=_cursor(row),
        failures=row["failures"],
        next_look_at=row["next_look_at"],
    )


def _cursor(row: Row) -> Cursor:
    read_from: datetime | None = row["read_from"]
    return Cursor(
        sync_token=row["sync_token"],
        page_token=row["page_token"],
        generation=row["generation"],
        is_full_read=row["is_full_read"],
        read_from=read_from,
        pin=row["pin"],
    )
