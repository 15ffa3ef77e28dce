"""A third of all worlds have tight limits: what a project and a user may ask in a minute, at Google and in its row."""

from __future__ import annotations

import random

from syncer.simulator.people.record import Json

_SHARE = 1 / 3
_MINUTES = (60, 120, 300)
_USERS = (40, 60)
_UNHURRIED = (1_000_000, 100_000)
"""Elsewhere the budget never says no; Google's own limits are law all the same."""


def is_tight(seed: int) -> bool:
    """Whether this world has few requests."""
    return random.Random(f"tight:{seed}").random() < _SHARE


def _drawn(seed: int) -> tuple[int, int]:
    chance = random.Random(f"limits:{seed}")
    return chance.choice(_MINUTES), chance.choice(_USERS)


def row(seed: int) -> str:
    """The statement that has the project's row say so."""
    minute, user = _drawn(seed) if is_tight(seed) else _UNHURRIED
    return f"UPDATE syncer.project SET per_minute = {minute}, per_user_minute = {user}"  # noqa: S608


def at_google(seed: int) -> Json:
    """The limits that the simulated Google is to keep beside its own ones."""
    minute, user = _drawn(seed)
    return {"project_per_minute": minute, "user_per_minute": user} if is_tight(seed) else {}
