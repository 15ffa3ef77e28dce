"""Waiting for what must come, and no longer than it takes."""

import asyncio
from collections.abc import Callable

_SECONDS = 30


async def until(is_so: Callable[[], bool]) -> None:
    """Let everything else run until it is so. Raises TimeoutError."""
    async with asyncio.timeout(_SECONDS):
        while True:
            if is_so():
                return
            await asyncio.sleep(0)
