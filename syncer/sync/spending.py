"""Spending: lets a project's requests to Google out within its budget, each lane as its turn comes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from syncer.clients.google.metering import Metered
from syncer.durations import Durations
from syncer.model.budget import Lane, Limits, Spend
from syncer.model.errors import Unsent
from syncer.rules import refresh
from syncer.rules.budget import LEFT_OF_USER, MINUTE_SECONDS, Budget
from syncer.rules.refresh import Means
from syncer.rules.shares import Shares
from syncer.store.budgets import Standing
from syncer.sync.tenure import Tenure

# The longest that one request waits here; what it belongs to comes again later.
_PATIENCE_SECONDS = 5.0
# More room may come before a minute has slid on: with the next reservation.
_LONGEST_WAIT_SECONDS = 0.2
_SHORTEST_WAIT_SECONDS = 0.01
# Over so long it is averaged what follows from changes.
_URGENT_SECONDS = 600.0


class Spending:
    """One project's budget while this worker serves it.

    waits: how often something had to wait for room. waited: how long, which outlives the project where it is shared.
    shares: what its tenants may ask.
    cycle_seconds: between two looks by the clock at a calendar, at least.
    now: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        standing: Standing,
        tenure: Tenure,
        *,
        today: date,
        cycle_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waits = 0
        self.waited = Durations()
        self.shares = Shares()
        self._cycle_seconds = cycle_seconds
        self._tenure = tenure
        self._is_reserved = asyncio.Event()
        self.now = now
        self._budget = Budget(standing.limits, standing.spent, now=now(), today=today)
        self._urgent, self._urgent_a_second, self._told_at = 0, 0.0, self.now()
        self._purses = {lane: Purse(self, lane) for lane in Lane}

    def purse(self, lane: Lane) -> "Purse":
        """The meter for requests of this lane."""
        return self._purses[lane]

    def room(self, lane: Lane) -> int:
        """How many requests of this lane may begin now."""
        return self._budget.room(lane, now=self.now())

    def wait_seconds(self, lane: Lane, weight: int = 1) -> float:
        """How long to wait before there may be room for so much."""
        now = self.now()
        seconds = self._budget.room_at(lane, weight, now=now) - now
        return min(max(seconds, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)

    async def pass_time(self, lane: Lane, weight: int) -> None:
        """Waits until there may be room for so much; at most some tenths of a second, or until more is reserved."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.wait_seconds(lane, weight)):
                await self._is_reserved.wait()

    def rooms(self, lane: Lane) -> Mapping[int, int]:
        """How many calendars may be handed out in this lane, of those tenants that have a limit of their own."""
        return self.shares.rooms(lane, now=self.now())

    @property
    def leaves_users_room(self) -> bool:
        """Looks by the clock fit into what other requests leave of any user's limit, over two take-overs too."""
        return MINUTE_SECONDS / self._cycle_seconds <= self._budget.limits.per_user_minute * LEFT_OF_USER

    def is_day_spent(self, lane: Lane) -> bool:
        """Nothing is left of Google's day for this lane."""
        return self._budget.is_day_spent(lane)

    def looks_a_second(self, day_left_seconds: float) -> float:
        """How many looks by the clock may go out in a second, on average. day_left_seconds: of Google's day."""
        limits = self._budget.limits
        return refresh.looks_a_second(
            Means(
                per_minute=limits.per_minute,
                per_day=limits.per_day,
                day_left=limits.per_day - self._budget.day_count,
                day_left_seconds=day_left_seconds,
                urgent_a_second=self._urgent_a_second,
            )
        )

    def note(self, lane: Lane, weight: int) -> None:
        """So much goes out in this lane."""
        if lane is Lane.URGENT:
            self._urgent += weight

    def _average(self) -> None:
        now = self.now()
        seconds = max(now - self._told_at, _SHORTEST_WAIT_SECONDS)
        share = min(1.0, seconds / _URGENT_SECONDS)
        self._urgent_a_second += (self._urgent / seconds - self._urgent_a_second) * share
        self._urgent, self._told_at = 0, now

    def spent(self, today: date, beat_seconds: float) -> Spend:
        """What is to be written down now, with what is reserved until the next beat."""
        self._average()
        return self._budget.spent(now=self.now(), today=today, beat_seconds=beat_seconds)

    def last(self, today: date) -> Spend:
        """What is to be written down in the end: nothing is reserved any more."""
        return replace(self._budget.spent(now=self.now(), today=today, beat_seconds=0.0), reserved=0)

    def reserve(self, spend: Spend, limits: Limits) -> None:
        """That is written down; limits: as they stand by now."""
        self._budget.limits = limits
        self._budget.reserve(spend)
        self._is_reserved.set()
        self._is_reserved.clear()

    @property
    def pace(self) -> float:
        """What part of the limit of a minute is used, as Google's refusals have taught."""
        return self._budget.pace(self.now())

    @property
    def budget(self) -> Budget:
        """The figures."""
        return self._budget

    @property
    def is_over(self) -> bool:
        """The lease has run out: nothing may go out any more."""
        return self._tenure.is_over


class Purse:
    """A meter for one lane. Who came first goes first."""

    def __init__(self, spending: Spending, lane: Lane) -> None:
        self._spending = spending
        self._lane = lane
        self._now = spending.now
        self._turn = asyncio.Lock()

    def most(self) -> int:
        """How many requests can go out at a time, at most."""
        return self._spending.budget.most(self._lane, now=self._now())

    async def begin(self, requests: Sequence[Metered]) -> int:
        """Waits, some seconds at most, until they may go out; gives their weight. Raises Unsent when there is no
        room for them.
        """
        weight = sum([request.weight for request in requests])
        if self._spending.is_over:
            raise _unsent("the lease on the project has run out")
        if self._turn.locked() or self._spending.room(self._lane) < weight:
            await self._wait(min(weight, self.most()))
        self._spending.note(self._lane, weight)
        users = [(request.user, request.weight) for request in requests] if self._counts_users else []
        self._spending.budget.begin(weight, users, now=self._now())
        if self._spending.shares:
            self._spending.shares.begin(_by_tenant(requests), now=self._now())
        return weight

    async def _wait(self, weight: int) -> None:
        self._spending.waits += 1
        began = self._now()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._turn:
                while self._spending.room(self._lane) < weight:
                    await self._spending.pass_time(self._lane, weight)
        except TimeoutError:
            raise _unsent("the project's requests are spent for now") from None
        finally:
            self._spending.waited.note(self._now() - began)

    def end(self, weight: int) -> None:
        """So much was answered, or given up."""
        self._spending.budget.end(weight, now=self._now())

    def crowded(self, requests: Sequence[Metered]) -> Sequence[int]:
        """The places of those whose user or tenant has asked so much in the last minute that they must not go now."""
        crowded = self._crowded_users(requests)
        if self._spending.shares:
            of_tenants = self._spending.shares.crowded(_by_tenant(requests), now=self._now())
            return sorted({*crowded, *of_tenants})
        return crowded

    def _crowded_users(self, requests: Sequence[Metered]) -> Sequence[int]:
        if not self._counts_users:
            return ()
        asked = [(request.user, request.weight) for request in requests]
        return self._spending.budget.crowded(asked, now=self._now())

    @property
    def _counts_users(self) -> bool:
        """Looks by the clock are few for each calendar, and calendars are many: who they are for is not kept."""
        return self._lane is not Lane.REFRESH or not self._spending.leaves_users_room

    def refused(self) -> None:
        """Google refused a request for the project's rate."""
        self._spending.budget.refused(now=self._now())


def _by_tenant(requests: Sequence[Metered]) -> list[tuple[int, int]]:
    return [(request.tenant_id, request.weight) for request in requests]


def _unsent(reason: str) -> Unsent:
    return Unsent("Google", 0, f"nothing was sent: {reason}", retry_after_seconds=_PATIENCE_SECONDS)
