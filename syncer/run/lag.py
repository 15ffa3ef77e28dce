"""Lag: how long what is ready to run waits for its turn on the loop, tried twice a second."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from syncer.durations import Durations

_APART_SECONDS = 0.5


@contextmanager
def measured() -> Iterator[Durations]:
    """Tries the running loop for as long as the block lasts. Needs no task: a timer sets the next."""
    loop, lags = asyncio.get_running_loop(), Durations()

    is_over = False

    def ring(due: float) -> None:
        lags.note(loop.time() - due)
        if not is_over:
            again()

    def again() -> None:
        due = loop.time() + _APART_SECONDS
        loop.call_at(due, ring, due)

    again()
    try:
        yield lags
    finally:
        is_over = True
