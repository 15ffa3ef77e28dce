"""Puts events into a calendar as they stand: ids, dates, sequence and recurrence of the caller's own."""

from __future__ import annotations

from typing import Any

from syncer.simulator.google import bodies, conferences, copies, edits
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry, World

COMPUTED = ("kind", "etag", "htmlLink")


class Unloadable(Exception):
    """An event that cannot be kept; the message says which and why."""


def load(world: World, calendar: Calendar, events: Any) -> int:
    """Store Event resources; gives how many. Guests with calendars here get their copies.

    Raises Unloadable with a sentence, before anything is stored, when an event cannot be kept.
    """
    if not isinstance(events, list):
        raise Unloadable("The events to load must be a list of Event resources.")
    seen: set[str] = set()
    for event in events:
        _check(calendar, event, seen)
    for event in events:
        resource = _whole(world, calendar, event)
        entry = world.store(calendar, Entry(resource, 0), resource)
        is_organizers = resource["organizer"].get("email") == calendar.id
        if is_organizers and not entry.is_cancelled:
            copies.spread(world, calendar, entry)
    return len(events)


def _check(calendar: Calendar, event: Any, seen: set[str]) -> None:
    event_id = event.get("id") if isinstance(event, dict) else None
    if not isinstance(event_id, str) or not event_id:
        raise Unloadable("An event to load has no id: give each one its own.")
    if event_id in calendar.entries or event_id in seen:
        raise Unloadable(f"The calendar {calendar.id} already has an event with the id {event_id}.")
    seen.add(event_id)
    for name in ("organizer", "creator", "conferenceData", *bodies.OBJECTS):
        if not isinstance(event.get(name, {}), dict):
            raise Unloadable(f"In the event {event_id} the field {name} is no object.")
    lines = event.get("recurrence", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Unloadable(f"In the event {event_id} the recurrence is no list of texts.")
    rows = event.get("attendees", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) and _has_email(row) for row in rows):
        raise Unloadable(f"In the event {event_id} the attendees are no list of objects with an email.")


def _has_email(row: Json) -> bool:
    return isinstance(row.get("email"), str)


def _whole(world: World, calendar: Calendar, event: Json) -> Json:
    now = world.now_stamp()
    resource: Json = {
        "status": "confirmed",
        "created": now,
        "updated": now,
        "creator": {"email": calendar.owner},
        "organizer": edits.organizer_of(calendar),
        "iCalUID": f"{event['id']}@google.com",
        "sequence": 0,
        "eventType": "default",
        "reminders": {"useDefault": True},
    }
    resource |= {name: value for name, value in event.items() if name not in COMPUTED}
    for person in ("organizer", "creator"):
        resource[person] = {name: value for name, value in resource[person].items() if name != "self"}
    if "attendees" in resource:
        resource["attendees"] = [_row(row) for row in resource["attendees"]]
    if "conferenceData" in resource:
        resource["conferenceData"] = conferences.signed(world, resource["conferenceData"])
    return resource


def _row(row: Json) -> Json:
    kept = {name: value for name, value in row.items() if name in bodies.ROW_FIELDS}
    return {"responseStatus": "needsAction", **kept, "email": row["email"].lower()}
