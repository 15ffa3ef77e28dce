"""Compares a meeting, an event and what its people meant; each difference is a few words. Knows no server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from syncer.simulator.judge.reading import Sight, moment
from syncer.simulator.people import texts
from syncer.simulator.people.record import Json, Meant


def followed(sight: Sight, meeting: Json) -> list[str]:
    """In what a meeting differs from the event that decides how it should be."""
    event = sight.event
    pairs = {
        "start": (_side(event["start"], sight.time_zone), _held(meeting, "start")),
        "end": (_side(event["end"], sight.time_zone), _held(meeting, "end")),
        "recurrence": ([], meeting["recurrence"]),
        "overrides": ([], meeting.get("overrides", [])),
        "further series": ([], meeting.get("further", [])),
    }
    return headed(sight, meeting) + [name for name, (wanted, held) in pairs.items() if wanted != held]


def headed(sight: Sight, meeting: Json) -> list[str]:
    """In what a meeting differs from the event that decides, its times and its recurrence left out."""
    event = sight.event
    pairs = {
        "title": (_line(event.get("summary")), _line(meeting["title"])),
        "description": (texts.compared(event.get("description")), texts.compared(meeting["description"])),
        "organizer": (event.get("organizer", {}).get("email"), meeting["organizer"]),
        "attendee count": (len(event.get("attendees", [])), meeting["attendee_count"]),
    }
    different = [name for name, (wanted, held) in pairs.items() if wanted != held]
    if meeting["timezone"] not in _zones(sight):
        different.append("time zone")
    return different


def shown(sight: Sight, meeting: Json) -> list[str]:
    """What of the meeting's way in the event does not show its guests as the provider says it now.

    Each part may stand in conferenceData, in the marked block, or (the join URL) be the location.
    """
    points = (sight.event.get("conferenceData") or {}).get("entryPoints", [])
    block = texts.block_lines(sight.event.get("description"))
    urls = {point.get("uri") for point in points} | {_line(sight.event.get("location")), *block.get("Join", [])}
    codes = {point.get(name) for point in points for name in ("passcode", "password", "pin", "accessCode")}
    numbers = {_digits(point.get("uri", "")) for point in points} | {_digits(line) for line in block.get("Dial-in", [])}
    return list(_missing(meeting, urls, codes | set(block.get("Passcode", [])), numbers))


def _missing(meeting: Json, urls: set[Any], codes: set[Any], numbers: set[str]) -> Iterator[str]:
    if meeting["join_url"] not in urls:
        yield "join URL"
    if meeting["passcode"] and meeting["passcode"] not in codes:
        yield "passcode"
    if any(_digits(number) not in numbers for number in meeting["dial_in"]):
        yield "dial-in"


def intact(sight: Sight, meant: Meant) -> list[str]:
    """What of an event is no longer as its people left it: their title, description, location and times."""
    event, zone = sight.event, sight.time_zone
    pairs = {
        "title": (_line(meant.title), _line(event.get("summary"))),
        "description": (texts.compared(meant.description), texts.compared(event.get("description"))),
        "start": (_side(meant.starts, zone), _side(event["start"], zone)),
        "end": (_side(meant.ends, zone), _side(event["end"], zone)),
        "recurrence": (list(meant.recurrence), event.get("recurrence", [])),
    }
    different = [name for name, (wanted, found) in pairs.items() if wanted != found]
    location = _line(event.get("location"))
    if location != _line(meant.location) and (meant.location or not _is_way_in(location, meant.meeting_id)):
        different.append("location")
    return different


def _is_way_in(location: str, meeting_id: str | None) -> bool:
    return location == "" or meeting_id is None or f"/{meeting_id}" in location


def _zones(sight: Sight) -> set[str | None]:
    named = sight.event["start"].get("timeZone")
    return {named} if named else {None, sight.time_zone}


def _side(when: Json, time_zone: str) -> date:
    return date.fromisoformat(when["date"]) if "date" in when else moment(when, time_zone)


def _held(meeting: Json, side: str) -> date:
    text = meeting[side]
    return date.fromisoformat(text) if meeting["all_day"] else datetime.fromisoformat(text)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _digits(number: str) -> str:
    return "".join(sign for sign in number if sign.isdigit())
