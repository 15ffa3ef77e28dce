"""Raw JSON of Google's answers into values, one bad entry at a time.

A ladder: the whole page typed; else entry by entry; else, where the text itself is broken, through a decoder that
forgives and names the entries that it forgave. What cannot be used is set aside with a reason. A tombstone needs no
more than its id, so one whose rest cannot be used is taken as a bare one.
Source: Calendar API, Events resource and events.list.
"""

import json
import re
from collections.abc import Sequence, Set
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from syncer.model.calendar import ConferenceSolution, Event, Page, SetAside, Shown, Status, When
from syncer.model.errors import Unreadable
from syncer.rules import block

_WRITING_ROLES = frozenset({"writer", "owner"})
_ID_LIMIT = 1024
_FIRST_YEAR, _LAST_YEAR = 1, 9999
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNKNOWN_VALUE = re.compile(r"Invalid enum value .*(?= - at `)", re.DOTALL)
_NAMELESS = "(without an id)"
# Deeply nested JSON ends in RecursionError, and text that is not UTF-8 in UnicodeDecodeError (a ValueError).
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Person(msgspec.Struct):
    email: str | None = None
    is_self: bool = msgspec.field(default=False, name="self")


class _Time(msgspec.Struct):
    day: date | None = msgspec.field(default=None, name="date")
    at: datetime | None = msgspec.field(default=None, name="dateTime")
    time_zone: str | None = msgspec.field(default=None, name="timeZone")


class _EntryPoint(msgspec.Struct, rename="camel"):
    entry_point_type: str | None = None
    uri: str | None = None
    passcode: str | None = None
    password: str | None = None


class _SolutionKey(msgspec.Struct):
    type: str | None = None


class _Solution(msgspec.Struct):
    key: _SolutionKey | None = None
    name: str | None = None


class _AddOnParameters(msgspec.Struct):
    parameters: dict[str, str] = {}


class _Parameters(msgspec.Struct, rename="camel"):
    add_on_parameters: _AddOnParameters | None = None


class _ConferenceData(msgspec.Struct, rename="camel"):
    conference_id: str | None = None
    conference_solution: _Solution | None = None
    entry_points: list[_EntryPoint] = []
    parameters: _Parameters | None = None


class _Entry(msgspec.Struct, rename="camel"):
    id: str
    status: Status = Status.CONFIRMED
    etag: str = ""
    summary: str | None = None
    description: str | None = None
    location: str | None = None
    created: datetime | None = None
    organizer: _Person | None = None
    start: _Time | None = None
    end: _Time | None = None
    original_start_time: _Time | None = None
    recurring_event_id: str | None = None
    recurrence: list[str] = []
    attendees: list[_Person] = []
    conference_data: _ConferenceData | None = None
    ical_uid: str | None = msgspec.field(default=None, name="iCalUID")


class _Name(msgspec.Struct):
    id: Any = None
    etag: Any = None
    status: Any = None


class _Envelope(msgspec.Struct, rename="camel"):
    next_page_token: str | None = None
    next_sync_token: str | None = None
    access_role: str | None = None
    time_zone: str | None = None


class _TypedPage(_Envelope, rename="camel"):
    items: list[_Entry] = []


class _RawPage(_Envelope, rename="camel"):
    items: list[msgspec.Raw] = []


_typed_page = msgspec.json.Decoder(_TypedPage)
_raw_page = msgspec.json.Decoder(_RawPage)
_entry = msgspec.json.Decoder(_Entry)
_name = msgspec.json.Decoder(_Name)

Read = Event | SetAside


def page(body: bytes, *, zones: Set[str]) -> Page:
    """One answer of events.list.

    body: JSON bytes. zones: IANA names that are known.
    Raises Unreadable when the page itself, not an entry of it, is no such answer.
    """
    try:
        typed = _typed_page.decode(body)
    except _UNDECODABLE:
        return _page_by_entry(body, zones)
    return _page(typed, [_checked(entry, zones) for entry in typed.items])


def event(body: bytes, *, zones: Set[str]) -> Read:
    """One answer of events.get, events.patch or their kin. Raises Unreadable when it is no object or names no event."""
    try:
        return _checked(_entry.decode(body), zones)
    except _UNDECODABLE:
        read = _one(_mended(body) or body, zones)
    if isinstance(read, SetAside) and read.event_id == _NAMELESS:
        raise Unreadable("Google", 200, "an answer that is not an event")
    return read


def _page_by_entry(body: bytes, zones: Set[str]) -> Page:
    try:
        raw = _raw_page.decode(body)
    except _UNDECODABLE:
        mended = _mended(body)
        if mended is None:
            raise Unreadable("Google", 200, "a page that is not JSON") from None
        return _page_by_mended_entry(mended, zones)
    return _page(raw, [_one(bytes(entry), zones) for entry in raw.items])


def _page_by_mended_entry(body: bytes, zones: Set[str]) -> Page:
    try:
        raw = _raw_page.decode(body)
    except _UNDECODABLE:
        raise Unreadable("Google", 200, "a page that is not an answer of events.list") from None
    return _page(raw, [_one(bytes(entry), zones) for entry in raw.items])


def _mended(body: bytes) -> bytes | None:
    """The same JSON with lone surrogates made NUL, which no entry may hold; None when it is no JSON at all."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return _LONE_SURROGATE.sub(r"\\u0000", text).encode()


def _page(envelope: _Envelope, entries: list[Read]) -> Page:
    """Raises Unreadable when a token cannot be stored; an empty one is none."""
    if any("\x00" in token for token in (envelope.next_page_token, envelope.next_sync_token) if token):
        raise Unreadable("Google", 200, "a page whose token holds a NUL or half a character")
    zone = envelope.time_zone
    return Page(
        events=tuple(entry for entry in entries if isinstance(entry, Event)),
        set_aside=tuple(entry for entry in entries if isinstance(entry, SetAside)),
        next_page_token=envelope.next_page_token or None,
        next_sync_token=envelope.next_sync_token or None,
        sees_details=envelope.access_role in _WRITING_ROLES,
        time_zone=_storable(zone) if zone else None,
    )


def _one(raw: bytes, zones: Set[str]) -> Read:
    try:
        return _checked(_entry.decode(raw), zones)
    except _UNDECODABLE as error:
        return _unusable(raw, _sentence(error))


def _unusable(raw: bytes, reason: str) -> Read:
    try:
        named = _name.decode(raw)
    except msgspec.ValidationError:
        return SetAside(_NAMELESS, "", "the entry is not a JSON object")
    except _UNDECODABLE:
        return SetAside(_NAMELESS, "", reason)
    event_id = named.id if isinstance(named.id, str) else _NAMELESS
    etag = named.etag if isinstance(named.etag, str) else ""
    is_tombstone = named.status == Status.CANCELLED.value and event_id is named.id
    return _set_aside(event_id, etag, reason, is_tombstone=is_tombstone)


def _set_aside(event_id: str, etag: str, reason: str, *, is_tombstone: bool) -> Read:
    if is_tombstone and event_id == _storable(event_id) != "":
        return Event(event_id, _storable(etag), Status.CANCELLED, has_details=False)
    return SetAside(_storable(event_id) or _NAMELESS, _storable(etag), reason)


def _sentence(error: Exception) -> str:
    # msgspec names the place (`$.start.dateTime`) and the types; of values it names only those of a closed choice.
    if not isinstance(error, msgspec.DecodeError):
        return "it is not UTF-8 text, or nested too deeply"
    return _UNKNOWN_VALUE.sub("its value is none that is known", str(error)).replace("Object missing", "it lacks")[:200]


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd")[:_ID_LIMIT]


def _checked(entry: _Entry, zones: Set[str]) -> Read:
    try:
        return _event(entry, zones)
    except ValueError as error:
        is_tombstone = entry.status is Status.CANCELLED
        return _set_aside(entry.id, entry.etag, str(error)[:200], is_tombstone=is_tombstone)


def _event(entry: _Entry, zones: Set[str]) -> Event:
    own_text, own_block = block.split(entry.description)
    read = Event(
        event_id=_identifier(entry.id),
        etag=entry.etag,
        status=entry.status,
        has_details=entry.start is not None and entry.organizer is not None,
        organizer=entry.organizer.email.lower() if entry.organizer and entry.organizer.email else None,
        is_organizer_self=entry.organizer is not None and entry.organizer.is_self,
        title=entry.summary,
        description=own_text,
        starts=_when(entry.start, "start", zones),
        ends=_when(entry.end, "end", zones),
        created_at=_created(entry.created),
        ical_uid=entry.ical_uid,
        recurring_event_id=entry.recurring_event_id,
        original_start=_text_of(entry.original_start_time),
        recurrence=tuple(entry.recurrence),
        attendee_count=len(entry.attendees),
        solution=_solution(entry.conference_data),
        shown=_shown(entry.conference_data, entry.location, own_block),
    )
    _refuse_nul(read)
    _refuse_half(read)
    return read


def _identifier(text: str) -> str:
    if not text or len(text) > _ID_LIMIT:
        raise ValueError(f"its id has {len(text)} characters, and 1 to {_ID_LIMIT} are allowed")
    return text


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


def _refuse_half(read: Event) -> None:
    if read.is_cancelled:
        return
    if read.starts is None or read.ends is None:
        raise ValueError("it has no start or no end")
    if (read.starts.day is None) != (read.ends.day is None):
        raise ValueError("it starts as an all-day event and ends as a timed one, or the other way round")
    if _is_backwards(read.starts, read.ends):
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
        return When(at=_aware(time.at), day=time.day, time_zone=time.time_zone)
    except ValueError as error:
        raise ValueError(f"its {field} cannot be used: {error}") from None


def _aware(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise ValueError("an instant needs an offset")
    if at is not None and not _FIRST_YEAR < at.year < _LAST_YEAR:
        raise ValueError("an instant so far away cannot be told in UTC")
    return at


def _created(at: datetime | None) -> datetime | None:
    try:
        return _aware(at)
    except ValueError as error:
        raise ValueError(f"its creation time cannot be used: {error}") from None


def _text_of(time: _Time | None) -> str | None:
    if time is None:
        return None
    # In UTC, for answers are told in the calendar's zone, and that may change.
    moment = at.astimezone(UTC) if (at := _aware(time.at)) else time.day
    return moment.isoformat() if moment else None


def _solution(read: _ConferenceData | None) -> ConferenceSolution | None:
    if read is None:
        return None
    solution = read.conference_solution
    added = read.parameters.add_on_parameters if read.parameters else None
    return ConferenceSolution(
        conference_id=read.conference_id,
        key_type=solution.key.type if solution and solution.key else None,
        name=solution.name if solution else None,
        uris=tuple(point.uri for point in read.entry_points if point.uri),
        parameters=tuple(sorted(added.parameters.items())) if added else (),
    )


def _shown(read: _ConferenceData | None, location: str | None, own_block: str | None) -> Shown:
    points = read.entry_points if read else []
    secrets = [point.passcode or point.password for point in points if point.passcode or point.password]
    return Shown(
        join_urls=_uris(points, "video"),
        passcode=secrets[0] if secrets else None,
        dial_in=_uris(points, "phone"),
        location=location,
        block=own_block,
    )


def _uris(points: Sequence[_EntryPoint], kind: str) -> tuple[str, ...]:
    return tuple(point.uri for point in points if point.entry_point_type == kind and point.uri)
