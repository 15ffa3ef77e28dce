"""What a meeting on series should take place as, by the events that refer to it, and what it does by its own word.

Both are lists of (start, end, title) in the window that is judged; what is over is not judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from syncer.simulator.judge.occurrences import occurrences
from syncer.simulator.judge.reading import Reading, Sight, side
from syncer.simulator.people.record import Json

BEFORE, AFTER = timedelta(hours=1), timedelta(days=400)
_MARGIN = timedelta(days=60)
_LONGEST = timedelta(days=3650)
_BOUND = re.compile(r"(?:UNTIL|COUNT)=")

Occurrence = tuple[date, date, str]
Window = tuple[datetime, datetime]


class Unjudgeable(ValueError):
    """Lines of a series that this judge does not read."""


def window(now: datetime) -> Window:
    """What is judged."""
    return now - BEFORE, now + AFTER


def is_ahead(sight: Sight, now: datetime) -> bool:
    """Whether something of an event ends after now; a series by its lines alone, instances left out."""
    if not sight.is_series:
        return sight.ends_at > now
    try:
        last = _last(sight)
    except Unjudgeable:
        return True
    length = sight.ends_at - _first(sight)
    return last is None or last + length > now


@dataclass(frozen=True, slots=True)
class Family:
    """A series and its changed instances that are live, and the original starts of those that are called off."""

    master: Sight
    exceptions: tuple[Sight, ...]
    called_off: frozenset[date]


def family_of(reading: Reading, master: Sight) -> Family:
    """The series with what belongs to it."""
    return Family(master, reading.exceptions.get(master.where, ()), reading.called_off.get(master.where, frozenset()))


def halves(driver: Sight, sights: Sequence[Sight]) -> list[Sight]:
    """The driver and the series that went on from it, or that it went on from, by start.

    sights: that refer to the meeting. Forwards each next one begins after the last occurrence of the one before, and
    backwards the same way. Raises Unjudgeable.
    """
    masters = [sight for sight in sights if sight.is_series and sight.where.calendar_id == driver.where.calendar_id]
    masters.sort(key=lambda sight: (_first(sight), sight.created_at, sight.where.event_id))
    chain = [driver]
    while following := _after(chain[-1], masters):
        chain.append(following)
    while preceding := _before(chain[0], masters):
        chain.insert(0, preceding)
    return chain


def _after(sight: Sight, masters: Sequence[Sight]) -> Sight | None:
    last = _last(sight)
    return None if last is None else next((one for one in masters if _first(one) > last), None)


def _before(sight: Sight, masters: Sequence[Sight]) -> Sight | None:
    ended = [(last, one) for one in masters if (last := _last(one)) is not None and last < _first(sight)]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _first(sight: Sight) -> datetime:
    return _instant(side(sight.event["start"], sight.time_zone))


def _last(sight: Sight) -> datetime | None:
    """The start of the last occurrence, None of a series without end."""
    if any(line.startswith("RRULE") and not _BOUND.search(line) for line in sight.event["recurrence"]):
        return None
    first = _first(sight)
    found = _of_sight(sight, (first - _MARGIN, first + _LONGEST))
    return _instant(found[-1][0]) if found else first


def wanted(reading: Reading, chain: Sequence[Sight], driver: Sight, within: Window) -> list[Occurrence]:
    """What the events say: the occurrences of all halves, called off and swapped ones left out, moved ones moved.

    Plain occurrences of every half have the driver's title. Raises Unjudgeable.
    """
    found: list[Occurrence] = []
    for master in chain:
        found += _of_family(family_of(reading, master), _line(driver.event.get("summary")), within)
    return sorted(_in_window(found, within), key=_order)


def _of_family(family: Family, title: str, within: Window) -> Iterator[Occurrence]:
    meeting_id, zone = family.master.meeting_id, family.master.time_zone
    instead = {sight.original: sight for sight in family.exceptions}
    for starts, ends in _of_sight(family.master, _wide(within)):
        if starts not in family.called_off and starts not in instead:
            yield starts, ends, title
    for sight in instead.values():
        if sight.meeting_id == meeting_id:
            event = sight.event
            yield side(event["start"], zone), side(event["end"], zone), _line(event.get("summary"))


def held(meeting: Json, time_zone: str, within: Window) -> list[Occurrence]:
    """What the meeting says of itself, whole: with its overrides and its further series.

    time_zone: for what names none. Raises Unjudgeable.
    """
    found: list[Occurrence] = []
    for series in (meeting, *meeting.get("further", [])):
        found += _of_lines({"timezone": None, **series}, time_zone, _line(meeting["title"]), within)
    return sorted(_in_window(found, within), key=_order)


def _of_lines(series: Json, time_zone: str, title: str, within: Window) -> Iterator[Occurrence]:
    zone = series["timezone"] or time_zone
    whole = _Lines(series["start"], series["end"], zone, tuple(series["recurrence"]))
    instead: Mapping[date, Json] = {parsed(one["original_start"]): one for one in series.get("overrides", [])}
    for starts, ends in _expanded(whole, _wide(within)):
        if starts not in instead:
            yield starts, ends, title
    for one in instead.values():
        yield parsed(one["start"]), parsed(one["end"]), _line(one["title"])


def parsed(text: str) -> date:
    """An instant or a day, as the provider writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if "T" in text else date.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class _Lines:
    """A series as texts. starts, ends: an instant with its offset, or a date."""

    starts: str
    ends: str
    zone: str
    recurrence: tuple[str, ...]


def _of_sight(sight: Sight, within: Window) -> tuple[tuple[date, date], ...]:
    event = sight.event
    starts, ends = side(event["start"], sight.time_zone), side(event["end"], sight.time_zone)
    zone = event["start"].get("timeZone") or sight.time_zone
    return _expanded(_Lines(starts.isoformat(), ends.isoformat(), zone, tuple(event.get("recurrence", []))), within)


def _wide(within: Window) -> Window:
    """The window with room for what is moved into it, by whole days, so that what was expanded once is known."""
    first = within[0].replace(hour=0, minute=0, second=0, microsecond=0)
    return first - _MARGIN, first + (within[1] - within[0]) + _MARGIN


@lru_cache(maxsize=4096)
def _expanded(lines: _Lines, within: Window) -> tuple[tuple[date, date], ...]:
    def google(text: str) -> Json:
        return {"dateTime": text, "timeZone": lines.zone} if "T" in text else {"date": text}

    try:
        return tuple(occurrences(google(lines.starts), google(lines.ends), lines.recurrence, within))
    except (ValueError, KeyError) as error:
        raise Unjudgeable(str(error)) from error


def _in_window(found: Sequence[Occurrence], within: Window) -> Iterator[Occurrence]:
    return (one for one in found if within[0] <= _instant(one[0]) < within[1])


def _order(one: Occurrence) -> tuple[datetime, datetime, str]:
    return _instant(one[0]), _instant(one[1]), one[2]


def _instant(when: date) -> datetime:
    return when.astimezone(UTC) if isinstance(when, datetime) else datetime.combine(when, time(), UTC)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def differences(reading: Reading, driver: Sight, sights: Sequence[Sight], meeting: Json, within: Window) -> list[str]:
    """In what the occurrences of a meeting differ from those of its driver, a series, and the halves of it.

    sights: that refer to the meeting.
    """
    try:
        said = Counter(wanted(reading, halves(driver, sights), driver, within))
        found = Counter(held(meeting, driver.time_zone, within))
    except Unjudgeable:
        return _as_text(driver, meeting)
    missing, surplus = sorted((said - found).elements(), key=_order), sorted((found - said).elements(), key=_order)
    words = [f"missing {named(missing)}"] if missing else []
    return words + ([f"surplus {named(surplus)}"] if surplus else [])


def _as_text(driver: Sight, meeting: Json) -> list[str]:
    """Of lines that this judge does not read: they are passed on as they are."""
    missing = set(driver.event["recurrence"]) - set(meeting["recurrence"])
    return ["recurrence"] if missing else []


def named(different: Sequence[Occurrence]) -> str:
    """The first of some occurrences, in words."""
    starts, ends, title = different[0]
    more = f" and {len(different) - 1} more" if len(different) > 1 else ""
    return f"{title!r} {starts.isoformat()} to {ends.isoformat()}{more}"
