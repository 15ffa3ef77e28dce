"""Turns: whose calendars go next when more wait than may be asked for. Deficit round robin, by weight.

Who has something waiting has a turn in each round, of as many as it weighs; what is left of a turn is not saved. So
however much one tenant has waiting, another's next one goes within a round. A slot that waits costs four bytes.
"""

from array import array
from collections import deque
from collections.abc import Callable, Mapping

NO_ROOMS: Mapping[int, int] = {}
# Of what was handed out, so much is kept at most before it is cut off.
_MOST_KEPT = 1024


class _Line:
    """What waits for one tenant, first come first served."""

    __slots__ = ("_first", "_slots")

    def __init__(self) -> None:
        self._slots = array("I")
        self._first = 0

    def __len__(self) -> int:
        return len(self._slots) - self._first

    def add(self, slot: int) -> None:
        self._slots.append(slot)

    def take(self) -> int:
        slot = self._slots[self._first]
        self._first += 1
        if self._first > _MOST_KEPT and self._first * 2 > len(self._slots):
            del self._slots[: self._first]
            self._first = 0
        return slot


class Turns:
    """Slots that wait, by tenant. weight_of: a tenant's, 1 or more."""

    def __init__(self, weight_of: Callable[[int], int] = lambda _: 1) -> None:
        self._weight_of = weight_of
        self._lines: dict[int, _Line] = {}
        self._order: deque[int] = deque()
        # Of the turn of the first in order; 0 when it has not begun.
        self._left = 0
        self._count = 0

    def __len__(self) -> int:
        """How many wait, those among them that need not any more."""
        return self._count

    def add(self, tenant_id: int, slot: int) -> None:
        """This one waits from now on, behind all of its tenant."""
        line = self._lines.get(tenant_id)
        if line is None:
            line = self._lines[tenant_id] = _Line()
            self._order.append(tenant_id)
        line.add(slot)
        self._count += 1

    def take(self, limit: int, claim: Callable[[int], bool], rooms: Mapping[int, int] = NO_ROOMS) -> list[int]:
        """Up to `limit` in turns. claim: takes a slot that waits, and says whether it does; what does not any more is
        dropped, and costs no turn.

        rooms: so many at most of these tenants; who has no room keeps its place.
        """
        found: list[int] = []
        left, passed = dict(rooms), 0
        while len(found) < limit and passed < len(self._order):
            tenant_id = self._order[0]
            turn = self._left or max(1, self._weight_of(tenant_id))
            room = left.get(tenant_id, turn)
            most = min(turn, room, limit - len(found))
            count = self._take_of(tenant_id, most, claim, found)
            if tenant_id in left:
                left[tenant_id] -= count
            passed = 0 if count else passed + 1
            self._end_turn(tenant_id, turn - count, is_cut=count == most < min(turn, room))
        return found

    def _take_of(self, tenant_id: int, most: int, claim: Callable[[int], bool], found: list[int]) -> int:
        line, count = self._lines[tenant_id], 0
        while count < most and len(line):
            slot = line.take()
            self._count -= 1
            if claim(slot):
                found.append(slot)
                count += 1
        return count

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
