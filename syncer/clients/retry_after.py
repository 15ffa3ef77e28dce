"""When a server asks to be left alone: its Retry-After, in the three ways that are in use."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 86_400.0


def retry_after_seconds(text: str | None, *, now: datetime) -> float | None:
    """Seconds to wait from `now`, 0 to a day; None when nothing usable was said.

    text: the header's value: seconds, an HTTP date, or an ISO 8601 instant. now: aware UTC.
    Source: RFC 9110, 10.2.3; Zoom API, rate limits (ISO 8601 at the daily cap).
    """
    if text is None or len(text) > 64:
        return None
    seconds = _as_number(text.strip())
    if seconds is None:
        seconds = _as_instant(text.strip(), now)
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_SECONDS)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_instant(text: str, now: datetime) -> float | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = read(text)
        except (ValueError, OverflowError):
            continue
        aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    return None
