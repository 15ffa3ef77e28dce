"""Calls to providers: which limits a call falls under, and what one worker holds of them. Knows no clock.

A provider counts a call when it comes in, some time between its sending and its answer; so it counts from the one
until a whole span after the other. What a worker holds is written down before as if it were answered late, and moves
to when it was answered in truth: a kill at any moment breaks no limit.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from syncer.model.budget import By, CallLimit
from syncer.model.conference import Change, ChangeKind

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_PERIODS = {seconds: name for name, seconds in _SECONDS.items()}
_LIMIT = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)(?:/(updates|organizer))?")
# Reserved beyond what waits, so that most calls ask nobody; of a small limit little is held.
_MOST_AHEAD, _PART_AHEAD = 8, 20
# What is reserved begins within this, or goes back.
BEGINS_SECONDS = 2.0
_KNOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What one limit counts together. name: as it is written down. most: calls in any span of so many seconds."""

    name: str
    seconds: int
    most: int
    limit: CallLimit


@dataclass(frozen=True, slots=True)
class Wish:
    """So many calls that are wanted of a scope."""

    scope: Scope
    calls: int


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What came of a reservation: calls that were not begun and never will be, and calls that were answered by now.

    age: seconds since the last of those answers.
    """

    scope: str
    seconds: int
    slot: int
    unused: int
    ended: int
    age: float


def read(text: str) -> CallLimit:
    """A limit from its text: `10/second`, `100/day/organizer`. Raises ValueError."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"no limit of calls: {text!r}")
    return CallLimit(int(found[1]), _SECONDS[found[2]], By(found[3] or "calls"))


def sentence(limit: CallLimit) -> str:
    """The limit in words: 100 updates a day for one organizer."""
    noun = "calls" if limit.by is By.CALLS else "updates"
    if limit.calls == 1:
        noun = noun.removesuffix("s")
    article = "an" if limit.seconds == _SECONDS["hour"] else "a"
    whose = " for one organizer" if limit.by is By.ORGANIZER else ""
    return f"{limit.calls} {noun} {article} {_PERIODS[limit.seconds]}{whose}"


def scopes(limits: Iterable[CallLimit], change: Change) -> tuple[Scope, ...]:
    """What a call counts for, each once: of several limits of one kind the smallest holds."""
    found: dict[str, Scope] = {}
    for limit in limits:
        name = _name(limit, change)
        if name is not None and (name not in found or limit.calls < found[name].most):
            found[name] = Scope(name, limit.seconds, limit.calls, limit)
    return tuple(found.values())


def _name(limit: CallLimit, change: Change) -> str | None:
    period = _PERIODS[limit.seconds]
    if limit.by is By.CALLS:
        return period
    if change.kind is not ChangeKind.UPDATE:
        return None
    if limit.by is By.UPDATES:
        return f"{period}/updates"
    organizer = change.wanted.organizer if change.wanted else None
    # A digest: nobody's address is written down for counting.
    digest = hashlib.sha256((organizer or "").lower().encode()).hexdigest()[:24]
    return f"{period}/organizer/{digest}"


class _Block:
    """Calls of one reservation. left: that may still begin, before `until`."""

    __slots__ = ("ended", "ended_at", "left", "scope", "slot", "under_way", "until")

    def __init__(self, scope: Scope, slot: int, calls: int, until: float) -> None:
        self.scope = scope
        self.slot = slot
        self.left = calls
        self.until = until
        self.under_way = self.ended = 0
        self.ended_at = -math.inf

    @property
    def is_over(self) -> bool:
        return not (self.left or self.under_way or self.ended)


Taken = tuple[_Block, ...]


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room. limit: the one that is spent. seconds: until there may be some."""

    limit: CallLimit
    seconds: float


class Stock:
    """What one worker holds of one account's limits. now: seconds of one clock that only goes forward."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._full: dict[Scope, float] = {}
        self._asked_at: dict[Scope, float] = {}

    def take(self, asked: Sequence[Scope], now: float) -> Taken | None:
        """One call of each scope, which begins now; None when one of them has none left."""
        taken: list[_Block] = []
        for scope in asked:
            block = next((one for one in self._blocks if one.scope.name == scope.name and _is_good(one, now)), None)
            if block is None:
                return None
            taken.append(block)
        for block in taken:
            block.left -= 1
            block.under_way += 1
        return tuple(taken)

    def give_back(self, taken: Taken, now: float) -> None:
        """The call was answered, or given up."""
        for block in taken:
            block.under_way -= 1
            block.ended += 1
            block.ended_at = now
            # There is room again a span after this, whatever was thought before.
            again_at = now + _span(block.scope)
            if self._full.get(block.scope, 0.0) > again_at:
                self._full[block.scope] = again_at

    def full(self, asked: Sequence[Scope], now: float) -> Full | None:
        """Which scope is known to have no room, if any is: not for long, for others may give back what they hold."""
        known = [scope for scope in asked if now - self._asked_at.get(scope, -math.inf) < _KNOWN_SECONDS]
        waits = [(self._full[scope] - now, scope) for scope in known if scope in self._full]
        seconds, scope = max(waits, key=lambda one: one[0], default=(0.0, None))
        return Full(scope.limit, seconds) if scope is not None and seconds > 0 else None

    def wishes(self, asked: Iterable[Sequence[Scope]], now: float) -> list[Wish]:
        """What is to be reserved for these calls, and a little more."""
        counts = Counter(scope for scopes in asked if self.full(scopes, now) is None for scope in scopes)
        wanted = ((scope, count - self._left(scope, now)) for scope, count in counts.items())
        return [Wish(scope, lack + min(_MOST_AHEAD, scope.most // _PART_AHEAD)) for scope, lack in wanted if lack > 0]

    def put(self, wish: Wish, slot: int, calls: int, *, now: float, room_at: float) -> None:
        """So much of a wish, which was asked for at `now`, was granted. room_at: when there may be room for more."""
        until = now + BEGINS_SECONDS
        if calls:
            self._blocks.append(_Block(wish.scope, slot, calls, until))
        if calls < wish.calls:
            self._full[wish.scope], self._asked_at[wish.scope] = room_at, now
        else:
            self._full.pop(wish.scope, None)

    def settled(self, now: float) -> list[Settled]:
        """What is to be told of earlier reservations; each thing once."""
        told: list[Settled] = []
        for block in self._blocks:
            unused = block.left if now >= block.until else 0
            if unused or block.ended:
                age = max(now - block.ended_at, 0.0) if block.ended else 0.0
                scope = block.scope
                told.append(Settled(scope.name, scope.seconds, block.slot, unused, block.ended, age))
                block.left -= unused
                block.ended = 0
        self._blocks = [block for block in self._blocks if not block.is_over]
        self._full = {scope: at for scope, at in self._full.items() if at > now}
        self._asked_at = {scope: at for scope, at in self._asked_at.items() if scope in self._full}
        return told

    @property
    def is_empty(self) -> bool:
        """Nothing is held, and nothing is left to be told."""
        return not self._blocks

    def _left(self, scope: Scope, now: float) -> int:
        return sum(one.left for one in self._blocks if one.scope.name == scope.name and _is_good(one, now))


def _is_good(block: _Block, now: float) -> bool:
    return block.left > 0 and now < block.until


def _span(scope: Scope) -> float:
    # And the rest of a slot.
    return scope.seconds * (1 + 1 / 60)
