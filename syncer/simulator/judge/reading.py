"""Reads both servers as any of their users could, and picks out what the rules speak of."""

from __future__ import annotations

from asyncio import TaskGroup
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from syncer.simulator.people.faces import Google, Vendor
from syncer.simulator.people.record import Json, Place, Reference


@dataclass(frozen=True, slots=True)
class Sight:
    """A live event on a tracked calendar, as Google shows it. time_zone: of its calendar."""

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
    def is_series(self) -> bool:
        """Whether it is a whole series."""
        return bool(self.event.get("recurrence"))

    @property
    def master(self) -> Reference | None:
        """The series that it is a changed instance of."""
        master_id = self.event.get("recurringEventId")
        return None if master_id is None else replace(self.where, event_id=str(master_id))

    @property
    def original(self) -> date:
        """The start that an instance has by its series: an instant, or a day."""
        return side(self.event["originalStartTime"], self.time_zone)

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

    sights: live events, series and changed instances among them only when series were read. meetings: by tenant,
    then id, deleted ones too. series: (tenant, meeting id) of meetings on parts of series that were not read.
    called_off: by series, the original starts of the instances that do not take place. exceptions: by series, its
    changed instances.
    """

    sights: tuple[Sight, ...]
    meetings: Mapping[str, Mapping[str, Json]]
    series: frozenset[tuple[str, str]]
    called_off: Mapping[Reference, frozenset[date]] = field(default_factory=dict)
    exceptions: Mapping[Reference, tuple[Sight, ...]] = field(default_factory=dict)


async def read(
    places: Iterable[Place],
    google: Mapping[str, Google],
    vendors: Mapping[str, Vendor],
    *,
    with_series: bool = False,
) -> Reading:
    """All calendars and all meetings. google: by owner. vendors: by tenant. Raises Turned when a server refuses.

    with_series: read series and their changed instances too.
    """
    async with TaskGroup() as group:
        listed = [(place, group.create_task(google[place.owner].events(place.calendar_id))) for place in places]
        found = {tenant: group.create_task(vendor.meetings()) for tenant, vendor in vendors.items()}
    entries = [_sight(place, event) for place, task in listed for event in task.result()]
    live = [sight for sight in entries if sight.event.get("status") != "cancelled"]
    return Reading(
        sights=tuple(sight for sight in live if with_series or _is_single(sight.event)),
        meetings={tenant: {str(one["id"]): one for one in task.result()} for tenant, task in found.items()},
        series=frozenset(
            (sight.where.tenant, sight.meeting_id)
            for sight in live
            if sight.meeting_id is not None and not _is_single(sight.event) and not with_series
        ),
        called_off=_called_off(entries) if with_series else {},
        exceptions=_exceptions(live) if with_series else {},
    )


def _exceptions(live: Iterable[Sight]) -> dict[Reference, tuple[Sight, ...]]:
    found: dict[Reference, list[Sight]] = defaultdict(list)
    for sight in live:
        if sight.master is not None:
            found[sight.master].append(sight)
    return {master: tuple(sights) for master, sights in found.items()}


def _called_off(entries: Iterable[Sight]) -> dict[Reference, frozenset[date]]:
    found: dict[Reference, set[date]] = defaultdict(set)
    for entry in entries:
        if entry.master is not None and entry.event.get("status") == "cancelled":
            found[entry.master].add(entry.original)
    return {master: frozenset(starts) for master, starts in found.items()}


def side(when: Json, time_zone: str) -> date:
    """A start or end object as an instant in UTC, or as the day that it is."""
    return date.fromisoformat(when["date"]) if "date" in when else moment(when, time_zone).astimezone(UTC)


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
