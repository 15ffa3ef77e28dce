"""Which calendars are due: in memory, in columns, from a hash and the clock. Nothing is stored for an idle one.

A calendar is known by its slot here, a small number. Due times stand in an array; what comes due about the same time
lies in one bucket, unsorted, so that a due time costs a few bytes and no object.
"""

import hashlib
import heapq
import math
from array import array
from collections.abc import Iterable
from datetime import datetime

from syncer.model.calendar import CalendarKey

_NEVER = float("-inf")
# What stands for a due time where there is none: handed out; served no longer; the same, but still handed out.
_OUT = float("inf")
_GONE = float("-inf")
_LEFT = -1.0
_BUCKETS_A_CYCLE = 64
_WIDEST_BUCKET_SECONDS = 1.0


def phase(key: CalendarKey) -> float:
    """Where in a cycle a calendar's turn is, 0.0-1.0: the same after each restart, so that nothing storms."""
    text = f"{key.tenant_id}/{key.calendar_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


class Schedule:
    """Due times of one project's calendars. Times in and out are aware instants; inside, seconds in arrays.

    A calendar handed out by `due` is not due again until `looked`, `postpone` or `give_back` names it, also when it was
    dropped and kept again meanwhile.
    """

    def __init__(self, cycle_seconds: float) -> None:
        self._cycle_seconds = cycle_seconds
        self._bucket_seconds = min(cycle_seconds / _BUCKETS_A_CYCLE, _WIDEST_BUCKET_SECONDS)
        self._phase = array("f")
        self._due = array("d")
        self._looked = array("d")
        self._buckets: dict[int, array[int]] = {}
        self._numbers: list[int] = []

    def keep(self, slot: int, key: CalendarKey, now: datetime, *, is_urgent: bool) -> None:
        """Serve this calendar from now on: at its own phase of the cycle, or at once.

        slot: one that was kept before, or the next one.
        """
        if slot == len(self._due):
            self._phase.append(0.0)
            self._looked.append(_NEVER)
            self._due.append(_GONE)
        self._phase[slot] = phase(key)
        self._looked[slot] = _NEVER
        at = now.timestamp()
        if self._due[slot] == _LEFT:
            self._due[slot] = _OUT
        elif self._due[slot] != _OUT:
            self._set(slot, at - self._bucket_seconds if is_urgent else self._turn(slot, at))

    def drop(self, slot: int) -> None:
        """Serve it no longer."""
        self._due[slot] = _LEFT if self._due[slot] in (_OUT, _LEFT) else _GONE
        self._looked[slot] = _NEVER

    def due(self, now: datetime, limit: int) -> list[int]:
        """Up to `limit` calendars that are due, those that have been for longest about first."""
        at = now.timestamp()
        found: list[int] = []
        while self._numbers and self._numbers[0] * self._bucket_seconds <= at and len(found) < limit:
            number = self._numbers[0]
            later = self._take(number, at, limit, found)
            if later:
                self._buckets[number].extend(later)
                break
            if not self._buckets[number]:
                del self._buckets[heapq.heappop(self._numbers)]
        return found

    def _take(self, number: int, at: float, limit: int, found: list[int]) -> list[int]:
        """Takes what is due out of a bucket; gives what has been in it too early."""
        bucket, later = self._buckets[number], []
        while bucket and len(found) < limit:
            slot = bucket.pop()
            due = self._due[slot]
            if due < 0 or due == _OUT or self._number(due) != number:
                continue  # it has been set to another time since
            if due <= at:
                self._due[slot] = _OUT
                found.append(slot)
            else:
                later.append(slot)
        return later

    def looked(self, slots: Iterable[int], began_at: datetime, now: datetime) -> None:
        """Looks that began then have ended well: due again at each calendar's own phase of the next cycle."""
        began, after = began_at.timestamp(), now.timestamp() + self._cycle_seconds / 4
        for slot in slots:
            if self._is_kept(slot):
                self._looked[slot] = began
                self._set(slot, self._turn(slot, after))

    def hurry(self, slot: int, now: datetime) -> None:
        """Due at once, unless it is being looked at right now."""
        if 0 <= self._due[slot] < _OUT:
            # Into a bucket that is over already, so that it waits for no others.
            self._set(slot, now.timestamp() - self._bucket_seconds)

    def postpone(self, slot: int, until: datetime) -> None:
        """Due at `until`, whatever was planned."""
        if self._is_kept(slot):
            self._set(slot, until.timestamp())

    def give_back(self, slot: int, until: datetime) -> None:
        """Due at `until`, if it was handed out and nothing was said of it since."""
        if self._is_kept(slot) and self._due[slot] == _OUT:
            self._set(slot, until.timestamp())

    def looked_at(self, slot: int) -> float:
        """When the last good look of this worker began, in seconds; minus infinity before the first."""
        return self._looked[slot]

    def next_due(self) -> float:
        """When to ask again, in seconds: once all that comes due about the same time has, so that it goes together.

        At most a second, or a 64th of the cycle, after the first due time. Infinity when nothing is planned.
        """
        return (self._numbers[0] + 1) * self._bucket_seconds if self._numbers else _OUT

    def _is_kept(self, slot: int) -> bool:
        """It is still served; one that is not is in nobody's hands from now on."""
        if self._due[slot] < 0:
            self._due[slot] = _GONE
            return False
        return True

    def _turn(self, slot: int, after: float) -> float:
        return after + (self._phase[slot] * self._cycle_seconds - after) % self._cycle_seconds

    def _number(self, due: float) -> int:
        return math.floor(due / self._bucket_seconds)

    def _set(self, slot: int, due: float) -> None:
        due = max(due, 0.0)
        self._due[slot] = due
        number = self._number(due)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = array("I")
            heapq.heappush(self._numbers, number)
        bucket.append(slot)
