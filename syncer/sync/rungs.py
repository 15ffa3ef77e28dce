"""Rungs: the ways of writing back that a tenant's events do not take, so that not every event has to find out anew."""

from datetime import datetime, timedelta

# Of what is refused so often in a row, while another way works, the next event is not asked first.
_REFUSALS = 3
_AGAIN = timedelta(days=1)

# Tenant id, conference solution, rung.
Way = tuple[int, str | None, str]


class Rungs:
    """What one worker has learnt; known again after a few events when another one comes."""

    def __init__(self) -> None:
        self._refused: dict[Way, tuple[int, datetime]] = {}

    def refused(self, way: Way, now: datetime) -> None:
        """An event did not take it, but took another one, or could not be asked for want of requests."""
        self._refused[way] = (self._refused.get(way, (0, now))[0] + 1, now)

    def worked(self, way: Way) -> None:
        """An event took it."""
        self._refused.pop(way, None)

    def is_hopeless(self, way: Way, now: datetime) -> bool:
        """Others are to be tried before it, for a day."""
        count, last_at = self._refused.get(way, (0, now))
        return count >= _REFUSALS and now - last_at < _AGAIN
