"""Counts calls against Google's limits, refuses those above, and remembers by how much each limit was overrun.

Windows slide over the simulated clock, second by second. That refused calls do not count for the next ones, and that
the day is one of Pacific time, are guesses.
Source: Calendar API, "Manage quotas"; Google Workspace Admin, "Avoid Calendar use limits".
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google import refusals, times
from syncer.simulator.google.refusals import Refusal
from syncer.simulator.google.times import Json

PACIFIC = ZoneInfo("America/Los_Angeles")
MINUTE_SECONDS = 60
KEPT_METERS = 50_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call uses. user: whom it is counted for. calendar_id: that it writes to, None when it reads."""

    project: str
    user: str
    subject: str
    calendar_id: str | None
    weight: int = 1


@dataclass(slots=True)
class Limits:
    """How many calls are let through; None for any number.

    calendar_writes: to one calendar within calendar_seconds. Google publishes no figure for it: none by default.
    """

    project_per_minute: int | None = 10_000
    user_per_minute: int | None = 600
    project_per_day: int | None = 1_000_000
    calendar_writes: int | None = None
    calendar_seconds: int = 10


@dataclass(slots=True)
class Calls:
    """A number of calls, kept by the second in which they came. total: their weight."""

    by_second: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, second: int, weight: int) -> None:
        """Count a call."""
        if self.by_second and self.by_second[-1][0] == second:
            weight_before = self.by_second.pop()[1]
            self.by_second.append((second, weight_before + weight))
        else:
            self.by_second.append((second, weight))
        self.total += weight

    def slide(self, since: int, now: int) -> None:
        """Forget what came in that second or before it, and, should the clock have been put back, what is to come."""
        while self.by_second and self.by_second[0][0] <= since:
            self.total -= self.by_second.popleft()[1]
        while self.by_second and self.by_second[-1][0] > now:
            self.total -= self.by_second.pop()[1]


@dataclass(slots=True)
class Meter:
    """The calls under one key: those let through, and those refused."""

    taken: Calls = field(default_factory=Calls)
    refused: Calls = field(default_factory=Calls)

    @property
    def wanted(self) -> int:
        """The weight of all calls."""
        return self.taken.total + self.refused.total


@dataclass(slots=True)
class Tally:
    """What came of one limit. most: wanted within one window under one key, most_by. refused: calls in all."""

    most: int = 0
    most_by: str = ""
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Charge:
    """One call against one limit."""

    name: str
    key: str
    limit: int | None
    seconds: int


class Quotas:
    """All limits of all projects, users and calendars."""

    def __init__(self, clock: SimulatedClock, seed: int) -> None:
        self.mixed_batches = 0
        self._limits = Limits()
        self._clock = clock
        self._chance = random.Random(f"{seed}:quotas")
        self._meters: dict[tuple[str, str], Meter] = {}
        self._tallies: dict[str, Tally] = {}
        self._use_limit_until: dict[str, datetime] = {}
        self.forget()

    def charge(self, usage: Usage) -> None:
        """Count one call. Raises Refusal when it is above a limit."""
        self._check_use_limit(usage)
        now = int(self._clock.now().timestamp())
        charges = [(charge, self._meter(charge, now)) for charge in self._charges(usage)]
        above = [
            charge.name
            for charge, meter in charges
            if charge.limit is not None and meter.taken.total + usage.weight > charge.limit
        ]
        for charge, meter in charges:
            if charge.name in above:
                meter.refused.add(now, usage.weight)
            elif not above:
                meter.taken.add(now, usage.weight)
            self._tell(charge, meter, is_refused=charge.name in above)
        if above:
            raise self._refusal(above[0])

    def _check_use_limit(self, usage: Usage) -> None:
        until = self._use_limit_until.get(usage.subject)
        if until is not None and usage.calendar_id is not None and self._clock.now() < until:
            self._tallies["use_limit"].refused += 1
            raise refusals.use_limit_exceeded()

    def _charges(self, usage: Usage) -> list[_Charge]:
        limits, project = self._limits, usage.project
        now = self._clock.now().astimezone(PACIFIC)
        today = (now.hour * 60 + now.minute) * 60 + now.second + 1
        charges = [
            _Charge("project_per_minute", project, limits.project_per_minute, MINUTE_SECONDS),
            _Charge("user_per_minute", f"{project} {usage.user}", limits.user_per_minute, MINUTE_SECONDS),
            _Charge("project_per_day", project, limits.project_per_day, today),
        ]
        if usage.calendar_id is not None:
            charges.append(
                _Charge("calendar_writes", usage.calendar_id, limits.calendar_writes, limits.calendar_seconds)
            )
        return charges

    def _meter(self, charge: _Charge, now: int) -> Meter:
        if len(self._meters) > KEPT_METERS:
            self._meters = {key: meter for key, meter in self._meters.items() if meter.wanted}
        meter = self._meters.setdefault((charge.name, charge.key), Meter())
        meter.taken.slide(now - charge.seconds, now)
        meter.refused.slide(now - charge.seconds, now)
        return meter

    def _tell(self, charge: _Charge, meter: Meter, *, is_refused: bool) -> None:
        tally = self._tallies[charge.name]
        tally.refused += is_refused
        if meter.wanted > tally.most:
            tally.most, tally.most_by = meter.wanted, charge.key

    def _refusal(self, name: str) -> Refusal:
        if name == "project_per_day":
            return refusals.rate_limited(403, "dailyLimitExceeded")
        if name == "calendar_writes":
            return refusals.rate_limited(403)
        status = self._chance.choice((403, 429))
        if name == "user_per_minute" and status == 403:
            return refusals.rate_limited(403, "userRateLimitExceeded")
        return refusals.rate_limited(status)

    def as_json(self) -> Json:
        """The limits, and what came of each of them."""
        return {
            "limits": asdict(self._limits),
            "tallies": {name: asdict(tally) for name, tally in self._tallies.items()},
            "use_limit_until": {user: times.stamp(until) for user, until in self._use_limit_until.items()},
            "mixed_batches": self.mixed_batches,
        }

    def set_limits(self, values: Mapping[str, Any]) -> None:
        """Set some limits. Raises ValueError with a sentence; nothing is changed then."""
        known = {field.name for field in fields(Limits)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no limit named {name!r}: use one of {', '.join(sorted(known))}.")
            is_none = value is None and name != "calendar_seconds"
            if not is_none and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise ValueError(f"The limit {name} is a whole number of 0 or more, or null for none.")
        for name, value in values.items():
            setattr(self._limits, name, value)

    def close_to_writes(self, user: str, until: datetime | None) -> None:
        """Refuse what this user writes until then, as when a use limit was reached; None ends it now."""
        self._use_limit_until.pop(user, None)
        if until is not None:
            self._use_limit_until[user] = until

    def forget(self) -> None:
        """Forget all calls that were counted."""
        self.mixed_batches = 0
        self._meters.clear()
        names = ("project_per_minute", "user_per_minute", "project_per_day", "calendar_writes", "use_limit")
        self._tallies = {name: Tally() for name in names}
