"""Instances of series that are not stored yet: found by the id that Google would give them.

Ids are read in their old form, `<master>_YYYYMMDDTHHMMSSZ` and `<master>_YYYYMMDD`. The rule of a series is
not expanded: an instance exists when its time of day fits the series and it does not lie before its start.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from syncer.simulator.google import times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Address, Calendar, Entry

INSTANCE_ID = re.compile(r"(?P<master>.+)(?P<suffix>_(?P<day>\d{8})(?:T(?P<time>\d{6})Z)?)")


def find(calendar: Calendar, event_id: str) -> Entry | None:
    """The stored entry, or the not yet stored instance of a live series, under an id."""
    stored = calendar.entries.get(event_id)
    if stored is not None:
        return stored
    match = INSTANCE_ID.fullmatch(event_id)
    master = calendar.entries.get(match["master"]) if match else None
    if match is None or master is None or master.is_cancelled or not master.resource.get("recurrence"):
        return None
    try:
        resource = _instance(calendar, master.resource, match["day"], match["time"])
    except OverflowError:
        return None
    if resource is None:
        return None
    home = master.home and Address(master.home.calendar_id, master.home.event_id + match["suffix"])
    copies = {calendar_id: copy_id + match["suffix"] for calendar_id, copy_id in master.copies.items()}
    return Entry({**resource, "id": event_id}, master.number, home=home, copies=copies)


def _instance(calendar: Calendar, master: Json, day: str, time: str | None) -> Json | None:
    starts_at = times.instant_of(master["start"], calendar.time_zone)
    ends_at = times.instant_of(master["end"], calendar.time_zone)
    if starts_at is None or ends_at is None or (time is None) != ("date" in master["start"]):
        return None
    original = _original_start(calendar, master, day, time)
    original_at = times.instant_of(original, calendar.time_zone)
    if original is None or original_at is None or original_at < starts_at:
        return None
    shared = {name: value for name, value in master.items() if name != "recurrence"}
    return shared | {
        "recurringEventId": master["id"],
        "originalStartTime": original,
        "start": original,
        "end": _end(calendar, master, original_at, length=ends_at - starts_at),
    }


def _original_start(calendar: Calendar, master: Json, day: str, time: str | None) -> Json | None:
    try:
        original_at = datetime.strptime(day + (time or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not times.is_countable(original_at):
        return None
    if time is None:
        return {"date": original_at.date().isoformat()}
    own_zone_name = master["start"].get("timeZone") or calendar.time_zone
    zone = times.zone_named(own_zone_name) or UTC
    first_at = times.instant_of(master["start"], calendar.time_zone)
    is_fixed = not any("BYHOUR" in line or "BYMINUTE" in line or line[:5] == "RDATE" for line in master["recurrence"])
    if is_fixed and first_at and first_at.astimezone(zone).time() != original_at.astimezone(zone).time():
        return None
    return times.written(original_at, own_zone_name, calendar.time_zone)


def _end(calendar: Calendar, master: Json, original_at: datetime, *, length: timedelta) -> Json:
    if "date" in master["end"]:
        days = date.fromisoformat(master["end"]["date"]) - date.fromisoformat(master["start"]["date"])
        return {"date": (original_at.date() + days).isoformat()}
    own_zone_name = master["end"].get("timeZone") or calendar.time_zone
    return times.written(original_at + length, own_zone_name, calendar.time_zone)
