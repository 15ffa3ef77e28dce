"""When to try again: the only place where a remedy becomes a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from syncer.model.errors import OutsideError, Remedy, SyncerError

_SHORTEST_SECONDS = 1.0
_LONGEST_SECONDS = 300.0
_PARKED_SECONDS = 900.0
_ASKED_LIMIT_SECONDS = 86_400.0


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
    asked = error.retry_after_seconds if isinstance(error, OutsideError) else None
    match error.remedy:
        case Remedy.READ_ANEW:
            return Verdict(Standing.READ_ANEW, now if failures <= 1 else retry_at(failures, now=now, jitter=jitter))
        case Remedy.ASK | Remedy.PARK | Remedy.LEAVE:
            parked = now + timedelta(seconds=_PARKED_SECONDS * (0.75 + 0.5 * jitter))
            return Verdict(Standing.PARKED, max(parked, _asked_at(asked, now=now, jitter=jitter)))
        case Remedy.AGAIN | Remedy.WAIT | Remedy.LOOK_AGAIN | Remedy.FORGET | Remedy.STOP:
            return Verdict(Standing.ACTIVE, retry_at(failures, now=now, jitter=jitter, asked_seconds=asked))
        case _:
            assert_never(error.remedy)


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
