"""Calendars, events and the links between an event and a conference."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from uuid import UUID

import msgspec

from syncer.model.budget import CallLimit


class Value(msgspec.Struct, frozen=True, gc=False):
    """A frozen value of which thousands are made: cheap to make, to compare and to keep, and part of no cycle.

    Changed copies are made by `msgspec.structs.replace`. Its JSON is that of a dataclass with the same fields.
    """


class CalendarKey(Value, frozen=True):
    """A calendar of ours. Order and hash are by tenant, then id."""

    tenant_id: int
    calendar_id: int


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's right to serve one project. Owner and epoch are the fence that every commit names."""

    project_id: int
    owner: UUID
    epoch: int


class Cursor(Value, frozen=True):
    """How far a calendar was read, and what that is pinned to.

    sync_token: opaque, given with the last page; None before the first full read.
    page_token: where a read stopped between pages; None when no read is under way.
    generation: number of the newest full read begun, 0 before the first.
    is_full_read: the read under way (or due) goes over everything, not only changes. With a sync token all is listed,
    and of what was not listed some events are left to be asked for by name.
    read_from: lower bound on the end of events in the newest full read; the same for each of its pages.
    pin: fingerprint of subject, client, window and matchers that the tokens belong to; `old>new` while a read under a
    new one is under way.
    """

    sync_token: str | None = None
    page_token: str | None = None
    generation: int = 0
    is_full_read: bool = True
    read_from: datetime | None = None
    pin: str = ""

    @property
    def lists_all(self) -> bool:
        """The next page is of everything, not of changes."""
        return self.is_full_read and self.sync_token is None


class Calendar(Value, frozen=True):
    """A calendar that is served, with what its tenant says about it.

    google_id: the id at Google, e-mail shaped or `primary`. subject: whom to impersonate, None with a user's grant.
    credential: reference (`file:…`, `env:…`). addresses: lower-case addresses that count as this calendar's own.
    time_zone: as Google reported it last. failures: looks or pulls failed in a row.
    """

    key: CalendarKey
    google_id: str
    subject: str | None
    credential: str
    addresses: frozenset[str]
    cursor: Cursor
    failures: int = 0
    next_look_at: datetime | None = None


class When(Value, frozen=True):
    """An instant with the zone it was said in, or an all-day date.

    Exactly one of `at` (aware) and `day` is set. time_zone: IANA name, None if the event names none.
    """

    at: datetime | None = None
    day: date | None = None
    time_zone: str | None = None

    def __post_init__(self) -> None:
        at = self.at
        if (at is None) == (self.day is None):
            raise ValueError("a time is either an instant or a day")
        if at is not None and at.tzinfo is None:
            raise ValueError("an instant needs an offset")


class Status(Enum):
    """Event.status. Source: Calendar API, Event resource."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Shown(Value, frozen=True):
    """What an event shows its guests of a meeting.

    join_urls, dial_in: in the order of the entry points. passcode: None when none is shown.
    location, block: the location text, and the lines of our own marked block in the description, None without one.
    """

    join_urls: tuple[str, ...] = ()
    passcode: str | None = None
    dial_in: tuple[str, ...] = ()
    location: str | None = None
    block: str | None = None


class ConferenceSolution(Value, frozen=True):
    """The parts of an event's conferenceData that matchers look at.

    key_type: `addOn`, `hangoutsMeet`, …; name: the solution's; parameters: the add-on's own.
    """

    conference_id: str | None
    key_type: str | None
    name: str | None
    uris: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


class Event(Value, frozen=True):
    """A calendar entry as read now, reduced to what a meeting needs.

    description: without our own marked block. attendee_count: guests named, ourselves included.
    recurrence: RRULE/RDATE/EXDATE lines, empty for single events and exceptions.
    original_start: the occurrence that an exception replaces: a day, or an instant in UTC with a Z; None otherwise.
    has_details: the answer shows what a writer sees (not free/busy, not a private stub, not a bare tombstone).
    last_ends_at: of a master that makes a link, when its last occurrence is over; None where it has no end.
    """

    event_id: str
    etag: str
    status: Status
    has_details: bool
    organizer: str | None = None
    is_organizer_self: bool = False
    title: str | None = None
    description: str | None = None
    starts: When | None = None
    ends: When | None = None
    created_at: datetime | None = None
    ical_uid: str | None = None
    recurring_event_id: str | None = None
    original_start: str | None = None
    recurrence: tuple[str, ...] = ()
    attendee_count: int = 0
    solution: ConferenceSolution | None = None
    shown: Shown = Shown()
    last_ends_at: datetime | None = None

    @property
    def is_cancelled(self) -> bool:
        return self.status is Status.CANCELLED


class Exclusion(Value, frozen=True):
    """An occurrence of a master that does not take place in its meeting: cancelled, or without its conference.

    original_start: as in `Event`. event_id: of the exception that says so. meeting_id: the master's meeting if it is
    news to it, else None.
    """

    master_id: str
    original_start: str
    event_id: str
    meeting_id: str | None = None


class SetAside(Value, frozen=True):
    """An entry that cannot be used, kept apart so that its page and calendar go on. reason: one sentence."""

    event_id: str
    etag: str
    reason: str


class Page(Value, frozen=True):
    """One answer of events.list. Oldest change first; either token may be missing, both only on a broken answer.

    changed_at: when the newest of these changes was made, by Google's clock; None where that is not known, or so many
    came together that it says little.
    """

    events: tuple[Event, ...]
    set_aside: tuple[SetAside, ...]
    next_page_token: str | None
    next_sync_token: str | None
    sees_details: bool
    time_zone: str | None = None
    changed_at: datetime | None = None

    @property
    def is_quiet(self) -> bool:
        return not self.events and not self.set_aside and self.next_page_token is None


class Link(Value, frozen=True):
    """A live organizer's event on one calendar that refers to a conference.

    etag: version that was read. generation: full read that saw it last. rung: how it was written back last, or None.
    write_backs: patches of ours since the user's last change, counted per day `write_backs_on`.
    excluded: original starts of a master's occurrences that do not take place in its meeting; told only where a
    conference is loaded whole.
    """

    key: CalendarKey
    event_id: str
    conference_id: int
    meeting_id: str
    event: Event
    generation: int
    rung: str | None = None
    write_backs: int = 0
    write_backs_on: date | None = None
    excluded: tuple[str, ...] = ()

    @property
    def etag(self) -> str:
        return self.event.etag


@dataclass(frozen=True, slots=True)
class Matcher:
    """One rule that tells a provider's conference from others. All set fields must agree.

    solution_type, solution_name: equal to conferenceSolution.key.type and name. uri_prefix: some entry point's URI
    starts with it. parameter: an add-on parameter of this name exists; its value is the conference id.
    """

    solution_type: str | None = None
    solution_name: str | None = None
    uri_prefix: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant decided.

    grace: between the last link going and the deletion. window: how far back a first read goes.
    ladder: rungs of write-back to try, in order. guard_*: deletions above both are held, per calendar and per hour.
    """

    matchers: tuple[Matcher, ...]
    grace: timedelta = timedelta(minutes=10)
    window: timedelta = timedelta(days=1)
    ladder: tuple[str, ...] = ("conferenceData", "location", "description")
    guard_calendar_count: int = 20
    guard_calendar_percent: int = 30
    guard_tenant_count: int = 50
    guard_tenant_percent: int = 5


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer: whose project pays for requests, and where its meetings live.

    provider: entry-point name. provider_settings: the account's settings (a URL, …). provider_credential: reference.
    provider_limits: what the operator says that the account is granted. per_minute: its requests to Google, None for as
    many as there are. weight: its turns, compared with those of the project's other tenants.
    """

    tenant_id: int
    slug: str
    policy: Policy
    account_id: int
    provider: str
    provider_settings: tuple[tuple[str, str], ...]
    provider_credential: str
    provider_limits: tuple[CallLimit, ...] = ()
    per_minute: int | None = None
    weight: int = 1
