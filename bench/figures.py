"""What is made of what was read: figures, and what they should reach."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.rows import SUBJECTS

Read = Mapping[str, Any]
# A day of a Google Cloud project. Source: Calendar API, "Manage quotas".
_LOOKS_A_DAY = 1_000_000
# Tokens live an hour and are renewed after 80 to 90 % of it.
_TOKENS_A_DAY = 24 / 0.85
_EVENTS_A_CHANGE = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. of: what was read in one round, by name, to the figure."""

    name: str
    label: str
    unit: str
    source: str
    of: Callable[[Read], float]


def _one(name: str) -> Callable[[Read], float]:
    return lambda read: float(read[name])


def _each(over: str, per: str, *, times: float = 1.0) -> Callable[[Read], float]:
    return lambda read: float(read[over] / read[per] * times)


def _micro(over: str, per: str) -> Callable[[Read], float]:
    return _each(over, per, times=1e6)


def _token_us(read: Read) -> float:
    """CPU of one token: what looks with tokens cost beyond as many without."""
    first, later = read["with_tokens"], read["without"]
    bare = later["client_seconds"] / later["looks"] * first["looks"]
    return float((first["client_seconds"] - bare) / first["tokens"] * 1e6)


def _token_us_a_look(read: Read) -> float:
    return _token_us(read) * SUBJECTS * _TOKENS_A_DAY / _LOOKS_A_DAY


def _percentile(percent: int) -> Callable[[Read], float]:
    return lambda read: statistics.quantiles(read["delays_ms"], n=100, method="inclusive")[percent - 1]


_US, _PER_S, _MS, _B = "µs", "/s", "ms", "B"
_CLIENT_US = _micro("client_seconds", "looks")
FIGURES = (
    Figure("quiet_us", "a quiet calendar, end to end", _US, "quiet", _CLIENT_US),
    Figure("quiet_postgres_us", "… Postgres's CPU for it", _US, "quiet", _micro("postgres_seconds", "looks")),
    Figure("quiet_wal", "… written to Postgres's log for it", _B, "quiet", _each("wal_bytes", "looks")),
    Figure("quiet_per_s", "… calendars looked at, two cores", _PER_S, "quiet", _each("looks", "wall_seconds")),
    Figure("share_us", "a calendar, one look in 100 finds a change, told and written back", _US, "share", _CLIENT_US),
    Figure("token_us", "an access token: signature, request, answer", _US, "tokens", _token_us),
    Figure("token_us_a_look", "… a look, 10,000 subjects at the day's pace", _US, "tokens", _token_us_a_look),
    Figure(
        "events_per_s",
        "changed events parsed, decided and committed, one core",
        _PER_S,
        "changed",
        _each("committed", "client_seconds", times=_EVENTS_A_CHANGE),
    ),
    Figure(
        "event_postgres_us",
        "… Postgres's CPU for one",
        _US,
        "changed",
        _each("postgres_seconds", "committed", times=1e6 / _EVENTS_A_CHANGE),
    ),
    Figure(
        "conferences_per_s",
        "changed meetings told and written back, one core",
        _PER_S,
        "pushed",
        _each("patches", "client_seconds"),
    ),
    Figure("conference_postgres_us", "… Postgres's CPU for one", _US, "pushed", _micro("postgres_seconds", "patches")),
    Figure("page_us", "an event of a first read, committed", _US, "pages", _micro("client_seconds", "events")),
    Figure(
        "stall_cpu_ms", "longest stall of the loop by first reads, its own work", _MS, "stall", _one("stall_cpu_ms")
    ),
    Figure("stall_ms", "… by the clock", _MS, "stall", _one("stall_ms")),
    Figure("delay_p50_ms", "change seen → provider called, idle, p50", _MS, "delay", _percentile(50)),
    Figure("delay_p99_ms", "… p99", _MS, "delay", _percentile(99)),
    Figure(
        "upkeep_ms",
        "CPU a second while hardly anything is due, 10,000 calendars",
        _MS,
        "upkeep",
        _each("client_seconds", "wall_seconds", times=1e3),
    ),
    Figure("upkeep_postgres_ms", "… Postgres's", _MS, "upkeep", _each("postgres_seconds", "wall_seconds", times=1e3)),
    Figure("memory_10k", "memory an idle calendar, of 10,000: resident", _B, "memory_10k", _each("bytes", "calendars")),
    Figure("traced_10k", "… allocated by Python", _B, "traced_10k", _each("bytes", "calendars")),
    Figure("memory_100k", "… of 100,000: resident", _B, "memory_100k", _each("bytes", "calendars")),
    Figure("traced_100k", "… allocated by Python", _B, "traced_100k", _each("bytes", "calendars")),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure or a ratio should reach. is_least: it should be at least so, else at most."""

    name: str
    first: float
    goal: float
    is_least: bool

    def is_met(self, value: float) -> bool:
        """The first aim is reached."""
        return value >= self.first if self.is_least else value <= self.first


TARGETS = {
    target.name: target
    for target in (
        Target("raw", 9, 22, is_least=True),
        Target("aiogoogle", 49, 120, is_least=True),
        Target("node", 46, 115, is_least=True),
        Target("quiet_postgres_us", 5, 1, is_least=False),
        Target("events_per_s", 40_000, 80_000, is_least=True),
        Target("conferences_per_s", 3_000, 6_000, is_least=True),
        Target("memory_10k", 400, 200, is_least=False),
        Target("memory_100k", 400, 200, is_least=False),
        Target("delay_p99_ms", 50, 10, is_least=False),
    )
}


def cost_us(read: Read) -> float:
    """CPU of one look of a peer."""
    return float(read["cpu_seconds"] / read["units"] * 1e6)
