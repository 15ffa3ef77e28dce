"""Turns: whose calendars go next when more wait than may be asked for. Deficit round robin, by weight.

Who has something waiting has a turn in each round, of as many as it weighs; what is left of a turn is not saved. So
however much one tenant has waiting, another's next one goes within a round. A slot that waits costs four bytes.
"""

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence

NO_ROOMS: Mapping[int, int] = {}
# What was handed out is cut off when it is so much, and such a part of all that waits.
_KEPT, _KEPT_OF = 256, 16

Claim = Callable[[Sequence[int]], Sequence[int]]


class _Line:
    """What waits for one tenant, first come first served."""

    __slots__ = ("_first", "slots")

    def __init__(self) -> None:
        self.slots = array("I")
        self._first = 0

    def __len__(self) -> int:
        return len(self.slots) - self._first

    def take(self, most: int) -> "array[int]":
        taken = self.slots[self._first : self._first + most]
        self._first += len(taken)
        if self._first > _KEPT and self._first * _KEPT_OF > len(self.slots):
            del self.slots[: self._first]
            self._first = 0
        return taken


class Turns:
    """Slots that wait, by tenant. tenant_of: whose a slot is. weight_of: a tenant's, 1 or more."""

    def __init__(self, tenant_of: Callable[[int], int], weight_of: Callable[[int], int] = lambda _: 1) -> None:
        self._tenant_of = tenant_of
        self._weight_of = weight_of
        self._lines: dict[int, _Line] = {}
        self._order: deque[int] = deque()
        # Of the turn of the first in order; 0 when it has not begun.
        self._left = 0
        self._count = 0

    def __len__(self) -> int:
        """How many wait, those among them that need not any more."""
        return self._count

    def add(self, slots: Sequence[int]) -> None:
        """These wait from now on, each behind all of its tenant."""
        lines, tenant_of = self._lines, self._tenant_of
        for slot in slots:
            tenant_id = tenant_of(slot)
            line = lines.get(tenant_id)
            if line is None:
                line = lines[tenant_id] = _Line()
                self._order.append(tenant_id)
            line.slots.append(slot)
        self._count += len(slots)

    def take(self, limit: int, claim: Claim, rooms: Mapping[int, int] = NO_ROOMS) -> list[int]:
        """Up to `limit` in turns. claim: takes those of some slots that wait still, and gives them; what does not any
        more is dropped, and another goes for it.

        rooms: so many at most of these tenants; who has no room keeps its place.
        """
        found: list[int] = []
        left, are_more = dict(rooms), True
        while are_more and len(found) < limit:
            picked = self._picked(limit - len(found), left)
            found += claim(picked)
            are_more = bool(picked)
        return found

    def _picked(self, limit: int, rooms: dict[int, int]) -> list[int]:
        """What one turn of each gives, or as many turns as end within the limit."""
        picked: list[int] = []
        rounds = self._rounds(limit)
        for _ in range(len(self._order)):
            if len(picked) == limit:
                break
            tenant_id = self._order[0]
            turn = room = self._left or max(1, self._weight_of(tenant_id)) * rounds
            if tenant_id in rooms:
                room = min(turn, rooms[tenant_id])
            slots = self._lines[tenant_id].take(min(room, limit - len(picked)))
            picked += slots
            if tenant_id in rooms:
                rooms[tenant_id] -= len(slots)
            self._end_turn(tenant_id, turn - len(slots), is_cut=len(picked) == limit and len(slots) < room)
        self._count -= len(picked)
        return picked

    def _rounds(self, limit: int) -> int:
        """How many rounds end within so many: their turns are taken at one go."""
        if not self._order or len(self._order) * 2 > limit:
            return 1
        return max(1, limit // sum(max(1, self._weight_of(tenant_id)) for tenant_id in self._order))

    def _end_turn(self, tenant_id: int, left: int, *, is_cut: bool) -> None:
        """The next one's turn, unless only the limit of this time has cut it off."""
        if not len(self._lines[tenant_id]):
            del self._lines[tenant_id]
            self._order.popleft()
            self._left = 0
        elif is_cut:
            self._left = left
        else:
            self._order.rotate(-1)
            self._left = 0
