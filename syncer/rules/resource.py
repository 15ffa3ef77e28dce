"""One Event resource, as far as it is read, into an event of ours.

Source: Calendar API, Events resource.
"""

from collections.abc import Sequence, Set
from datetime import date, datetime
from typing import Any

import msgspec

from syncer.model.calendar import ConferenceSolution, Event, Shown, Status, When
from syncer.rules import block, occurrence

ID_LIMIT = 1024
_FIRST_YEAR, _LAST_YEAR = 1, 9999
_NOTHING_SHOWN = Shown()
_CANCELLED = Status.CANCELLED  # an enum looks its members up anew each time


class _Shape(msgspec.Struct, rename="camel", gc=False):
    """What JSON must look like. Fields that nobody reads are not named: they are skipped, and may be anything."""


class _Person(_Shape):
    email: str | None = None
    is_self: bool = msgspec.field(default=False, name="self")


class _Guest(_Shape):
    """Guests are counted, and that is all."""


class _Time(_Shape):
    day: date | None = msgspec.field(default=None, name="date")
    at: datetime | None = msgspec.field(default=None, name="dateTime")
    time_zone: str | None = None


class _EntryPoint(_Shape):
    entry_point_type: str | None = None
    uri: str | None = None
    passcode: str | None = None
    password: str | None = None


class _SolutionKey(_Shape):
    type: str | None = None


class _Solution(_Shape):
    key: _SolutionKey | None = None
    name: str | None = None


class _AddOnParameters(_Shape):
    parameters: dict[str, str] = {}


class _Parameters(_Shape):
    add_on_parameters: _AddOnParameters | None = None


class _ConferenceData(_Shape):
    conference_id: str | None = None
    conference_solution: _Solution | None = None
    entry_points: tuple[_EntryPoint, ...] = ()
    parameters: _Parameters | None = None


class Entry(_Shape):
    """An Event resource whose fields have the types that they should have."""

    id: str
    status: Status = Status.CONFIRMED
    etag: str = ""
    summary: str | None = None
    description: str | None = None
    location: str | None = None
    created: datetime | None = None
    # As it came: nothing rests on it, so it may be anything.
    updated: msgspec.Raw = msgspec.Raw()
    organizer: _Person | None = None
    start: _Time | None = None
    end: _Time | None = None
    original_start_time: _Time | None = None
    recurring_event_id: str | None = None
    recurrence: tuple[str, ...] = ()
    attendees: tuple[_Guest, ...] = ()
    conference_data: _ConferenceData | None = None
    ical_uid: str | None = msgspec.field(default=None, name="iCalUID")


class Name(_Shape):
    """What is wanted of an entry that is no Event resource."""

    id: Any = None
    etag: Any = None
    status: Any = None


def event(entry: Entry, *, zones: Set[str], may_hold_nul: bool) -> Event:
    """The event that an entry tells of.

    zones: IANA names that are known. may_hold_nul: the JSON it was read from has a NUL somewhere.
    Raises ValueError with a sentence that names no text of the entry's when it cannot be used.
    """
    if not 0 < len(entry.id) <= ID_LIMIT:
        raise ValueError(f"its id has {len(entry.id)} characters, and 1 to {ID_LIMIT} are allowed")
    organizer, conference = entry.organizer, entry.conference_data
    own_text, own_block = block.split(entry.description)
    read = Event(  # six by their place: with more than a dozen names this call takes four times as long
        entry.id,
        entry.etag,
        entry.status,
        entry.start is not None and organizer is not None,
        organizer.email.lower() if organizer and organizer.email else None,
        organizer is not None and organizer.is_self,
        title=entry.summary,
        description=own_text,
        starts=_when(entry.start, "start", zones),
        ends=_when(entry.end, "end", zones),
        created_at=_created(entry.created) if entry.created else None,
        ical_uid=entry.ical_uid,
        recurring_event_id=entry.recurring_event_id,
        original_start=_text_of(entry.original_start_time) if entry.original_start_time else None,
        recurrence=entry.recurrence,
        attendee_count=len(entry.attendees),
        solution=_solution(conference) if conference else None,
        shown=_shown(conference.entry_points if conference else (), entry.location, own_block),
    )
    if may_hold_nul:
        _refuse_nul(read)
    if read.status is not _CANCELLED:
        _refuse_half(read.starts, read.ends)
    return read


def _refuse_nul(read: Event) -> None:
    solution = read.solution
    shown = read.shown
    texts = [read.event_id, read.etag, read.title, read.description, read.organizer, read.ical_uid]
    texts += [read.recurring_event_id, *read.recurrence, shown.location, shown.block, shown.passcode]
    texts += [*shown.join_urls, *shown.dial_in]
    if solution is not None:
        texts += [solution.conference_id, solution.key_type, solution.name, *solution.uris]
        texts += [part for pair in solution.parameters for part in pair]
    if any(text is not None and "\x00" in text for text in texts):
        raise ValueError("it holds a NUL or half a character, which cannot be stored or passed on")


def _refuse_half(starts: When | None, ends: When | None) -> None:
    if starts is None or ends is None:
        raise ValueError("it has no start or no end")
    if (starts.day is None) != (ends.day is None):
        raise ValueError("it starts as an all-day event and ends as a timed one, or the other way round")
    if _is_backwards(starts, ends):
        raise ValueError("it ends before it starts")


def _is_backwards(starts: When, ends: When) -> bool:
    if starts.at is not None and ends.at is not None:
        return ends.at < starts.at
    return starts.day is not None and ends.day is not None and ends.day < starts.day


def _when(time: _Time | None, field: str, zones: Set[str]) -> When | None:
    if time is None:
        return None
    if time.time_zone is not None and time.time_zone not in zones:
        raise ValueError(f"its {field} names a time zone that is not known")
    try:
        if time.at is not None:
            _refuse_vague(time.at)
        return When(time.at, time.day, time.time_zone)
    except ValueError as error:
        raise ValueError(f"its {field} cannot be used: {error}") from None


def _refuse_vague(at: datetime) -> None:
    if at.tzinfo is None:
        raise ValueError("an instant needs an offset")
    if not _FIRST_YEAR < at.year < _LAST_YEAR:
        raise ValueError("an instant so far away cannot be told in UTC")


def _created(at: datetime) -> datetime:
    try:
        _refuse_vague(at)
    except ValueError as error:
        raise ValueError(f"its creation time cannot be used: {error}") from None
    return at


def _text_of(time: _Time) -> str | None:
    if time.at is None:
        return time.day.isoformat() if time.day else None
    _refuse_vague(time.at)
    # In UTC, for answers are told in the calendar's zone, and that may change.
    return occurrence.canonical(When(at=time.at))


def _solution(read: _ConferenceData) -> ConferenceSolution:
    solution = read.conference_solution
    added = read.parameters.add_on_parameters if read.parameters else None
    return ConferenceSolution(
        read.conference_id,
        key_type=solution.key.type if solution and solution.key else None,
        name=solution.name if solution else None,
        uris=tuple([point.uri for point in read.entry_points if point.uri]),
        parameters=tuple(sorted(added.parameters.items())) if added else (),
    )


def _shown(points: Sequence[_EntryPoint], location: str | None, own_block: str | None) -> Shown:
    if not points:
        return _NOTHING_SHOWN if location is own_block is None else Shown(location=location, block=own_block)
    uris: dict[str | None, list[str]] = {"video": [], "phone": []}
    passcode = None
    for point in points:
        passcode = passcode or point.passcode or point.password or None
        if point.uri and point.entry_point_type in uris:
            uris[point.entry_point_type].append(point.uri)
    return Shown(tuple(uris["video"]), passcode, tuple(uris["phone"]), location, own_block)
