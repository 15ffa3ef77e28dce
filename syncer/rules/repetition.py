"""One RRULE on the wall clock: read and checked, then expanded with an effort that ends.

Source: RFC 5545, section 3.3.10, and Calendar API, "Recurring events".
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from math import prod
from typing import Literal

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from syncer.rules.occurrence import Unreadable

# Nothing is told of what lies outside: sums with days and zones cannot leave what a datetime can hold.
FIRST_YEAR, LAST_YEAR = 1600, 8999
END = datetime(LAST_YEAR + 1, 1, 1)  # noqa: DTZ001 (a wall clock)
INTERVAL_LIMIT = 1000
TEXT_LIMIT = 2000
LIST_LIMIT = 100
TIMES_LIMIT = 24

Frequency = Literal[0, 1, 2, 3]  # dateutil's numbers of years, months, weeks and days
By = tuple[tuple[str, tuple[int, ...]], ...]

_FREQUENCIES: Mapping[str, Frequency] = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
_TOO_OFTEN = frozenset(("HOURLY", "MINUTELY", "SECONDLY"))
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NTH_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
# By part: dateutil's name, least and greatest number, and whether it also counts from the end.
_NUMBERS = {
    "BYMONTH": ("bymonth", 1, 12, False),
    "BYMONTHDAY": ("bymonthday", 1, 31, True),
    "BYYEARDAY": ("byyearday", 1, 366, True),
    "BYWEEKNO": ("byweekno", 1, 53, True),
    "BYSETPOS": ("bysetpos", 1, 366, True),
    "BYHOUR": ("byhour", 0, 23, False),
    "BYMINUTE": ("byminute", 0, 59, False),
    "BYSECOND": ("bysecond", 0, 60, False),
}
_TIMES = ("byhour", "byminute", "bysecond")
_PERIOD_DAYS = {DAILY: 1, WEEKLY: 7, MONTHLY: 28, YEARLY: 365}


Numbers = dict[str, tuple[int, ...]]


class Effort:
    """How much may still be spent on an answer, in about microseconds. Counts what was done, so it knows no clock."""

    def __init__(self, units: int) -> None:
        self.left = units

    def is_spent(self) -> bool:
        return self.left <= 0


class _Ended(Exception):
    """The period that was to be looked at last is over."""


class _Interval(int):
    """An interval that can be added so many times only.

    dateutil adds it once for each period and, while nothing matches, comes back only at the end of year 9999: for a
    daily rule after seconds. So the addition is where it can be stopped.
    """

    periods: int
    cost: int
    effort: Effort

    def __radd__(self, other: int) -> int:
        return other + self._once()

    def __mul__(self, other: int) -> int:
        return self._once() * other

    def _once(self) -> int:
        self.periods -= 1
        self.effort.left -= self.cost
        if self.periods < 0 or self.effort.is_spent():
            raise _Ended
        return int(self)


@dataclass(frozen=True, slots=True)
class Repetition:
    """One RRULE that starts at a wall clock. All its times are wall clocks (no zone), all-day ones at midnight.

    by: numbers under dateutil's names, with all that the start says unsaid. weekdays: empty if they do not matter.
    count: how many match, None without a limit. until: the last that may be, as its text says it; None without a limit.
    """

    starts: datetime
    frequency: Frequency
    interval: int
    by: By
    weekdays: tuple[weekday, ...]
    week_start: int
    count: int | None
    until: str | None

    def walls(self, after: datetime, before: datetime, effort: Effort) -> Iterator[datetime]:
        """Occurrences from `after` on and before `before`, in order, whatever COUNT and UNTIL say.

        What is spent is taken from `effort`, and when nothing is left of it they end early.
        """
        after, before = max(after, self.starts), min(before, END)
        effort.left -= 100 + self._cost
        if after >= before or effort.is_spent():
            return
        anchor = self._anchor(after)
        interval = _Interval(self.interval)
        interval.periods = (before - anchor) // timedelta(days=_PERIOD_DAYS[self.frequency] * self.interval) + 1
        interval.cost, interval.effort = self._cost, effort
        found = self._expanded(anchor, interval)
        try:
            for wall in found:
                effort.left -= 2
                if wall >= before or effort.is_spent():
                    return
                if wall >= after:
                    yield wall
        except _Ended:
            return

    def _expanded(self, anchor: datetime, interval: _Interval) -> rrule:
        by = dict(self.by)
        return rrule(
            self.frequency,
            anchor,
            interval=interval,
            wkst=self.week_start,
            bysetpos=by.get("bysetpos"),
            bymonth=by.get("bymonth"),
            bymonthday=by.get("bymonthday"),
            byyearday=by.get("byyearday"),
            byweekno=by.get("byweekno"),
            byweekday=self.weekdays or None,
            byhour=by["byhour"],
            byminute=by["byminute"],
            bysecond=by["bysecond"],
        )

    def nth(self, number: int, effort: Effort) -> datetime | None:
        """The occurrence of this number, 1 or more. None when finding it takes more than there is of `effort`."""
        if number > effort.left:
            return None
        return next(islice(self.walls(self.starts, END, effort), number - 1, None), None)

    @property
    def stride(self) -> timedelta:
        """A few of its periods: most rules have an occurrence in it."""
        return timedelta(days=4 * _PERIOD_DAYS[self.frequency] * self.interval)

    def _anchor(self, after: datetime) -> datetime:
        """Where to begin: the first day of one of the rule's own periods, not after the one that `after` lies in."""
        day = datetime.combine(self.starts, time.min)
        if self.frequency == DAILY:
            return day + _whole((after - day).days, self.interval) * timedelta(days=1)
        if self.frequency == WEEKLY:
            first = day - timedelta(days=(day.weekday() - self.week_start) % 7)
            return first + _whole((after - first).days // 7, self.interval) * timedelta(weeks=1)
        years = after.year - day.year
        if self.frequency == YEARLY:
            return day.replace(day.year + _whole(years, self.interval), 1, 1)
        months = day.month - 1 + _whole(12 * years + after.month - day.month, self.interval)
        return day.replace(day.year + months // 12, months % 12 + 1, 1)

    @property
    def _cost(self) -> int:
        """What looking at one period takes. dateutil asks each day of it for each part, and walks months one by one."""
        by = dict(self.by)
        days = {DAILY: 1, WEEKLY: 7, MONTHLY: 31, YEARLY: 366}[self.frequency]
        lists = len(by.get("bymonthday", ())) + len(by.get("byyearday", ())) + 3 * len(by.get("bysetpos", ()))
        walk = self.interval * days // 60 if self.frequency in (DAILY, WEEKLY) else 0
        return 2 + days // 4 + days * lists // 40 + len(self.weekdays) // 2 + walk


def _whole(passed: int, interval: int) -> int:
    """How much of what has passed are whole intervals."""
    return passed - passed % interval


def read(text: str, starts: datetime, *, is_all_day: bool) -> Repetition:
    """The repetition that the value of an RRULE line means.

    starts: the first occurrence's wall clock. is_all_day: hours, minutes and seconds then mean nothing.
    Raises Unreadable for what is no rule, cannot happen, or happens more often than daily.
    """
    parts = _parts(text)
    frequency = _frequency(parts)
    said = {name: _numbers(parts, part) for part, (name, *_) in _NUMBERS.items() if part in parts}
    if is_all_day:
        said = {name: numbers for name, numbers in said.items() if name not in _TIMES}
    days = _weekdays(parts["BYDAY"], frequency, is_of_months="bymonth" in said) if "BYDAY" in parts else ()
    _refuse_impossible(said, days, frequency)
    unsaid, weekdays = _unsaid(said, days, starts, frequency)
    return Repetition(
        starts,
        frequency,
        _whole_number(parts, "INTERVAL", INTERVAL_LIMIT) or 1,
        tuple(sorted((unsaid | said).items())),
        weekdays,
        _DAYS.index(_day(parts.get("WKST", "MO"))),
        _whole_number(parts, "COUNT", None),
        parts.get("UNTIL"),
    )


def _parts(text: str) -> dict[str, str]:
    """The parts that say something: an empty UNTIL is none."""
    if len(text) > TEXT_LIMIT:
        raise Unreadable(f"its RRULE has more than {TEXT_LIMIT} characters")
    pairs = [part.strip().upper().partition("=") for part in text.split(";") if part.strip()]
    parts = {name: value for name, equals, value in pairs if value}
    if any(not equals for _, equals, _ in pairs) or len({name for name, *_ in pairs}) < len(pairs):
        raise Unreadable("a part of its RRULE has no value, or is there twice")
    known = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS}
    if any(name not in known and not name.startswith("X-") for name in parts):
        raise Unreadable("its RRULE has a part that is not known")
    return parts


def _frequency(parts: Mapping[str, str]) -> Frequency:
    name = parts.get("FREQ", "")
    if name in _TOO_OFTEN:
        raise Unreadable("it repeats more often than daily")
    if name not in _FREQUENCIES:
        raise Unreadable("its RRULE does not say how often it repeats")
    return _FREQUENCIES[name]


def _whole_number(parts: Mapping[str, str], part: str, limit: int | None) -> int | None:
    """A number from 1 on, None where the part is not there."""
    if part not in parts:
        return None
    digits = parts[part]
    if not (digits.isascii() and digits.isdigit()) or not digits.strip("0"):
        raise Unreadable(f"the {part} of its RRULE is no number from 1 on")
    number = int(digits[:10]) if len(digits) > 9 else int(digits)
    if limit is not None and number > limit:
        raise Unreadable(f"the {part} of its RRULE is greater than {limit}")
    return number


def _numbers(parts: Mapping[str, str], part: str) -> tuple[int, ...]:
    _, least, greatest, counts_back = _NUMBERS[part]
    texts = _listed(parts[part], part)
    if not all(_NUMBER.fullmatch(text) for text in texts):
        raise Unreadable(f"the {part} of its RRULE is no list of numbers")
    numbers = {int(text) for text in texts}
    if any(not least <= (abs(number) if counts_back else number) <= greatest for number in numbers):
        raise Unreadable(f"the {part} of its RRULE names what does not exist")
    if part == "BYSECOND":
        numbers = {min(number, 59) for number in numbers}
    return tuple(sorted(numbers))


def _listed(text: str, part: str) -> list[str]:
    texts = [one.strip() for one in text.split(",")]
    if len(texts) > LIST_LIMIT:
        raise Unreadable(f"the {part} of its RRULE names more than {LIST_LIMIT}")
    return texts


def _weekdays(text: str, frequency: int, *, is_of_months: bool) -> tuple[weekday, ...]:
    """A number before a day counts within the month or the year; by days and weeks it means nothing."""
    greatest = 5 if frequency == MONTHLY or is_of_months else 53
    days: set[tuple[int, int]] = set()
    for one in _listed(text, "BYDAY"):
        found = _NTH_DAY.fullmatch(one)
        number = int(found[1] or 0) if found else 0
        if found is None or (found[1] and not 0 < abs(number) <= greatest):
            raise Unreadable("the BYDAY of its RRULE names what does not exist")
        days.add((_DAYS.index(found[2]), number if frequency in (MONTHLY, YEARLY) else 0))
    return tuple(weekday(day, number or None) for day, number in sorted(days))


def _day(text: str) -> str:
    if text not in _DAYS:
        raise Unreadable("the WKST of its RRULE is no day of the week")
    return text


def _refuse_impossible(said: Numbers, weekdays: tuple[weekday, ...], frequency: Frequency) -> None:
    if frequency != YEARLY and ("byyearday" in said or "byweekno" in said):
        raise Unreadable("its RRULE names days or weeks of the year and does not repeat by years")
    if "byweekno" in said and any(one.n for one in weekdays):
        raise Unreadable("its RRULE numbers the days of numbered weeks")
    if prod(len(said.get(name, (0,))) for name in _TIMES) > TIMES_LIMIT:
        raise Unreadable(f"it repeats more often than {TIMES_LIMIT} times a day")
    days, months = said.get("bymonthday"), said.get("bymonth", range(1, 13))
    if days and not any(abs(day) <= monthrange(2000, month)[1] for day in days for month in months):
        raise Unreadable("its RRULE names days that none of its months has")


def _unsaid(
    said: Numbers, weekdays: tuple[weekday, ...], starts: datetime, frequency: Frequency
) -> tuple[Numbers, tuple[weekday, ...]]:
    """What a rule leaves to its start: at what time, and on which day."""
    given: Numbers = {"byhour": (starts.hour,), "byminute": (starts.minute,), "bysecond": (starts.second,)}
    if weekdays or "bymonthday" in said or "byyearday" in said:
        return given, weekdays
    if frequency == WEEKLY or "byweekno" in said:
        return given, (weekday(starts.weekday()),)
    if frequency == MONTHLY:
        given["bymonthday"] = (starts.day,)
    elif frequency == YEARLY:
        given |= {"bymonth": (starts.month,), "bymonthday": (starts.day,)}
    return given, weekdays
