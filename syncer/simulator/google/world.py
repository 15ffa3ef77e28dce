"""The simulated Google's memory: calendars, their entries and change logs, users, and one counter of changes.

A stored resource is never changed in place: a change stores a new one, so that parts may be shared.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google.switches import Switches
from syncer.simulator.google.times import Json, stamp

FIRST_ETAG = 3_588_000_000_000_000
BASE32HEX = "0123456789abcdefghijklmnopqrstuv"
HOUR_SECONDS = 3600
ROLES = ("freeBusyReader", "reader", "writer", "owner")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an entry stands: a calendar's id and an id on it."""

    calendar_id: str
    event_id: str


@dataclass(slots=True)
class Entry:
    """One event on one calendar: its newest state and the number of its last change.

    resource: all fields but kind, etag and the self flags. is_bare: a cancelled entry that kept no details.
    home: the organizer's copy when this is a guest's. copies: by calendar id, on the organizer's copy.
    was_removed: a guest's copy that the guest took away. fell_with_master: an exception cancelled with its
    series. vanished: of a cancelled series, the exceptions that went without a tombstone.
    """

    resource: Json
    number: int
    is_bare: bool = False
    home: Address | None = None
    copies: dict[str, str] = field(default_factory=dict)
    was_removed: bool = False
    fell_with_master: bool = False
    vanished: list[Entry] = field(default_factory=list)

    @property
    def is_cancelled(self) -> bool:
        """Whether the event is deleted, or the instance called off."""
        return self.resource.get("status") == "cancelled"

    @property
    def etag(self) -> str:
        """The entry's etag, its quotes included."""
        return f'"{FIRST_ETAG + self.number * 1000}"'


@dataclass(slots=True)
class Calendar:
    """A calendar: its entries by id in the order of their making, and its log of changes.

    log: event id by change number, ascending; only the last change of each entry is in it.
    acl: role by user; the owner's is always there. acl_epoch: raised by each change of the list.
    opaque_ids: the series and the end of the old id of each instance with an opaque id, of all calendars together.
    """

    id: str
    owner: str
    time_zone: str
    summary: str
    made_at_number: int
    entries: dict[str, Entry] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    log: dict[int, str] = field(default_factory=dict)
    acl: dict[str, str] = field(default_factory=dict)
    acl_epoch: int = 0
    opaque_ids: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_primary(self) -> bool:
        """Whether this is its owner's own calendar."""
        return self.id == self.owner

    def changed_after(self, number: int) -> list[tuple[int, Entry]]:
        """The entries changed after that change, oldest first, each once in its newest state."""
        newest_first = takewhile(lambda at: at > number, reversed(self.log))
        found = [(at, self.entries[self.log[at]]) for at in newest_first]
        found.reverse()
        return found

    def exceptions_of(self, master_id: str) -> Iterator[tuple[str, Entry]]:
        """The stored exceptions and cancelled instances of a series, by id."""
        master = self.entries.get(master_id)
        if master is None or not master.resource.get("recurrence"):
            return
        for event_id, entry in self.entries.items():
            if entry.resource.get("recurringEventId") == master_id:
                yield event_id, entry


class World:
    """All that the simulator remembers, in memory only; every random choice comes from the seed.

    changed: the ids of the calendars that were changed and whose channels were not told yet, in order.
    """

    def __init__(self, clock: SimulatedClock, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.switches = Switches()
        self.calendars: dict[str, Calendar] = {}
        self.users: set[str] = set()
        self.changed: dict[str, None] = {}
        self.number = 0
        self.forgotten_before = 0
        self.chance = random.Random(f"{seed}:choices")
        self._ids = random.Random(f"{seed}:ids")
        self._opaque_ids: dict[str, tuple[str, str]] = {}

    def next_number(self) -> int:
        """The number of a new change; numbers grow over all calendars."""
        self.number += 1
        return self.number

    def now_stamp(self) -> str:
        """The simulated instant as `updated` writes it."""
        return stamp(self.clock.now())

    def new_event_id(self) -> str:
        """A server-chosen event id."""
        return "".join(self._ids.choices(BASE32HEX, k=26))

    def new_meet_code(self) -> str:
        """A Meet code, aaa-bbbb-ccc."""
        letters = self._ids.choices("abcdefghijklmnopqrstuvwxyz", k=10)
        return "-".join("".join(letters[a:b]) for a, b in ((0, 3), (3, 7), (7, 10)))

    def add_calendar(self, calendar_id: str, owner: str, *, time_zone: str, summary: str) -> Calendar:
        """Make a calendar; its owner becomes a user if it is none yet."""
        calendar = Calendar(calendar_id, owner, time_zone, summary, self.next_number(), acl={owner: "owner"})
        calendar.opaque_ids = self._opaque_ids
        self.calendars[calendar_id] = calendar
        self.users.add(owner)
        return calendar

    def store(self, calendar: Calendar, entry: Entry, resource: Json) -> Entry:
        """Keep a new state of an entry, as the newest change of its calendar."""
        event_id = resource["id"]
        stored = calendar.entries.get(event_id)
        if stored is None:
            calendar.order.append(event_id)
        else:
            del calendar.log[stored.number]
        entry.resource, entry.number = resource, self.next_number()
        calendar.entries[event_id] = entry
        calendar.log[entry.number] = event_id
        self.changed[calendar.id] = None
        return entry

    def vanish(self, calendar: Calendar, event_id: str) -> Entry:
        """Take an entry out of a calendar without a tombstone; gives it."""
        entry = calendar.entries.pop(event_id)
        del calendar.log[entry.number]
        # Its place stays, empty, so that listings on their way skip nothing.
        calendar.order[calendar.order.index(event_id)] = ""
        self.changed[calendar.id] = None
        return entry

    def forget(self, before: int | None) -> int:
        """Let sync tokens older than that change die; None lets all that were given out die.

        Gives the change number before which nothing is remembered now.
        """
        if before is None:
            before = self.next_number()
        self.forgotten_before = max(self.forgotten_before, min(before, self.number))
        return self.forgotten_before

    def issue_stamp(self) -> float:
        """When a sync token is issued, seconds since 1970: in whole hours, so that quiet calendars keep their token.

        To the microsecond when tokens are to move with every listing.
        """
        now = self.clock.now().timestamp()
        return now if self.switches.moving_sync_tokens else now // HOUR_SECONDS * HOUR_SECONDS

    def is_too_old(self, issued_at: float) -> bool:
        """Whether a sync token of then is over by age alone."""
        days = self.switches.sync_token_days
        return days is not None and self.clock.now().timestamp() - issued_at > days * 86_400

    def oldest_updated_min(self) -> datetime:
        """The earliest `updatedMin` that the feed still answers (a guess: 28 days back)."""
        return self.clock.now() - timedelta(days=self.switches.updated_min_days)
