"""The occurrences of a series by the judge's own reckoning: each day is asked whether the series' lines have it.

Slow and plain, and knows the forms that people use: another one is refused with a ValueError.
Source: RFC 5545, sections 3.3.10 and 3.8.5; Calendar API, "Recurring events".
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NTH = re.compile(r"([+-]?\d+)?([A-Z]{2})")
_KNOWN = frozenset(("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"))

Moment = datetime | date
"""An aware UTC instant, or the day of something that lasts all day."""


def occurrences(
    starts: Mapping[str, Any], ends: Mapping[str, Any], recurrence: Sequence[str], window: tuple[datetime, datetime]
) -> list[tuple[Moment, Moment]]:
    """Start and end of each occurrence that starts in the window, in order; its end is not part of it.

    starts, ends: `{"dateTime", "timeZone"}` or `{"date"}` of the first one, as Google writes them. recurrence: its
    lines, empty for a single event. window: aware; a day counts as its midnight in UTC. The first start always is one,
    also where no rule has it, and beside those that COUNT counts: so Google's calendar shows it.
    Raises ValueError for lines of another form, and what a Mapping raises for other times.
    """
    clock = _Clock.of(starts)
    first = clock.moment(starts)
    length = clock.moment(ends) - first
    until = clock.day(window[1]) + _DAY
    found = {first}
    gone: set[Moment] = set()
    for line in recurrence:
        head, _, value = line.rpartition(":")
        name, zone = head.partition(";")[0], head.partition("TZID=")[2].partition(";")[0]
        if name == "RRULE":
            # A first start in the second of two hours is the first one all the same.
            found |= {max(moment, first) for moment in _repeated(_Rule.of(value, clock), until)}
        elif name in ("RDATE", "EXDATE"):
            (found if name == "RDATE" else gone).update(clock.read(text, zone) for text in value.split(","))
        else:
            raise ValueError(f"The judge knows no {name}.")
    after, before = window
    taking_place = sorted(one for one in found - gone if after <= _instant(one) < before)
    return [(one, one + length) for one in taking_place]


def _instant(moment: Moment) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.min, UTC)


@dataclass(frozen=True, slots=True)
class _Clock:
    """The wall clock of a series. first: its first day. at: its time of day, None when it lasts all day."""

    first: date
    at: time | None
    zone: ZoneInfo

    @classmethod
    def of(cls, starts: Mapping[str, Any]) -> _Clock:
        if "date" in starts:
            return cls(date.fromisoformat(starts["date"]), None, ZoneInfo("UTC"))
        zone = ZoneInfo(starts.get("timeZone") or "UTC")
        local = datetime.fromisoformat(starts["dateTime"]).astimezone(zone)
        return cls(local.date(), local.time(), zone)

    def moment(self, side: Mapping[str, Any]) -> Any:
        """A start or an end of the event. Any: two of one kind can be taken from one another."""
        if self.at is None:
            return date.fromisoformat(side["date"])
        return datetime.fromisoformat(side["dateTime"]).astimezone(UTC)

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def on(self, day: date) -> Moment:
        """The occurrence of a day. One that the clocks skip is as late as by the clocks of before."""
        return day if self.at is None else datetime.combine(day, self.at, self.zone).replace(fold=0).astimezone(UTC)

    def read(self, text: str, zone: str = "") -> Moment:
        """A date of an RDATE, EXDATE or UNTIL: a bare one is the day's own occurrence."""
        day, _, clock = text.partition("T")
        on = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
        if self.at is None or not clock:
            return self.on(on)
        at = datetime.strptime(clock.removesuffix("Z"), "%H%M%S").replace(tzinfo=UTC).time()
        named = ZoneInfo("UTC") if clock.endswith("Z") else ZoneInfo(zone) if zone else self.zone
        return datetime.combine(on, at, named).astimezone(UTC)

    def last(self, text: str) -> Moment:
        """The last moment that an UNTIL lets be: a bare date lets the whole day be."""
        if self.at is None or "T" in text:
            return self.read(text)
        return self.read(text + "T235959")


@dataclass(frozen=True, slots=True)
class _Rule:
    """An RRULE's value. parts: by name. Its days are asked for one by one."""

    clock: _Clock
    parts: Mapping[str, str]

    @classmethod
    def of(cls, value: str, clock: _Clock) -> _Rule:
        parts = dict(part.split("=", 1) for part in value.split(";") if part)
        if not parts.keys() <= _KNOWN or parts.get("FREQ") not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
            raise ValueError("The judge knows no such RRULE.")
        return cls(clock, parts)

    def numbers(self, part: str) -> list[int]:
        return [int(number) for number in self.parts[part].split(",")] if part in self.parts else []

    def period(self, day: date) -> int:
        """The number of the day, week, month or year that the day is in."""
        match self.parts["FREQ"]:
            case "DAILY":
                return day.toordinal()
            case "WEEKLY":
                # The first of January of year 1 is a Monday, and day 1.
                return (day.toordinal() - 1 - _WEEK.index(self.parts.get("WKST", "MO"))) // 7
            case "MONTHLY":
                return day.year * 12 + day.month
            case _:
                return day.year

    def has(self, day: date) -> bool:
        """The rule has the day, apart from BYSETPOS and from where it ends."""
        passed = self.period(day) - self.period(self.clock.first)
        months, of_month = self.numbers("BYMONTH"), self.numbers("BYMONTHDAY")
        from_end = day.day - monthrange(day.year, day.month)[1] - 1
        return (
            passed % int(self.parts.get("INTERVAL", "1")) == 0
            and (not months or day.month in months)
            and (not of_month or day.day in of_month or from_end in of_month)
            and self._is_among(day)
            and self._is_like_first(day)
        )

    def _is_like_first(self, day: date) -> bool:
        """What a rule without days leaves to the first one."""
        first, frequency = self.clock.first, self.parts["FREQ"]
        if frequency == "DAILY" or "BYDAY" in self.parts or "BYMONTHDAY" in self.parts:
            return True
        if frequency == "WEEKLY":
            return day.weekday() == first.weekday()
        return day.day == first.day and (frequency == "MONTHLY" or "BYMONTH" in self.parts or day.month == first.month)

    def _is_among(self, day: date) -> bool:
        return "BYDAY" not in self.parts or any(self._is_nth(day, one) for one in self.parts["BYDAY"].split(","))

    def _is_nth(self, day: date, text: str) -> bool:
        found = _NTH.fullmatch(text)
        if found is None or found[2] not in _WEEK:
            raise ValueError("The judge knows no such BYDAY.")
        if day.weekday() != _WEEK.index(found[2]):
            return False
        if found[1] is None or self.parts["FREQ"] in ("DAILY", "WEEKLY"):
            return True
        if self.parts["FREQ"] == "YEARLY" and "BYMONTH" not in self.parts:
            place, length = day.timetuple().tm_yday, 365 + isleap(day.year)
        else:
            place, length = day.day, monthrange(day.year, day.month)[1]
        return int(found[1]) in ((place - 1) // 7 + 1, -((length - place) // 7 + 1))

    def days(self, until: date) -> Iterator[date]:
        """All its days up to one, from the first one's period on, in order."""
        start = self.clock.first
        while self.period(start - _DAY) == self.period(self.clock.first):
            start -= _DAY
        end = until
        while self.period(end + _DAY) == self.period(until):
            end += _DAY
        every = (start + number * _DAY for number in range((end - start).days + 1))
        chosen = self.numbers("BYSETPOS")
        for _, period in groupby((day for day in every if self.has(day)), self.period):
            days = list(period)
            places = ((number, number - len(days) - 1) for number in range(1, len(days) + 1))
            yield from (day for day, place in zip(days, places, strict=True) if not chosen or {*place} & {*chosen})


def _repeated(rule: _Rule, until: date) -> Iterator[Moment]:
    """What a rule has up to a day, from its first start on, until it ends."""
    left = int(rule.parts.get("COUNT", "-1"))
    last = rule.clock.last(rule.parts["UNTIL"]) if rule.parts.get("UNTIL") else None
    for day in rule.days(until):
        if day < rule.clock.first:
            continue
        moment = rule.clock.on(day)
        if left == 0 or (last is not None and moment > last):
            return
        left -= 1
        yield moment
