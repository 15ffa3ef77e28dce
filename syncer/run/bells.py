"""Three bells: stop (begin nothing new), drain (end what is under way), cancel (out)."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Bells:
    """Rung by SIGTERM and SIGINT: the first stops and drains, the second cancels at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.cancel = asyncio.Event()

    def ring(self) -> None:
        """Stop; if that was rung before, cancel."""
        (self.cancel if self.stop.is_set() else self.stop).set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Rings on SIGTERM and SIGINT while the block lasts."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ring)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def rung(bell: asyncio.Event, seconds: float) -> None:
    """The bell rings, or so much time has passed."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
