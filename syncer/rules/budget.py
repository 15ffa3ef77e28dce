"""A project's requests: how many may begin now, so that no limit is broken by all the workers that ever serve it.

Knows no clock: `now` is seconds of one clock that only goes forward, `today` the date where Google's day begins.

Google counts a request when it comes in, which is some time between its sending and its answer; so here it counts from
the one until a minute after the other. A worker begins no more than it has reserved by writing it down, and whoever
comes after it counts all of that as spent: a kill at any moment breaks no limit.
Source: Calendar API, "Manage quotas": a sliding minute for a project and for one user of it, and a day.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from syncer.model.budget import Lane, Limits, Spend

MINUTE_SECONDS = 60
# What of a limit a lane may take, so that the lanes above it find room: all; nearly all; all but the last third.
_SHARE_OF_MINUTE = {Lane.URGENT: 1.0, Lane.REFRESH: 0.9, Lane.BACKFILL: 2 / 3}
_SHARE_OF_DAY = {Lane.URGENT: 1.0, Lane.REFRESH: 0.95, Lane.BACKFILL: 0.9}
# Of what one user may ask, as much as writes may take: they come in crowds, and must not keep us from seeing changes.
_SHARE_OF_WRITES = 2 / 3
_USERS_STEP_SECONDS = 10
# Of the limit of one user, who is one calendar here. Nothing is written down of users: two take-overs within a minute
# leave it whole, and a quarter of 600 is more than any calendar needs. What they leave is for looks by the clock.
_SHARE_OF_USER = 1 / 4
LEFT_OF_USER = 1 - 3 * _SHARE_OF_USER
_LEAST_RESERVED = 50
# Additive increase, multiplicative decrease of the pace; 1.0 is all that is granted, had again in five minutes.
_SLOWER, _SLOWEST, _CLIMB_A_SECOND = 0.7, 0.05, 1 / 300
_REFUSALS_APART_SECONDS = 5.0

# Whom Google counts a request for, and how many requests it counts as.
Asked = tuple[str, int]


class Budget:
    """What one worker may ask of Google for one project, from the moment that it takes the lease.

    spent: as was written down before, None where nothing was. Nothing may begin before the first `reserve`.
    """

    def __init__(self, limits: Limits, spent: Spend | None, *, now: float, today: date) -> None:
        self.limits = limits
        self._under_way = 0
        self._minute = Minute()
        self._users = _Users(now)
        self._day, self._day_count = today, 0
        self._left = self._left_then = self._granted = 0
        self._pace, self._paced_at, self._refused_at = 1.0, now, -math.inf
        if spent is not None:
            self._minute.add(spent.minute + spent.reserved, now)
            if spent.day >= today:
                self._day, self._day_count = spent.day, spent.day_count + spent.reserved

    @property
    def day_count(self) -> int:
        """Requests of Google's day, those under way among them."""
        return self._day_count + self._under_way

    def minute(self, *, now: float) -> tuple[int, int]:
        """Requests of the last minute, and how many more there may be, by the pace that refusals have taught."""
        used = self._under_way + self._minute.total(now)
        return used, max(0, self._in_minute(Lane.URGENT, now) - used)

    def room(self, lane: Lane, *, now: float) -> int:
        """How many requests of this lane may begin now; 0 or more."""
        used = self._under_way + self._minute.total(now)
        in_day = math.floor(self.limits.per_day * _SHARE_OF_DAY[lane]) - self.day_count
        return max(0, min(self._in_minute(lane, now) - used, in_day, self._left))

    def most(self, lane: Lane, *, now: float) -> int:
        """How many requests of this lane can begin together at all, for now; 1 or more."""
        return max(1, min(self._in_minute(lane, now), self._granted))

    def room_at(self, lane: Lane, weight: int, *, now: float) -> float:
        """When the last minute may have room for so much, if nothing begins meanwhile; at most a minute from now."""
        return self._minute.falls_to(self._in_minute(lane, now) - self._under_way - weight, now)

    def is_day_spent(self, lane: Lane) -> bool:
        """Nothing is left of the day for this lane."""
        return self.day_count >= math.floor(self.limits.per_day * _SHARE_OF_DAY[lane])

    def crowded(self, requests: Sequence[Asked], *, now: float) -> list[int]:
        """The places of requests whose user has no room for them. One that counts as several writes something."""
        counts, most = self._users.counts(now), self.limits.per_user_minute * _SHARE_OF_USER
        writes = most * _SHARE_OF_WRITES
        return [
            place
            for place, (user, weight) in enumerate(requests)
            if (count := counts.get(user, 0)) and count + weight > (writes if weight > 1 else most)
        ]

    def begin(self, weight: int, users: Iterable[Asked], *, now: float) -> None:
        """Requests of so much weight are sent now. users: for whom, of those that are counted by user."""
        self._users.add(users, now)
        self._under_way += weight
        self._left -= weight

    def end(self, weight: int, *, now: float) -> None:
        """Requests of so much weight were answered, or given up."""
        self._under_way -= weight
        self._day_count += weight
        self._minute.add(weight, now)

    def refused(self, *, now: float) -> None:
        """Google refused a request for the project's rate: the pace falls, once for all that are refused at a time."""
        if now - self._refused_at >= _REFUSALS_APART_SECONDS:
            self._pace = max(self.pace(now) * _SLOWER, _SLOWEST)
            self._paced_at = self._refused_at = now

    def pace(self, now: float) -> float:
        """What part of the limit of a minute is used, as refusals have taught: 0.05-1.0."""
        self._pace = min(1.0, self._pace + (now - self._paced_at) * _CLIMB_A_SECOND)
        self._paced_at = now
        return self._pace

    def spent(self, *, now: float, today: date, beat_seconds: float) -> Spend:
        """What is to be written down now, with a new reservation; give it to `reserve` when that is done.

        beat_seconds: until it is written down again. Until it is done, and should it never be known whether it was, no
        more is begun than both the old reservation and the new one allow.
        """
        if today > self._day:
            self._day, self._day_count = today, 0
        in_day = max(0, self.limits.per_day - self.day_count)
        wanted = max(_LEAST_RESERVED, math.ceil(self.limits.per_minute * 2 * beat_seconds / MINUTE_SECONDS))
        spend = Spend(
            minute=self._under_way + self._minute.total(now),
            reserved=min(wanted, self.limits.per_minute, in_day),
            day=self._day,
            day_count=self.day_count,
        )
        self._left = self._left_then = min(self._left, spend.reserved)
        return spend

    def reserve(self, spend: Spend) -> None:
        """That is written down: its reservation may be spent, but for what was begun since `spent` gave it."""
        self._left += spend.reserved - self._left_then
        self._granted = spend.reserved

    def _in_minute(self, lane: Lane, now: float) -> int:
        return math.floor(self.limits.per_minute * self.pace(now) * _SHARE_OF_MINUTE[lane])


class Minute:
    """Requests by the second in which they were answered; each counts until a minute after that second's end."""

    def __init__(self) -> None:
        self._by_second: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, weight: int, now: float) -> None:
        second = math.floor(now)
        if self._by_second and self._by_second[-1][0] == second:
            weight_before = self._by_second.pop()[1]
            self._by_second.append((second, weight_before + weight))
        else:
            self._by_second.append((second, weight))
        self._total += weight

    def total(self, now: float) -> int:
        while self._by_second and now >= _over_at(self._by_second[0][0]):
            self._total -= self._by_second.popleft()[1]
        return self._total

    def falls_to(self, weight: int, now: float) -> float:
        """When no more than this counts, if nothing is added; when nothing does, where that is too much to ask."""
        left = self.total(now)
        at = now
        for second, count in self._by_second:
            if left <= weight:
                break
            left -= count
            at = _over_at(second)
        return at


class _Users:
    """Requests by user, of steps of some seconds: all those of the last minute, and of the step before it."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._steps: deque[dict[str, int]] = deque([{}], maxlen=MINUTE_SECONDS // _USERS_STEP_SECONDS + 1)
        self._whole: dict[str, int] = {}

    def counts(self, now: float) -> Mapping[str, int]:
        steps = int((now - self._since) // _USERS_STEP_SECONDS)
        if steps:
            self._since += steps * _USERS_STEP_SECONDS
            for _ in range(min(steps, self._steps.maxlen or 0)):
                self._steps.append({})
            self._whole = {}
            for step in self._steps:
                for user, weight in step.items():
                    self._whole[user] = self._whole.get(user, 0) + weight
        return self._whole

    def add(self, requests: Iterable[Asked], now: float) -> None:
        self.counts(now)
        step, whole = self._steps[-1], self._whole
        for user, weight in requests:
            step[user] = step.get(user, 0) + weight
            whole[user] = whole.get(user, 0) + weight


def _over_at(second: int) -> float:
    return second + 1 + MINUTE_SECONDS
