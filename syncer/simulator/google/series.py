"""What a change of a series does to its exceptions, and how the web interface splits a series in two.

Facts: Calendar API, "Recurring events". That a split by the web interface makes ids like `<base>_R<stamp>`, and that
its instances may change their ids, was seen by others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from syncer.simulator.google import copies, expansion, instances, times
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import Calendar, Entry, World

SPLIT_ID = re.compile(r"(?P<base>.+)_R\d{8}(?:T\d{6})?")
_BOUND = re.compile(r";?(?:UNTIL|COUNT)=[^;]*")
_COUNT = re.compile(r"COUNT=(\d+)")


class Unsplittable(Exception):
    """A series that cannot be split there; the message says why."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where and how a series is split.

    at: the original start of the first occurrence of the later half. fields: what the later half has of its own.
    has_conference: whether it has the conference too. keeps_exceptions: whether later exceptions come along.
    """

    at: datetime
    fields: Json
    has_conference: bool = True
    keeps_exceptions: bool = True


def lost(calendar: Calendar, before: Json, after: Json) -> list[Entry]:
    """The exceptions of a series, called-off ones too, that have no place in it after a change of its rule or times."""
    if all(before.get(name) == after.get(name) for name in ("start", "recurrence")) or not before.get("recurrence"):
        return []
    known = [entry for _, entry in calendar.exceptions_of(before["id"])]
    if not after.get("recurrence"):
        return known
    zone = calendar.time_zone
    return [entry for entry in known if not expansion.has(after, zone, entry.resource.get("originalStartTime") or {})]


def lose(world: World, calendar: Calendar, entries: list[Entry]) -> None:
    """Reset exceptions: only bare tombstones of them stay, the guests' copies too; nothing brings those back."""
    for entry in entries:
        if entry.is_cancelled:
            entry.is_bare = True
            continue
        copies.withdraw_all(world, entry)
        entry.is_bare = True
        world.store(calendar, entry, copies.cancelled(world, entry.resource))


def with_own_id(world: World, calendar: Calendar, entry: Entry, wanted: Json) -> Json:
    """An instance's new state, under another id if it is one of a split series' later half that is rescheduled."""
    master_id = str(wanted.get("recurringEventId", ""))
    match = SPLIT_ID.fullmatch(master_id)
    is_moved = entry.resource.get("start") != wanted.get("start") and wanted["id"].startswith(f"{master_id}_")
    if not world.switches.moved_instances_change_id or match is None or not is_moved:
        return wanted
    new_id = match["base"] + wanted["id"].removeprefix(master_id)
    if new_id in calendar.entries:
        return wanted
    if wanted["id"] in calendar.entries:
        world.vanish(calendar, wanted["id"])
    return {**wanted, "id": new_id}


def split(world: World, calendar: Calendar, master: Entry, cut: Cut) -> Entry:
    """End a series before an occurrence and go on with a new one from there; gives the new series.

    What changes (the old series, the new one, the exceptions' tombstones) comes into the feed in a seeded order.
    Raises Unsplittable.
    """
    before = master.resource
    rule, starts = _checked(calendar, before, cut.at)
    earlier = {**before, "recurrence": _others(before, _until(rule, before, cut.at)), "updated": world.now_stamp()}
    later = _later(world, calendar, before, cut, _continued(rule, starts))
    zone = calendar.time_zone
    moved = [
        entry
        for _, entry in calendar.exceptions_of(before["id"])
        if not entry.is_bare and _at(entry.resource.get("originalStartTime"), zone) >= cut.at
    ]
    new, copied = Entry(later, 0), [_carried(calendar, entry, later, cut) for entry in moved]
    steps = [partial(world.store, calendar, master, earlier), partial(world.store, calendar, new, later)]
    order: list[Callable[[], object]] = [*steps, partial(lose, world, calendar, moved)]
    world.chance.shuffle(order)
    for step in order:
        step()
    for resource in copied if cut.keeps_exceptions and not _is_shifted(before, later, calendar, cut) else []:
        world.store(calendar, Entry(resource, 0), resource)
    for entry in (master, new, *(calendar.entries[one["id"]] for one in copied if one["id"] in calendar.entries)):
        if not entry.is_cancelled:
            copies.spread(world, calendar, entry)
    return new


def _at(when: object, zone_name: str) -> datetime:
    return times.instant_of(when, zone_name) or datetime.min.replace(tzinfo=UTC)


def _checked(calendar: Calendar, master: Json, at: datetime) -> tuple[str, list[datetime]]:
    """The one rule of a series, and its starts before the cut."""
    rules = [line for line in master.get("recurrence", []) if line.startswith("RRULE:")]
    if len(rules) != 1 or any(line.startswith(("RDATE", "EXRULE")) for line in master["recurrence"]):
        raise Unsplittable("Only a series with one rule and no dates of its own can be split here.")
    if not expansion.has(master, calendar.time_zone, {"dateTime": at.isoformat()}):
        raise Unsplittable("The series has no occurrence at that time.")
    starts = expansion.between(master, calendar.time_zone, datetime.min.replace(tzinfo=UTC), at)
    if not starts:
        raise Unsplittable("The series begins there: change the whole of it instead.")
    return rules[0], starts


def _others(master: Json, rule: str) -> list[str]:
    return [rule if line.startswith("RRULE:") else line for line in master["recurrence"]]


def _until(rule: str, master: Json, at: datetime) -> str:
    last = at - timedelta(seconds=1)
    text = f"{last:%Y%m%d}" if "date" in master["start"] else f"{last.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{_BOUND.sub('', rule)};UNTIL={text}"


def _continued(rule: str, starts: list[datetime]) -> str:
    count = _COUNT.search(rule)
    return _COUNT.sub(f"COUNT={int(count[1]) - len(starts)}", rule) if count else rule


def _later(world: World, calendar: Calendar, before: Json, cut: Cut, rule: str) -> Json:
    match = SPLIT_ID.fullmatch(before["id"])
    base = match["base"] if match else before["id"]
    zone = expansion.own_zone(before, calendar.time_zone)
    is_all_day = "date" in before["start"]
    stamp = f"{cut.at.astimezone(zone):%Y%m%d}" if is_all_day else f"{cut.at.astimezone(UTC):%Y%m%dT%H%M%S}"
    new_id = f"{base}_R{stamp}"
    if new_id in calendar.entries:
        raise Unsplittable("The series was split there before.")
    made = {**before, "id": new_id, "iCalUID": f"{new_id}@google.com", "recurrence": _others(before, rule)}
    made |= {"created": world.now_stamp(), "updated": world.now_stamp(), "sequence": 0}
    made |= instances.span_at(calendar, before, cut.at)
    made |= cut.fields
    gone = set() if cut.has_conference else {"conferenceData", "hangoutLink"}
    return {name: value for name, value in made.items() if name not in gone}


def _carried(calendar: Calendar, entry: Entry, later: Json, cut: Cut) -> Json:
    """An exception as the later half has it."""
    resource = entry.resource
    at = _at(resource.get("originalStartTime"), calendar.time_zone)
    made = {**resource, "id": f"{later['id']}{instances.suffix_of(calendar, later, at)}"}
    made |= {"recurringEventId": later["id"], "iCalUID": later["iCalUID"], "updated": later["updated"]}
    gone = set() if cut.has_conference else {"conferenceData", "hangoutLink"}
    return {name: value for name, value in made.items() if name not in gone}


def _is_shifted(before: Json, later: Json, calendar: Calendar, cut: Cut) -> bool:
    return _at(later["start"], calendar.time_zone) != cut.at or ("date" in before["start"]) != (
        "date" in later["start"]
    )
