"""Inserts, changes and deletes events as the Calendar API does, for organizers and for guests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syncer.simulator.google import bodies, conferences, copies, instances, refusals, series, times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry, World

GUEST_FIELDS = frozenset({"reminders", "colorId", "transparency", "visibility"})
WHOLE = frozenset({"start", "end", "recurrence", "attendees"})
SCHEDULE = ("start", "end", "recurrence")
KEPT_BY_UPDATE = (
    "id",
    "created",
    "updated",
    "creator",
    "organizer",
    "iCalUID",
    "recurringEventId",
    "originalStartTime",
    "sequence",
    "eventType",
    "privateCopy",
    "locked",
)


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes, and how.

    subject: the acting user. if_match: the header's value, None without one. send_updates: "", "all",
    "externalOnly" or "none". add_on: the solution's name when the conferencing add-on itself writes.
    """

    subject: str
    if_match: str | None = None
    conference_version: int = 0
    send_updates: str = ""
    add_on: str | None = None


def found(calendar: Calendar, event_id: str) -> Entry:
    """The event under an id, cancelled ones and instances of series included; Refusal 404 otherwise."""
    entry = instances.find(calendar, event_id)
    if entry is None:
        raise refusals.not_found()
    return entry


def check_condition(entry: Entry, if_match: str | None) -> None:
    """Refuse a write whose If-Match does not name the event's etag."""
    if if_match is None or if_match.strip() == "*":
        return
    if entry.etag not in [tag.strip() for tag in if_match.split(",")]:
        raise refusals.condition_not_met()


def insert(world: World, calendar: Calendar, body: Json, writing: Writing) -> Entry:
    """Make an event with this calendar as its organizer."""
    fields = bodies.writable(body)
    bodies.require_zone(fields)
    event_id = world.new_event_id() if body.get("id") is None else bodies.client_id(body["id"])
    uid = body["iCalUID"] if isinstance(body.get("iCalUID"), str) else f"{event_id}@google.com"
    if event_id in calendar.entries or (uid == body.get("iCalUID") and _has_uid(calendar, uid)):
        raise refusals.duplicate()
    now = world.now_stamp()
    resource: Json = {"id": event_id, "status": "confirmed", "created": now, "updated": now}
    resource |= {"creator": {"email": writing.subject}, "organizer": organizer_of(calendar)}
    resource |= {"iCalUID": uid, "sequence": 0, "eventType": "default", "reminders": {"useDefault": True}}
    resource = bodies.settled(_laid_over(resource, fields), calendar.time_zone, WHOLE)
    resource = _with_conference(world, resource, fields, writing)
    entry = world.store(calendar, Entry(resource, 0), resource)
    copies.spread(world, calendar, entry)
    return entry


def organizer_of(calendar: Calendar) -> Json:
    """The organizer of events made on a calendar: its owner on a primary one, else the calendar itself."""
    name = {} if calendar.is_primary else {"displayName": calendar.summary}
    return {"email": calendar.id, **name}


def _has_uid(calendar: Calendar, uid: str) -> bool:
    return any(entry.resource.get("iCalUID") == uid for entry in calendar.entries.values())


def patch(world: World, calendar: Calendar, event_id: str, body: Json, writing: Writing) -> Entry:
    """Change some fields of an event; status "confirmed" undeletes, "cancelled" deletes."""
    entry = _writable_entry(calendar, event_id, writing)
    fields = bodies.writable(body)
    bodies.check_unchangeable(entry.resource, fields)
    if body.get("attendeesOmitted") is True:
        fields["attendees"] = _with_own_answer(entry.resource, fields, calendar)
    wanted = bodies.settled(_laid_over(entry.resource, fields), calendar.time_zone, fields)
    return _commit(world, calendar, entry, _with_conference(world, wanted, fields, writing), writing)


def update(world: World, calendar: Calendar, event_id: str, body: Json, writing: Writing) -> Entry:
    """Replace an event by a whole resource; fields left out return to their defaults."""
    entry = _writable_entry(calendar, event_id, writing)
    fields = bodies.writable(body)
    bodies.check_unchangeable(entry.resource, fields)
    bodies.require_zone(fields)
    base = {name: entry.resource[name] for name in KEPT_BY_UPDATE if name in entry.resource}
    base |= {"status": "confirmed", "reminders": {"useDefault": True}}
    wanted = bodies.settled(_laid_over(base, fields), calendar.time_zone, WHOLE)
    kept = {name: entry.resource[name] for name in ("conferenceData", "hangoutLink") if name in entry.resource}
    if writing.conference_version == 1:
        fields.setdefault("conferenceData", None)
    return _commit(world, calendar, entry, _with_conference(world, wanted | kept, fields, writing), writing)


def _laid_over(resource: Json, fields: Json) -> Json:
    given = {name: value for name, value in fields.items() if name != "conferenceData"}
    return bodies.merged(resource, given)


def _with_own_answer(before: Json, fields: Json, calendar: Calendar) -> list[Json]:
    """The stored guests with only this calendar's own row taken from the body."""
    own = _own_row({"attendees": bodies.attendees(fields.get("attendees") or [])}, calendar)
    rows: list[Json] = before.get("attendees", [])
    return [own if own and row["email"] == calendar.id else row for row in rows]


def _writable_entry(calendar: Calendar, event_id: str, writing: Writing) -> Entry:
    entry = found(calendar, event_id)
    check_condition(entry, writing.if_match)
    if entry.is_cancelled and entry.is_bare:
        raise refusals.not_the_organizer()
    return entry


def _with_conference(world: World, resource: Json, fields: Json, writing: Writing) -> Json:
    if writing.conference_version != 1 or "conferenceData" not in fields:
        return resource
    before = resource.get("conferenceData")
    after = conferences.written(world, before, fields["conferenceData"], writing.add_on)
    rest = {name: value for name, value in resource.items() if name not in ("conferenceData", "hangoutLink")}
    link = conferences.meet_link(after)
    return rest | ({"conferenceData": after} if after else {}) | ({"hangoutLink": link} if link else {})


def _commit(world: World, calendar: Calendar, entry: Entry, wanted: Json, writing: Writing) -> Entry:
    changed = changed_fields(entry.resource, wanted)
    if not changed:
        return entry
    if entry.home is not None:
        return _commit_guest(world, calendar, entry, wanted, writing)
    if "status" in changed and wanted["status"] == "cancelled":
        cancel(world, calendar, entry, writing)
        return entry
    if any(name in changed for name in SCHEDULE) and wanted.get("sequence", 0) == entry.resource.get("sequence", 0):
        wanted["sequence"] = entry.resource.get("sequence", 0) + 1
    if changed != {"reminders"}:
        wanted["updated"] = world.now_stamp()
    was_cancelled = entry.is_cancelled
    _store_with_exceptions(world, calendar, entry, series.with_own_id(world, calendar, entry, wanted))
    if not entry.is_cancelled:
        copies.spread(world, calendar, entry)
        if was_cancelled:
            _raise_exceptions(world, calendar, entry)
    return entry


def _store_with_exceptions(world: World, calendar: Calendar, entry: Entry, wanted: Json) -> None:
    """Keep a new state; exceptions that have no place in it any more are reset, before or after it in the feed."""
    lost = series.lost(calendar, entry.resource, wanted)
    are_first = bool(lost) and world.chance.random() < 0.5
    if are_first:
        series.lose(world, calendar, lost)
    world.store(calendar, entry, wanted)
    if not are_first:
        series.lose(world, calendar, lost)


def changed_fields(before: Json, after: Json) -> set[str]:
    """The names of the fields in which two states of an event differ."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _commit_guest(world: World, calendar: Calendar, entry: Entry, wanted: Json, writing: Writing) -> Entry:
    before = entry.resource
    changed = changed_fields(before, wanted)
    shared = changed - GUEST_FIELDS - {"status", "attendees", "extendedProperties", "sequence"}
    if _shared_properties(before) != _shared_properties(wanted) or _others(before, calendar) != _others(
        wanted, calendar
    ):
        shared.add("attendees")
    if shared:
        return _commit_at_home(world, calendar, entry, wanted, writing)
    if "status" in changed and wanted["status"] == "cancelled":
        cancel(world, calendar, entry, writing)
        return entry
    entry.was_removed = False
    world.store(calendar, entry, {**wanted, "updated": world.now_stamp()})
    row = _own_row(wanted, calendar)
    if row is not None:
        copies.answer_home(world, entry.home, row)
    return entry


def _commit_at_home(world: World, calendar: Calendar, entry: Entry, wanted: Json, writing: Writing) -> Entry:
    """A guest changes what everybody shares: allowed only when the organizer lets guests do so."""
    home_calendar = world.calendars.get(entry.home.calendar_id) if entry.home else None
    home = instances.find(home_calendar, entry.home.event_id) if home_calendar and entry.home else None
    if home_calendar is None or home is None or not home.resource.get("guestsCanModify"):
        raise refusals.not_the_organizer()
    private = GUEST_FIELDS | {"extendedProperties", "id", "recurringEventId"}
    resource = {name: value for name, value in wanted.items() if name not in private}
    resource |= {name: value for name, value in home.resource.items() if name in private}
    for name in ("start", "end", "originalStartTime"):
        if name in resource:
            resource[name] = times.in_zone(resource[name], home_calendar.time_zone)
    _commit(world, home_calendar, home, resource, writing)
    return calendar.entries.get(entry.resource["id"], entry)


def _shared_properties(resource: Json) -> Any:
    return resource.get("extendedProperties", {}).get("shared")


def _others(resource: Json, calendar: Calendar) -> list[Json]:
    return [row for row in resource.get("attendees", []) if row["email"] != calendar.id]


def _own_row(resource: Json, calendar: Calendar) -> Json | None:
    return next((row for row in resource.get("attendees", []) if row["email"] == calendar.id), None)


def delete(world: World, calendar: Calendar, event_id: str, writing: Writing) -> Entry:
    """Delete an event, or call off an instance; Refusal 410 when that was done before."""
    entry = found(calendar, event_id)
    if entry.is_cancelled:
        raise refusals.already_deleted()
    check_condition(entry, writing.if_match)
    cancel(world, calendar, entry, writing)
    return entry


def cancel(world: World, calendar: Calendar, entry: Entry, writing: Writing) -> None:
    """Cancel a live event, with what hangs on it: its exceptions, and the guests' copies.

    A guest who deletes declines. With sendUpdates=none the guests' copies stay, as was seen at Google.
    """
    world.store(calendar, entry, copies.cancelled(world, entry.resource))
    if entry.home is not None:
        entry.was_removed = True
        row = _own_row(entry.resource, calendar)
        if row is not None:
            copies.answer_home(world, entry.home, {**row, "responseStatus": "declined"})
    elif writing.send_updates != "none":
        copies.withdraw_all(world, entry)
    for event_id, exception in list(calendar.exceptions_of(entry.resource["id"])):
        if exception.is_cancelled:
            continue
        exception.fell_with_master = True
        if world.switches.exceptions_vanish and entry.home is None:
            copies.withdraw_all(world, exception)
            entry.vanished.append(world.vanish(calendar, event_id))
        else:
            cancel(world, calendar, exception, writing)


def _raise_exceptions(world: World, calendar: Calendar, master: Entry) -> None:
    for vanished in master.vanished:
        world.store(calendar, vanished, vanished.resource)
    master.vanished = []
    for _, exception in list(calendar.exceptions_of(master.resource["id"])):
        if exception.fell_with_master:
            exception.fell_with_master = False
            raised = {**exception.resource, "status": "confirmed", "updated": world.now_stamp()}
            world.store(calendar, exception, raised)
            copies.spread(world, calendar, exception)
