"""Room for pushes in memory: few wait for each provider account, for the rows are the queue. Knows no push."""

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager

from syncer.run.turnstile import Turnstile

_WAITING_AN_ACCOUNT = 200
# Whatever others of its account have waiting: enough to be there when its turn comes.
_WAITING_A_TENANT = 4
_WAITING = 10_000


class Room:
    """Counts pushes that are under way or wait for their place, by provider account. Its tenants take turns.

    places: calls to one account at a time. bell: rings when there is room again for one that was turned away.
    """

    def __init__(self, places: int) -> None:
        self.bell = asyncio.Event()
        self._places = places
        self._places_by_account: dict[int, Turnstile] = {}
        self._count_by_account: Counter[int] = Counter()
        self._count_by_tenant: Counter[tuple[int, int]] = Counter()
        self._count = 0
        self._turned_away: set[int] = set()

    def enter(self, account_id: int, tenant_id: int) -> bool:
        """Whether one more may wait; it must leave then."""
        count = self._count_by_account[account_id]
        # Also when others fill all the room there is, each account has work for its places.
        is_crowded = self._count >= _WAITING and count >= self._places
        is_full = count >= _WAITING_AN_ACCOUNT or is_crowded
        if is_full and self._count_by_tenant[account_id, tenant_id] >= _WAITING_A_TENANT:
            self._turned_away.add(account_id)
            return False
        self._count_by_account[account_id] += 1
        self._count_by_tenant[account_id, tenant_id] += 1
        self._count += 1
        return True

    def leave(self, account_id: int, tenant_id: int) -> None:
        """One is done."""
        self._count_by_account[account_id] -= 1
        self._count_by_tenant[account_id, tenant_id] -= 1
        if not self._count_by_tenant[account_id, tenant_id]:
            del self._count_by_tenant[account_id, tenant_id]
        self._count -= 1
        if account_id in self._turned_away and self._count_by_account[account_id] <= _WAITING_AN_ACCOUNT // 2:
            self._turned_away.discard(account_id)
            self.bell.set()

    def place_at(self, account_id: int, tenant_id: int) -> AbstractAsyncContextManager[None]:
        """A place of one account, when it is the tenant's turn."""
        places = self._places_by_account.get(account_id)
        if places is None:
            places = self._places_by_account[account_id] = Turnstile(self._places)
        return places.place(tenant_id)
