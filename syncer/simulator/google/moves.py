"""Moves events to another calendar, and clears a calendar.

Source: Calendar API, `events.move` and `calendars.clear`; that a move answers with the cancelled source was
seen by others.
"""

from __future__ import annotations

from syncer.simulator.google import copies, edits, refusals, times
from syncer.simulator.google.edits import Writing
from syncer.simulator.google.world import Address, Calendar, Entry, World


def move(world: World, source: Calendar, event_id: str, destination: Calendar, writing: Writing) -> Entry:
    """Make another calendar an event's organizer; gives what stays on the source.

    That is a bare cancelled stub, or a guest's copy when the source's owner is invited.
    """
    entry = edits.found(source, event_id)
    edits.check_condition(entry, writing.if_match)
    _check(source, entry, destination)
    series = [stored_id for stored_id, _ in source.exceptions_of(event_id)]
    for moved_id in (event_id, *series):
        _move_one(world, source, moved_id, destination)
    return source.entries[event_id]


def _check(source: Calendar, entry: Entry, destination: Calendar) -> None:
    if "recurringEventId" in entry.resource:
        message = "Cannot change the organizer of an instance."
        raise refusals.Refusal(400, "cannotChangeOrganizerOfInstance", message)
    if entry.home is not None:
        raise refusals.not_the_organizer()
    if entry.is_cancelled:
        raise refusals.already_deleted()
    if destination is source or entry.resource.get("eventType", "default") != "default":
        raise refusals.invalid("The event cannot be moved there.", parameter="destination")
    present = destination.entries.get(entry.resource["id"])
    if present is not None and present.resource.get("iCalUID") != entry.resource.get("iCalUID"):
        raise refusals.duplicate()


def _move_one(world: World, source: Calendar, event_id: str, destination: Calendar) -> None:
    left = source.entries[event_id]
    resource = {
        **left.resource,
        "organizer": edits.organizer_of(destination),
        "updated": world.now_stamp(),
    }
    for name in ("start", "end", "originalStartTime"):
        if name in resource:
            resource[name] = times.in_zone(resource[name], destination.time_zone)
    copies_left = {calendar_id: copy for calendar_id, copy in left.copies.items() if calendar_id != destination.id}
    moved = Entry(resource, 0, is_bare=left.is_bare, copies=copies_left, fell_with_master=left.fell_with_master)
    world.store(destination, moved, resource)
    is_guest = any(row["email"] == source.id for row in resource.get("attendees", []))
    if is_guest and not left.is_cancelled:
        left.home, left.copies = Address(destination.id, event_id), {}
        moved.copies[source.id] = event_id
    else:
        left.is_bare, left.copies, left.home = True, {}, None
        world.store(source, left, copies.cancelled(world, left.resource))
    if not moved.is_cancelled:
        copies.spread(world, destination, moved)


def clear(world: World, calendar: Calendar, writing: Writing) -> None:
    """Delete all events of a primary calendar at once; Refusal 400 for any other."""
    if not calendar.is_primary:
        raise refusals.invalid("Only the primary calendar of an account can be cleared.")
    for entry in list(calendar.entries.values()):
        if not entry.is_cancelled:
            edits.cancel(world, calendar, entry, writing)
