"""Instances of series that are not stored yet: found by the id that Google would give them.

Ids are `<master>_YYYYMMDDTHHMMSSZ` and `<master>_YYYYMMDD`, or opaque ones where the setting says so.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime, timedelta

from syncer.simulator.google import expansion, times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Address, Calendar, Entry

INSTANCE_ID = re.compile(r"(?P<master>.+)(?P<suffix>_(?P<day>\d{8})(?:T(?P<time>\d{6})Z)?)")
SUFFIX = re.compile(r"_(?P<day>\d{8})(?:T(?P<time>\d{6})Z)?")
_OPAQUE_BYTES = 20


def find(calendar: Calendar, event_id: str) -> Entry | None:
    """The stored entry, or the not yet stored instance of a live series, under an id."""
    stored = calendar.entries.get(event_id)
    if stored is not None:
        return stored
    parts = _parts(calendar, event_id)
    master = calendar.entries.get(parts[0]) if parts else None
    if parts is None or master is None or master.is_cancelled or not master.resource.get("recurrence"):
        return None
    return _not_stored(calendar, master, event_id, parts[1])


def _parts(calendar: Calendar, event_id: str) -> tuple[str, str] | None:
    known = calendar.opaque_ids.get(event_id)
    match = INSTANCE_ID.fullmatch(event_id)
    return known or ((match["master"], match["suffix"]) if match else None)


def _not_stored(calendar: Calendar, master: Entry, event_id: str, suffix: str) -> Entry | None:
    match = SUFFIX.fullmatch(suffix)
    try:
        resource = _instance(calendar, master.resource, match["day"], match["time"]) if match else None
    except OverflowError:
        return None
    if resource is None or _stored_under_another_id(calendar, resource):
        return None
    is_opaque = event_id in calendar.opaque_ids

    def id_on(other_master_id: str) -> str:
        return opaque_id(calendar, other_master_id, suffix) if is_opaque else other_master_id + suffix

    home = master.home and Address(master.home.calendar_id, id_on(master.home.event_id))
    copies = {calendar_id: id_on(copy_id) for calendar_id, copy_id in master.copies.items()}
    return Entry({**resource, "id": event_id}, master.number, home=home, copies=copies)


def at(calendar: Calendar, master: Entry, starts_at: datetime, *, is_opaque: bool) -> Entry:
    """The instance that by its series' rule starts then, as if nobody had changed it."""
    span = span_at(calendar, master.resource, starts_at)
    shared = {name: value for name, value in master.resource.items() if name != "recurrence"}
    own_id = id_of(calendar, master.resource, starts_at, is_opaque=is_opaque)
    marks = {"id": own_id, "recurringEventId": master.resource["id"], "originalStartTime": span["start"]}
    return Entry(shared | span | marks, master.number)


def _stored_under_another_id(calendar: Calendar, resource: Json) -> bool:
    own_at = times.instant_of(resource["originalStartTime"], calendar.time_zone)
    known = (
        entry.resource.get("originalStartTime") for _, entry in calendar.exceptions_of(resource["recurringEventId"])
    )
    return any(times.instant_of(original, calendar.time_zone) == own_at for original in known)


def id_of(calendar: Calendar, master: Json, starts_at: datetime, *, is_opaque: bool) -> str:
    """The id of the instance that by its series' rule starts at that instant."""
    suffix = suffix_of(calendar, master, starts_at)
    return opaque_id(calendar, master["id"], suffix) if is_opaque else f"{master['id']}{suffix}"


def suffix_of(calendar: Calendar, master: Json, starts_at: datetime) -> str:
    """What the id of such an instance ends with."""
    if "date" in master["start"]:
        return f"_{starts_at.astimezone(expansion.own_zone(master, calendar.time_zone)):%Y%m%d}"
    return f"_{starts_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def opaque_id(calendar: Calendar, master_id: str, suffix: str) -> str:
    """An id that tells nothing, for the instance whose telling one would end so."""
    digest = hashlib.blake2b(f"{master_id}{suffix}".encode(), digest_size=_OPAQUE_BYTES).digest()
    made = base64.b32hexencode(digest).decode().lower()
    calendar.opaque_ids[made] = (master_id, suffix)
    return made


def _instance(calendar: Calendar, master: Json, day: str, time: str | None) -> Json | None:
    starts_at = times.instant_of(master["start"], calendar.time_zone)
    ends_at = times.instant_of(master["end"], calendar.time_zone)
    if starts_at is None or ends_at is None or (time is None) != ("date" in master["start"]):
        return None
    original = _original_start(calendar, master, day, time)
    original_at = times.instant_of(original, calendar.time_zone)
    if original is None or original_at is None or original_at < starts_at:
        return None
    if not expansion.has(master, calendar.time_zone, original):
        return None
    shared = {name: value for name, value in master.items() if name != "recurrence"}
    end = _end(calendar, master, original_at, length=ends_at - starts_at)
    return shared | {"recurringEventId": master["id"], "originalStartTime": original, "start": original, "end": end}


def span_at(calendar: Calendar, master: Json, at: datetime) -> Json:
    """The start and end of an occurrence, by its start. Raises ValueError for a series whose times make no sense."""
    starts_at = times.instant_of(master["start"], calendar.time_zone)
    ends_at = times.instant_of(master["end"], calendar.time_zone)
    if starts_at is None or ends_at is None:
        raise ValueError("The times of the series make no sense.")
    end = _end(calendar, master, at, length=ends_at - starts_at)
    if "date" in master["start"]:
        zone = expansion.own_zone(master, calendar.time_zone)
        return {"start": {"date": at.astimezone(zone).date().isoformat()}, "end": end}
    own_zone_name = master["start"].get("timeZone") or calendar.time_zone
    return {"start": times.written(at, own_zone_name, calendar.time_zone), "end": end}


def _original_start(calendar: Calendar, master: Json, day: str, time: str | None) -> Json | None:
    try:
        original_at = datetime.strptime(day + (time or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not times.is_countable(original_at):
        return None
    if time is None:
        return {"date": original_at.date().isoformat()}
    return times.written(original_at, master["start"].get("timeZone") or calendar.time_zone, calendar.time_zone)


def _end(calendar: Calendar, master: Json, original_at: datetime, *, length: timedelta) -> Json:
    if "date" in master["end"]:
        days = date.fromisoformat(master["end"]["date"]) - date.fromisoformat(master["start"]["date"])
        day = original_at.astimezone(expansion.own_zone(master, calendar.time_zone)).date()
        return {"date": (day + days).isoformat()}
    own_zone_name = master["end"].get("timeZone") or calendar.time_zone
    return times.written(original_at + length, own_zone_name, calendar.time_zone)
