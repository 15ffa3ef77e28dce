"""Calendars as they are served: who they belong to, how far they were read, and one page written down at a time."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import msgspec

from syncer.model.calendar import Calendar, CalendarKey, Cursor, Event, Exclusion, Lease, Link, Matcher, Policy, Tenant
from syncer.model.errors import FencedOut
from syncer.model.reference import owned
from syncer.rules import calling
from syncer.store import group, statements
from syncer.store.database import Database, Row
from syncer.store.pages import LinkDrop, LinkPut, NotePut, PageCommit, commit_page, commit_pages

__all__ = [
    "BrokenTenant",
    "LinkDrop",
    "LinkPut",
    "NotePut",
    "PageCommit",
    "commit_page",
    "commit_pages",
    "excluded_before",
    "failed",
    "families_of_each",
    "has_paused",
    "left_behind",
    "link_of",
    "links_of",
    "links_of_each",
    "recovered",
    "restart",
    "served",
    "tenants",
]

_SQL = statements.of("calendars")
# So many links are read in some milliseconds.
_LINKS_A_STEP = 200
_EVENT = msgspec.json.Decoder(Event)


@dataclass(frozen=True, slots=True)
class BrokenTenant:
    """A tenant whose row cannot be used. reason: a sentence."""

    slug: str
    reason: str


class _Fenced(msgspec.Struct, gc=False):
    project_id: int
    owner: UUID
    epoch: int
    tenant_id: int
    calendar_id: int


class _FailedRow(_Fenced, gc=False):
    state: str
    reason: str
    failures: int
    next_look_at: datetime | None


class _TokenRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    old_token: str
    sync_token: str


class _KnownRow(msgspec.Struct, gc=False):
    tenant_id: int
    calendar_id: int
    event_ids: Sequence[str]


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
    return [calendar_of(row) for row in await database.fetch(_SQL["calendars"], project_id)]


async def has_paused(database: Database, tenant_id: int) -> bool:
    """The tenant has calendars that nobody looks at."""
    return bool(await database.value(_SQL["paused"], tenant_id))


async def links_of(database: Database, key: CalendarKey, event_ids: Sequence[str]) -> dict[str, Link]:
    """The links that these events of one calendar have, by event id."""
    (found,) = await links_of_each(database, [(key, event_ids)])
    return found


async def links_of_each(
    database: Database, asked: Sequence[tuple[CalendarKey, Sequence[str]]]
) -> list[dict[str, Link]]:
    """The links that these events of many calendars have: for each calendar, by event id."""
    found: list[dict[str, Link]] = [{} for _ in asked]
    rows = [_KnownRow(key.tenant_id, key.calendar_id, event_ids) for key, event_ids in asked]
    if any(event_ids for _, event_ids in asked):
        async for row in _in_steps(await database.fetch(_SQL["known"], msgspec.json.encode(rows))):
            found[row["place"] - 1][row["event_id"]] = link_of(row)
    return found


async def _in_steps(rows: Sequence[Row]) -> AsyncIterator[Row]:
    """Rows of which each takes long to read; between some of them others may go on."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % _LINKS_A_STEP == 0:
            await asyncio.sleep(0)


async def families_of_each(
    database: Database, asked: Sequence[tuple[CalendarKey, Sequence[str]]]
) -> list[tuple[dict[str, list[Link]], frozenset[tuple[str, str]]]]:
    """Of these masters of many calendars: for each calendar the links of their exceptions, by the master's event id,
    and the occurrences that do not take place, as (master's event id, original start).
    """
    children: list[dict[str, list[Link]]] = [{} for _ in asked]
    excluded: list[set[tuple[str, str]]] = [set() for _ in asked]
    rows = msgspec.json.encode([_KnownRow(key.tenant_id, key.calendar_id, ids) for key, ids in asked])
    if any(ids for _, ids in asked):
        async for row in _in_steps(await database.fetch(_SQL["children"], rows)):
            link = link_of(row)
            children[row["place"] - 1].setdefault(link.event.recurring_event_id or "", []).append(link)
        for row in await database.fetch(_SQL["excluded"], rows):
            excluded[row["place"] - 1].add((row["master_id"], row["original_start"]))
    return [(links, frozenset(gone)) for links, gone in zip(children, excluded, strict=True)]


async def excluded_before(database: Database, key: CalendarKey, generation: int) -> list[Exclusion]:
    """Occurrences of linked masters that do not take place, and that the full read of this generation has not seen."""
    rows = await database.fetch(_SQL["excluded_before"], key.tenant_id, key.calendar_id, generation)
    return [Exclusion(row["master_id"], row["original_start"], row["event_id"], row["meeting_id"]) for row in rows]


async def left_behind(database: Database, key: CalendarKey, generation: int) -> AsyncIterator[list[Link]]:
    """The links of a calendar that the full read of this generation has not seen, some at a time."""
    after = ""
    while rows := await database.fetch(
        _SQL["left_behind"], key.tenant_id, key.calendar_id, generation, after, _LINKS_A_STEP
    ):
        yield [link_of(row) for row in rows]
        after = rows[-1]["event_id"]


async def restart(database: Database, lease: Lease, key: CalendarKey, reason: str) -> None:
    """Forgets the cursor, so that the next look begins a full read. What was read stays. Raises FencedOut."""
    _ours(await database.first(_SQL["restart"], *_fence(lease), key.tenant_id, key.calendar_id, reason))


async def failed(database: Database, lease: Lease, calendar: Calendar, *, state: str, reason: str) -> None:
    """Writes down a failed look: `calendar.failures` and `calendar.next_look_at` are the new ones. Raises FencedOut."""
    fenced = (*_fence(lease), calendar.key.tenant_id, calendar.key.calendar_id)
    await group.ask(database, _FAILED, _FailedRow(*fenced, state, reason, calendar.failures, calendar.next_look_at))


async def recovered(database: Database, lease: Lease, key: CalendarKey) -> None:
    """Writes down that a calendar that had failed is well again. Raises FencedOut."""
    await group.ask(database, _RECOVERED, _Fenced(*_fence(lease), key.tenant_id, key.calendar_id))


def link_of(row: Row) -> Link:
    """A row of `link` with its conference's meeting_id."""
    return Link(
        key=CalendarKey(row["tenant_id"], row["calendar_id"]),
        event_id=row["event_id"],
        conference_id=row["conference_id"],
        meeting_id=row["meeting_id"],
        event=_EVENT.decode(row["event"]),
        generation=row["generation"],
        rung=row["rung"],
        write_backs=row["write_backs"],
        write_backs_on=row["write_backs_on"],
    )


def _fence(lease: Lease) -> tuple[int, UUID, int]:
    return (lease.project_id, lease.owner, lease.epoch)


def _ours(row: Row | None) -> None:
    if row is None:
        raise _fenced_out()


def _fenced_out() -> FencedOut:
    return FencedOut("Nothing was written down: another worker serves the project now, or the calendar is gone.")


async def _fail(database: Database, asked: Sequence[_FailedRow]) -> list[FencedOut | None]:
    return await _each(database, _SQL["failed"], asked)


async def _recover(database: Database, asked: Sequence[_Fenced]) -> list[FencedOut | None]:
    return await _each(database, _SQL["recovered"], asked)


async def _each(database: Database, sql: str, asked: Sequence[_Fenced]) -> list[FencedOut | None]:
    ours = {row["place"] for row in await database.fetch(sql, msgspec.json.encode(asked))}
    return [None if place in ours else _fenced_out() for place in range(1, len(asked) + 1)]


def _calendar_of(asked: _Fenced) -> list[Hashable]:
    return [asked.calendar_id]


_FAILED = group.Kind(_fail, keys=_calendar_of)
_RECOVERED = group.Kind(_recover, keys=_calendar_of)


def _tenant(row: Row) -> Tenant:
    settings = msgspec.json.decode(row["settings"], type=dict[str, str])
    return Tenant(
        tenant_id=row["tenant_id"],
        slug=row["slug"],
        policy=_policy(row),
        account_id=row["account_id"],
        provider=row["provider"],
        provider_settings=tuple(sorted(settings.items())),
        provider_credential=owned(row["provider_credential"], "account", row["account_id"]),
        provider_limits=tuple(map(calling.read, row["limits"])),
        per_minute=row["per_minute"],
        weight=row["weight"],
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


def calendar_of(row: Row) -> Calendar:
    """A row of the statements that give whole calendars."""
    google_id = row["google_id"]
    own = {google_id.lower(), *(address.lower() for address in row["addresses"] if address)}
    return Calendar(
        key=CalendarKey(row["tenant_id"], row["calendar_id"]),
        google_id=google_id,
        subject=row["subject"],
        credential=owned(row["credential"], "tenant", row["tenant_id"]),
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
