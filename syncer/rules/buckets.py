"""Buckets: slots by when they come due, unsorted within a fraction of a second: four bytes each and no object.

A slot that is set to another time stays where it was too; whoever takes it out asks its due time again.
"""

import heapq
from array import array
from collections.abc import Sequence

_NEVER = float("inf")


class Buckets:
    """width: of one bucket, in seconds. by_number: the slots of each bucket that there is."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.by_number: dict[int, array[int]] = {}
        self._numbers: list[int] = []

    def number(self, due: float) -> int:
        """The bucket of a due time."""
        return int(due // self.width)

    def add(self, slot: int, due: float) -> None:
        """This slot comes due at that time."""
        number = self.number(due)
        bucket = self.by_number.get(number)
        if bucket is None:
            bucket = self.open(number)
        bucket.append(slot)

    def open(self, number: int) -> "array[int]":
        """A bucket that there was not."""
        bucket = self.by_number[number] = array("I")
        heapq.heappush(self._numbers, number)
        return bucket

    def ripe(self, at: float, dues: Sequence[float], most: int) -> list[int]:
        """What has come due by now, some of it perhaps twice; about `most` at a time."""
        found: list[int] = []
        while self._numbers and self._numbers[0] * self.width <= at and len(found) < most:
            number = self._numbers[0]
            later = self._take(number, at, dues, most, found)
            if later:
                self.by_number[number].extend(later)
                break
            if not self.by_number[number]:
                del self.by_number[heapq.heappop(self._numbers)]
        return found

    def next_at(self) -> float:
        """When all of the first bucket has come due; infinity when there is none."""
        return (self._numbers[0] + 1) * self.width if self._numbers else _NEVER

    def _take(self, number: int, at: float, dues: Sequence[float], most: int, found: list[int]) -> list[int]:
        """Takes what is due out of a bucket; gives what has been in it too early."""
        bucket, width = self.by_number[number], self.width
        later: list[int] = []
        while bucket and len(found) < most:
            first = max(0, len(bucket) - most + len(found))
            slots = bucket[first:]
            del bucket[first:]
            for slot in slots:
                due = dues[slot]
                if 0 <= due < _NEVER and due // width == number:  # else it has been set to another time since
                    (found if due <= at else later).append(slot)
        return later
