"""Events as people fill them in, and what they mean by them; knows no server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from syncer.simulator.people.person import Person
from syncer.simulator.people.record import Json, Meant, Place, Reference
from syncer.simulator.people.world import instant

SUBJECTS = ("Design review", "Weekly numbers", "Interview", "Planning", "1:1", "Retrospective", "Budget", "Démo – été")
_ROOMS = ("Room 4", "Berlin office, 2nd floor", "Canteen")


def new_event(person: Person) -> Json:
    """A new event's own fields: in some days, of a quarter to two hours or a whole day, some with a place."""
    chance, zone = person.chance, person.place.time_zone
    body: Json = {"summary": f"{chance.choice(SUBJECTS)} {chance.randrange(1000)}"}
    day = person.world.now().astimezone(ZoneInfo(zone)).replace(minute=0, second=0, microsecond=0)
    starts = day + timedelta(days=chance.randrange(2, 20), hours=chance.randrange(12))
    if chance.random() < 0.1:
        body |= {"start": all_day(starts), "end": all_day(starts + timedelta(days=1))}
    else:
        ends = starts + timedelta(minutes=15 * chance.randrange(1, 8))
        body |= {"start": timed(starts, zone), "end": timed(ends, zone)}
    if chance.random() < 0.5:
        body["description"] = f"Notes {chance.randrange(1000)}"
    if chance.random() < 0.3:
        body["location"] = chance.choice(_ROOMS)
    return body


def meant_by(body: Json, meeting_id: str | None) -> Meant:
    """What a person means who writes such an event."""
    return Meant(
        title=body.get("summary"),
        description=body.get("description"),
        location=body.get("location"),
        starts=body["start"],
        ends=body["end"],
        guests=len(body.get("attendees", [])),
        meeting_id=meeting_id,
        recurrence=tuple(body.get("recurrence", [])),
    )


def meeting_times(event: Json, place: Place) -> Json:
    """An event's times as the vendor's API takes them."""
    starts, ends = event["start"], event["end"]
    if "date" in starts:
        return {"start": starts["date"], "end": ends["date"], "all_day": True}
    at = (instant(starts, place.time_zone), instant(ends, place.time_zone))
    zone = starts.get("timeZone", place.time_zone)
    return {"start": at[0].isoformat(), "end": at[1].isoformat(), "timezone": zone}


def external_key(where: Reference) -> str:
    """The key under which an add-on makes the meeting of an event: one event, one meeting."""
    return f"{where.calendar_id}/{where.event_id}"


def all_day(at: datetime) -> Json:
    """A start or end of an all-day event."""
    return {"date": at.date().isoformat()}


def timed(at: datetime, zone: str) -> Json:
    """A start or end at an instant, on the clock of a zone."""
    return {"dateTime": at.astimezone(UTC).astimezone(ZoneInfo(zone)).isoformat(), "timeZone": zone}
