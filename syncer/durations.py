"""Durations: how long something took, counted in buckets where it happens, for whoever asks later. Knows no clock."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

# From a statement on an idle database to a meeting whose provider was away for hours.
_BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)


class Durations:
    """total: seconds of all together. bounds: seconds, ascending; a duration belongs to the first that it fits in."""

    def __init__(self, bounds: Sequence[float] = _BOUNDS) -> None:
        self.total = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def note(self, seconds: float) -> None:
        """One more. What two clocks give as negative counts as nothing."""
        seconds = max(seconds, 0.0)
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def buckets(self) -> Iterator[tuple[str, float]]:
        """Each bound, the last one `+Inf`, and how many took no longer."""
        so_far = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            so_far += count
            yield bound, so_far
