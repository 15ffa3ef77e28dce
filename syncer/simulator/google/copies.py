"""Keeps guests' copies of an event in step with the organizer's copy, and the other way round for answers.

A guest whose calendar is in the simulator has a copy with the same id and iCalUID, its own etag and its own
reminders, colour, visibility and private properties.
"""

from __future__ import annotations

from syncer.simulator.google import instances, times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Address, Calendar, Entry, World

NOT_CARRIED = ("reminders", "colorId")
KEPT_BY_GUEST = ("reminders", "colorId", "transparency", "visibility")
ANSWER_FIELDS = ("responseStatus", "comment", "additionalGuests", "displayName")


def spread(world: World, home: Calendar, entry: Entry) -> None:
    """Make the guests' copies as the organizer's copy is: place, change, or withdraw them."""
    rows = {row["email"]: row for row in entry.resource.get("attendees", [])}
    for email, row in rows.items():
        if email in world.calendars and email != home.id:
            _place(world, home, entry, row)
    for calendar_id in [known for known in entry.copies if known not in rows]:
        withdraw(world, Address(calendar_id, entry.copies.pop(calendar_id)))


def withdraw_all(world: World, entry: Entry) -> None:
    """Cancel every guest's copy, as when the organizer deletes the event."""
    for calendar_id, copy_id in entry.copies.items():
        withdraw(world, Address(calendar_id, copy_id))


def withdraw(world: World, copy: Address) -> None:
    """Cancel one guest's copy; only a bare tombstone of it stays."""
    calendar = world.calendars[copy.calendar_id]
    entry = instances.find(calendar, copy.event_id)
    if entry is None or (entry.is_cancelled and entry.is_bare):
        return
    entry.is_bare, entry.was_removed = True, False
    world.store(calendar, entry, cancelled(world, entry.resource))


def cancelled(world: World, resource: Json) -> Json:
    """The resource as deleted now."""
    return {**resource, "status": "cancelled", "updated": world.now_stamp()}


def _place(world: World, home: Calendar, entry: Entry, row: Json) -> None:
    calendar = world.calendars[row["email"]]
    copy_id = entry.copies.get(calendar.id) or _free_id(world, calendar, entry.resource)
    existing = calendar.entries.get(copy_id)
    if existing is not None and existing.home is None and not existing.is_cancelled:
        return
    if existing is not None and existing.was_removed and row.get("responseStatus") == "declined":
        return
    entry.copies[calendar.id] = copy_id
    shared = _under_own_series(home, calendar, {**entry.resource, "id": copy_id})
    resource = _as_guest_sees(calendar, shared, existing)
    address = Address(home.id, entry.resource["id"])
    if existing is None:
        world.store(calendar, Entry(resource, 0, home=address), resource)
        return
    is_same = not existing.is_bare and _without_updated(existing.resource) == _without_updated(resource)
    existing.home, existing.is_bare, existing.was_removed = address, False, False
    if not is_same:
        world.store(calendar, existing, resource)


def _free_id(world: World, calendar: Calendar, resource: Json) -> str:
    taken = calendar.entries.get(resource["id"])
    is_free = taken is None or taken.resource.get("iCalUID") == resource.get("iCalUID")
    return str(resource["id"]) if is_free else world.new_event_id()


def _under_own_series(home: Calendar, calendar: Calendar, resource: Json) -> Json:
    """An instance as part of the copy of its series on a guest's calendar, which may have another id there."""
    master = home.entries.get(resource.get("recurringEventId", ""))
    copy_of_master = master.copies.get(calendar.id) if master else None
    return {**resource, "recurringEventId": copy_of_master} if copy_of_master else resource


def _as_guest_sees(calendar: Calendar, resource: Json, existing: Entry | None) -> Json:
    seen = {name: value for name, value in resource.items() if name not in NOT_CARRIED}
    for name in ("start", "end", "originalStartTime"):
        if name in seen:
            seen[name] = times.in_zone(seen[name], calendar.time_zone)
    own = (
        existing.resource if existing is not None and existing.home is not None else {"reminders": {"useDefault": True}}
    )
    seen |= {name: own[name] for name in KEPT_BY_GUEST if name in own}
    return _with_own_properties(seen, own)


def _with_own_properties(seen: Json, own: Json) -> Json:
    properties = {"shared": seen.get("extendedProperties", {}).get("shared")}
    properties["private"] = own.get("extendedProperties", {}).get("private")
    seen.pop("extendedProperties", None)
    kept = {side: values for side, values in properties.items() if values}
    return seen | {"extendedProperties": kept} if kept else seen


def _without_updated(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "updated"}


def answer_home(world: World, home: Address | None, row: Json) -> None:
    """Carry a guest's answer to the organizer's copy, and from there to everybody's.

    row: the guest's own attendee row as it is now. Nothing happens when the guest is no longer invited.
    """
    calendar = world.calendars.get(home.calendar_id) if home else None
    entry = instances.find(calendar, home.event_id) if home and calendar else None
    if calendar is None or entry is None or entry.is_cancelled:
        return
    answer = {name: row[name] for name in ANSWER_FIELDS if name in row}
    before = entry.resource.get("attendees", [])
    rows = [{**known, **answer} if known["email"] == row["email"] else known for known in before]
    if rows == before:
        return
    world.store(calendar, entry, {**entry.resource, "attendees": rows, "updated": world.now_stamp()})
    spread(world, calendar, entry)


def touch(world: World, calendar: Calendar, event_id: str) -> str | None:
    """Let something harmless happen to an event, so that its etag moves: a guest answers, or its colour changes.

    Gives who did it, or None when there is no such live event.
    """
    entry = calendar.entries.get(event_id)
    if entry is None or entry.is_cancelled:
        return None
    organizer = entry.resource.get("organizer", {}).get("email")
    guests = [row for row in entry.resource.get("attendees", []) if row["email"] != organizer]
    if not guests:
        colour = str(int(entry.resource.get("colorId") or 0) % 11 + 1)
        world.store(calendar, entry, {**entry.resource, "colorId": colour, "updated": world.now_stamp()})
        return calendar.owner
    guest = world.chance.choice(guests)
    answer = "tentative" if guest["responseStatus"] == "accepted" else "accepted"
    row = {**guest, "responseStatus": answer}
    answer_home(world, entry.home or Address(calendar.id, event_id), row)
    return str(guest["email"])
