"""Work that waits at the same moment is done in one go: no timer, no task of its own.

The first who comes does it, for all who came meanwhile; who comes while it is being done waits for the next go. So a
lone piece of work waits for nothing, and the busier it is, the more of it goes together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from syncer.model.errors import SyncerError

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

Perform = Callable[[Sequence[Asked]], Awaitable[Sequence[Answered | SyncerError]]]


class Together(Generic[Asked, Answered]):
    """One kind of work.

    perform: does several pieces, 1 to `most`, and gives as many outcomes in their order; an error among them is
    raised to the one whose piece it is, one that it raises to all. broken_off: what the others of a go are told when
    the one who led it was cancelled, so that nobody knows what came of their pieces. at_once: goes under way at a time.
    """

    def __init__(
        self,
        perform: Perform[Asked, Answered],
        *,
        broken_off: Callable[[], SyncerError],
        most: int,
        at_once: int = 1,
    ) -> None:
        self._perform = perform
        self._broken_off = broken_off
        self._most = most
        self._goes = asyncio.Semaphore(at_once)
        self._waiting: deque[tuple[Asked, asyncio.Future[Answered]]] = deque()

    def __len__(self) -> int:
        """How many pieces wait for their go."""
        return len(self._waiting)

    async def __call__(self, asked: Asked) -> Answered:
        """Has one piece done, and gives what came of it."""
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        try:
            async with self._goes:
                if not future.done():
                    await asyncio.sleep(0)  # whoever is ready to run now comes along
                while not future.done():
                    await self._go()
        finally:
            if not future.done():
                future.cancel()  # the next go leaves it out
        return future.result()

    async def _go(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        pieces = [(asked, future) for asked, future in taken if not future.done()]
        outcomes: Sequence[Answered | SyncerError] = []
        try:
            outcomes = await self._perform([asked for asked, _ in pieces])
        except SyncerError as error:
            outcomes = [error] * len(pieces)
        finally:
            outcomes = outcomes or [self._broken_off() for _ in pieces]
            for (_, future), outcome in zip(pieces, outcomes, strict=True):
                _settle(future, outcome)


def _settle(future: "asyncio.Future[Answered]", outcome: Answered | SyncerError) -> None:
    if future.done():
        return
    if isinstance(outcome, SyncerError):
        future.set_exception(outcome)
        future.exception()  # whoever waits for it raises it; one who went away leaves nothing to complain of
    else:
        future.set_result(outcome)
