""" "This and following": what people do through the API, in two requests, and through the web interface, in one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from syncer.simulator.people import occasions
from syncer.simulator.people.bodies import SUBJECTS
from syncer.simulator.people.faces import calendar_path
from syncer.simulator.people.person import WRITE, Person, Revision, event_at, new_id, now_ms, revise
from syncer.simulator.people.record import Edit, Json, Meant, Reference, SeriesKind
from syncer.simulator.people.world import instant

_BOUND = re.compile(r";(?:UNTIL|COUNT)=[^;]*")
_COUNT = re.compile(r"COUNT=(\d+)")
_ALL = {"maxResults": "2500", "showDeleted": "true"}


async def split(person: Person, kind: SeriesKind, where: Reference) -> Edit:
    """A series ended before one of its occurrences ahead, and another one that goes on from there."""
    series = person.world.record.meant[where]
    rows = await occasions.ahead(person.google, where, person.world.now(), series)
    # The last half goes on: two of its occurrences lie ahead of the cut at least where so many are known.
    row = person.chance.choice(rows[1:-1] or rows[1:])
    if kind in (SeriesKind.SPLIT_API, SeriesKind.SPLIT_API_BARE):
        return await _by_api(person, kind, where, row)
    return await _by_screen(person, kind, where, row)


async def _by_api(person: Person, kind: SeriesKind, where: Reference, row: Json) -> Edit:
    """Two requests, in either order. The new series has a conference only if that is copied."""
    event, series = await event_at(person, where), person.world.record.meant[where]
    at = instant(row["originalStartTime"], person.place.time_zone)
    later, rule = await _later(person, where, event, row)
    if kind is SeriesKind.SPLIT_API and "conferenceData" in event:
        later["conferenceData"] = event["conferenceData"]
    is_new_first = person.chance.random() < 0.5
    if is_new_first:
        await _insert(person, where, later)
    sent_ms = now_ms()
    earlier = replace(series, recurrence=(_ended(rule, series, at),))
    revision = Revision(kind, where, earlier, lambda _: {"recurrence": list(earlier.recurrence)})
    edit = await revise(person, revision)
    if not is_new_first:
        await _insert(person, where, later)
    meeting_id = series.meeting_id if "conferenceData" in later else None
    _put_later(person, where, later, meeting_id)
    await _forget_after(person, where, at, sent_ms)
    return replace(edit, meeting_id=str(series.meeting_id))


async def _later(person: Person, where: Reference, event: Json, row: Json) -> tuple[Json, str]:
    """The new series without a conference, and the rule of the old one."""
    rule = next(line for line in event["recurrence"] if line.startswith("RRULE:"))
    at, zone = instant(row["originalStartTime"], person.place.time_zone), person.place.time_zone
    known = await occasions.instances(person.google, where, _ALL) if "COUNT=" in rule else []
    before = sum(instant(one["originalStartTime"], zone) < at for one in known)
    count = _COUNT.search(rule)
    going_on = _COUNT.sub(f"COUNT={int(count[1]) - before}", rule) if count else rule
    length = instant(event["end"], zone) - instant(event["start"], zone)
    copied = ("summary", "description", "location", "attendees")
    body: Json = {name: event[name] for name in copied if name in event}
    body |= {"id": new_id(person.chance), "recurrence": [going_on]}
    return body | _span(row["originalStartTime"], length, event, zone), rule


def _span(starts: Json, length: timedelta, event: Json, zone: str) -> Json:
    if "date" in starts:
        ends = (instant(starts, "UTC") + timedelta(days=round(length.total_seconds() / 86_400))).date()
        return {"start": starts, "end": {"date": ends.isoformat()}}
    own_zone = event["start"].get("timeZone", zone)
    ends_at = (instant(starts, zone) + length).astimezone(UTC)
    start = {"dateTime": starts["dateTime"], "timeZone": own_zone}
    return {"start": start, "end": {"dateTime": ends_at.isoformat(), "timeZone": own_zone}}


def _ended(rule: str, series: Meant, at: datetime) -> str:
    last = at - timedelta(seconds=1)
    until = f"{last:%Y%m%d}" if "date" in series.starts else f"{last.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{_BOUND.sub('', rule)};UNTIL={until}"


async def _insert(person: Person, where: Reference, body: Json) -> None:
    await person.google.call("POST", f"{calendar_path(where.calendar_id)}/events", query=WRITE, body=body)


def _put_later(person: Person, where: Reference, later: Json, meeting_id: str | None) -> Reference:
    """Keep in the record what people mean by the later half."""
    record, new = person.world.record, replace(where, event_id=later["id"])
    meant = replace(
        record.meant[where],
        title=later.get("summary"),
        starts=later["start"],
        ends=later["end"],
        recurrence=tuple(later["recurrence"]),
        guests=len(later.get("attendees", [])),
        meeting_id=meeting_id,
    )
    record.put(new, meant, now_ms())
    return new


async def _forget_after(person: Person, where: Reference, at: datetime, at_ms: float) -> dict[Reference, Meant]:
    """Take out of the record what was changed in the later part of a series; gives it, called-off instances too."""
    record, zone = person.world.record, person.place.time_zone
    called_off = {one: meant for one, meant in record.called_off.items() if meant.master == where}
    known = {**record.exceptions_of(where), **called_off}
    gone = {one: meant for one, meant in known.items() if instant(meant.original or {}, zone) >= at}
    for one in gone:
        record.called_off.pop(one, None)
        record.remove(one, at_ms)
    return gone


async def _by_screen(person: Person, kind: SeriesKind, where: Reference, row: Json) -> Edit:
    """One request, which makes a series with an id of its own kind; now and then it gets another title at once."""
    world, zone = person.world, person.place.time_zone
    series, at = world.record.meant[where], instant(row["originalStartTime"], zone)
    if world.split is None:
        raise ValueError("nobody here has the web interface")
    body: Json = {"calendar": where.calendar_id, "event_id": where.event_id, "at": _text(row["originalStartTime"])}
    body["conference"] = kind is SeriesKind.SPLIT_UI
    body["exceptions"] = person.chance.random() < 0.7
    if person.chance.random() < 0.5:
        body["fields"] = {"summary": f"{person.chance.choice(SUBJECTS)} {person.chance.randrange(1000)}"}
    sent_ms = now_ms()
    later = await world.split(body)
    earlier = await event_at(person, where)
    gone = await _forget_after(person, where, at, sent_ms)
    new = _put_later(person, where, later, series.meeting_id if body["conference"] else None)
    if body["exceptions"]:
        await _carry(person, new, gone, has_conference=bool(body["conference"]))
    meant = replace(series, recurrence=tuple(earlier["recurrence"]))
    return Edit(kind, where, str(series.meeting_id), sent_ms, now_ms(), earlier["etag"], meant)


def _text(when: Json) -> str:
    return str(when.get("date") or when["dateTime"])


async def _carry(person: Person, new: Reference, gone: dict[Reference, Meant], *, has_conference: bool) -> None:
    """What was changed in the later part goes on in the new series, under other ids."""
    record, zone = person.world.record, person.place.time_zone
    known = {instant(meant.original or {}, zone): meant for meant in gone.values()}
    for row in await occasions.instances(person.google, new, _ALL) if known else []:
        found = known.get(instant(row["originalStartTime"], zone))
        if found is None:
            continue
        meant = replace(found, master=new, meeting_id=found.meeting_id if has_conference else None)
        there = replace(new, event_id=row["id"])
        if row["status"] == "cancelled":
            record.called_off[there] = meant
        else:
            record.put(there, meant, now_ms())
