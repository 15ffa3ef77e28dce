"""Somebody who edits a calendar, and how a screen edits: on the version that was read, again if it moved meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from syncer.simulator.people.faces import Google, Turned, event_path
from syncer.simulator.people.record import AnyKind, Edit, Json, Meant, Place, Reference
from syncer.simulator.people.world import World

WRITE = {"conferenceDataVersion": "1", "sendUpdates": "all"}
_TRIES = 10
_CHANGED_UNDER_US = 412
_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"


@dataclass(slots=True)
class Person:
    """Somebody who edits one calendar. pause_seconds: between deleting and thinking better of it."""

    world: World
    place: Place
    chance: random.Random
    pause_seconds: float = 0.0

    @property
    def google(self) -> Google:
        """Their own way to Google."""
        return self.world.google[self.place.owner]


@dataclass(frozen=True, slots=True)
class Revision:
    """A change of one event. meant: how it is to be. body: the patch, by the event as it was read."""

    kind: AnyKind
    where: Reference
    meant: Meant
    body: Callable[[Json], Json]
    add_on: str = ""


async def revise(person: Person, revision: Revision) -> Edit:
    """Patch on the version that was read; when it moved meanwhile, read and decide again, as a screen would.

    The edit names the event by the id that it has then, which may be another one.
    """
    where, path = revision.where, event_path(revision.where.calendar_id, revision.where.event_id)
    add_on = {"X-Simulator-Add-On": revision.add_on} if revision.add_on else {}
    for tries_left in reversed(range(_TRIES)):
        event = await event_at(person, where)
        sent_ms = now_ms()
        headers = {"If-Match": event["etag"], **add_on}
        try:
            changed = await person.google.call("PATCH", path, query=WRITE, body=revision.body(event), headers=headers)
        except Turned as turned:
            if turned.status != _CHANGED_UNDER_US or tries_left == 0:
                raise
            continue
        found, meeting_id = replace(where, event_id=changed["id"]), revision.meant.meeting_id or ""
        return Edit(revision.kind, found, meeting_id, sent_ms, now_ms(), changed.get("etag"), revision.meant)
    raise AssertionError("unreachable: the last try returns or raises")


async def event_at(person: Person, where: Reference) -> Json:
    """An event as Google shows it to them."""
    return await person.google.call("GET", event_path(where.calendar_id, where.event_id))


def new_id(chance: random.Random) -> str:
    """An event id as clients may choose them. Source: Calendar API, Event resource, on `id` (base32hex)."""
    return "".join(chance.choices(_BASE32HEX, k=26))


def now_ms() -> float:
    """Monotonic milliseconds, on the same clock as the servers' diaries."""
    return time.monotonic() * 1000
