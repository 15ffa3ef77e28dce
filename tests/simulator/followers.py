"""A perfect worker for meetings on series: makes each as its events say, by its own reading of the rules."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from syncer.simulator.demo.town import Town
from syncer.simulator.judge import reading, series
from syncer.simulator.judge.reading import Reading, Sight
from syncer.simulator.people import texts
from tests.simulator.towns import show

Json = dict[str, Any]


async def read(built: Town) -> Reading:
    """Both servers as they are."""
    world = built.world
    return await reading.read(world.places, world.google, world.vendors, with_series=True)


async def follow(built: Town) -> None:
    """Make every meeting as its driver and the halves of it say, and delete those without an event."""
    seen = await read(built)
    for tenant, meetings in seen.meetings.items():
        for meeting_id, meeting in meetings.items():
            if meeting["state"] != "live":
                continue
            own = [one for one in seen.sights if one.is_organizers and one.where.tenant == tenant]
            sights = [one for one in own if one.meeting_id == meeting_id]
            if not sights:
                await built.world.vendors[tenant].delete(meeting_id)
            else:
                await built.world.vendors[tenant].change(meeting_id, wanted(built, seen, sights))
    await show(built)


def wanted(built: Town, seen: Reading, sights: list[Sight]) -> Json:
    """What a meeting should hold, by all that refers to it."""
    masters = {sight.where for sight in sights if sight.is_series}
    driving = [sight for sight in sights if sight.master not in masters]
    driving.sort(key=lambda sight: (sight.created_at, sight.where.calendar_id, sight.where.event_id))
    ahead = [sight for sight in driving if series.is_ahead(sight, built.clock.now())]
    driver = (ahead or driving)[0]
    chain = series.halves(driver, sights) if driver.is_series else [driver]
    event = driver.event
    first, *further = [lines(seen, one, sights) for one in chain]
    return {
        "title": event.get("summary"),
        "description": texts.own_description(event.get("description")),
        "organizer": event["organizer"]["email"],
        "attendee_count": len(event.get("attendees", [])),
        **first,
        "all_day": "T" not in first["start"],
        "further": further,
    }


def lines(seen: Reading, sight: Sight, sights: list[Sight]) -> Json:
    """One series, or one event, with an EXDATE for whatever does not take place, and its overrides."""
    event = sight.event
    exceptions = [one for one in seen.sights if one.master == sight.where]
    excluded = set(seen.called_off.get(sight.where, ())) if sight.is_series else set()
    excluded |= {one.original for one in exceptions if one not in sights}
    return {
        "start": written(event["start"], sight),
        "end": written(event["end"], sight),
        "timezone": event["start"].get("timeZone") or (sight.time_zone if "dateTime" in event["start"] else None),
        "recurrence": [*event.get("recurrence", []), *sorted(exdate(one) for one in excluded)],
        "overrides": [
            {
                "original_start": written(one.event["originalStartTime"], one),
                "start": written(one.event["start"], one),
                "end": written(one.event["end"], one),
                "title": one.event.get("summary"),
                "description": texts.own_description(one.event.get("description")),
            }
            for one in exceptions
            if one in sights
        ],
    }


def written(when: Json, sight: Sight) -> str:
    """A start or end as the vendor takes it."""
    return reading.side(when, sight.time_zone).isoformat()


def exdate(original: date) -> str:
    """The line that takes out an occurrence."""
    if isinstance(original, datetime):
        return f"EXDATE:{original.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"EXDATE;VALUE=DATE:{original:%Y%m%d}"
