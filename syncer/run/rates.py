"""Rates: how often each tenant's API key may call in a minute, at one receiver."""

import time
from collections.abc import Callable

from syncer.rules.budget import MINUTE_SECONDS, Minute

CALLS_A_MINUTE = 1200


class Rates:
    """Remembers the good keys of the last minutes, and no others.

    most: calls of one key in any minute. now: seconds of a clock that only goes forward.
    """

    def __init__(self, most: int = CALLS_A_MINUTE, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._minutes: dict[str, Minute] = {}
        self._forgets_at = now() + MINUTE_SECONDS

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._minutes)

    def wait_seconds(self, key_id: str) -> float:
        """0 for a call that may come now, which then counts; else until the next one may."""
        now = self._now()
        self._forget(now)
        minute = self._minutes.setdefault(key_id, Minute())
        if minute.total(now) < self._most:
            minute.add(1, now)
            return 0.0
        return minute.falls_to(self._most - 1, now) - now

    def _forget(self, now: float) -> None:
        if now >= self._forgets_at:
            self._minutes = {key_id: minute for key_id, minute in self._minutes.items() if minute.total(now)}
            self._forgets_at = now + MINUTE_SECONDS
