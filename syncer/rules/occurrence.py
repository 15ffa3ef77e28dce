"""What one occurrence of a series is known by, and how a line of the series excludes it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, tzinfo

from syncer.model.calendar import When

Zones = Callable[[str], tzinfo | None]
"""Gives the zone of an IANA name, None for a name that is not known."""


class Unreadable(ValueError):
    """A recurrence that is not understood, in one sentence that names no text of it."""


def canonical(when: When) -> str:
    """What an occurrence is known by: `2026-11-26`, or its instant as `2026-11-26T09:00:00Z`."""
    if when.at is None:
        assert when.day is not None  # noqa: S101 (When holds one of the two)
        return when.day.isoformat()
    return when.at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def canonical_text(text: str) -> str:
    """The same, from a date or a dateTime as Google or another rendered it.

    Raises Unreadable when it is neither, or an instant without an offset.
    """
    try:
        if len(text) == len("2026-11-26"):
            return canonical(When(day=date.fromisoformat(text)))
        return canonical(When(at=datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        raise Unreadable("the original start of an occurrence is neither a date nor an instant") from None


def exdates(original_starts: Iterable[str], time_zone: str | None, *, zones: Zones) -> Iterator[str]:
    """The EXDATE line for each of these occurrences, on the wall clock of its master's zone.

    original_starts: see `canonical`. In UTC where the master names no zone that is known, or where a wall clock would
    mean another instant: the second of a repeated hour.
    """
    zone = zones(time_zone) if time_zone else None
    for text in original_starts:
        if len(text) == len("2026-11-26"):
            yield "EXDATE;VALUE=DATE:" + _basic(text)
            continue
        wall = None if zone is None else datetime.fromisoformat(text).astimezone(zone)
        if wall is None or wall.fold:
            yield f"EXDATE:{_basic(text)}"
        else:
            yield f"EXDATE;TZID={time_zone}:{_basic(wall.replace(tzinfo=None).isoformat())}"


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """When a clock of the zone shows this. A time that the clocks leave out is as far behind the gap as it is in it."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _basic(text: str) -> str:
    return text.replace("-", "").replace(":", "")
