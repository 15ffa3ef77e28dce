"""Times as the Calendar API writes them: RFC 3339 instants, and the start and end objects of events."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from syncer.simulator.google import refusals

Json = dict[str, Any]


def stamp(at: datetime) -> str:
    """An instant as in `created` and `updated`: UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: object) -> datetime | None:
    """The aware instant that an RFC 3339 text names; None when it is no such text or has no offset."""
    if not isinstance(text, str) or "T" not in text.upper():
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo and is_countable(at) else None


def is_countable(day: date) -> bool:
    """Whether offsets can be added without leaving the calendar that Python knows."""
    return 1 < day.year < 9999


def zone_named(name: object) -> ZoneInfo | None:
    """The IANA zone of that name, or None."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def instant_of(when: object, zone_name: str) -> datetime | None:
    """The instant at which a start or end object lies; dates are midnights in the zone.

    None when the object makes no sense, which entries that were put in as they stand may.
    """
    if not isinstance(when, dict):
        return None
    if "dateTime" in when:
        return instant(when["dateTime"]) or _local_instant(when["dateTime"], when.get("timeZone") or zone_name)
    try:
        day = date.fromisoformat(when["date"])
    except (KeyError, TypeError, ValueError):
        return None
    return datetime.combine(day, time(), zone_named(zone_name) or UTC) if is_countable(day) else None


def _local_instant(text: object, zone_name: str) -> datetime | None:
    zone = zone_named(zone_name)
    if zone is None or not isinstance(text, str) or "T" not in text:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    return local.replace(tzinfo=zone) if local.tzinfo is None and is_countable(local) else None


def checked(when: object, side: str, zone_name: str) -> Json:
    """A start or end as the server keeps it, its dateTime written in the calendar's zone.

    side: "start" or "end", for the message. zone_name: the calendar's zone.
    Raises Refusal as Google does for what it cannot read.
    """
    if not isinstance(when, dict):
        raise refusals.required(f"Missing {side} time.")
    if bool(when.get("date")) == bool(when.get("dateTime")):
        raise refusals.invalid(f"Invalid {side} time.")
    if when.get("timeZone") and zone_named(when["timeZone"]) is None:
        raise refusals.invalid(f"Invalid time zone definition for {side} time.")
    if when.get("date"):
        return _checked_date(when, side)
    at = instant_of(when, "") if "dateTime" in when else None
    if at is None:
        raise refusals.invalid(f"Invalid {side} time.")
    return written(at, when.get("timeZone") or zone_name, zone_name)


def _checked_date(when: Json, side: str) -> Json:
    try:
        return {"date": date.fromisoformat(when["date"]).isoformat()}
    except (TypeError, ValueError):
        raise refusals.invalid(f"Invalid {side} time.") from None


def written(at: datetime, own_zone_name: str, render_zone_name: str) -> Json:
    """A timed start or end: the instant written in one zone, carrying the name of its own."""
    text = at.astimezone(zone_named(render_zone_name) or UTC).isoformat(timespec="seconds")
    return {"dateTime": text.replace("+00:00", "Z"), "timeZone": own_zone_name}


def in_zone(when: Any, zone_name: str) -> Any:
    """The same start or end written in another zone; what is no timed object is given back as it is."""
    at = instant_of(when, "") if isinstance(when, dict) and "dateTime" in when else None
    if at is None:
        return when
    return {**when, "dateTime": written(at, "", zone_name)["dateTime"]}
