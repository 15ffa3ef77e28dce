"""Conferences, the meetings behind them, and what can come of a provider call."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from syncer.model.budget import CallLimit
from syncer.model.calendar import CalendarKey, Value, When


class Override(Value, frozen=True):
    """What an exception says instead of the occurrence at `original_start` (as in `Event`), or beside all of them."""

    original_start: str
    starts: When
    ends: When
    title: str | None
    description: str | None


class Series(Value, frozen=True):
    """A further half of a series that "this and following" cut. recurrence: lines, our own EXDATEs at their end."""

    starts: When
    ends: When
    time_zone: str | None
    recurrence: tuple[str, ...]
    overrides: tuple[Override, ...] = ()


class Wanted(Value, frozen=True):
    """How a meeting should be, composed from its links. Text is the event's, None where it has none.

    recurrence: the master's lines, and an EXDATE for each occurrence that does not take place. overrides: by original
    start. further: other halves of the series, by their start.
    """

    title: str | None
    description: str | None
    starts: When
    ends: When
    time_zone: str | None
    organizer: str | None
    attendee_count: int
    recurrence: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    further: tuple[Series, ...] = ()


class Meeting(Value, frozen=True):
    """A meeting as its provider says it is.

    join_url, passcode: None where the provider gives none. dial_in: `tel:` URIs or numbers.
    revision: the greatest revision the provider has taken from us, None if it keeps none.
    holds: what it was left with, None where the provider does not say.
    """

    meeting_id: str
    join_url: str | None = None
    passcode: str | None = None
    dial_in: tuple[str, ...] = ()
    revision: int | None = None
    holds: Wanted | None = None


class State(Enum):
    """Where a conference is in its life.

    watched: another tenant owns the meeting. leaving: no link is left, deletion waits for the grace or a look.
    held: its deletion waits for a person: the guard holds it or, once was_released, the provider did not do it.
    gone: the provider has no such meeting.
    detached: no longer ours to touch (matchers or tenant changed).
    """

    LIVE = "live"
    WATCHED = "watched"
    LEAVING = "leaving"
    HELD = "held"
    DELETED = "deleted"
    GONE = "gone"
    DETACHED = "detached"


class Conference(Value, frozen=True):
    """Our row for one meeting of one tenant.

    wanted_version: grows with every commit that touched its links; it is the revision sent outside.
    applied_version: the wanted_version that the meeting was last left with. applied: that state.
    meeting: the provider's last word. is_in_doubt: a call's outcome is unknown.
    unlinked_at: when the last link went. strayed_at: when a link last went that was not the driver's. was_detached: a
    link went by no user's act. delete_after: not before then. was_released: the guard lets the deletion
    pass, by a person's word or because it got as far as the provider.
    reason: why it is not as wanted, as it was told last.
    driver, driver_event_id: the link that decides, or that decided last, or that its vendor announced. is_expected:
    announced by its vendor, and nothing read of its event tells otherwise.
    """

    tenant_id: int
    conference_id: int
    account_id: int
    meeting_id: str
    is_owner: bool
    state: State
    wanted_version: int
    applied_version: int
    applied: Wanted | None
    meeting: Meeting | None
    is_in_doubt: bool = False
    driver: CalendarKey | None = None
    driver_event_id: str | None = None
    unlinked_at: datetime | None = None
    strayed_at: datetime | None = None
    was_detached: bool = False
    reason: str | None = None
    delete_after: datetime | None = None
    was_released: bool = False
    failures: int = 0
    next_try_at: datetime | None = None
    read_back_at: datetime | None = None
    is_expected: bool = False


class ProviderAccount(Value, frozen=True):
    """Where meetings live. provider: entry-point name. settings: a URL, …. credential: reference."""

    account_id: int
    provider: str
    settings: tuple[tuple[str, str], ...]
    credential: str


class ChangeKind(Enum):
    UPDATE = "update"
    DELETE = "delete"
    READ = "read"


class Change(Value, frozen=True):
    """One call to a provider.

    revision: only grows per conference; a provider ignores lower ones. key: idempotency key, the same for each retry.
    changed: names of Wanted's fields that differ from what was applied. wanted: whole state, None unless an update.
    """

    kind: ChangeKind
    tenant: str
    meeting_id: str
    revision: int
    key: str
    changed: tuple[str, ...] = ()
    wanted: Wanted | None = None


class Applied(Value, frozen=True):
    """The meeting is as wanted now, or was already."""

    meeting: Meeting


class Replaced(Value, frozen=True):
    """The provider could not edit in place: the meeting has a new id."""

    meeting: Meeting


class Gone(Value, frozen=True):
    """The provider has no such meeting (any more)."""


class Stale(Value, frozen=True):
    """The provider has taken a greater revision from us: ours changed nothing. revision: theirs."""

    revision: int


class Rejected(Value, frozen=True):
    """The provider will not do this; repeating does not help. reason: its words, cut to 200 characters.

    kind: what that was, in our own words, which a log may show; nothing of the provider's. code: the provider's word
    for programs, of lower-case letters, digits and dashes, 64 at most; None where it has none.
    """

    reason: str
    kind: str = "the provider will not do it"
    code: str | None = None

    @property
    def in_full(self) -> str:
        """The provider's words and its code."""
        return f"{self.reason} [{self.code}]" if self.code else self.reason


class Retry(Value, frozen=True):
    """Not now. after_seconds: what the provider asked for. is_in_doubt: it may have been done all the same.

    kind: what was in the way, in our own words, which a log may show; nothing of the provider's. The same for all of
    a kind.
    """

    reason: str
    after_seconds: float | None = None
    is_in_doubt: bool = False
    kind: str = "the provider could not do it now"


class NoRoom(Retry, frozen=True):
    """Nothing was sent, for what the provider grants is spent: that is nobody's failure."""


Outcome = Applied | Replaced | Gone | Stale | Rejected | Retry


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, per field: `native`, `emulated` or `unsupported`.

    update_returns_meeting: the answer to an update carries the meeting. has_idempotency: repeats are recognised.
    limits: calls that each account is granted, whatever the operator says besides.
    """

    fields: tuple[tuple[str, str], ...]
    update_returns_meeting: bool
    has_idempotency: bool
    recurrence: str = "none"
    join_url_is_stable: bool = False
    limits: tuple[CallLimit, ...] = ()
