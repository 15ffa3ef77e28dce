"""What people did and meant: the one account of a run that neither server and no worker writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from math import inf
from typing import Any

Json = dict[str, Any]


class Kind(StrEnum):
    """What a person can do to an event or its meeting."""

    CREATE = "create"
    RENAME = "rename"
    MOVE_TIME = "move_time"
    MOVE_CALENDAR = "move_calendar"
    SWAP = "swap"
    DELETE = "delete"
    UNDELETE = "undelete"
    DUPLICATE = "duplicate"
    INVITE = "invite"
    CHANGE_AT_PROVIDER = "change_at_provider"


class SeriesKind(StrEnum):
    """What a person can do to a series, to one of its instances, or to a guest's copy; made only where it is wished."""

    CREATE_SERIES = "create_series"
    GAIN_CONFERENCE = "gain_conference"
    MEET_ONCE = "meet_once"
    RENAME_SERIES = "rename_series"
    MOVE_SERIES = "move_series"
    MOVE_SERIES_CALENDAR = "move_series_calendar"
    RENAME_INSTANCE = "rename_instance"
    MOVE_INSTANCE = "move_instance"
    SHORTEN_INSTANCE = "shorten_instance"
    SWAP_INSTANCE = "swap_instance"
    CANCEL_INSTANCE = "cancel_instance"
    RESTORE_INSTANCE = "restore_instance"
    SPLIT_API = "split_api"
    SPLIT_API_BARE = "split_api_bare"
    SPLIT_UI = "split_ui"
    SPLIT_UI_BARE = "split_ui_bare"
    DUPLICATE_SERIES = "duplicate_series"
    DELETE_SERIES = "delete_series"
    UNDELETE_SERIES = "undelete_series"
    DECLINE = "decline"


AnyKind = Kind | SeriesKind

CREATIONS: frozenset[AnyKind] = frozenset(
    {Kind.CREATE, SeriesKind.CREATE_SERIES, SeriesKind.GAIN_CONFERENCE, SeriesKind.MEET_ONCE}
)
"""The kinds that need no event to begin with."""


def kinds_of() -> tuple[AnyKind, ...]:
    """All kinds of edits that people make."""
    return (*Kind, *SeriesKind)


REMOVALS: frozenset[AnyKind] = frozenset(
    {
        Kind.MOVE_CALENDAR,
        Kind.SWAP,
        Kind.DELETE,
        Kind.UNDELETE,
        SeriesKind.MOVE_SERIES_CALENDAR,
        SeriesKind.DELETE_SERIES,
        SeriesKind.UNDELETE_SERIES,
    }
)
"""The kinds that take an event's meeting away from its calendar, if only for a moment."""


@dataclass(frozen=True, slots=True)
class Place:
    """A calendar that people edit. calendar_id: its id at Google. owner: the user it belongs to. time_zone: IANA."""

    tenant: str
    calendar_id: str
    owner: str
    time_zone: str

    @property
    def is_primary(self) -> bool:
        """Whether it is its owner's own calendar."""
        return self.calendar_id == self.owner


@dataclass(frozen=True, slots=True)
class Reference:
    """An event on one calendar. Ids are unique per calendar only."""

    tenant: str
    calendar_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Meant:
    """How people mean an event to be: their own text and times, nothing that a machine wrote.

    starts, ends: as Google's start and end objects. guests: how many attendees it names.
    meeting_id: of the meeting it refers to, None once it was swapped away. recurrence: of a series.
    master, original: of an instance that was changed, its series and the start that it has by its series.
    """

    title: str | None
    description: str | None
    location: str | None
    starts: Json
    ends: Json
    guests: int
    meeting_id: str | None
    recurrence: tuple[str, ...] = ()
    master: Reference | None = None
    original: Json | None = None

    @property
    def is_single(self) -> bool:
        """Whether it is no part of a series."""
        return not self.recurrence and self.master is None


@dataclass(frozen=True, slots=True)
class Edit:
    """One accepted edit.

    sent_ms, answered_ms: monotonic; the server took it between them. etag: of the event after it, None where the
    answer has none. meant: how the event should be now, None when it should be gone or only the meeting changed.
    was: how an instance was meant that this took out of its series' meeting.
    """

    kind: AnyKind
    where: Reference
    meeting_id: str
    sent_ms: float
    answered_ms: float
    etag: str | None = None
    meant: Meant | None = None
    was: Meant | None = None


@dataclass(slots=True)
class Presence:
    """When an event referred to a meeting: spans of monotonic milliseconds, the last one open while it does.

    A span begins with the answer to an edit and ends with the request of one, so absences are counted long.
    """

    spans: list[tuple[float, float]] = field(default_factory=list)

    def begin(self, at_ms: float) -> None:
        """It refers to the meeting since then."""
        if not self.is_open:
            self.spans.append((at_ms, inf))

    def end(self, at_ms: float) -> None:
        """It does not since then."""
        if self.is_open:
            self.spans[-1] = (self.spans[-1][0], at_ms)

    @property
    def is_open(self) -> bool:
        """Whether it refers to the meeting now."""
        return bool(self.spans) and self.spans[-1][1] == inf

    def was_away_after(self, since_ms: float) -> bool:
        """Whether it was not there at some time after that moment."""
        begun_ms, ended_ms = self.spans[-1]
        return ended_ms != inf or begun_ms > since_ms


class Record:
    """All that people did in a run, and how they mean each event to be now.

    called_off: instances that people cancelled, as they were meant before.
    """

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.meant: dict[Reference, Meant] = {}
        self.called_off: dict[Reference, Meant] = {}
        self.presence: dict[tuple[Reference, str], Presence] = {}

    def put(self, where: Reference, meant: Meant, at_ms: float) -> None:
        """An event is there, meant like this, since then."""
        before = self.meant.get(where)
        if before is not None and before.meeting_id is not None and before.meeting_id != meant.meeting_id:
            self.presence[where, before.meeting_id].end(at_ms)
        self.meant[where] = meant
        self.called_off.pop(where, None)
        if meant.meeting_id is not None:
            self.presence.setdefault((where, meant.meeting_id), Presence()).begin(at_ms)

    def remove(self, where: Reference, at_ms: float) -> None:
        """An event is gone since then."""
        meant = self.meant.pop(where, None)
        if meant is not None and meant.meeting_id is not None:
            self.presence[where, meant.meeting_id].end(at_ms)

    def exceptions_of(self, master: Reference) -> dict[Reference, Meant]:
        """The changed instances of a series."""
        return {where: meant for where, meant in self.meant.items() if meant.master == master}

    def call_off(self, where: Reference, meant: Meant, at_ms: float) -> None:
        """An instance does not take place since then."""
        self.remove(where, at_ms)
        self.called_off[where] = meant

    def remove_series(self, master: Reference, at_ms: float) -> dict[Reference, Meant]:
        """A series is gone since then with all that was changed in it; gives what was live of it, itself first."""
        live = {master: self.meant[master], **self.exceptions_of(master)} if master in self.meant else {}
        for where in live:
            self.remove(where, at_ms)
        return live

    def note(self, edit: Edit) -> None:
        """Keep one accepted edit, with what it makes of the event."""
        self.edits.append(edit)
        if edit.kind in (Kind.CHANGE_AT_PROVIDER, SeriesKind.DECLINE):
            return
        if edit.meant is None:
            self.remove(edit.where, edit.sent_ms)
        else:
            self.put(edit.where, edit.meant, edit.answered_ms)

    def longest_absence_ms(self, tenant: str, meeting_id: str) -> float:
        """The longest time in which nothing referred to that meeting between two times when something did."""
        spans = sorted(self._spans(tenant, meeting_id))
        covered_until = accumulate((ended_ms for _, ended_ms in spans), max)
        gaps = (begun_ms - until for (begun_ms, _), until in zip(spans[1:], covered_until, strict=False))
        return max(0.0, *gaps, 0.0)

    def was_ever_referred_to(self, tenant: str, meeting_id: str) -> bool:
        """Whether some event of people's referred to that meeting once."""
        return any(True for _ in self._spans(tenant, meeting_id))

    def _spans(self, tenant: str, meeting_id: str) -> Iterator[tuple[float, float]]:
        for (where, referred), presence in self.presence.items():
            if referred == meeting_id and where.tenant == tenant:
                yield from presence.spans
