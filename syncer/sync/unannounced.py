"""Unannounced: changes that a look found by the clock and no message told of, by which a silent channel is known."""

from datetime import datetime, timedelta

# Some messages are lost in normal operation, so one says nothing. Source: Calendar API, "Push notifications".
_IN_A_ROW = 2
# A message may come so much later than what it tells of.
_LATE = timedelta(minutes=3)


class Unannounced:
    """Of one project's calendars, by slot: how many such changes in a row, when the first and the last was seen."""

    def __init__(self) -> None:
        self._by_slot: dict[int, tuple[int, datetime, datetime]] = {}

    def __len__(self) -> int:
        return len(self._by_slot)

    def saw(self, slot: int, now: datetime) -> None:
        """A look by the clock found a change."""
        count, first_at, _ = self._by_slot.get(slot, (0, now, now))
        self._by_slot[slot] = (count + 1, first_at, now)

    def forget(self, slot: int) -> None:
        """A message came, or the calendar is served no longer."""
        self._by_slot.pop(slot, None)

    def silent(self, now: datetime) -> list[tuple[int, datetime]]:
        """The calendars whose channel seems to have gone silent, each given once, with when the first was seen."""
        found = [
            (slot, first_at)
            for slot, (count, first_at, last_at) in self._by_slot.items()
            if count >= _IN_A_ROW and now - last_at >= _LATE
        ]
        for slot, _ in found:
            del self._by_slot[slot]
        return found
