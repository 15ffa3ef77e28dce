"""When to try again: the only place where a remedy becomes a time."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from typing import assert_never

from syncer.model.errors import OutsideError, Remedy, SyncerError, Unsent

_SHORTEST_SECONDS = 1.0
_LONGEST_SECONDS = 300.0
_PARKED_SECONDS = 900.0
_LONGEST_PARKED_SECONDS = 14_400.0
_ASKED_LIMIT_SECONDS = 86_400.0
# With a backoff that ends at five minutes, about a day.
HELD_AFTER_FAILURES = 400
# Midnight in California, with summer time and without: one of them is not yet the next day, and costs one request.
_DAY_BEGINS = (time(7, tzinfo=UTC), time(8, tzinfo=UTC))
_DAY_SPREAD_SECONDS = 300.0


class Standing(Enum):
    """How a calendar stands after a failed look. READ_ANEW: its cursor is worthless."""

    ACTIVE = "active"
    PARKED = "parked"
    READ_ANEW = "read anew"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a failure. at: aware UTC, not before."""

    standing: Standing
    at: datetime


def after(error: SyncerError, *, failures: int, now: datetime, jitter: float) -> Verdict:
    """What follows from a failed look or pull.

    failures: in a row, this one included, 1 or more. jitter: 0.0-1.0, drawn by the caller.
    """
    if isinstance(error, Unsent):
        return Verdict(Standing.ACTIVE, room_at(error.seconds, now=now, jitter=jitter))
    asked = error.retry_after_seconds if isinstance(error, OutsideError) else None
    match error.remedy:
        case Remedy.READ_ANEW:
            return Verdict(Standing.READ_ANEW, now if failures <= 1 else retry_at(failures, now=now, jitter=jitter))
        case Remedy.ASK | Remedy.PARK | Remedy.LEAVE:
            return Verdict(Standing.PARKED, _parked_until(failures, now=now, jitter=jitter, asked_seconds=asked))
        case Remedy.STOP:
            return Verdict(Standing.PARKED, next_day_at(now=now, jitter=jitter))
        case Remedy.AGAIN | Remedy.WAIT | Remedy.LOOK_AGAIN | Remedy.FORGET:
            return Verdict(Standing.ACTIVE, retry_at(failures, now=now, jitter=jitter, asked_seconds=asked))
        case _:
            assert_never(error.remedy)


def held_until(failures: int, *, now: datetime, jitter: float) -> datetime | None:
    """Whether a provider has failed a push for so long that it waits for a person; until when it is not even read.

    failures: in a row, this one included. None while it is still to be retried.
    """
    return _parked_until(failures, now=now, jitter=jitter) if failures >= HELD_AFTER_FAILURES else None


def is_held(failures: int) -> bool:
    """So many failures in a row have had a push held."""
    return failures >= HELD_AFTER_FAILURES


def next_day_at(*, now: datetime, jitter: float) -> datetime:
    """When a project whose requests of the day are spent may ask again: Google's days begin at midnight Pacific time.

    Source: Google Cloud, "View and manage quotas": daily quotas reset at midnight Pacific time.
    """
    today = now.astimezone(UTC).date()
    begins = [datetime.combine(today + timedelta(days=days), at) for days in (0, 1) for at in _DAY_BEGINS]
    return next(at for at in begins if at > now) + timedelta(seconds=_DAY_SPREAD_SECONDS * jitter)


def room_at(seconds: float, *, now: datetime, jitter: float) -> datetime:
    """When to try again what found no room, and may in so many seconds: a little later each, or all come at once.

    jitter: 0.0-1.0. Never before `now`.
    """
    return now + timedelta(seconds=seconds * (1 + 0.25 * jitter) + jitter)


def wait_at(since: datetime, *, now: datetime, jitter: float) -> datetime:
    """When to see again whether something has come about: the longer it is waited for, the more rarely.

    since: when the waiting began. jitter: 0.0-1.0. Never before `now`.
    """
    waited = min(max((now - since).total_seconds(), _SHORTEST_SECONDS), _LONGEST_SECONDS)
    return now + timedelta(seconds=waited * (0.5 + 0.5 * jitter))


def _parked_until(failures: int, *, now: datetime, jitter: float, asked_seconds: float | None = None) -> datetime:
    """A quarter of an hour, then longer each time: whatever is mended resumes by itself."""
    parked = min(_PARKED_SECONDS * 2 ** (min(max(failures, 1), 30) - 1), _LONGEST_PARKED_SECONDS)
    at = now + timedelta(seconds=parked * (0.75 + 0.5 * jitter))
    return max(at, _asked_at(asked_seconds, now=now, jitter=jitter))


def retry_at(failures: int, *, now: datetime, jitter: float, asked_seconds: float | None = None) -> datetime:
    """Truncated exponential backoff with jitter, or what the server asked for if that is longer.

    failures: in a row, 1 or more. jitter: 0.0-1.0. Never before `now`.
    Source: Calendar API, "Manage quotas", on truncated exponential backoff.
    """
    backoff = min(_SHORTEST_SECONDS * 2 ** (min(failures, 30) - 1), _LONGEST_SECONDS) * (0.5 + 0.5 * jitter)
    return max(now + timedelta(seconds=backoff), _asked_at(asked_seconds, now=now, jitter=jitter))


def _asked_at(asked_seconds: float | None, *, now: datetime, jitter: float) -> datetime:
    # Written so that "not a number" counts as nothing asked.
    asked = min(asked_seconds, _ASKED_LIMIT_SECONDS) if asked_seconds is not None and asked_seconds > 0 else 0.0
    return now + timedelta(seconds=asked * (1 + 0.1 * jitter))
