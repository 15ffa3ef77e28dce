"""Writes stored entries as the Calendar API answers them: for one calendar, one reader, one zone."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from syncer.simulator.google import times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry

STUB_FIELDS = ("recurringEventId", "originalStartTime")
BUSY_FIELDS = ("status", "start", "end", "recurringEventId", "originalStartTime", "recurrence", "iCalUID")


@dataclass(frozen=True, slots=True)
class View:
    """How an answer is to be written.

    role: the reader's on the calendar. zone_name: rewrite times in that zone; empty leaves them in the
    calendar's. max_attendees: above it only the calendar's own row is shown. bare_tombstones: whether
    cancelled entries lose their details.
    """

    role: str = "owner"
    zone_name: str = ""
    max_attendees: int | None = None
    bare_tombstones: bool = False


def event(calendar: Calendar, entry: Entry, view: View) -> Json:
    """One Event resource."""
    resource = entry.resource
    head: Json = {"kind": "calendar#event", "etag": entry.etag, "id": resource["id"]}
    if entry.is_cancelled and (entry.is_bare or view.bare_tombstones):
        kept = {name: resource[name] for name in STUB_FIELDS if name in resource}
        return head | {"status": "cancelled"} | kept
    if view.role == "freeBusyReader" or (view.role == "reader" and _is_private(resource)):
        shown = head | {name: resource[name] for name in BUSY_FIELDS if name in resource}
        return _rewritten(shown | {"visibility": "private"}, view)
    full = head | resource
    full["htmlLink"] = _html_link(calendar, resource)
    full["creator"] = _with_self(resource.get("creator", {}), calendar)
    full["organizer"] = _with_self(resource.get("organizer", {}), calendar)
    if "attendees" in resource:
        full |= _guests(calendar, resource, view)
    return _rewritten(full, view)


def _is_private(resource: Json) -> bool:
    return resource.get("visibility") in ("private", "confidential")


def _html_link(calendar: Calendar, resource: Json) -> str:
    eid = base64.urlsafe_b64encode(f"{resource['id']} {calendar.id}".encode()).decode().rstrip("=")
    return f"https://www.google.com/calendar/event?eid={eid}"


def _with_self(person: Json, calendar: Calendar) -> Json:
    return {**person, "self": True} if person.get("email") == calendar.id else person


def _guests(calendar: Calendar, resource: Json, view: View) -> Json:
    organizer = resource.get("organizer", {}).get("email")
    rows = [_row(row, organizer, calendar) for row in resource["attendees"]]
    if view.max_attendees is not None and len(rows) > view.max_attendees:
        return {"attendees": [row for row in rows if row.get("self")], "attendeesOmitted": True}
    return {"attendees": rows}


def _row(row: Json, organizer: str | None, calendar: Calendar) -> Json:
    marks: Json = {}
    if row.get("email") == organizer:
        marks["organizer"] = True
    if row.get("email") == calendar.id:
        marks["self"] = True
    return {**row, **marks}


def _rewritten(resource: Json, view: View) -> Json:
    if view.zone_name:
        for name in ("start", "end", "originalStartTime"):
            if name in resource:
                resource[name] = times.in_zone(resource[name], view.zone_name)
    return resource


def calendar_resource(calendar: Calendar) -> Json:
    """A Calendar resource, as `calendars.get` gives it."""
    return {
        "kind": "calendar#calendar",
        "etag": f'"c{calendar.made_at_number}"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }


def list_entry(calendar: Calendar, role: str, subject: str) -> Json:
    """A CalendarListEntry resource for one user."""
    entry: Json = calendar_resource(calendar) | {
        "kind": "calendar#calendarListEntry",
        "accessRole": role,
        "selected": True,
        "defaultReminders": [{"method": "popup", "minutes": 10}] if role == "owner" else [],
    }
    if calendar.is_primary:
        return entry | {"primary": True} if calendar.id == subject else entry
    return entry | {"dataOwner": calendar.owner}


def envelope(calendar: Calendar, role: str, zone_name: str) -> dict[str, Any]:
    """The head of an `events.list` answer, without entries and tokens."""
    newest = next(reversed(calendar.log), calendar.made_at_number)
    newest_entry = calendar.entries.get(calendar.log.get(newest, ""))
    return {
        "kind": "calendar#events",
        "etag": f'"p{newest}"',
        "summary": calendar.summary,
        "description": "",
        "updated": newest_entry.resource["updated"] if newest_entry else "1970-01-01T00:00:00.000Z",
        "timeZone": zone_name or calendar.time_zone,
        "accessRole": role,
        "defaultReminders": [{"method": "popup", "minutes": 10}] if role == "owner" else [],
    }
