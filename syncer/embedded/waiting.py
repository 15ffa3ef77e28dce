"""Waiting for something outside to become so."""

import asyncio
import time
from collections.abc import Callable

_POLL_SECONDS = 0.005


async def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds, at most so long; gives whether it does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True
