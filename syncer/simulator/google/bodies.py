"""Reads the event resources that callers send: known fields, their types, and what must be there."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from syncer.simulator.google import refusals, shapes, times
from syncer.simulator.google.times import Json

TEXTS = frozenset({"summary", "description", "location", "colorId"})
FLAGS = frozenset(
    {
        "anyoneCanAddSelf",
        "endTimeUnspecified",
        "guestsCanInviteOthers",
        "guestsCanModify",
        "guestsCanSeeOtherGuests",
    }
)
CHOICES: dict[str, frozenset[str]] = {
    "status": frozenset({"confirmed", "tentative", "cancelled"}),
    "transparency": frozenset({"opaque", "transparent"}),
    "visibility": frozenset({"default", "public", "private", "confidential"}),
    "eventType": frozenset({"default", "outOfOffice", "focusTime", "workingLocation", "birthday", "fromGmail"}),
}
TIMES = frozenset({"start", "end"})
OBJECTS = TIMES | {"extendedProperties", "reminders", "source", "gadget", "workingLocationProperties"}
LISTS = frozenset({"recurrence", "attendees", "attachments"})
WRITABLE = TEXTS | FLAGS | CHOICES.keys() | OBJECTS | LISTS | {"sequence", "conferenceData"}
RESPONSES = frozenset({"needsAction", "declined", "tentative", "accepted"})
ROW_FIELDS = frozenset(shapes.ATTENDEE)
CLIENT_ID = re.compile(r"[a-v0-9]{5,1024}")
RECURRENCE_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)[:;]")


def writable(body: Json) -> Json:
    """The fields of a body that a caller may write, their types checked; the others are ignored.

    Raises Refusal for a value of the wrong type.
    """
    return {name: _checked(name, value) for name, value in body.items() if name in WRITABLE}


def _checked(name: str, value: Any) -> Any:
    if value is None or name == "conferenceData":
        return value
    wrong = refusals.invalid(f"Invalid value for: {name}")
    if name in shapes.FIELDS:
        try:
            return shapes.fitted(shapes.FIELDS[name], value, keeps_null=True)
        except shapes.Unfit:
            raise wrong from None
    if not _fits(name, value):
        raise wrong
    return value


def _fits(name: str, value: Any) -> bool:
    if name in TEXTS:
        return isinstance(value, str)
    if name in FLAGS:
        return isinstance(value, bool)
    if name in CHOICES:
        return value in CHOICES[name] if isinstance(value, str) else False
    return isinstance(value, dict if name in TIMES else list)


def merged(stored: Json, fields: Json) -> Json:
    """A partial resource laid over a stored one: null removes, objects merge, lists are replaced whole.

    Source: Calendar API, "Patch: partial update".
    """
    result = dict(stored)
    for name, value in fields.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[name] = value
    return result


def settled(resource: Json, zone_name: str, touched: Container[str]) -> Json:
    """A merged resource made whole: what was touched is checked and written as the server keeps it.

    zone_name: the calendar's zone. touched: the names of the fields that the body gave.
    Raises Refusal for what Google would not take.
    """
    result = {"status": "confirmed", **resource}
    if any(name in touched for name in ("start", "end", "recurrence")):
        result["start"] = times.checked(resource.get("start"), "start", zone_name)
        result["end"] = times.checked(resource.get("end"), "end", zone_name)
        _check_span(result, zone_name)
        result["recurrence"] = _recurrence(result)
    if "attendees" in touched:
        result["attendees"] = attendees(result.get("attendees") or [])
    return {name: value for name, value in result.items() if value != [] or name not in LISTS}


def _check_span(resource: Json, zone_name: str) -> None:
    start, end = resource["start"], resource["end"]
    if ("date" in start) != ("date" in end):
        raise refusals.invalid("Invalid end time.")
    starts_at, ends_at = times.instant_of(start, zone_name), times.instant_of(end, zone_name)
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise refusals.time_range_empty()


def _recurrence(resource: Json) -> list[str]:
    lines: list[Any] = resource.get("recurrence") or []
    for line in lines:
        if not isinstance(line, str) or not RECURRENCE_LINE.match(line):
            raise refusals.invalid("Invalid recurrence rule.")
    if lines and "recurringEventId" in resource:
        raise refusals.invalid("An instance of a recurring event cannot recur itself.")
    return lines


def require_zone(body: Json) -> None:
    """A timed series must name its zone: Google refuses one that does not."""
    for side in ("start", "end"):
        when = body.get(side)
        if body.get("recurrence") and isinstance(when, dict) and "dateTime" in when and not when.get("timeZone"):
            raise refusals.required(f"Missing time zone definition for {side} time.")


def attendees(rows: list[Any]) -> list[Json]:
    """Guests as the server keeps them: addresses in lower case, each once, an answer in every row."""
    by_email: dict[str, Json] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("email"), str):
            raise refusals.required("Missing attendee email.")
        if "@" not in row["email"]:
            raise refusals.invalid("Invalid attendee email.")
        try:
            kept: Json = shapes.fitted(shapes.ATTENDEE, row)
        except shapes.Unfit:
            raise refusals.invalid("Invalid attendee.") from None
        kept["email"] = row["email"].lower()
        if kept.setdefault("responseStatus", "needsAction") not in RESPONSES:
            raise refusals.invalid("Invalid attendee response status.")
        by_email[kept["email"]] = kept
    return list(by_email.values())


def client_id(value: Any) -> str:
    """An id that a caller chose for its event, checked: base32hex, 5 to 1024 characters."""
    if not isinstance(value, str) or not CLIENT_ID.fullmatch(value):
        raise refusals.invalid("Invalid resource id value.")
    return value


def check_unchangeable(before: Json, fields: Json) -> None:
    """Refuse a sequence number below the stored one, and another event type."""
    wanted = fields.get("sequence")
    if wanted is not None and wanted < before.get("sequence", 0):
        raise refusals.invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of "
            "the resource. Re-fetch the resource and use its sequence number on the following request."
        )
    event_type = before.get("eventType", "default")
    if (fields.get("eventType") or event_type) != event_type:
        raise refusals.invalid("Event type cannot be changed.")
