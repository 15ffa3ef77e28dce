"""Words for request budgets: what a project may ask of Google, and what of that is spent."""

from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum


class Lane(IntEnum):
    """How much a request matters; a lower lane leaves room for those above it.

    URGENT: what was announced, and all that follows from a change that was seen. REFRESH: looks by the clock.
    BACKFILL: reads from the start.
    """

    URGENT = 0
    REFRESH = 1
    BACKFILL = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What Google grants a project: requests in any minute, in any minute for one user, and in one of its days."""

    per_minute: int = 10_000
    per_user_minute: int = 600
    per_day: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Spend:
    """What a worker writes down of its spending, for whoever comes after it.

    minute: requests that may still count in the last minute. reserved: so many more it may begin before it writes
    again. day: Google's. day_count: requests of that day, what is reserved not among them.
    """

    minute: int
    reserved: int
    day: date
    day_count: int


class By(Enum):
    """What a provider's limit counts: all calls; updates; updates of the meetings of one organizer."""

    CALLS = "calls"
    UPDATES = "updates"
    ORGANIZER = "organizer"


@dataclass(frozen=True, slots=True)
class CallLimit:
    """What a provider grants one of its accounts: so many calls in any span of so many seconds (1, 60, 3600, 86400)."""

    calls: int
    seconds: int
    by: By = By.CALLS
