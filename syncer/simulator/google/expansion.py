"""The occurrences of a stored series: when its rule says that something takes place.

Bounded: a rule that is finer than days, that cannot be read, or that goes on for too long is not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from dateutil import rrule  # type: ignore[import-untyped, unused-ignore]

from syncer.simulator.google import times
from syncer.simulator.google.times import Json

MOST = 5000
_RULE = re.compile(r"(?:RRULE|EXDATE|RDATE)[:;]", re.IGNORECASE)
_FREQUENCY = re.compile(r"FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;|$)")
_FINE = re.compile(
    r"BY(?:HOUR|MINUTE|SECOND|EASTER)=|BYMONTHDAY=(?:2[9]|3[01])|INTERVAL=\d{4}|BYSETPOS|BYWEEKNO|BYYEARDAY"
)
_UNTIL = re.compile(r"UNTIL=(\d{8})(?:T(\d{6})(Z?))?")
_MOMENT = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


class Unexpandable(Exception):
    """A series whose occurrences are not known here."""


def starts(master: Json, zone_name: str) -> Iterator[datetime]:
    """The starts by rule and date, ascending, aware UTC; all-day ones at their midnight in the zone.

    master: a resource with `recurrence`. zone_name: the calendar's. Ends after MOST of them.
    Raises Unexpandable before the first one.
    """
    zone = own_zone(master, zone_name)
    first_at = times.instant_of(master.get("start"), zone_name)
    if first_at is None:
        raise Unexpandable
    naive = first_at.astimezone(zone).replace(tzinfo=None)
    found = _rules(master["recurrence"], naive, zone)
    return (at.replace(tzinfo=zone).astimezone(UTC) for at in islice(found, MOST))


def has(master: Json, zone_name: str, original: Json) -> bool:
    """Whether a series has an occurrence with that original start; of one not expanded: at its time of day."""
    wanted_at = times.instant_of(original, zone_name)
    if wanted_at is None:
        return False
    try:
        return any(at == wanted_at for at in takewhile(lambda at: at <= wanted_at, starts(master, zone_name)))
    except Unexpandable:
        return _is_at_its_time(master, zone_name, wanted_at)


def _is_at_its_time(master: Json, zone_name: str, at: datetime) -> bool:
    zone, first_at = own_zone(master, zone_name), times.instant_of(master.get("start"), zone_name)
    is_free = any("BYHOUR" in line or "BYMINUTE" in line or line[:5] == "RDATE" for line in master["recurrence"])
    return is_free or first_at is None or first_at.astimezone(zone).time() == at.astimezone(zone).time()


def between(master: Json, zone_name: str, after: datetime, before: datetime) -> list[datetime]:
    """The starts in [after, before); none of a series that is not expanded."""
    try:
        return [at for at in takewhile(lambda at: at < before, starts(master, zone_name)) if at >= after]
    except Unexpandable:
        return []


def own_zone(master: Json, zone_name: str) -> ZoneInfo:
    """The zone whose wall clock a series keeps; all-day ones and those that name none keep the calendar's."""
    start = master.get("start") or {}
    return times.zone_named(start.get("timeZone")) or times.zone_named(zone_name) or ZoneInfo("UTC")


def _rules(lines: list[str], first: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    dates = rrule.rruleset()
    dates.rdate(first)
    for line in lines:
        if not _RULE.match(line):
            raise Unexpandable
        name, _, value = line.partition(":")
        try:
            _add(dates, (name.partition(";")[0].upper(), name), value, first, zone)
        except (ValueError, OverflowError, KeyError):
            raise Unexpandable from None
    return iter(dates)


def _add(dates: rrule.rruleset, name: tuple[str, str], value: str, first: datetime, zone: ZoneInfo) -> None:
    kind, whole = name
    if kind == "RRULE":
        if not _FREQUENCY.search(value) or _FINE.search(value):
            raise Unexpandable
        rule = rrule.rrulestr(_with_local_until(value, first, zone), dtstart=first)
        if not isinstance(rule, rrule.rrule):
            raise Unexpandable
        dates.rrule(rule)
        return
    named = times.zone_named(whole.partition("TZID=")[2].partition(";")[0]) or zone
    for text in value.split(","):
        at = _local(text, first, named, zone)
        if kind == "EXDATE":
            dates.exdate(at)
        else:
            dates.rdate(at)


def _local(text: str, first: datetime, named: ZoneInfo, zone: ZoneInfo) -> datetime:
    match = _MOMENT.match(text)
    if match is None:
        raise Unexpandable
    day = datetime.strptime(match[1], "%Y%m%d")  # noqa: DTZ007 -- a wall clock, put into its zone below
    if match[2] is None:
        return datetime.combine(day, first.time())
    at = datetime.combine(day, time(int(match[2][:2]), int(match[2][2:4]), int(match[2][4:])))
    aware = at.replace(tzinfo=UTC if match[3] else named)
    return aware.astimezone(zone).replace(tzinfo=None)


def _with_local_until(rule: str, first: datetime, zone: ZoneInfo) -> str:
    """The rule with its UNTIL on the series' own wall clock; a date stands for the whole of its day."""
    match = _UNTIL.search(rule)
    if match is None:
        return rule
    day = datetime.strptime(match[1], "%Y%m%d")  # noqa: DTZ007 -- a wall clock, put into its zone below
    until = day + timedelta(days=1, seconds=-1) if match[2] is None else _local(match[0][6:], first, zone, zone)
    return f"{rule[: match.start()]}UNTIL={until:%Y%m%dT%H%M%S}{rule[match.end() :]}"
