"""Limits: how much a worker does at once, how often each of its loops comes round, and where it is told of changes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Named limits: pieces of work at once, and pushes at once to one provider account."""

    sweeps: int
    pulls: int
    long_pulls: int
    pushes: int
    pushes_per_provider: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two rounds of each loop, and how long work under way may take to end."""

    beat: float
    rescue: float
    read_back: float
    grace: float


@dataclass(frozen=True, slots=True)
class Watching:
    """Where Google is to tell of changes, and how long a channel is asked for. No address asks for none."""

    address: str | None = None
    channel_seconds: int = 604_800
