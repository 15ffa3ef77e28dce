"""What people do to series as a whole: make, rename, move, copy, delete, bring back; and to guests' copies of them."""

from __future__ import annotations

from asyncio import sleep
from dataclasses import replace
from datetime import UTC, timedelta
from typing import assert_never

from syncer.simulator.people import instances, splits
from syncer.simulator.people.bodies import SUBJECTS, external_key, meant_by, meeting_times, new_event
from syncer.simulator.people.faces import Turned, calendar_path, event_path
from syncer.simulator.people.person import WRITE, Person, Revision, event_at, new_id, now_ms, revise
from syncer.simulator.people.record import Edit, Json, Meant, Place, Reference, SeriesKind
from syncer.simulator.people.world import PLACEHOLDER_TITLE, instant, shifted

_PERIOD_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31}
_SAFE_DAY = 28
_GONE = (404, 410)


async def act(person: Person, kind: SeriesKind, where: Reference | None) -> Edit:
    """One edit of a series. where: the series, None for the kinds that make one. Raises Turned."""
    if where is None:
        return await _make(person, kind)
    match kind:
        case SeriesKind.RENAME_SERIES:
            return await rename(person, where)
        case SeriesKind.MOVE_SERIES:
            return await move(person, where)
        case SeriesKind.MOVE_SERIES_CALENDAR:
            return await move_calendar(person, where)
        case SeriesKind.DUPLICATE_SERIES:
            return await duplicate(person, where)
        case SeriesKind.DELETE_SERIES:
            return await delete(person, where)
        case SeriesKind.UNDELETE_SERIES:
            return await undelete(person, where)
        case SeriesKind.DECLINE:
            return await decline(person, where)
        case SeriesKind.SPLIT_API | SeriesKind.SPLIT_API_BARE | SeriesKind.SPLIT_UI | SeriesKind.SPLIT_UI_BARE:
            return await splits.split(person, kind, where)
        case SeriesKind.CREATE_SERIES | SeriesKind.GAIN_CONFERENCE | SeriesKind.MEET_ONCE:
            raise ValueError("a new series has no place yet")
        case (
            SeriesKind.RENAME_INSTANCE
            | SeriesKind.MOVE_INSTANCE
            | SeriesKind.SHORTEN_INSTANCE
            | SeriesKind.SWAP_INSTANCE
            | SeriesKind.CANCEL_INSTANCE
            | SeriesKind.RESTORE_INSTANCE
        ):
            return await instances.act(person, kind, where)
        case _:
            assert_never(kind)


async def _make(person: Person, kind: SeriesKind) -> Edit:
    match kind:
        case SeriesKind.CREATE_SERIES:
            return await create(person)
        case SeriesKind.GAIN_CONFERENCE:
            return await gain_conference(person)
        case SeriesKind.MEET_ONCE:
            return await meet_once(person)
        case _:
            raise ValueError(f"the edit {kind} needs a series")


def new_series(person: Person) -> Json:
    """A new series' own fields: by days, weeks or months, ending by a count, by a day or never; some last all day."""
    chance, place = person.chance, person.place
    body = new_event(person)
    starts = instant(body["start"], place.time_zone)
    if starts.day > _SAFE_DAY:
        body |= {side: shifted(body[side], timedelta(days=4), place.time_zone) for side in ("start", "end")}
    frequency = chance.choices(("WEEKLY", "DAILY", "MONTHLY"), (3, 2, 1))[0]
    interval = chance.choice((1, 1, 1, 2))
    rule = f"RRULE:FREQ={frequency}" + (f";INTERVAL={interval}" if interval > 1 else "")
    if frequency == "WEEKLY" and chance.random() < 0.5:
        day = body["start"].get("date") or body["start"]["dateTime"]
        rule += f";BYDAY={_weekday(day)}"
    return body | {"recurrence": [rule + _bound(person, body, _PERIOD_DAYS[frequency] * interval)]}


def _weekday(text: str) -> str:
    from_iso = instant({"date": text[:10]}, "UTC")
    return ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[from_iso.weekday()]


def _bound(person: Person, body: Json, period_days: int) -> str:
    times = person.chance.randrange(5, 13)
    choice = person.chance.randrange(3)
    if choice == 0:
        return f";COUNT={times}"
    if choice == 1:
        return ""
    until = shifted(body["start"], timedelta(days=period_days * times), person.place.time_zone)
    if "date" in until:
        return f";UNTIL={until['date'].replace('-', '')}"
    return f";UNTIL={instant(until, person.place.time_zone).astimezone(UTC):%Y%m%dT%H%M%SZ}"


async def create(person: Person) -> Edit:
    """A new series with a meeting, the meeting first and with a placeholder, as an add-on makes it."""
    place = person.place
    where = Reference(place.tenant, place.calendar_id, new_id(person.chance))
    body = new_series(person) | {"id": where.event_id}
    meeting = await meeting_for(person, where, body)
    body["conferenceData"] = person.world.conference_data(meeting)
    sent_ms = now_ms()
    event = await insert(person, place, body)
    meant = meant_by(body, str(meeting["id"]))
    return Edit(SeriesKind.CREATE_SERIES, where, meeting["id"], sent_ms, now_ms(), event["etag"], meant)


async def meeting_for(person: Person, where: Reference, body: Json) -> Json:
    """A new meeting for an event, as an add-on makes it."""
    new = {"external_key": external_key(where), "title": PLACEHOLDER_TITLE, **meeting_times(body, person.place)}
    return await person.world.vendors[where.tenant].create(new)


async def insert(person: Person, place: Place, body: Json) -> Json:
    """A new event on a calendar, written by the add-on."""
    headers = {"X-Simulator-Add-On": person.world.solution}
    google = person.world.google[place.owner]
    path = f"{calendar_path(place.calendar_id)}/events"
    return await google.call("POST", path, query=WRITE, body=body, headers=headers)


async def _bare(person: Person) -> tuple[Reference, Meant]:
    """A new series without any conference."""
    place = person.place
    where = Reference(place.tenant, place.calendar_id, new_id(person.chance))
    body = new_series(person) | {"id": where.event_id}
    await insert(person, place, body)
    meant = meant_by(body, None)
    person.world.record.put(where, meant, now_ms())
    return where, meant


async def gain_conference(person: Person) -> Edit:
    """A new series that gets its conference later; now and then one instance was renamed before, and has none."""
    where, meant = await _bare(person)
    person.world.busy.add(where)
    try:
        if person.chance.random() < 0.5:
            edit = await instances.act(person, SeriesKind.RENAME_INSTANCE, where)
            if edit.meant is not None:
                person.world.record.put(edit.where, edit.meant, edit.answered_ms)
        await sleep(person.pause_seconds)
        event = await event_at(person, where)
        meeting = await meeting_for(person, where, event)
        conference = person.world.conference_data(meeting)
        meant = replace(meant, meeting_id=str(meeting["id"]))
        revision = Revision(
            SeriesKind.GAIN_CONFERENCE, where, meant, lambda _: {"conferenceData": conference}, person.world.solution
        )
        return await revise(person, revision)
    finally:
        person.world.busy.discard(where)


async def meet_once(person: Person) -> Edit:
    """A new series without a conference, one instance of which gets a meeting."""
    where, _ = await _bare(person)
    person.world.busy.add(where)
    try:
        return await instances.meet(person, where)
    finally:
        person.world.busy.discard(where)


async def rename(person: Person, where: Reference) -> Edit:
    """Another title for the whole series; instances that were changed keep theirs."""
    title = f"{person.chance.choice(SUBJECTS)} {person.chance.randrange(1000)}"
    meant = replace(person.world.record.meant[where], title=title)
    return await revise(person, Revision(SeriesKind.RENAME_SERIES, where, meant, lambda _: {"summary": title}))


async def move(person: Person, where: Reference) -> Edit:
    """The whole series some quarters of an hour later, all-day ones by weeks; changed instances may be reset by it."""
    record, zone = person.world.record, person.place.time_zone
    meant = record.meant[where]
    by = timedelta(weeks=1) if "date" in meant.starts else timedelta(minutes=15 * person.chance.randrange(1, 5))
    starts, ends = shifted(meant.starts, by, zone), shifted(meant.ends, by, zone)
    meant = replace(meant, starts=starts, ends=ends)
    patch = {"start": starts, "end": ends}
    edit = await revise(person, Revision(SeriesKind.MOVE_SERIES, where, meant, lambda _: patch))
    await forget_reset(person, where, edit.sent_ms)
    return edit


async def forget_reset(person: Person, where: Reference, at_ms: float) -> None:
    """Take out of the record the changed instances of a series that a change of the whole has reset."""
    record = person.world.record
    for exception in record.exceptions_of(where):
        try:
            is_gone = (await event_at(person, exception)).get("status") == "cancelled"
        except Turned as turned:
            if turned.status not in _GONE:
                raise
            is_gone = True
        if is_gone:
            record.remove(exception, at_ms)
    for called_off in [one for one, meant in record.called_off.items() if meant.master == where]:
        if "start" not in await event_at(person, called_off):
            record.called_off.pop(called_off)


async def move_calendar(person: Person, where: Reference) -> Edit:
    """The series with all its instances on another calendar of the same tenant, under the same ids."""
    world = person.world
    destination = person.chance.choice(world.neighbours(person.place))
    sent_ms = now_ms()
    path = f"{event_path(where.calendar_id, where.event_id)}/move"
    query = {"destination": destination.calendar_id, "sendUpdates": "all"}
    await person.google.call("POST", path, query=query)
    called_off = {other: meant for other, meant in world.record.called_off.items() if meant.master == where}
    family = world.record.remove_series(where, sent_ms)
    moved = replace(where, calendar_id=destination.calendar_id)
    for other, meant in called_off.items():
        world.record.called_off.pop(other)
        world.record.called_off[replace(other, calendar_id=moved.calendar_id)] = replace(meant, master=moved)
    for other, meant in list(family.items())[1:]:
        there = replace(other, calendar_id=moved.calendar_id)
        world.record.put(there, replace(meant, master=moved), now_ms())
    if where in world.copies:
        world.copies.add(moved)
    meant = family[where]
    return Edit(SeriesKind.MOVE_SERIES_CALENDAR, moved, str(meant.meeting_id), sent_ms, now_ms(), None, meant)


async def duplicate(person: Person, where: Reference) -> Edit:
    """A second series with the same conference, copied whole but for its changed instances, on the same calendar."""
    world = person.world
    event, meant = await event_at(person, where), world.record.meant[where]
    copy = replace(where, event_id=new_id(person.chance))
    copied = ("description", "location", "start", "end", "recurrence", "conferenceData")
    body: Json = {name: event[name] for name in copied if name in event}
    body |= {"id": copy.event_id, "summary": f"Copy of {meant.title}"}
    sent_ms = now_ms()
    path = f"{calendar_path(where.calendar_id)}/events"
    made = await person.google.call("POST", path, query=WRITE, body=body)
    world.copies.add(copy)
    meant = replace(meant, title=f"Copy of {meant.title}", guests=0)
    return Edit(SeriesKind.DUPLICATE_SERIES, copy, str(meant.meeting_id), sent_ms, now_ms(), made["etag"], meant)


async def delete(person: Person, where: Reference) -> Edit:
    """The whole series deleted."""
    meeting_id = str(person.world.record.meant[where].meeting_id)
    sent_ms = now_ms()
    await person.google.call("DELETE", event_path(where.calendar_id, where.event_id), query={"sendUpdates": "all"})
    _forget(person, where, sent_ms)
    return Edit(SeriesKind.DELETE_SERIES, where, meeting_id, sent_ms, now_ms())


def _forget(person: Person, where: Reference, at_ms: float) -> dict[Reference, Meant]:
    record = person.world.record
    for other in [other for other, meant in record.called_off.items() if meant.master == where]:
        record.called_off.pop(other)
    return record.remove_series(where, at_ms)


async def undelete(person: Person, where: Reference) -> Edit:
    """The whole series deleted and, a moment later, taken out of the bin; called-off instances stay called off."""
    record = person.world.record
    called_off = {other: meant for other, meant in record.called_off.items() if meant.master == where}
    family = _forget(person, where, now_ms())
    path = event_path(where.calendar_id, where.event_id)
    await person.google.call("DELETE", path, query={"sendUpdates": "all"})
    await sleep(person.pause_seconds)
    sent_ms = now_ms()
    event = await person.google.call("PATCH", path, query=WRITE, body={"status": "confirmed"})
    for other, meant in list(family.items())[1:]:
        record.put(other, meant, now_ms())
    record.called_off.update(called_off)
    meant = family[where]
    return Edit(SeriesKind.UNDELETE_SERIES, where, str(meant.meeting_id), sent_ms, now_ms(), event["etag"], meant)


async def decline(person: Person, where: Reference) -> Edit:
    """A guest, of another tenant if there is one, takes the event off their own calendar: that declines, no more."""
    world = person.world
    event, record = await event_at(person, where), world.record
    meeting_id = str(record.meant[where].meeting_id)
    rows = event.get("attendees", [])
    owners = sorted({place.owner for place in world.places if place.is_primary and place.owner != person.place.owner})
    guests = {row["email"] for row in rows if row.get("responseStatus") != "declined"}
    guest = next((owner for owner in owners if owner in guests), None)
    sent_ms = now_ms()
    if guest is None:
        new = [owner for owner in owners if owner not in {row["email"] for row in rows}]
        if not new:
            return Edit(SeriesKind.DECLINE, where, meeting_id, sent_ms, now_ms())
        guest = person.chance.choice(new)
        meant = replace(record.meant[where], guests=len(rows) + 1)
        invited = await revise(
            person,
            Revision(
                SeriesKind.DECLINE,
                where,
                meant,
                lambda found: {"attendees": [*found.get("attendees", []), {"email": guest}]},
            ),
        )
        record.put(where, meant, invited.answered_ms)
        sent_ms = now_ms()
    copy_path = event_path(guest, where.event_id)
    await world.google[guest].call("DELETE", copy_path, query={"sendUpdates": "none"})
    return Edit(SeriesKind.DECLINE, where, meeting_id, sent_ms, now_ms())
