"""The simulators' clock: real time, moved by as much as its user wishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Real time plus a shift; several simulators may share one.

    Signatures and token lives do not use it: they are real at both ends.
    """

    def __init__(self, shift: timedelta = timedelta(0)) -> None:
        self.shift = shift

    def now(self) -> datetime:
        """The simulated instant, aware UTC."""
        return datetime.now(UTC) + self.shift

    def set(self, at: datetime) -> None:
        """Make it `at` (aware) now; time runs on from there."""
        if at.tzinfo is None:
            raise ValueError("The simulated clock needs an instant with an offset from UTC.")
        self.shift = at.astimezone(UTC) - datetime.now(UTC)
