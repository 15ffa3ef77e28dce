"""Towns without a worker: the simulators, people and a judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.demo import town
from syncer.simulator.demo.town import Town
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.edits import meeting_times
from syncer.simulator.people.faces import event_path
from syncer.simulator.people.record import Json, Reference
from syncer.simulator.people.script import plan

GRACE_MS = 2000.0


@asynccontextmanager
async def a_town(*, seed: int = 1, tenants: int = 2, calendars: int = 2, events: int = 4) -> AsyncIterator[Town]:
    """A town with so many events on each calendar, each with a meeting that still has its placeholder."""
    places = town.places([f"tenant-{number}" for number in range(1, tenants + 1)], calendars, {})
    async with town.built(places, clock=SimulatedClock(), seed=seed) as built:
        for place in places:
            furniture = settling.furnished(built.world, place, events, f"{seed}:furniture")
            await settling.settle(built.world, built.back, place, furniture)
        yield built


def a_crowd(built: Town, *, edits: int, seed: int = 1) -> Crowd:
    """People who will make so many edits."""
    return Crowd(built.world, plan(built.world.places, edits, seed), seed)


async def verdict(built: Town, **more: Any) -> Verdict:
    """What the judge says."""
    return await built.judge(grace_ms=GRACE_MS, **more)


async def follow_by_hand(built: Town) -> None:
    """Make every meeting as its first event says, and delete those without one, as a perfect worker would."""
    by_meeting: dict[tuple[str, str], Reference] = {}
    referring = {where: meant for where, meant in built.world.record.meant.items() if meant.meeting_id}
    made = {where: (await event_of(built, where))["created"] for where in referring}
    for where in sorted(referring, key=lambda where: (made[where], where.calendar_id, where.event_id)):
        by_meeting.setdefault((where.tenant, str(referring[where].meeting_id)), where)
    for tenant, vendor in built.world.vendors.items():
        for meeting in await vendor.meetings():
            if meeting["state"] != "live":
                continue
            driver = by_meeting.get((tenant, meeting["id"]))
            if driver is None:
                await vendor.delete(meeting["id"])
            else:
                await vendor.change(meeting["id"], await wanted(built, driver))
    await show(built)


async def wanted(built: Town, where: Reference) -> Json:
    """What the meeting of an event should hold."""
    event = await event_of(built, where)
    place = built.world.place_of(where)
    return {
        "title": event.get("summary"),
        "description": (event.get("description") or "").partition("\n\n----- meeting")[0] or None,
        "organizer": event["organizer"]["email"],
        "attendee_count": len(event.get("attendees", [])),
        "timezone": None,
        "all_day": False,
        **meeting_times(event, place),
    }


async def show(built: Town) -> None:
    """Let every event show its meeting's way in, in a marked block."""
    for where, meant in built.world.record.meant.items():
        if meant.meeting_id is None:
            continue
        meetings = {one["id"]: one for one in await built.world.vendors[where.tenant].meetings()}
        meeting = meetings[meant.meeting_id]
        lines = [f"Join: {meeting['join_url']}", f"Passcode: {meeting['passcode']}"]
        lines += [f"Dial-in: tel:{number}" for number in meeting["dial_in"]]
        block = "\n".join(["----- meeting -----", *lines, "----- end of meeting -----"])
        await patch(built, where, {"description": f"{meant.description or ''}\n\n{block}"})


async def event_of(built: Town, where: Reference) -> Json:
    """An event as Google has it."""
    owner = built.world.place_of(where).owner
    return await built.world.google[owner].call("GET", event_path(where.calendar_id, where.event_id))


async def patch(built: Town, where: Reference, body: Json) -> None:
    """Change an event behind its people's back."""
    owner = built.world.place_of(where).owner
    query = {"conferenceDataVersion": "1"}
    path = event_path(where.calendar_id, where.event_id)
    await built.world.google[owner].call("PATCH", path, query=query, body=body)


def some_event(built: Town) -> Reference:
    """An event with a meeting."""
    return next(where for where, meant in built.world.record.meant.items() if meant.meeting_id)


def meeting_of(built: Town, where: Reference) -> str:
    """The id of its meeting."""
    return str(built.world.record.meant[where].meeting_id)
