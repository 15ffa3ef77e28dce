"""Which calendars are due: in memory, in columns, from a hash and the clock. Nothing is stored for an idle one."""

import hashlib
import heapq
from array import array
from collections.abc import Iterable, Set
from datetime import datetime

from syncer.model.calendar import CalendarKey

_NEVER = float("-inf")
_GONE = float("inf")


def first_due(key: CalendarKey, now: float, cycle_seconds: float) -> float:
    """When a calendar's turn in the running cycle is: the same phase after each restart, so nothing storms.

    now, result: seconds since the epoch; the result lies in [now, now + cycle).
    """
    text = f"{key.tenant_id}/{key.calendar_id}".encode()
    phase = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64 * cycle_seconds
    return now + (phase - now) % cycle_seconds


class Schedule:
    """Due times of one project's calendars. Times in and out are aware instants; inside, seconds in arrays.

    A calendar handed out by `due` is not due again until `looked`, `postpone` or `give_back` names it.
    """

    def __init__(self, cycle_seconds: float) -> None:
        self._cycle_seconds = cycle_seconds
        self._keys: list[CalendarKey] = []
        self._slots: dict[CalendarKey, int] = {}
        self._due = array("d")
        self._looked = array("d")
        self._queue: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._slots)

    def keep(self, keys: Iterable[CalendarKey], now: datetime, *, urgent: Set[CalendarKey] = frozenset()) -> None:
        """Make these the calendars that are served; missing ones are dropped.

        New ones come due at their own phase of the cycle, so that a restart does not storm; urgent ones at once.
        """
        kept = set(keys)
        for key in [known for known in self._slots if known not in kept]:
            self._due[self._slots.pop(key)] = _GONE
        for key in kept - self._slots.keys():
            at = now.timestamp()
            self._add(key, at if key in urgent else first_due(key, at, self._cycle_seconds))

    def _add(self, key: CalendarKey, due: float) -> None:
        slot = len(self._keys)
        self._keys.append(key)
        self._slots[key] = slot
        self._looked.append(_NEVER)
        self._due.append(due)
        heapq.heappush(self._queue, (due, slot))

    def due(self, now: datetime, limit: int) -> list[CalendarKey]:
        """Up to `limit` calendars that are due, longest due first."""
        found: list[CalendarKey] = []
        while self._queue and self._queue[0][0] <= now.timestamp() and len(found) < limit:
            due, slot = heapq.heappop(self._queue)
            if self._due[slot] == due:
                self._due[slot] = _GONE
                found.append(self._keys[slot])
        return found

    def looked(self, key: CalendarKey, began_at: datetime, now: datetime) -> None:
        """A look that began then has ended well: due again at the calendar's own phase of the next cycle."""
        slot = self._slots.get(key)
        if slot is not None:
            self._looked[slot] = began_at.timestamp()
            self._set(slot, first_due(key, now.timestamp() + self._cycle_seconds / 4, self._cycle_seconds))

    def hurry(self, key: CalendarKey, now: datetime) -> None:
        """Due at once, unless it is being looked at right now."""
        slot = self._slots.get(key)
        if slot is not None and self._due[slot] != _GONE:
            self._set(slot, now.timestamp())

    def postpone(self, key: CalendarKey, until: datetime) -> None:
        """Due at `until`, whatever was planned."""
        slot = self._slots.get(key)
        if slot is not None:
            self._set(slot, until.timestamp())

    def give_back(self, key: CalendarKey, until: datetime) -> None:
        """Due at `until`, if it was handed out and nothing was said of it since."""
        slot = self._slots.get(key)
        if slot is not None and self._due[slot] == _GONE:
            self._set(slot, until.timestamp())

    def looked_at(self, key: CalendarKey) -> float:
        """When the last good look of this worker began, in seconds; minus infinity before the first."""
        slot = self._slots.get(key)
        return _NEVER if slot is None else self._looked[slot]

    def next_due(self) -> float:
        """The next due time in seconds, infinity when nothing is planned."""
        return self._queue[0][0] if self._queue else _GONE

    def _set(self, slot: int, due: float) -> None:
        self._due[slot] = due
        heapq.heappush(self._queue, (due, slot))
