"""What an operator reads: lists, one of each, why a calendar is or is not up to date, what was done to a meeting."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson

from syncer.model.calendar import CalendarKey, ConferenceSolution, Matcher
from syncer.rules import match
from syncer.store import channels, statements, tenants, unread
from syncer.store.channels import ChannelView
from syncer.store.database import Database, Row
from syncer.store.unread import Unread

_LATEST = 5
_SOLUTION = msgspec.json.Decoder(ConferenceSolution | None)


@dataclass(frozen=True, slots=True)
class Project:
    """A project and what hangs on it. is_served: a worker holds its lease now.

    spent_today: requests of Google's day. pace: what part of a minute's requests is used, as Google's refusals taught.
    """

    project_id: int
    slug: str
    per_minute: int
    per_user_minute: int
    per_day: int
    created_at: datetime
    tenants: int
    calendars: int
    is_served: bool
    epoch: int
    spent_today: int
    pace: float


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant, its policy and counts.

    provider_settings: a URL among them without its query and fragment, which may hold a secret. guards: count and
    percentage of a calendar, count and percentage of the tenant. conferences: the live ones. held: deletions that wait
    for a release. provider_limits: calls that the account is granted. per_minute: its requests to Google, None for as
    many as the project has.
    """

    slug: str
    project: str
    state: str
    credential: str
    subject: str | None
    provider: str
    provider_settings: Mapping[str, str]
    provider_credential: str
    provider_limits: tuple[str, ...]
    per_minute: int | None
    weight: int
    matchers: tuple[Mapping[str, str], ...]
    grace_seconds: float
    window_seconds: float
    ladder: tuple[str, ...]
    guards: tuple[int, ...]
    created_at: datetime
    calendars: int
    conferences: int
    held: int


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar and where its reading stands.

    subject: its own or the tenant's. credential: its own. sees_details: what was read last showed all that a writer
    sees; None before the first read. was_served: some worker has held the project's lease before.
    """

    tenant_id: int
    calendar_id: int
    tenant: str
    google_id: str
    subject: str | None
    credential: str | None
    addresses: tuple[str, ...]
    state: str
    reason: str | None
    next_look_at: datetime | None
    failures: int
    has_sync_token: bool
    is_between_pages: bool
    is_full_read: bool
    generation: int
    sees_details: bool | None
    time_zone: str | None
    changed_at: datetime | None
    created_at: datetime
    tenant_state: str
    project: str
    is_served: bool
    was_served: bool
    links: int


@dataclass(frozen=True, slots=True)
class Driven:
    """A conference that a calendar drives. is_behind: wanted is ahead of applied. was_released: by the guard."""

    meeting_id: str
    state: str
    reason: str | None
    is_behind: bool
    is_in_doubt: bool
    delete_after: datetime | None
    was_released: bool
    failures: int
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class Note:
    """An entry that was seen and makes no link. kind: `set_aside` or `guest`."""

    kind: str
    event_id: str
    reason: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that says whether a calendar is up to date.

    at: the moment of reading, by `syncer.clock()`. latest: what was done last to the meetings that it drives, oldest
    first. read_anew: when and why it was last asked to be read from the start. unread: series with such a rule.
    channel: how Google tells of it.
    """

    calendar: CalendarView
    driven: tuple[Driven, ...]
    notes: tuple[Note, ...]
    at: datetime
    latest: "tuple[Happening, ...]" = ()
    read_anew: "Happening | None" = None
    unread: tuple[Unread, ...] = ()
    channel: ChannelView | None = None


@dataclass(frozen=True, slots=True)
class ConferenceView:
    """A conference, without what admits to its meeting.

    driver: Google id of the deciding calendar. title, starts, ends: as the meeting was last left, times as stored
    (`at` or `day`, and perhaps `time_zone`). join_url: without its query and fragment. None when unknown.
    """

    tenant_id: int
    conference_id: int
    tenant: str
    meeting_id: str
    state: str
    reason: str | None
    wanted_version: int
    applied_version: int
    is_in_doubt: bool
    driver: str | None
    driver_event_id: str | None
    unlinked_at: datetime | None
    delete_after: datetime | None
    was_released: bool
    failures: int
    next_try_at: datetime | None
    read_back_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime
    title: str | None
    starts: Mapping[str, Any] | None
    ends: Mapping[str, Any] | None
    join_url: str | None
    links: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """An event that refers to a conference. rung: how it was written back last."""

    google_id: str
    event_id: str
    rung: str | None
    write_backs: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a conference's history.

    calendar: Google id. detail: small, without event text. organizer: address, of an event that refers to it
    still, or that decided last how it is.
    """

    at: datetime
    kind: str
    calendar: str | None
    event_id: str | None
    detail: Mapping[str, Any]
    meeting_id: str | None
    organizer: str | None


@dataclass(frozen=True, slots=True)
class ClockMark:
    """The mark of a cluster for tests and demos. shift: how far `syncer.clock()` is moved, as Postgres writes it."""

    is_moved: bool
    shift: str


@dataclass(frozen=True, slots=True)
class Access:
    """What a role may do in a database beside using its tables. owner: the role that may migrate it."""

    role: str
    database: str
    owner: str
    has_schema: bool
    is_read_only: bool
    may_migrate: bool


async def projects(database: Database) -> list[Project]:
    """All projects, by slug."""
    return [Project(**row) for row in await database.fetch(_statements()["projects"], None)]


async def project(database: Database, slug: str) -> Project:
    """One project. Raises OperatorError naming the nearest when there is none."""
    row = await database.first(_statements()["projects"], slug)
    if row is None:
        raise await tenants.unknown(database, "project", slug)
    return Project(**row)


async def all_tenants(database: Database) -> list[TenantView]:
    """All tenants, by slug."""
    return [_tenant(row) for row in await database.fetch(_statements()["tenants"], None)]


async def tenant(database: Database, slug: str) -> TenantView:
    """One tenant. Raises OperatorError naming the nearest when there is none."""
    row = await database.first(_statements()["tenants"], slug)
    if row is None:
        raise await tenants.unknown(database, "tenant", slug)
    return _tenant(row)


async def calendars(database: Database, tenant_slug: str | None = None) -> list[CalendarView]:
    """All calendars, or one tenant's, by tenant and id. Raises OperatorError when there is no such tenant."""
    rows = await database.fetch(_statements()["calendars"], tenant_slug, None)
    if not rows and tenant_slug is not None:
        await tenant(database, tenant_slug)
    return [_calendar(row) for row in rows]


async def calendar(database: Database, tenant_slug: str, google_id: str) -> CalendarView:
    """One calendar. Raises OperatorError naming the nearest when there is none."""
    row = await database.first(_statements()["calendars"], tenant_slug, google_id)
    if row is None:
        raise await tenants.unknown_calendar(database, tenant_slug, google_id)
    return _calendar(row)


async def standing(database: Database, tenant_slug: str, google_id: str) -> Standing:
    """Everything that says whether a calendar is up to date. Raises OperatorError when there is no such calendar."""
    seen = await calendar(database, tenant_slug, google_id)
    driven = await database.fetch(_statements()["driven"], seen.tenant_id, seen.calendar_id)
    notes = await database.fetch(_statements()["notes"], seen.tenant_id, seen.calendar_id)
    latest = await database.fetch(_statements()["latest"], seen.tenant_id, seen.calendar_id, _LATEST)
    read_anew = await database.first(_statements()["read_anew"], seen.tenant_id, seen.calendar_id)
    unread_rules = await unread.rules(database, seen.tenant_id, seen.calendar_id, seen.time_zone)
    _, at = await clock(database)
    return Standing(
        calendar=seen,
        driven=tuple(Driven(**row) for row in driven),
        notes=tuple(Note(**row) for row in notes),
        at=at,
        latest=tuple(_happening(row) for row in reversed(latest)),
        read_anew=None if read_anew is None else _happening(read_anew),
        unread=unread_rules,
        channel=await channels.standing(database, CalendarKey(seen.tenant_id, seen.calendar_id)),
    )


async def conferences(
    database: Database, tenant_slug: str | None = None, *, most: int = 1000, state: str | None = None
) -> list[ConferenceView]:
    """Conferences of all tenants or one, in any state or one, newest first within each tenant, at most `most`."""
    rows = await database.fetch(_statements()["conferences"], tenant_slug, None, most, state)
    if not rows and tenant_slug is not None:
        await tenant(database, tenant_slug)
    return [_conference(row) for row in rows]


async def conference(database: Database, tenant_slug: str, meeting_id: str) -> ConferenceView:
    """One tenant's conference, by the provider's meeting id. Raises OperatorError when there is none."""
    row = await database.first(_statements()["conferences"], tenant_slug, meeting_id, 1, None)
    if row is None:
        await tenant(database, tenant_slug)
        raise tenants.unknown_conference(tenant_slug, meeting_id)
    return _conference(row)


async def links(database: Database, seen: ConferenceView) -> list[LinkView]:
    """The events that refer to a conference, by calendar and id."""
    rows = await database.fetch(_statements()["links"], seen.tenant_id, seen.conference_id)
    return [LinkView(**row) for row in rows]


async def unmatched(database: Database, tenant_slug: str, matchers: Sequence[Matcher]) -> tuple[int, int]:
    """How many of a tenant's meetings with an event no matcher takes, by what was read last, and how many it has."""
    taken: dict[int, bool] = {}
    for row in await database.fetch(_statements()["solutions"], tenant_slug):
        solution = _SOLUTION.decode(row["solution"] or b"null")
        is_taken = match.meeting_id(solution, matchers) is not None
        taken[row["conference_id"]] = taken.get(row["conference_id"], False) or is_taken
    return sum(not is_taken for is_taken in taken.values()), len(taken)


async def history(database: Database, seen: ConferenceView) -> list[Happening]:
    """What was done to a conference and decided about it, oldest first."""
    rows = await database.fetch(_statements()["history"], seen.tenant_id, seen.conference_id)
    return [_happening(row) for row in rows]


async def clock(database: Database) -> tuple[datetime, datetime]:
    """The database server's real time, and `syncer.clock()`, which differs on a test cluster only."""
    (row,) = await database.fetch(_statements()["clock"])
    return row["real_at"], row["at"]


async def clock_mark(database: Database) -> ClockMark | None:
    """The mark of a cluster for tests, or None where there is none, which is every real database."""
    row = await database.first(_statements()["clock_mark"])
    return None if row is None else ClockMark(**row)


async def access(database: Database) -> Access:
    """Whether this role may write here at all, and whether it may migrate."""
    (row,) = await database.fetch(_statements()["access"])
    return Access(**row)


async def version(database: Database) -> int:
    """Postgres's version number, such as 150004."""
    return int(await database.value(_statements()["version"]))


async def missing_privileges(database: Database) -> list[tuple[str, str]]:
    """(table, right) that this role lacks; table '' is the schema itself. Empty while there is no schema."""
    return [(row["relation"], row["privilege"]) for row in await database.fetch(_statements()["privileges"])]


def _tenant(row: Row) -> TenantView:
    decoded = {
        "provider_settings": {
            name: _shown(setting) for name, setting in orjson.loads(row["provider_settings"]).items()
        },
        "matchers": tuple(orjson.loads(row["matchers"])),
        "ladder": tuple(row["ladder"]),
        "guards": tuple(row["guards"]),
    }
    return TenantView(**{**row, **decoded})


def _shown(setting: Any) -> str:
    return re.sub(r"([?#]).+", r"\1…", str(setting), flags=re.DOTALL)


def _calendar(row: Row) -> CalendarView:
    return CalendarView(**{**row, "addresses": tuple(row["addresses"])})


def _conference(row: Row) -> ConferenceView:
    decoded = {name: orjson.loads(row[name]) if row[name] is not None else None for name in ("starts", "ends")}
    return ConferenceView(**{**row, **decoded})


def _happening(row: Row) -> Happening:
    return Happening(**{**row, "detail": orjson.loads(row["detail"])})


def _statements() -> Mapping[str, str]:
    return statements.of("overview")
