"""Room for pushes in memory: few wait for each provider account, for the rows are the queue. Knows no push."""

import asyncio
from collections import Counter

_WAITING_AN_ACCOUNT = 200
_WAITING = 10_000


class Room:
    """Counts pushes that are under way or wait for their place, by provider account.

    places: calls to one account at a time. bell: rings when there is room again for one that was turned away.
    """

    def __init__(self, places: int) -> None:
        self.bell = asyncio.Event()
        self._places = places
        self._place_by_account: dict[int, asyncio.Semaphore] = {}
        self._count_by_account: Counter[int] = Counter()
        self._count = 0
        self._turned_away: set[int] = set()

    def enter(self, account_id: int) -> bool:
        """Whether one more may wait; it must leave then."""
        count = self._count_by_account[account_id]
        # Also when others fill all the room there is, each account has work for its places.
        is_crowded = self._count >= _WAITING and count >= self._places
        if count >= _WAITING_AN_ACCOUNT or is_crowded:
            self._turned_away.add(account_id)
            return False
        self._count_by_account[account_id] += 1
        self._count += 1
        return True

    def leave(self, account_id: int) -> None:
        """One is done."""
        self._count_by_account[account_id] -= 1
        self._count -= 1
        if account_id in self._turned_away and self._count_by_account[account_id] <= _WAITING_AN_ACCOUNT // 2:
            self._turned_away.discard(account_id)
            self.bell.set()

    def place_at(self, account_id: int) -> asyncio.Semaphore:
        """The places of one account."""
        places = self._place_by_account.get(account_id)
        if places is None:
            places = self._place_by_account[account_id] = asyncio.Semaphore(self._places)
        return places
