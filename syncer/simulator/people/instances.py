"""What people do to one instance of a series: rename, move, shorten, meet otherwise, call off, bring back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from syncer.simulator.people import occasions, texts
from syncer.simulator.people.bodies import SUBJECTS, external_key, meeting_times
from syncer.simulator.people.faces import event_path
from syncer.simulator.people.person import WRITE, Person, Revision, new_id, now_ms, revise
from syncer.simulator.people.record import Edit, Json, Meant, Reference, SeriesKind
from syncer.simulator.people.world import PLACEHOLDER_TITLE, instant, shifted


async def act(person: Person, kind: SeriesKind, where: Reference) -> Edit:
    """One edit of some instance ahead. where: its series. Raises Turned, and LookupError where none is ahead."""
    if kind is SeriesKind.RESTORE_INSTANCE:
        return await restore(person, where)
    series = person.world.record.meant[where]
    rows = await occasions.ahead(person.google, where, person.world.now(), series)
    if not rows:
        raise LookupError(f"nothing lies ahead of the series {where.event_id}")
    row = person.chance.choice(rows)
    one, meant = Reference(where.tenant, where.calendar_id, row["id"]), meant_of(person, where, row)
    if kind is SeriesKind.CANCEL_INSTANCE:
        return await cancel(person, one, meant)
    changed, patch = _changed(person, kind, meant)
    edit = await revise(person, Revision(kind, one, changed, lambda _: patch))
    if edit.where != one:
        person.world.record.remove(one, edit.sent_ms)
    # The meeting that the edit is about, also where this instance has left it.
    was = meant if kind is SeriesKind.SWAP_INSTANCE else None
    return replace(edit, meeting_id=str(series.meeting_id or ""), was=was)


def meant_of(person: Person, where: Reference, row: Json) -> Meant:
    """What people mean by an instance as Google shows it: what they said of it, or what its series says."""
    record = person.world.record
    known = record.meant.get(Reference(where.tenant, where.calendar_id, row["id"]))
    if known is not None:
        return known
    series = record.meant[where]
    own = {"starts": row["start"], "ends": row["end"], "original": row["originalStartTime"]}
    described = texts.own_description(row.get("description"))
    return replace(series, recurrence=(), master=where, description=described, **own)


def _changed(person: Person, kind: SeriesKind, meant: Meant) -> tuple[Meant, Json]:
    chance, zone = person.chance, person.place.time_zone
    if kind is SeriesKind.RENAME_INSTANCE:
        title = f"{chance.choice(SUBJECTS)}, this time {chance.randrange(1000)}"
        return replace(meant, title=title), {"summary": title}
    if kind is SeriesKind.SWAP_INSTANCE:
        request = {"requestId": new_id(chance), "conferenceSolutionKey": {"type": "hangoutsMeet"}}
        new: Json | None = {"createRequest": request} if chance.random() < 0.6 else None
        return replace(meant, meeting_id=None), {"conferenceData": new}
    starts, ends = meant.starts, meant.ends
    if kind is SeriesKind.MOVE_INSTANCE:
        by = timedelta(days=chance.choice((0, 0, 1, 2)), minutes=15 * chance.randrange(1, 8))
        by = timedelta(days=1) if "date" in starts else by
        starts, ends = shifted(starts, by, zone), shifted(ends, by, zone)
    elif "date" in starts:
        ends = shifted(ends, timedelta(days=1), zone)  # a day cannot be shorter, only longer
    else:
        half = (instant(ends, zone) - instant(starts, zone)) / 2
        ends = shifted(starts, timedelta(minutes=max(5, half.total_seconds() // 60)), zone)
    return replace(meant, starts=starts, ends=ends), {"start": starts, "end": ends}


async def cancel(person: Person, one: Reference, meant: Meant) -> Edit:
    """An instance called off."""
    sent_ms = now_ms()
    await person.google.call("DELETE", event_path(one.calendar_id, one.event_id), query={"sendUpdates": "all"})
    person.world.record.call_off(one, meant, sent_ms)
    return Edit(SeriesKind.CANCEL_INSTANCE, one, str(meant.meeting_id), sent_ms, now_ms(), was=meant)


async def restore(person: Person, where: Reference) -> Edit:
    """A called-off instance brought back as it was."""
    record = person.world.record
    called_off = [(one, meant) for one, meant in record.called_off.items() if meant.master == where]
    one, meant = person.chance.choice(called_off)
    sent_ms = now_ms()
    path = event_path(one.calendar_id, one.event_id)
    event = await person.google.call("PATCH", path, query=WRITE, body={"status": "confirmed"})
    meeting_id = str(meant.meeting_id)
    return Edit(SeriesKind.RESTORE_INSTANCE, one, meeting_id, sent_ms, now_ms(), event["etag"], meant)


async def meet(person: Person, where: Reference) -> Edit:
    """One instance of a series without conference gets a meeting."""
    series = person.world.record.meant[where]
    row = person.chance.choice(await occasions.ahead(person.google, where, person.world.now(), series))
    one = Reference(where.tenant, where.calendar_id, row["id"])
    new = {"external_key": external_key(one), "title": PLACEHOLDER_TITLE, **meeting_times(row, person.place)}
    meeting = await person.world.vendors[where.tenant].create(new)
    conference = person.world.conference_data(meeting)
    meant = replace(meant_of(person, where, row), meeting_id=str(meeting["id"]))
    body = {"conferenceData": conference}
    return await revise(person, Revision(SeriesKind.MEET_ONCE, one, meant, lambda _: body, person.world.solution))
