"""One function per kind of edit: what a person does at the servers, and what they mean by it."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from syncer.simulator.people import series, texts
from syncer.simulator.people.bodies import SUBJECTS, external_key, meant_by, meeting_times, new_event
from syncer.simulator.people.faces import calendar_path, event_path
from syncer.simulator.people.person import WRITE, Person, Revision, event_at, new_id, now_ms, revise
from syncer.simulator.people.record import AnyKind, Edit, Json, Kind, Meant, Reference, SeriesKind
from syncer.simulator.people.world import PLACEHOLDER_TITLE, shifted

__all__ = ["Person", "external_key", "make", "meant_by", "meeting_times", "new_event", "new_id", "now_ms"]

Act = Callable[[Person, Reference], Awaitable[Edit]]


async def make(person: Person, kind: AnyKind, where: Reference | None) -> Edit:
    """Do one edit and keep it in the record. Raises Turned when a server refuses.

    where: None only for CREATIONS; for edits of instances, splits and a restoring it names the series.
    """
    if isinstance(kind, SeriesKind):
        edit = await series.act(person, kind, where)
    else:
        edit = await create(person) if where is None else await _act(kind)(person, where)
    person.world.record.note(edit)
    return edit


def _act(kind: Kind) -> Act:
    match kind:
        case Kind.RENAME:
            return rename
        case Kind.MOVE_TIME:
            return move_time
        case Kind.MOVE_CALENDAR:
            return move_calendar
        case Kind.SWAP:
            return swap
        case Kind.DELETE:
            return delete
        case Kind.UNDELETE:
            return undelete
        case Kind.DUPLICATE:
            return duplicate
        case Kind.INVITE:
            return invite
        case Kind.CHANGE_AT_PROVIDER:
            return change_at_provider
        case Kind.CREATE:
            raise ValueError("a new event has no place yet")
        case _:
            assert_never(kind)


async def create(person: Person) -> Edit:
    """A new event with a meeting, the meeting first and with a placeholder, as an add-on makes it."""
    world, place = person.world, person.place
    where = Reference(place.tenant, place.calendar_id, new_id(person.chance))
    body = new_event(person)
    placeholder = {"title": PLACEHOLDER_TITLE, **meeting_times(body, place)}
    meeting = await world.vendors[place.tenant].create({"external_key": external_key(where), **placeholder})
    body |= {"id": where.event_id, "conferenceData": world.conference_data(meeting)}
    sent_ms = now_ms()
    headers = {"X-Simulator-Add-On": world.solution}
    path = f"{calendar_path(place.calendar_id)}/events"
    event = await person.google.call("POST", path, query=WRITE, body=body, headers=headers)
    meant = meant_by(body, str(meeting["id"]))
    return Edit(Kind.CREATE, where, meeting["id"], sent_ms, now_ms(), event.get("etag"), meant)


async def rename(person: Person, where: Reference) -> Edit:
    """Another title; now and then another description too, typed above what stands below."""
    meant = person.world.record.meant[where]
    meant = replace(meant, title=f"{person.chance.choice(SUBJECTS)} {person.chance.randrange(1000)}")
    if person.chance.random() < 1 / 3:
        meant = replace(meant, description=f"Agenda {person.chance.randrange(1000)}:\n- notes\n- next steps")

    def body(event: Json) -> Json:
        if meant.description == texts.own_description(event.get("description")):
            return {"summary": meant.title}
        return {
            "summary": meant.title,
            "description": texts.with_block_of(event.get("description"), meant.description or ""),
        }

    return await revise(person, Revision(Kind.RENAME, where, meant, body))


async def move_time(person: Person, where: Reference) -> Edit:
    """The same event some days or quarters of an hour later, now and then longer."""
    meant, zone = person.world.record.meant[where], person.place.time_zone
    by = timedelta(days=person.chance.randrange(1, 5), minutes=15 * person.chance.randrange(8))
    longer = timedelta(minutes=15 * person.chance.randrange(3))
    starts, ends = shifted(meant.starts, by, zone), shifted(meant.ends, by + longer, zone)
    meant = replace(meant, starts=starts, ends=ends)
    return await revise(person, Revision(Kind.MOVE_TIME, where, meant, lambda _: {"start": starts, "end": ends}))


async def invite(person: Person, where: Reference) -> Edit:
    """One guest more: somebody outside, or the owner of another tenant's calendar, who then has a copy."""
    world = person.world
    strangers = sorted({place.owner for place in world.places if place.tenant != where.tenant})
    outside = f"guest-{person.chance.randrange(10_000)}@elsewhere.test"
    guest = person.chance.choice(strangers) if strangers and person.chance.random() < 0.5 else outside
    event = await event_at(person, where)
    guests = {row["email"] for row in event.get("attendees", [])} | {guest}
    meant = replace(world.record.meant[where], guests=len(guests))

    def body(event: Json) -> Json:
        rows = event.get("attendees", [])
        return {"attendees": rows + [{"email": guest} for _ in range(guest not in {row["email"] for row in rows})]}

    return await revise(person, Revision(Kind.INVITE, where, meant, body))


async def swap(person: Person, where: Reference) -> Edit:
    """The conference replaced by a Meet, or taken off."""
    meeting_id = str(person.world.record.meant[where].meeting_id)
    request = {"requestId": new_id(person.chance), "conferenceSolutionKey": {"type": "hangoutsMeet"}}
    new: Json | None = {"createRequest": request} if person.chance.random() < 0.6 else None
    meant = replace(person.world.record.meant[where], meeting_id=None)
    edit = await revise(person, Revision(Kind.SWAP, where, meant, lambda _: {"conferenceData": new}))
    return replace(edit, meeting_id=meeting_id)


async def delete(person: Person, where: Reference) -> Edit:
    """The event deleted."""
    meeting_id = str(person.world.record.meant[where].meeting_id)
    sent_ms = now_ms()
    await person.google.call("DELETE", event_path(where.calendar_id, where.event_id), query={"sendUpdates": "all"})
    return Edit(Kind.DELETE, where, meeting_id, sent_ms, now_ms())


async def undelete(person: Person, where: Reference) -> Edit:
    """The event deleted and, a moment later, taken out of the bin."""
    meant = person.world.record.meant[where]
    person.world.record.remove(where, now_ms())
    path = event_path(where.calendar_id, where.event_id)
    await person.google.call("DELETE", path, query={"sendUpdates": "all"})
    await sleep(person.pause_seconds)
    sent_ms = now_ms()
    event = await person.google.call("PATCH", path, query=WRITE, body={"status": "confirmed"})
    return Edit(Kind.UNDELETE, where, str(meant.meeting_id), sent_ms, now_ms(), event.get("etag"), meant)


async def duplicate(person: Person, where: Reference) -> Edit:
    """A second event with the same conference, copied whole; now and then on another calendar.

    Only of events that stood there before, and all copies of one on one calendar: of two that are new on two calendars
    either may be seen first.
    """
    world = person.world
    event, meant = await event_at(person, where), world.record.meant[where]
    elsewhere = world.neighbours(person.place)[:1] if where in world.settled else []
    places = [person.place] * 3 + elsewhere
    place = person.chance.choice(places)
    copies = [copy for copy, other in world.record.meant.items() if copy in world.copies and _is_same(other, meant)]
    place = world.place_of(copies[0]) if copies else place
    copy = Reference(where.tenant, place.calendar_id, new_id(person.chance))
    copied = ("description", "location", "start", "end", "conferenceData")
    body: Json = {name: event[name] for name in copied if name in event}
    body |= {"id": copy.event_id, "summary": f"Copy of {meant.title}"}
    sent_ms = now_ms()
    google = world.google[place.owner]
    made = await google.call("POST", f"{calendar_path(place.calendar_id)}/events", query=WRITE, body=body)
    world.copies.add(copy)
    meant = replace(meant, title=f"Copy of {meant.title}", guests=0)
    return Edit(Kind.DUPLICATE, copy, str(meant.meeting_id), sent_ms, now_ms(), made.get("etag"), meant)


def _is_same(one: Meant, other: Meant) -> bool:
    return one.meeting_id == other.meeting_id


async def move_calendar(person: Person, where: Reference) -> Edit:
    """The event on another calendar of the same tenant, under the same id."""
    world = person.world
    destination = person.chance.choice(world.neighbours(person.place))
    meant = world.record.meant[where]
    sent_ms = now_ms()
    path = f"{event_path(where.calendar_id, where.event_id)}/move"
    query = {"destination": destination.calendar_id, "sendUpdates": "all"}
    await person.google.call("POST", path, query=query)
    world.record.remove(where, sent_ms)
    moved = Reference(where.tenant, destination.calendar_id, where.event_id)
    if where in world.copies:
        world.copies.add(moved)
    return Edit(Kind.MOVE_CALENDAR, moved, str(meant.meeting_id), sent_ms, now_ms(), None, meant)


async def change_at_provider(person: Person, where: Reference) -> Edit:
    """Another passcode or another join URL for the meeting, made where it lives."""
    meeting_id = str(person.world.record.meant[where].meeting_id)
    choices: tuple[Json, ...] = (
        {"passcode": f"{person.chance.randrange(10**6):06d}"},
        {"new_join_url": True},
        {"passcode": f"{person.chance.randrange(10**6):06d}", "new_join_url": True},
    )
    person.world.changes[meeting_id] += 1
    sent_ms = now_ms()
    await person.world.vendors[where.tenant].change(meeting_id, person.chance.choice(choices))
    return Edit(Kind.CHANGE_AT_PROVIDER, where, meeting_id, sent_ms, now_ms())
