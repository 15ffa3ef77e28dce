"""Raw JSON of Google's answers into values, one bad entry at a time.

A ladder: the whole page typed; else some entries at once; else entry by entry. Where the text itself is broken, halves
of characters are mended, or it goes through a decoder that forgives; the entries that they were in are named.
What cannot be used is set aside with a reason. A tombstone needs no more than its id, so one whose rest cannot be used
is taken as a bare one.
Source: Calendar API, Events resource and events.list.
"""

import json
import re
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from itertools import chain

import msgspec
from msgspec import structs

from syncer.model.calendar import Event, Page, SetAside, Status
from syncer.model.errors import Unreadable
from syncer.rules import resource
from syncer.rules.resource import ID_LIMIT, Entry, Name

_WRITING_ROLES = frozenset({"writer", "owner"})
# What is read in one step: some 80 events. The least of entries costs as much as so many bytes.
_STEP_BYTES = 64 * 1024
_ENTRY_BYTES = 256
# Two tokens, a zone and a role are less; whatever is longer has entries, or is odd.
_QUIET_BYTES = 2048
_NUL = rb"\u0000"  # as JSON holds it: a bare one is no JSON
# Half a character as JSON holds it; what only looks like it is found first.
_HALF = re.compile(rb"\\(?:\\|u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..))")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNKNOWN_VALUE = re.compile(r"Invalid enum value .*(?= - at `)", re.DOTALL)
_UPDATED = re.compile(rb'"20[0-9T:.-]+Z"')
_NAMELESS = "(without an id)"
# Deeply nested JSON ends in RecursionError, and text that is not UTF-8 in UnicodeDecodeError (a ValueError).
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Envelope(msgspec.Struct, rename="camel", gc=False):
    next_page_token: str | None = None
    next_sync_token: str | None = None
    access_role: str | None = None
    time_zone: str | None = None


class _TypedPage(_Envelope):
    items: tuple[Entry, ...] = ()


class _RawPage(_Envelope):
    items: tuple[msgspec.Raw, ...] = ()


class _EmptyPage(_Envelope):
    items: tuple[()] = ()


_typed_page = msgspec.json.Decoder(_TypedPage)
_raw_page = msgspec.json.Decoder(_RawPage)
_empty_page = msgspec.json.Decoder(_EmptyPage)
_entries = msgspec.json.Decoder(tuple[Entry, ...])
_entry = msgspec.json.Decoder(Entry)
_name = msgspec.json.Decoder(Name)
_instant = msgspec.json.Decoder(datetime)

Read = Event | SetAside


def quiet(body: bytes) -> str | None:
    """The next sync token of an answer of events.list that is a last page without entries, told at little cost.

    None: read it with `page`, which tells also what is wrong with it, and may find an odd body quiet all the same.
    """
    if len(body) > _QUIET_BYTES:
        return None
    try:
        read = _empty_page.decode(body)
    except _UNDECODABLE:
        return None
    token = read.next_sync_token
    return None if read.next_page_token or not token or "\x00" in token else token


def page(body: bytes, *, zones: Set[str]) -> Page:
    """One answer of events.list.

    body: JSON bytes. zones: IANA names that are known.
    Raises Unreadable when the page itself, not an entry of it, is no such answer.
    """
    try:
        typed = _typed_page.decode(body)
    except _UNDECODABLE:
        return whole(list(_in_parts(body, zones)))
    may_hold_nul = _NUL in body
    read = _page(typed, [_checked(entry, zones, may_hold_nul) for entry in typed.items])
    return structs.replace(read, changed_at=_newest(typed.items)) if typed.items else read


def parts(body: bytes, *, zones: Set[str]) -> Iterator[Page]:
    """What `page` gives, as pages with some of its entries each: between two of them, others may go on.

    At least one, and each with the tokens of the whole; `whole` puts them together. A page of a few entries is one
    part. Raises, before the first, as `page` does.
    """
    if len(body) <= _STEP_BYTES:
        yield page(body, zones=zones)
    else:
        yield from _in_parts(body, zones)


def whole(parts: Sequence[Page]) -> Page:
    """The page that these, one or more, are the parts of."""
    if len(parts) == 1:
        return parts[0]
    return structs.replace(
        parts[0],
        events=tuple(chain.from_iterable(part.events for part in parts)),
        set_aside=tuple(chain.from_iterable(part.set_aside for part in parts)),
    )


def event(body: bytes, *, zones: Set[str]) -> Read:
    """One answer of events.get, events.patch or their kin. Raises Unreadable when it is no object or names no event."""
    try:
        return _checked(_entry.decode(body), zones, _NUL in body)
    except _UNDECODABLE:
        read = _one(_mended(body) or body, zones)
    if isinstance(read, SetAside) and read.event_id == _NAMELESS:
        raise Unreadable("Google", 200, "an answer that is not an event")
    return read


def _newest(entries: Sequence[Entry]) -> datetime | None:
    """When the newest of these was changed, as far as they say it as Google does: all in one form, and in UTC."""
    newest = max([bytes(entry.updated) for entry in entries])
    try:
        return _instant.decode(newest) if _UPDATED.fullmatch(newest) else None
    except msgspec.DecodeError:
        return None


def _in_parts(body: bytes, zones: Set[str]) -> Iterator[Page]:
    raw = _opened(body)
    for raws in _steps(raw.items):
        yield _page(raw, _several(raws, zones))


def _steps(raws: Sequence[msgspec.Raw]) -> Iterator[Sequence[msgspec.Raw]]:
    """Slices of some bytes each, at least one."""
    start, size = 0, 0
    for stop, raw in enumerate(raws):
        if size >= _STEP_BYTES:
            yield raws[start:stop]
            start, size = stop, 0
        size += max(len(raw), _ENTRY_BYTES)
    yield raws[start:]


def _several(raws: Sequence[msgspec.Raw], zones: Set[str]) -> list[Read]:
    body = b"[" + b",".join(raws) + b"]"
    try:
        entries = _entries.decode(body)
    except _UNDECODABLE:
        return [_one(bytes(raw), zones) for raw in raws]
    may_hold_nul = _NUL in body
    return [_checked(entry, zones, may_hold_nul) for entry in entries]


def _opened(body: bytes) -> _RawPage:
    read = _raw(body) or _raw(_HALF.sub(_without_half, body))
    if read is not None:
        return read
    mended = _mended(body)
    if mended is None:
        raise Unreadable("Google", 200, "a page that is not JSON")
    read = _raw(mended)
    if read is None:
        raise Unreadable("Google", 200, "a page that is not an answer of events.list")
    return read


def _raw(body: bytes) -> _RawPage | None:
    try:
        return _raw_page.decode(body)
    except _UNDECODABLE:
        return None


def _without_half(found: re.Match[bytes]) -> bytes:
    return _NUL if found.group("half") else found.group()


def _mended(body: bytes) -> bytes | None:
    """The same JSON with lone surrogates made NUL, which no entry may hold; None when it is no JSON at all."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return _LONE_SURROGATE.sub(r"\\u0000", text).encode()


def _page(envelope: _Envelope, entries: list[Read]) -> Page:
    """Raises Unreadable when a token cannot be stored; an empty one is none."""
    next_page, next_sync, zone = envelope.next_page_token, envelope.next_sync_token, envelope.time_zone
    if "\x00" in (next_page or "") or "\x00" in (next_sync or ""):
        raise Unreadable("Google", 200, "a page whose token holds a NUL or half a character")
    events = tuple([entry for entry in entries if isinstance(entry, Event)])
    is_whole = len(events) == len(entries)
    return Page(
        events=events,
        set_aside=() if is_whole else tuple([entry for entry in entries if isinstance(entry, SetAside)]),
        next_page_token=next_page or None,
        next_sync_token=next_sync or None,
        sees_details=envelope.access_role in _WRITING_ROLES,
        time_zone=_storable(zone) if zone else None,
    )


def _one(raw: bytes, zones: Set[str]) -> Read:
    try:
        return _checked(_entry.decode(raw), zones, _NUL in raw)
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
    return text.replace("\x00", "\ufffd")[:ID_LIMIT]


def _checked(entry: Entry, zones: Set[str], may_hold_nul: bool) -> Read:
    try:
        return resource.event(entry, zones=zones, may_hold_nul=may_hold_nul)
    except ValueError as error:
        is_tombstone = entry.status is Status.CANCELLED
        return _set_aside(entry.id, entry.etag, str(error)[:200], is_tombstone=is_tombstone)
