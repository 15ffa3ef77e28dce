"""A day of a project without its servers: how fresh its calendars are and what that costs, by the rules that decide it.

Changes come at random times, messages tell of them a moment later or are lost, and the real schedule says when each
calendar is looked at. Nothing waits for an answer: what Google, providers and databases take comes on top.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from syncer.model.calendar import CalendarKey
from syncer.rules import refresh
from syncer.rules.refresh import Means
from syncer.rules.schedule import Schedule

DAY_SECONDS = 86_400.0
# How long a message takes; Google publishes no figure, and a second or so is what is seen.
MESSAGE_SECONDS = 1.0
# A channel lasts a week, and is renewed some days before: a request for the new one, and one for the old.
_RENEWALS_A_DAY = 2 / 5
_WARM_UP_HOURS, _COUNTED_HOURS = 12, 24
HOURS = _WARM_UP_HOURS + _COUNTED_HOURS
_BEGINS_AT = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is planned. changes_a_day: of each calendar. loss: the part of messages that never comes, 1.0 for none at
    all. shortest_seconds: between two looks by the clock at a calendar, at least. looks_a_second: by the clock and for
    all calendars; None takes what the budget leaves. sample: so many calendars stand for all.
    """

    calendars: int
    changes_a_day: float
    loss: float = 0.05
    per_minute: int = 10_000
    per_day: int = 1_000_000
    shortest_seconds: float = 60.0
    looks_a_second: float | None = None
    sample: int = 400
    seed: int = 1

    @property
    def has_messages(self) -> bool:
        """Some come."""
        return self.loss < 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What came of it. Seconds are from a change to the look that sees it; requests a day are of all calendars.

    percentiles_seconds: within which 0, 1, … 100 percent of changes are seen. longest_interval_seconds: that any
    calendar may wait between two looks by the clock. is_enough: the day's requests suffice.
    """

    mean_seconds: float
    p95_seconds: float
    p99_seconds: float
    percentiles_seconds: tuple[float, ...]
    longest_interval_seconds: float
    requests_a_day: float
    of_messages: float
    of_refresh: float
    of_renewals: float
    is_enough: bool


def plan(wishes: Wishes) -> Iterator[Plan | None]:
    """Lives some days, with None for each hour that is over; the plan comes last."""
    day = _Day(wishes)
    for hour in range(HOURS):
        if hour == _WARM_UP_HOURS:
            day.begin_to_count()
        day.live(3600.0)
        yield None
    yield day.plan()


def polling(wishes: Wishes, requests_a_day: float) -> tuple[float, float, float]:
    """Mean, 95th and 99th percentile of a change's seconds, were these requests spent on looks at fixed intervals."""
    interval = _interval(wishes, requests_a_day)
    return interval / 2, interval * 0.95, interval * 0.99


def polling_percentiles(wishes: Wishes, requests_a_day: float) -> tuple[float, ...]:
    """The seconds within which 0, 1, … 100 percent of changes are seen, by looks at fixed intervals."""
    interval = _interval(wishes, requests_a_day)
    return tuple(interval * percent / 100 for percent in range(101))


def _interval(wishes: Wishes, requests_a_day: float) -> float:
    return DAY_SECONDS * wishes.calendars / max(requests_a_day, 1.0)


class _Day:
    """The calendars of the sample, their changes that nobody has seen, and the schedule."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._count = min(wishes.calendars, wishes.sample)
        self._share = self._count / wishes.calendars
        self._chance = random.Random(wishes.seed)
        self._now = 0.0
        self._coming: list[tuple[float, bool, int]] = []
        self._unseen: dict[int, list[float]] = {}
        self._waited: list[float] = []
        self._refreshed = self._told = 0
        self._told_a_second = 0.0
        self._schedule = Schedule(wishes.shortest_seconds)
        for slot in range(self._count):
            self._schedule.keep(slot, CalendarKey(1, slot + 1), self._at(), is_urgent=False)
            self._foresee(slot)
        self._pace()

    def begin_to_count(self) -> None:
        """All before was to come into step."""
        self._waited.clear()
        self._refreshed = self._told = 0

    def live(self, seconds: float) -> None:
        """Lets that time pass."""
        until, told_before = self._now + seconds, self._told
        while self._now < until:
            planned = self._schedule.next_due() - _BEGINS_AT.timestamp()
            self._now = max(self._now, min(planned, self._coming[0][0] if self._coming else until, until))
            self._change()
            self._look()
        self._told_a_second += (max(self._told - told_before, 0) / seconds - self._told_a_second) / 2
        self._pace()

    def plan(self) -> Plan:
        """What came of the time that was counted, for all calendars."""
        waited = sorted(self._waited) or [0.0]
        refreshed, told = self._refreshed / self._share, self._told / self._share
        renewals = self._wishes.calendars * _RENEWALS_A_DAY if self._wishes.has_messages else 0.0
        requests = refreshed + told + renewals
        return Plan(
            mean_seconds=sum(waited) / len(waited),
            p95_seconds=waited[int(len(waited) * 0.95)],
            p99_seconds=waited[int(len(waited) * 0.99)],
            percentiles_seconds=tuple(waited[min(len(waited) * one // 100, len(waited) - 1)] for one in range(101)),
            longest_interval_seconds=self._schedule.longest_seconds(),
            requests_a_day=requests,
            of_messages=told,
            of_refresh=refreshed,
            of_renewals=renewals,
            is_enough=requests <= self._wishes.per_day,
        )

    def _at(self) -> datetime:
        return _BEGINS_AT + timedelta(seconds=self._now)

    def _foresee(self, slot: int) -> None:
        if self._wishes.changes_a_day > 0:
            at = self._now + self._chance.expovariate(self._wishes.changes_a_day / DAY_SECONDS)
            heapq.heappush(self._coming, (at, False, slot))

    def _change(self) -> None:
        """What has come by now: changes, and messages of them."""
        while self._coming and self._coming[0][0] <= self._now:
            at, is_message, slot = heapq.heappop(self._coming)
            if is_message:
                self._schedule.notified(slot, self._at())
                continue
            self._unseen.setdefault(slot, []).append(at)
            self._foresee(slot)
            if self._chance.random() >= self._wishes.loss:
                delay = self._chance.expovariate(1 / MESSAGE_SECONDS)
                heapq.heappush(self._coming, (at + delay, True, slot))

    def _look(self) -> None:
        now = self._at()
        told = self._schedule.told(now, _AT_ONCE)
        due = self._schedule.due(now, _AT_ONCE)
        for slot in (*told, *due):
            if self._schedule.is_told(slot):
                self._told += 1
            else:
                self._refreshed += 1
            seen = self._unseen.pop(slot, [])
            self._waited += [self._now - at for at in seen]
            self._schedule.looked([slot], now, now, found_nothing=not seen)

    def _pace(self) -> None:
        looks = self._wishes.looks_a_second
        if looks is None:
            looks = refresh.looks_a_second(
                Means(
                    per_minute=self._wishes.per_minute,
                    per_day=self._wishes.per_day,
                    day_left=self._wishes.per_day,
                    day_left_seconds=DAY_SECONDS,
                    urgent_a_second=self._told_a_second / self._share,
                )
            )
        for _ in self._schedule.spread(looks * self._share, self._at()):
            pass
