"""Long reads: calendars that were handed out and wait to be read from the start, or on between two pages."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from syncer.model.budget import Lane
from syncer.rules.turns import Turns


class LongReads:
    """Slots of calendars. Those that were told of go first; tenants take turns."""

    def __init__(self, tenant_of: Callable[[int], int], weight_of: Callable[[int], int]) -> None:
        self._told, self._others = Turns(tenant_of, weight_of), Turns(tenant_of, weight_of)
        self._since: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def waited_seconds(self) -> float:
        """How long the first one has waited; 0.0 when none waits."""
        since = next(iter(self._since.values()), None)
        return time.monotonic() - since if since is not None else 0.0

    @property
    def lane(self) -> Lane:
        """What the next ones are to the budget."""
        return Lane.URGENT if len(self._told) else Lane.BACKFILL

    def add(self, slots: Iterable[int], is_told: Callable[[int], bool]) -> None:
        """These wait from now on."""
        for slot in slots:
            self._since.setdefault(slot, time.monotonic())
            (self._told if is_told(slot) else self._others).add((slot,))

    def hurry(self, slot: int) -> None:
        """Somebody told that it changed: if it waits, it goes before those that nobody told of."""
        if slot in self._since:
            self._told.add((slot,))

    def take(self, limit: int, rooms: Mapping[int, int]) -> list[int]:
        """The next ones, all of one lane; they wait no longer."""
        found = self._told.take(limit, self._claim, rooms)
        return found or self._others.take(limit, self._claim, rooms)

    def _claim(self, slots: Sequence[int]) -> list[int]:
        return [slot for slot in slots if self._since.pop(slot, None) is not None]
