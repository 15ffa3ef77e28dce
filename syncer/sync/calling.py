"""Calling: lets calls to providers out within what each account is granted, whichever workers and projects share it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from syncer.model.budget import CallLimit
from syncer.model.calendar import Tenant
from syncer.model.conference import Change, NoRoom
from syncer.model.errors import StoreError, StoreUnavailable
from syncer.rules import calling
from syncer.rules.calling import Full, Scope, Stock, Taken
from syncer.store import calls
from syncer.store.database import Database
from syncer.together import Together

# What is reserved begins soon, or goes back, and is answered within this.
_HOLD_SECONDS = 90.0
# So long a call waits here for room; what it belongs to comes again later.
_PATIENCE_SECONDS = 2.0
# Room may come sooner than it seems: others give back what they have not used, and people raise limits.
_LONGEST_WAIT_SECONDS = 900.0
_MOST_TOGETHER = 200
_PRUNE_SECONDS = 600.0


class Calling:
    """The limits of all accounts that this worker calls. waits: how often a call had to wait for room."""

    def __init__(self, database: Database) -> None:
        self.waits = 0
        self._database = database
        self._stocks: dict[int, _Account] = {}
        self._now = time.monotonic
        self._pruned_at = self._now()

    @asynccontextmanager
    async def call(self, tenant: Tenant, limits: Sequence[CallLimit], change: Change) -> AsyncIterator[NoRoom | None]:
        """A block in which one call is under way; or, given NoRoom, in which it must not be made.

        limits: of the provider itself, beside those of the tenant's account. Raises StoreError.
        """
        asked = calling.scopes((*limits, *tenant.provider_limits), change)
        if not asked:
            yield None
            return
        account = self._stocks.get(tenant.account_id)
        if account is None:
            account = self._stocks[tenant.account_id] = _Account(self._database, tenant.account_id)
        taken = await self._entered(account, asked)
        if isinstance(taken, Full):
            yield NoRoom(_told(taken), min(taken.seconds, _LONGEST_WAIT_SECONDS), kind=_told(taken))
            return
        try:
            yield None
        finally:
            account.stock.give_back(taken, self._now())

    async def _entered(self, account: "_Account", asked: tuple[Scope, ...]) -> Taken | Full:
        until = self._now() + _PATIENCE_SECONDS
        outcome = await account.enter(asked)
        self.waits += isinstance(outcome, Full)
        while isinstance(outcome, Full) and self._now() + outcome.seconds <= until:
            await asyncio.sleep(outcome.seconds)
            outcome = await account.enter(asked)
        return outcome

    async def settle(self) -> None:
        """Writes down what came of calls, and gives back what was not used. Raises StoreError."""
        for account_id, account in list(self._stocks.items()):
            await account.settle()
            if account.is_idle:
                del self._stocks[account_id]
        if self._now() - self._pruned_at > _PRUNE_SECONDS:
            self._pruned_at = self._now()
            await calls.prune(self._database)


class _Account:
    """One account's limits as this worker holds them."""

    def __init__(self, database: Database, account_id: int) -> None:
        self.stock = Stock()
        self._database = database
        self._account_id = account_id
        self._now = time.monotonic
        self._entering: Together[tuple[Scope, ...], Taken | Full] = Together(
            self._let_in, broken_off=_broken_off, most=_MOST_TOGETHER
        )
        self._count = 0

    @property
    def is_idle(self) -> bool:
        return self.stock.is_empty and not self._count

    async def enter(self, asked: tuple[Scope, ...]) -> Taken | Full:
        """One call of each scope, or why there is none. What was taken is to be given back."""
        taken = self.stock.take(asked, self._now())
        if taken is not None:
            return taken
        self._count += 1
        try:
            return await self._entering(asked)
        finally:
            self._count -= 1

    async def settle(self) -> None:
        told = self.stock.settled(self._now())
        if told:
            await calls.reserve(self._database, self._account_id, told, [], hold_seconds=_HOLD_SECONDS)

    async def _let_in(self, asked: Sequence[tuple[Scope, ...]]) -> list[Taken | Full | StoreError]:
        """As many as there is room for, each all or nothing."""
        await self._reserve(asked)
        now = self._now()
        return [self._taken(scopes, now) for scopes in asked]

    def _taken(self, scopes: tuple[Scope, ...], now: float) -> Taken | Full:
        taken = self.stock.take(scopes, now)
        if taken is not None:
            return taken
        # Where nothing is known to be full, another took the last one meanwhile.
        return self.stock.full(scopes, now) or Full(scopes[0].limit, calling.BEGINS_SECONDS)

    async def _reserve(self, asked: Sequence[tuple[Scope, ...]]) -> None:
        # From before the statement is sent: the database counts from later.
        now = self._now()
        wishes = self.stock.wishes(asked, now)
        if not wishes:
            return
        told = self.stock.settled(now)
        reserved = await calls.reserve(self._database, self._account_id, told, wishes, hold_seconds=_HOLD_SECONDS)
        for wish, one in zip(wishes, reserved, strict=False):
            wait = min(one.room_in_seconds, wish.scope.seconds + calling.BEGINS_SECONDS, _LONGEST_WAIT_SECONDS)
            room_at = self._now() + max(wait, 0.01)
            self.stock.put(wish, one.slot, one.calls, now=now, room_at=room_at)


def _told(full: Full) -> str:
    return f"what the provider grants, {calling.sentence(full.limit)}, is used up for now"


def _broken_off() -> StoreError:
    return StoreUnavailable("Room for a call was asked for, and nobody knows what came of that.")
