"""Reads both servers as any of their users could, and picks out what the rules speak of."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from syncer.simulator.people.faces import Google, Vendor
from syncer.simulator.people.record import Json, Place, Reference


@dataclass(frozen=True, slots=True)
class Sight:
    """A live single event on a tracked calendar, as Google shows it. time_zone: of its calendar."""

    where: Reference
    event: Json
    time_zone: str

    @property
    def is_organizers(self) -> bool:
        """Whether this is the organizer's copy. Source: Calendar API, Event resource, on `organizer.self`."""
        organizer = self.event.get("organizer", {})
        return organizer.get("self") is True or organizer.get("email") == self.where.calendar_id

    @property
    def meeting_id(self) -> str | None:
        """The id of the add-on's conference that the event carries."""
        conference = self.event.get("conferenceData") or {}
        kind = conference.get("conferenceSolution", {}).get("key", {}).get("type")
        return conference.get("conferenceId") if kind == "addOn" else None

    @property
    def ends_at(self) -> datetime:
        """When it is over."""
        return moment(self.event["end"], self.time_zone)

    @property
    def created_at(self) -> datetime:
        """When it was made, by Google's word."""
        return datetime.fromisoformat(self.event["created"])


@dataclass(frozen=True, slots=True)
class Reading:
    """Both servers at about the same time.

    sights: live single events. meetings: by tenant, then id, deleted ones too.
    series: (tenant, meeting id) of meetings that only parts of series refer to.
    """

    sights: tuple[Sight, ...]
    meetings: Mapping[str, Mapping[str, Json]]
    series: frozenset[tuple[str, str]]


async def read(places: Iterable[Place], google: Mapping[str, Google], vendors: Mapping[str, Vendor]) -> Reading:
    """All calendars and all meetings. google: by owner. vendors: by tenant. Raises Turned when a server refuses."""
    async with TaskGroup() as group:
        listed = [(place, group.create_task(google[place.owner].events(place.calendar_id))) for place in places]
        found = {tenant: group.create_task(vendor.meetings()) for tenant, vendor in vendors.items()}
    entries = [_sight(place, event) for place, task in listed for event in task.result()]
    live = [sight for sight in entries if sight.event.get("status") != "cancelled"]
    return Reading(
        sights=tuple(sight for sight in live if _is_single(sight.event)),
        meetings={tenant: {str(one["id"]): one for one in task.result()} for tenant, task in found.items()},
        series=frozenset(
            (sight.where.tenant, sight.meeting_id)
            for sight in live
            if sight.meeting_id is not None and not _is_single(sight.event)
        ),
    )


def moment(when: Any, time_zone: str) -> datetime:
    """The instant of a start or end object; a date is its midnight in the calendar's zone."""
    if "date" in when:
        return datetime.combine(date.fromisoformat(when["date"]), time(), ZoneInfo(time_zone))
    at = datetime.fromisoformat(when["dateTime"])
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(when.get("timeZone", time_zone)))


def _sight(place: Place, event: Json) -> Sight:
    return Sight(Reference(place.tenant, place.calendar_id, str(event["id"])), event, place.time_zone)


def _is_single(event: Json) -> bool:
    return "recurrence" not in event and "recurringEventId" not in event
