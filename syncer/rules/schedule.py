"""Which calendars are due: in memory, in columns, from a hash and the clock. Nothing is stored for an idle one.

A calendar is known by its slot here, a small number. Due times stand in an array; what comes due about the same time
lies in one bucket, unsorted, so that a due time costs a few bytes and no object. Those that were told of are few: they
wait in a lane before all others, each for itself. Where more is due than may be looked at, tenants take turns.
"""

import hashlib
import heapq
import math
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum

from syncer.model.calendar import CalendarKey
from syncer.rules import refresh
from syncer.rules.buckets import Buckets
from syncer.rules.turns import NO_ROOMS, Turns

_NEVER = float("-inf")
# What stands for a due time where there is none: handed out; served no longer; the same, but still handed out.
_OUT = float("inf")
_GONE = float("-inf")
_LEFT = -1.0
_BUCKETS_A_CYCLE = 64
_WIDEST_BUCKET_SECONDS = 1.0
# A small batch is answered soon; of many that wait, several go at once.
_FEW_TOLD, _BATCHES_TOLD = 10, 4
# Whoever is told of without end is looked at so often and no more.
_TOLD_APART_SECONDS = 1.0
# Of an interval, so that calendars that were looked at together do not stay together.
_JITTER = 0.25
_GOLDEN = 0.618033988749895
# Intervals that change by less are left to come as they come.
_MUCH = 1.5
_SLOTS_A_STEP = 1000
_SLOTS_COMPARED = 20_000
_LEARNS_SECONDS = 600.0
# What was told of may show only then.
_ONCE_MORE_SECONDS = 3.0
# So many that are due are sorted by tenant at a time: some milliseconds.
_SLOTS_SORTED = 5000
# Where those that are due may not be looked at for their tenants' limits.
_NO_ROOM_SECONDS = 0.2


class _Told(Enum):
    """How a calendar stands that was told of, until that is answered by a look.

    WAITS: in the lane. LATER: with its next look, for it fails. LOOKED_AT: handed out since. AGAIN: handed out, and
    told of once more. ONCE_MORE: its look found nothing, and another one follows. LAST: handed out for that one.
    """

    WAITS = 1
    LATER = 2
    LOOKED_AT = 3
    AGAIN = 4
    ONCE_MORE = 5
    LAST = 6


_HANDED_OUT = {_Told.WAITS: _Told.LOOKED_AT, _Told.LATER: _Told.LOOKED_AT, _Told.ONCE_MORE: _Told.LAST}


def phase(key: CalendarKey) -> float:
    """Where in a cycle a calendar's turn is, 0.0-1.0: the same after each restart, so that nothing storms."""
    text = f"{key.tenant_id}/{key.calendar_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


class Schedule:
    """Due times of one project's calendars. Times in and out are aware instants; inside, seconds in arrays.

    A calendar handed out by `due` or `told` is not due again until `looked`, `postpone` or `give_back` names it, also
    when it was dropped and kept again meanwhile.

    cycle_seconds: between two looks at a calendar, at least. tenant_of: whose calendar a slot is. weight_of: how long a
    tenant's turns are, 1 or more. rooms: of tenants that may not be looked at without end, how many may.
    """

    def __init__(
        self,
        cycle_seconds: float,
        *,
        tenant_of: Callable[[int], int] = lambda _: 0,
        weight_of: Callable[[int], int] = lambda _: 1,
    ) -> None:
        self._cycle_seconds = cycle_seconds
        self._looks_a_second = math.inf
        self._phase = array("f")
        self._due = array("d")
        self._looked = array("d")
        # In whole seconds, 0 before the first.
        self._learnt = array("I")
        self._changes = array("f")
        self._weight = array("f")
        self._is_planned = bytearray()
        self._planned_for = 0.0
        self._weights = 0.0
        self._kept = 0
        self._buckets = Buckets(min(cycle_seconds / _BUCKETS_A_CYCLE, _WIDEST_BUCKET_SECONDS))
        self._lane: list[tuple[float, int]] = []
        self._told: dict[int, _Told] = {}
        self._answered: dict[int, None] = {}
        self._due_turns, self._told_turns = Turns(tenant_of, weight_of), Turns(tenant_of, weight_of)
        # When to ask again for those whose turn has not come: long ago, or soon where they have no room. Since when
        # there are any.
        self._again_at = self._told_again_at = 0.0
        self._behind_since = self._told_behind_since = 0.0

    def keep(self, slot: int, key: CalendarKey, now: datetime, *, is_urgent: bool) -> None:
        """Serve this calendar from now on: at its own phase of the cycle, or at once.

        slot: one that was kept before, or the next one.
        """
        if slot == len(self._due):
            self._phase.append(0.0)
            self._looked.append(_NEVER)
            self._due.append(_GONE)
            self._learnt.append(0)
            self._changes.append(0.0)
            self._weight.append(0.0)
            self._is_planned.append(0)
        self._phase[slot] = phase(key)
        self._kept += self._weight[slot] == 0.0
        self._weigh(slot, refresh.CHANGES_AT_FIRST)
        self._looked[slot], self._learnt[slot] = _NEVER, 0
        at = now.timestamp()
        if self._due[slot] == _LEFT:
            self._due[slot] = _OUT
        elif self._due[slot] != _OUT:
            if is_urgent:
                self._set(slot, at - self._buckets.width)
            else:
                self._plan(slot, self._turn(slot, at))

    def drop(self, slot: int) -> None:
        """Serve it no longer."""
        self._kept -= self._weight[slot] > 0.0
        self._weights -= self._weight[slot]
        self._weight[slot] = 0.0
        self._due[slot] = _LEFT if self._due[slot] in (_OUT, _LEFT) else _GONE
        self._looked[slot] = _NEVER
        self._told.pop(slot, None)
        self._answered.pop(slot, None)

    def due(self, now: datetime, limit: int, rooms: Mapping[int, int] = NO_ROOMS) -> list[int]:
        """Up to `limit` calendars that are due: those that have been for longest about first, or in turns where they
        are more.
        """
        at = now.timestamp()
        if not self._due_turns:
            self._behind_since = self._buckets.next_at()
        ripe = self._buckets.ripe(at, self._due, _SLOTS_SORTED)
        if not self._due_turns and len(ripe) <= limit and not rooms:
            # Nobody is behind. One may be there twice.
            found = self._claim(ripe, at)
        else:
            self._due_turns.add(ripe)
            found = self._due_turns.take(limit, lambda slots: self._claim(slots, at), rooms)
            self._again_at = at + _NO_ROOM_SECONDS if len(found) < limit else self._behind_since
        if self._told:
            for slot in self._told.keys() & found:
                self._told[slot] = _HANDED_OUT[self._told[slot]]
        return found

    def told(self, now: datetime, limit: int, rooms: Mapping[int, int] = NO_ROOMS) -> list[int]:
        """A few calendars, and up to `limit`, of those that were told of: they go before others, and wait for none."""
        count = len(self._lane) + len(self._told_turns)
        if not count:
            return []
        at, most = now.timestamp(), min(limit, max(_FEW_TOLD, count // _BATCHES_TOLD))
        if not self._told_turns:
            self._told_behind_since = self._lane[0][0]
        ripe: list[int] = []
        while self._lane and self._lane[0][0] <= at and len(ripe) < _SLOTS_SORTED:
            ripe.append(heapq.heappop(self._lane)[1])
        if not self._told_turns and len(ripe) <= most and not rooms:
            return self._claim_told(ripe)
        self._told_turns.add(ripe)
        found = self._told_turns.take(most, self._claim_told, rooms)
        self._told_again_at = at + _NO_ROOM_SECONDS if len(found) < most else self._told_behind_since
        return found

    def _claim(self, slots: Sequence[int], at: float) -> list[int]:
        """Hands out those that are still due."""
        dues, found = self._due, list[int]()
        for slot in slots:
            if 0.0 <= dues[slot] <= at:
                dues[slot] = _OUT
                found.append(slot)
        return found

    def _claim_told(self, slots: Sequence[int]) -> list[int]:
        found = list[int]()
        for slot in slots:
            if self._told.get(slot) is _Told.WAITS:  # else it was dropped, or handed out with others
                self._told[slot] = _Told.LOOKED_AT
                self._due[slot] = _OUT
                found.append(slot)
        return found

    def notified(self, slot: int, now: datetime, *, is_failing: bool = False) -> None:
        """Somebody told that it changed: due at once and before others. One that is being looked at right now is due
        again as soon as that ends, for that look may have come too early.

        is_failing: it keeps the time it is put off to.
        """
        due = self._due[slot]
        if due < 0:
            return
        self._answered.pop(slot, None)
        if due == _OUT:
            self._told[slot] = _Told.AGAIN
        elif is_failing:
            self._told[slot] = _Told.LATER
        elif self._told.get(slot) is not _Told.WAITS:
            self._wait(slot, now.timestamp())

    def _wait(self, slot: int, at: float) -> None:
        self._told[slot] = _Told.WAITS
        # Of a clock that was set back no more than it is apart.
        apart = min(self._looked[slot], at) + _TOLD_APART_SECONDS
        heapq.heappush(self._lane, (max(at, apart), slot))

    def is_told(self, slot: int) -> bool:
        """Somebody told that it changed, and no look has answered that yet."""
        return slot in self._told

    def answered(self) -> list[int]:
        """The calendars that were told of and of which a look that began later has ended well; each is given once."""
        answered, self._answered = self._answered, {}
        return list(answered)

    def looked(self, slots: Collection[int], began_at: datetime, now: datetime, *, found_nothing: bool = False) -> None:
        """Looks that began then have ended well: due again after an interval that goes by how often each changes.

        found_nothing: no changes. Those that were told of are looked at once more before, in a few seconds.
        """
        began, at = began_at.timestamp(), now.timestamp()
        kept = [slot for slot in slots if self._is_kept(slot)]
        # What a quiet look tells is written down once in a while: it is little, and this is the hot path.
        learnt_by = began - _LEARNS_SECONDS if found_nothing else math.inf
        for slot in kept:
            if self._learnt[slot] < learnt_by:
                self._learn(slot, began, found=not found_nothing)
        self._plan_next(kept, began, at)
        if self._told:
            for slot in self._told.keys() & slots:
                self._answer(slot, at, found_nothing=found_nothing)

    def _plan_next(self, slots: Sequence[int], began: float, at: float) -> None:
        """As `_plan` for each, but that it is written out: nearly all of what a quiet look costs here is calls."""
        dues, looked, planned, weights = self._due, self._looked, self._is_planned, self._weight
        phases, buckets, width = self._phase, self._buckets.by_number, self._buckets.width
        span, shortest, longest, turn = self._span(), self._cycle_seconds, self._longest(), at * _GOLDEN
        for slot in slots:
            interval = span / weights[slot]
            if interval > longest:
                interval = longest
            if interval < shortest:
                interval = shortest
            due = at + interval * (1 - _JITTER + 2 * _JITTER * ((phases[slot] + turn) % 1.0))
            looked[slot], dues[slot], planned[slot] = began, due, 1
            number = int(due // width)
            bucket = buckets.get(number)
            if bucket is None:
                bucket = self._buckets.open(number)
            bucket.append(slot)

    def _answer(self, slot: int, at: float, *, found_nothing: bool) -> None:
        told = self._told[slot]
        if told is _Told.AGAIN:
            self._wait(slot, at)
        elif told is _Told.LOOKED_AT and found_nothing:
            self._told[slot] = _Told.ONCE_MORE
            self._set(slot, min(self._due[slot], at + _ONCE_MORE_SECONDS))
        elif told in (_Told.LOOKED_AT, _Told.LAST):
            del self._told[slot]
            self._answered[slot] = None

    def hurry(self, slot: int, now: datetime) -> None:
        """Due at once, unless it is being looked at right now."""
        if 0 <= self._due[slot] < _OUT:
            # Into a bucket that is over already, so that it waits for no others.
            self._set(slot, now.timestamp() - self._buckets.width)

    def postpone(self, slot: int, until: datetime) -> None:
        """Due at `until`, whatever was planned."""
        if self._is_kept(slot):
            self._set(slot, until.timestamp())
            if slot in self._told:
                self._told[slot] = _Told.LATER

    def give_back(self, slot: int, until: datetime) -> None:
        """Due at `until`, if it was handed out and nothing was said of it since."""
        if self._is_kept(slot) and self._due[slot] == _OUT:
            self._set(slot, until.timestamp())
            told = self._told.get(slot)
            if told is _Told.AGAIN:
                self._wait(slot, until.timestamp())
            elif told is not None:
                self._told[slot] = _Told.LATER

    def looked_at(self, slot: int) -> float:
        """When the last good look of this worker began, in seconds; minus infinity before the first."""
        return self._looked[slot]

    def next_due(self) -> float:
        """When to ask again, in seconds: once all that comes due about the same time has, so that it goes together.

        At most a second, or a 64th of the cycle, after the first due time. Infinity when nothing is planned.
        """
        return min(self._again_at if self._due_turns else _OUT, self._buckets.next_at())

    def next_told(self) -> float:
        """When to ask again for those that were told of, in seconds; infinity when there is none."""
        return min(self._told_again_at if self._told_turns else _OUT, self._lane[0][0] if self._lane else _OUT)

    def _is_kept(self, slot: int) -> bool:
        """It is still served; one that is not is in nobody's hands from now on."""
        if self._due[slot] < 0:
            self._due[slot] = _GONE
            return False
        return True

    def spread(self, looks_a_second: float, now: datetime) -> Iterator[None]:
        """So many looks may go out in a second, on average, of all calendars.

        Intervals follow as they come; where they become much longer or shorter, turns that were planned are planned
        anew, in steps between which others may go on.
        """
        self._looks_a_second = looks_a_second
        mean = self._kept / looks_a_second if looks_a_second else math.inf
        if not self._planned_for / _MUCH <= mean <= self._planned_for * _MUCH:
            self._planned_for = mean
            yield from self._plan_anew(now)

    def _plan_anew(self, now: datetime) -> Iterator[None]:
        for slot in range(len(self._due)):
            at = now.timestamp()
            if self._is_planned[slot] and at < self._due[slot] < _OUT:
                self._plan(slot, self._turn(slot, at))
            if slot % _SLOTS_A_STEP == _SLOTS_A_STEP - 1:
                yield

    def oldest_due(self) -> Iterator[float]:
        """Since when the one is due that has waited longest, in seconds, and infinity where none is planned: the last
        that is given, in steps between which others may go on.
        """
        oldest = _OUT
        for start in range(0, len(self._due), _SLOTS_COMPARED):
            oldest = min(
                oldest, min((due for due in self._due[start : start + _SLOTS_COMPARED] if due >= 0), default=_OUT)
            )
            yield oldest

    def longest_seconds(self) -> float:
        """The longest that a calendar waits between two looks, as long as the pace stays and none fails."""
        least = min((weight for weight in self._weight if weight > 0.0), default=1.0)
        return max(self._cycle_seconds, min(self._longest(), self._span() / least)) * (1 + _JITTER)

    def _turn(self, slot: int, after: float) -> float:
        """The calendar's own phase of an interval: the same at each restart, as long as the pace is."""
        interval = max(self._cycle_seconds, min(self._longest(), self._span() / self._weight[slot]))
        return after + (self._phase[slot] * interval - after) % interval

    def _span(self) -> float:
        """The interval of a calendar of weight 1, in seconds."""
        return self._weights * refresh.seconds_a_look(self._looks_a_second)

    def _longest(self) -> float:
        return refresh.longest_seconds(self._looks_a_second, self._kept)

    def _learn(self, slot: int, began: float, *, found: bool) -> None:
        """What looks since the last time tell of how often the calendar changes; the first one tells nothing."""
        before, self._learnt[slot] = self._learnt[slot], int(began)
        if 0 < before < began:
            self._weigh(slot, refresh.changes_a_second(self._changes[slot], found=found, seconds=began - before))

    def _weigh(self, slot: int, changes: float) -> None:
        self._changes[slot] = changes
        self._weights -= self._weight[slot]
        self._weight[slot] = refresh.weight(changes)
        self._weights += self._weight[slot]

    def _plan(self, slot: int, due: float) -> None:
        """Its turn: what is due for another reason stays so, however turns are planned."""
        self._set(slot, due)
        self._is_planned[slot] = 1

    def _set(self, slot: int, due: float) -> None:
        self._is_planned[slot] = 0
        due = max(due, 0.0)
        self._due[slot] = due
        self._buckets.add(slot, due)
