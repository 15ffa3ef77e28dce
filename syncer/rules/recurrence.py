"""When the occurrences of a series take place, told within a bounded effort whatever its lines say.

A series is known by Google's lines (RRULE, RDATE, EXDATE) and its first start. Its wall clock stays through changes of
the clocks; a time that is left out moves forward by the gap, and of a repeated hour the first one counts.
Source: Calendar API, "Recurring events"; RFC 5545, section 3.8.5.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice

from syncer.model.calendar import Event, When
from syncer.rules import occurrence, repetition
from syncer.rules.occurrence import Unreadable, Zones
from syncer.rules.repetition import Effort, Repetition

TEXT_LIMIT = 50_000
LINES_LIMIT = 500
DATES_LIMIT = 500
ZONES_LIMIT = 10
REPETITIONS_LIMIT = 10
# About microseconds on an ordinary core: nothing here may hold up the others for ten milliseconds.
EFFORT = 5000

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_EARLIEST = datetime(repetition.FIRST_YEAR, 1, 3, tzinfo=UTC)
_LATEST = datetime(repetition.LAST_YEAR, 12, 30, tzinfo=UTC)
_FARTHEST = datetime.max.replace(tzinfo=UTC)
# An all-day start has come everywhere when it has come at UTC-12.
_LAST_MIDNIGHT = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Bounded:
    """One RRULE with its end. until_at: the last instant, last: the last wall clock that may be; None without one."""

    repetition: Repetition
    until_at: datetime | None
    last: datetime | None

    @property
    def is_endless(self) -> bool:
        return self.until_at is None and self.last is None


@dataclass(frozen=True, slots=True)
class Rule:
    """A series that was read. Instants are aware UTC; days of an all-day series are kept as their midnight in UTC.

    first_at: the first start, which Google shows even where no RRULE has it, beside those that COUNT counts.
    singles: it and the RDATEs, in order. excluded, excluded_days: EXDATEs, by instant and by day in the series' zone.
    """

    first_at: datetime
    zone: tzinfo
    is_all_day: bool
    bounded: tuple[Bounded, ...]
    singles: tuple[datetime, ...]
    excluded: frozenset[datetime]
    excluded_days: frozenset[date]

    def last_start(self) -> datetime | date | None:
        """The start of the last occurrence, None for a series without an end.

        The first start where none takes place. Where telling takes too much effort, a time that is never too early:
        the UNTIL that it is near; and a COUNT that cannot be counted to is no end.
        """
        if any(one.is_endless for one in self.bounded):
            return None
        effort = Effort(EFFORT)
        ends = [self._last(one, effort) for one in self.bounded]
        singles = (at for at in reversed(self.singles) if self._takes_place(at))
        return self._told(max((at for at in (*ends, next(singles, None)) if at is not None), default=self.first_at))

    def starts(self, after: datetime | date, before: datetime | date, most: int) -> list[datetime | date]:
        """The first starts from `after` on and before `before`, in order, `most` of them at most.

        Aware UTC instants, or days for an all-day series; a bound of the other kind stands for its midnight in UTC or
        for its day there. They end early where telling more takes too much effort: after hundreds, or some decades.
        """
        first, end = _bound(after), _bound(before)
        known_until = end
        found = {at for at in self.singles if first <= at < end and self._takes_place(at)}
        left = EFFORT
        for number, one in enumerate(self.bounded):
            granted = left // (len(self.bounded) - number)
            effort = Effort(granted)
            source = (at for at in self._instants(one, first, end, effort) if at >= first and self._takes_place(at))
            some = list(islice(source, max(most, 0)))
            found.update(some)
            left -= granted - effort.left
            if effort.is_spent():
                known_until = min(known_until, max(some, default=first))
        return [self._told(at) for at in sorted(at for at in found if at <= known_until)[: max(most, 0)]]

    def has(self, original_start: str) -> bool:
        """The series has an occurrence that starts so. original_start: see `occurrence.canonical`.

        Raises Unreadable when the text is no day and no instant.
        """
        text = occurrence.canonical_text(original_start)
        if (len(text) == len("2026-11-26")) != self.is_all_day:
            return False
        at = _bound(date.fromisoformat(text) if self.is_all_day else datetime.fromisoformat(text))
        return bool(self.starts(at, at + _SECOND, 1))

    def _instants(self, one: Bounded, after: datetime, before: datetime, effort: Effort) -> Iterator[datetime]:
        """What one RRULE has between two instants, its end respected."""
        for wall in one.repetition.walls(self._wall(after) - _DAY, self._wall(before) + _DAY, effort):
            at = self._instant(wall)
            effort.left -= 3
            if one.last is not None and wall > one.last:
                return
            if at < before and (one.until_at is None or at <= one.until_at):
                yield max(at, self.first_at)  # the first start may lie in the second of two hours
            elif at >= before + _DAY:
                return

    def _last(self, one: Bounded, effort: Effort) -> datetime | None:
        """The last that takes place of one RRULE with an end, sought from its end backwards in growing strides."""
        ends = [end for end in (one.until_at, self._instant(one.last) if one.last else None) if end is not None]
        end = before = min(ends) + _SECOND
        stride = one.repetition.stride
        while before > self.first_at and not effort.is_spent():
            after = max(before - stride, self.first_at) if before - _EARLIEST > stride else self.first_at
            found = [at for at in self._instants(one, after, before, effort) if at >= after and self._takes_place(at)]
            if effort.is_spent():
                break
            if found:
                return max(found)
            before, stride = after, stride * 4
        return end - _SECOND if effort.is_spent() else None

    def _takes_place(self, at: datetime) -> bool:
        return at not in self.excluded and not (
            self.excluded_days and at.astimezone(self.zone).date() in self.excluded_days
        )

    def _told(self, at: datetime) -> datetime | date:
        return at.date() if self.is_all_day else at

    def _wall(self, at: datetime) -> datetime:
        return min(max(at, _EARLIEST), _LATEST).astimezone(self.zone).replace(tzinfo=None)

    def _instant(self, wall: datetime) -> datetime:
        return occurrence.instant(wall, self.zone)


def read(lines: Sequence[str], starts: When, *, zones: Zones, fallback: str | None = None) -> Rule:
    """The series that Google's lines mean.

    starts: of the first occurrence. fallback: name of the zone of a start that names none, the calendar's; without
    one its own offset counts.
    Raises Unreadable with a sentence that names no text of the lines.
    """
    _refuse_too_many("lines", len(lines), LINES_LIMIT)
    _refuse_too_many("characters", sum(map(len, lines)), TEXT_LIMIT)
    name = starts.time_zone or fallback
    if starts.at is None:
        return _Reading(UTC, _day_at(starts.day), is_all_day=True, zones=zones).rule(lines)
    zone = zones(name) if name else starts.at.tzinfo
    if zone is None:
        raise Unreadable("its time zone is not known")
    return _Reading(zone, starts.at.replace(microsecond=0), is_all_day=False, zones=zones).rule(lines)


def last_end(event: Event, *, zones: Zones, fallback: str | None = None) -> datetime | None:
    """When the last occurrence of a series is over. An all-day one is when it is so everywhere.

    Each is taken to last as long as the first one. None for a series without an end, and for one that cannot be read:
    what never ends keeps its meeting.
    """
    if event.starts is None or event.ends is None:
        return None
    try:
        last = read(event.recurrence, event.starts, zones=zones, fallback=fallback).last_start()
    except Unreadable:
        return None
    if last is None:
        return None
    length = _instant_of(event.ends) - _instant_of(event.starts)
    last_at = _bound(last) + (timedelta() if event.ends.day is None else _LAST_MIDNIGHT)
    return last_at + length if length < _FARTHEST - last_at else None


def _instant_of(when: When) -> datetime:
    return when.at if when.at is not None else _day_at(when.day)


def _day_at(day: date | None) -> datetime:
    assert day is not None  # noqa: S101 (When holds one of the two)
    return datetime.combine(day, time.min, UTC)


def _bound(when: datetime | date) -> datetime:
    at = when if isinstance(when, datetime) else _day_at(when)
    return min(max(at, _EARLIEST), _LATEST).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Dates:
    """A line of dates. Either an instant for each, or the day where it names nothing but that."""

    name: str
    instants: tuple[datetime, ...]
    days: tuple[date, ...]


class _Reading:
    """Reads the lines of one series."""

    def __init__(self, zone: tzinfo, first_at: datetime, *, is_all_day: bool, zones: Zones) -> None:
        if not repetition.FIRST_YEAR < first_at.year < repetition.LAST_YEAR:
            raise Unreadable("it starts too far away to be repeated")
        first_at = first_at.astimezone(UTC)
        self.zone, self.first_at, self.is_all_day, self.zones = zone, first_at, is_all_day, zones
        self.wall = first_at.astimezone(zone).replace(tzinfo=None)

    def rule(self, lines: Sequence[str]) -> Rule:
        split = [_split(line) for line in lines if line.strip()]
        rules = [value for name, _, value in split if name == "RRULE"]
        of_dates = [line for line in split if line[0] != "RRULE"]
        count = sum(value.count(",") + 1 for *_, value in of_dates)
        _refuse_too_many("RRULE lines", len(rules), REPETITIONS_LIMIT)
        _refuse_too_many("dates", count, DATES_LIMIT)
        _refuse_too_many("time zones", len({parameters.get("TZID") for _, parameters, _ in of_dates}), ZONES_LIMIT)
        dates = [self._dates(*line) for line in of_dates]
        added = [
            at for one in dates if one.name == "RDATE" for at in (*one.instants, *map(self._at_its_time, one.days))
        ]
        excluding = [one for one in dates if one.name == "EXDATE"]
        share = (EFFORT - 4 * count) // max(len(rules), 1)
        return Rule(
            self.first_at,
            self.zone,
            self.is_all_day,
            tuple(self._bounded(text, Effort(share)) for text in rules),
            tuple(sorted({self.first_at, *added})),
            frozenset(at for one in excluding for at in one.instants),
            frozenset(day for one in excluding for day in one.days),
        )

    def _bounded(self, text: str, effort: Effort) -> Bounded:
        read = repetition.read(text, self.wall, is_all_day=self.is_all_day)
        last = read.nth(read.count, effort) if read.count is not None else None
        return Bounded(read, self._until_at(read.until), last)

    def _until_at(self, text: str | None) -> datetime | None:
        """An UNTIL of whichever type: a date is that whole day, a time of an all-day series its day."""
        if text is None:
            return None
        day, wall, is_utc = _moment(text)
        if day.year > repetition.LAST_YEAR:
            return None
        if self.is_all_day:
            return _day_at(day)
        if wall is None:
            return occurrence.instant(datetime.combine(day, time(23, 59, 59)), self.zone)
        return occurrence.instant(wall, UTC if is_utc else self.zone)

    def _dates(self, name: str, parameters: dict[str, str], value: str) -> _Dates:
        zone = self.zones(parameters["TZID"]) if "TZID" in parameters else None
        instants, days = [], []
        for text in value.split(","):
            if not text.strip():
                continue
            day, wall, is_utc = _moment(text.partition("/")[0])  # of a PERIOD the start
            if self.is_all_day or wall is None:
                days.append(day)
            else:
                # A zone that nobody knows is most often the series' own under another maker's name.
                instants.append(occurrence.instant(wall, UTC if is_utc else zone or self.zone))
        return _Dates(name, tuple(instants), tuple(days))

    def _at_its_time(self, day: date) -> datetime:
        return occurrence.instant(datetime.combine(day, self.wall.time()), self.zone)


def _refuse_too_many(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise Unreadable(f"its recurrence has more than {limit} {what}")


def _split(line: str) -> tuple[str, dict[str, str], str]:
    """Name, parameters and value of a line. Google itself has been seen to call an RDATE `RRULE:DATE;` or `DATE;`."""
    line = line.strip()
    for odd in ("RRULE:DATE;", "DATE;"):
        if line.upper().startswith(odd):
            line = "RDATE;" + line[len(odd) :]
    head, _, value = line.rpartition(":")
    name, *parameters = head.split(";")
    name = name.strip().upper()
    if name == "EXRULE":
        raise Unreadable("its recurrence has an EXRULE, which is not supported")
    if name not in ("RRULE", "RDATE", "EXDATE"):
        raise Unreadable("a line of its recurrence is not an RRULE, an RDATE or an EXDATE")
    pairs = (parameter.partition("=") for parameter in parameters)
    return name, {key.strip().upper(): text.strip().strip('"') for key, _, text in pairs}, value


def _moment(text: str) -> tuple[date, datetime | None, bool]:
    """The day, the wall clock if it names one, and whether that is UTC's. Far ones are moved to where time ends."""
    found = _DATE.fullmatch(text.strip().upper())
    if found is None:
        raise Unreadable("a date of its recurrence is not written as one")
    numbers = [int(part) for part in found.groups()[:6] if part is not None]
    try:
        day = date(*numbers[:3])
        clock = time(numbers[3], numbers[4], min(numbers[5], 59)) if len(numbers) > 3 else None
    except ValueError:
        raise Unreadable("a date of its recurrence does not exist") from None
    day = min(max(day, _EARLIEST.date()), date(repetition.LAST_YEAR + 1, 1, 1))
    return day, None if clock is None else datetime.combine(day, clock), bool(found[7])
