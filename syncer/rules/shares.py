"""What each tenant may ask of its project's requests in a minute, where it has a limit of its own. Knows no clock.

The limit is ours and not Google's: it counts requests when they are sent, of one worker after another.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from syncer.model.budget import Lane
from syncer.rules.budget import Minute
from syncer.rules.turns import NO_ROOMS

# Of a tenant's minute: what follows from changes finds room behind looks by the clock, and these behind first reads.
_SHARE = {Lane.URGENT: 1.0, Lane.REFRESH: 0.9, Lane.BACKFILL: 2 / 3}


class Shares:
    """now: seconds of one clock that only goes forward."""

    def __init__(self) -> None:
        self._limits: dict[int, int] = {}
        self._minutes: dict[int, Minute] = {}
        self._handed_out: Counter[int] = Counter()

    def __bool__(self) -> bool:
        """Some tenant has a limit."""
        return bool(self._limits)

    def keep(self, limits: Mapping[int, int]) -> None:
        """The requests a minute of the tenants that have a limit."""
        self._limits = dict(limits)
        self._minutes = {tenant_id: self._minutes.get(tenant_id) or Minute() for tenant_id in limits}
        self._handed_out = Counter({tenant_id: self._handed_out[tenant_id] for tenant_id in limits})

    def rooms(self, lane: Lane, *, now: float) -> Mapping[int, int]:
        """How many calendars of those tenants may be handed out in this lane; 0 or more each."""
        if not self._limits:
            return NO_ROOMS
        return {
            tenant_id: max(
                0,
                max(1, math.floor(limit * _SHARE[lane]))
                - self._minutes[tenant_id].total(now)
                - self._handed_out[tenant_id],
            )
            for tenant_id, limit in self._limits.items()
        }

    def hand_out(self, tenant_ids: Iterable[int]) -> None:
        """A calendar of each of these is looked at soon, and counts until that is said to be over."""
        if self._limits:
            self._handed_out.update(tenant_id for tenant_id in tenant_ids if tenant_id in self._limits)

    def take_back(self, tenant_ids: Iterable[int]) -> None:
        """It was looked at, or is not after all."""
        if self._limits:
            for tenant_id in tenant_ids:
                if self._handed_out[tenant_id] > 0:
                    self._handed_out[tenant_id] -= 1

    def crowded(self, asked: Sequence[tuple[int, int]], *, now: float) -> list[int]:
        """The places of requests (tenant, weight) whose tenant has no room for them."""
        counts = {tenant_id: minute.total(now) for tenant_id, minute in self._minutes.items()}
        found: list[int] = []
        for place, (tenant_id, weight) in enumerate(asked):
            if tenant_id in counts:
                # One that is heavier than the limit goes when nothing else does.
                if counts[tenant_id] and counts[tenant_id] + weight > self._limits[tenant_id]:
                    found.append(place)
                else:
                    counts[tenant_id] += weight
        return found

    def begin(self, asked: Iterable[tuple[int, int]], *, now: float) -> None:
        """Requests are sent now."""
        for tenant_id, weight in asked:
            minute = self._minutes.get(tenant_id)
            if minute is not None:
                minute.add(weight, now)
