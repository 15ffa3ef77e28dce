"""Puts whole calendars in place before anybody works with them, with a meeting for every single event."""

from __future__ import annotations

import random
from asyncio import Semaphore, TaskGroup
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import aiohttp

from syncer.simulator.people import edits
from syncer.simulator.people.edits import Person
from syncer.simulator.people.faces import PEOPLE, calendar_path
from syncer.simulator.people.record import Json, Place, Reference
from syncer.simulator.people.series import new_series
from syncer.simulator.people.world import PLACEHOLDER_TITLE, World

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Back:
    """The control face of the simulated Google, for what no user can do: put entries in as they stand."""

    session: aiohttp.ClientSession
    root: str

    async def load(self, calendar_id: str, events: Sequence[Json]) -> None:
        """Put entries on a calendar, ids and dates of creation kept. Raises aiohttp's error when it is refused."""
        url = f"{self.root}simulator/{calendar_path(calendar_id)}/load"
        async with self.session.post(url, json={"events": list(events)}, headers=PEOPLE) as answer:
            answer.raise_for_status()


def is_single(event: Json) -> bool:
    """Whether an entry is no part of a series."""
    return "recurrence" not in event and "recurringEventId" not in event


async def settle(world: World, back: Back, place: Place, events: Sequence[Json]) -> None:
    """Put entries on a calendar; every single one gets a meeting, made first, and people mean it as it stands.

    Series get one too where people edit series, and their changed instances have it.
    """
    limit = Semaphore(_AT_ONCE)
    async with TaskGroup() as group:
        tasks = [group.create_task(_with_meeting(world, place, event, limit)) for event in events]
    loaded = [task.result() for task in tasks]
    if world.with_series:
        conferences = {event["id"]: event.get("conferenceData") for event in loaded}
        loaded = [_with_conference_of_series(event, conferences) for event in loaded]
    await back.load(place.calendar_id, loaded)
    at_ms = edits.now_ms()
    for event in loaded if world.with_series else filter(is_single, loaded):
        _put(world, place, event, at_ms)


def _with_conference_of_series(event: Json, conferences: Mapping[str, Json | None]) -> Json:
    conference = conferences.get(event.get("recurringEventId", ""))
    has_own = conference is not None and event.get("status") != "cancelled"
    return {**event, "conferenceData": conference} if has_own else event


def _put(world: World, place: Place, event: Json, at_ms: float) -> None:
    """Keep in the record what people mean by an entry that stands there."""
    where = Reference(place.tenant, place.calendar_id, event["id"])
    if event.get("status") == "cancelled" or "start" not in event:
        return
    meant = edits.meant_by(event, event.get("conferenceData", {}).get("conferenceId"))
    if "recurringEventId" in event:
        master = replace(where, event_id=event["recurringEventId"])
        meant = replace(meant, master=master, original=event["originalStartTime"])
    world.settled.add(where)
    world.record.put(where, meant, at_ms)


async def _with_meeting(world: World, place: Place, event: Json, limit: Semaphore) -> Json:
    is_series = world.with_series and "recurrence" in event
    if not is_single(event) and not is_series:
        return event
    where = Reference(place.tenant, place.calendar_id, event["id"])
    new = {"external_key": edits.external_key(where), "title": PLACEHOLDER_TITLE}
    async with limit:
        meeting = await world.vendors[place.tenant].create({**new, **edits.meeting_times(event, place)})
    kept = {name: value for name, value in event.items() if name != "hangoutLink"}
    return {**kept, "conferenceData": world.conference_data(meeting)}


def furnished(world: World, place: Place, count: int, seed: str, *, series: int = 0) -> list[Json]:
    """So many single events, and so many series, as a calendar has before anything happens, ids and all."""
    person = Person(world, place, random.Random(f"{seed}:{place.calendar_id}"))
    created = world.now().isoformat()
    fixed = {"created": created, "organizer": {"email": place.calendar_id}}
    bodies = [edits.new_event for _ in range(count)] + [new_series for _ in range(series)]
    return [{**body(person), "id": edits.new_id(person.chance), **fixed} for body in bodies]
