"""Shrinks a failing list of moves: parts are left out, larger ones first, as long as what is left still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shortest(moves: Sequence[T], fails: Callable[[Sequence[T]], bool], *, tries: int) -> list[T]:
    """A part of the moves, in their order, that fails and of which no single one can go, unless the tries ran out.

    Each move keeps its own chance, so what is left happens as it did before.
    Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin).
    """
    kept, size = list(moves), max(1, len(moves) // 2)
    while tries > 0 and kept:
        start, is_shorter = 0, False
        while start < len(kept) and tries > 0:
            tries -= 1
            without = kept[:start] + kept[start + size :]
            if fails(without):
                kept, is_shorter = without, True
            else:
                start += size
        if size == 1 and not is_shorter:
            break
        size = max(1, size // 2)
    return kept
