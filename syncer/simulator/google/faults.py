"""The faults that the simulated Google may show: by chance, or exactly the next few times."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

CALLS = (
    "server_error",
    "rate_limited",
    "token_refused",
    "expire_sync_token",
    "malformed_sync_token",
    "short_page",
    "empty_page",
    "touch_before_patch",
)
"""Strike one call, alone or in a batch."""
CONNECTIONS = ("slow", "cut_body", "lost_answer")
"""Strike the HTTP exchange, of one call or of a batch."""
BATCHES_REFUSED = ("batch_401", "batch_403", "batch_413", "batch_429", "batch_502", "batch_html")
"""Strike a batch before any part of it is carried out."""
BATCHES_SPOILT = ("batch_disorder", "batch_part_missing", "batch_wrong_id", "batch_truncated")
"""Spoil the answer to a batch whose parts were carried out."""
TOKENS = ("token_server_error", "token_rate_limited")
"""Strike the token endpoint."""
KINDS = CALLS + CONNECTIONS + BATCHES_REFUSED + BATCHES_SPOILT + TOKENS


class Faults:
    """Which fault strikes when; counts what happened. Each kind has a seeded chance of its own."""

    def __init__(self, seed: int) -> None:
        self._random = {kind: random.Random(f"{seed}:faults:{kind}") for kind in (*KINDS, "shape")}
        self._chance: dict[str, float] = {}
        self._next: dict[str, int] = {}
        self._happened: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        """Whether the fault happens now; ask only where it would apply."""
        if self._next.get(kind, 0) > 0:
            self._next[kind] -= 1
        elif self._random[kind].random() >= self._chance.get(kind, 0.0):
            return False
        self._happened[kind] += 1
        return True

    def pick(self, count: int) -> int:
        """A seeded choice among `count` shapes of a fault, from 0."""
        return self._random["shape"].randrange(count)

    def settings(self) -> dict[str, Any]:
        """What is set and what has happened so far, by kind."""
        return {"chance": self._chance, "next": self._next, "happened": {kind: self._happened[kind] for kind in KINDS}}

    def set(self, chance: Mapping[str, Any] | None, next_times: Mapping[str, Any] | None) -> None:
        """Replace the chances (0.0 to 1.0 by kind) or the counts of next times; None leaves them as they are.

        Raises ValueError with a sentence when a kind or a number makes no sense; nothing is changed then.
        """
        chances = _checked(chance, is_whole=False)
        counts = _checked(next_times, is_whole=True)
        if chances is not None:
            self._chance = chances
        if counts is not None:
            self._next = {kind: int(count) for kind, count in counts.items()}


def _checked(values: Mapping[str, Any] | None, *, is_whole: bool) -> dict[str, float] | None:
    if values is None:
        return None
    for kind, value in values.items():
        if kind not in KINDS:
            raise ValueError(f"There is no fault named {kind!r}: use one of {', '.join(KINDS)}.")
        if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)) or value < 0:
            raise ValueError(f"The number for the fault {kind} makes no sense: give one of 0 or more.")
        if not is_whole and value > 1:
            raise ValueError(f"The chance of the fault {kind} is above 1: give one from 0 to 1.")
    return {kind: float(value) for kind, value in values.items()}
