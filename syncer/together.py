"""Work that waits at the same moment is done in one go: no timer, no task of its own.

The first who comes does it, for all who came meanwhile; who comes while it is being done waits for the next go. So a
lone piece of work waits for nothing, and the busier it is, the more of it goes together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar

from syncer.model.errors import SyncerError

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

Perform = Callable[[Sequence[Asked]], Awaitable[Sequence[Answered | SyncerError]]]


class _Turn(Enum):
    LEAD = "it is your turn to do it"


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
        self._free = at_once
        self._is_gathering = False
        self._waiting: deque[tuple[Asked, asyncio.Future[Answered | _Turn]]] = deque()

    def __len__(self) -> int:
        """How many pieces wait for their go."""
        return len(self._waiting)

    async def __call__(self, asked: Asked) -> Answered:
        """Has one piece done, and gives what came of it."""
        if self._free > 0 and not self._is_gathering:
            self._free -= 1
            return await self._lead(asked)
        future: asyncio.Future[Answered | _Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        try:
            outcome = await future
        except asyncio.CancelledError:
            if not future.cancel() and _is_told_to_lead(future):
                self._hand_on()
            raise
        return await self._lead(asked) if isinstance(outcome, _Turn) else outcome

    async def _lead(self, asked: Asked) -> Answered:
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        try:
            await self._gather()
            pieces: list[tuple[Asked, asyncio.Future[Any]]] = [(asked, future), *self._taken()]
            if self._waiting and self._free > 0:
                self._free -= 1
                self._hand_on()
            await self._go(pieces)
        finally:
            future.cancel()
            self._hand_on()
        return future.result()

    async def _gather(self) -> None:
        self._is_gathering = True
        try:
            await asyncio.sleep(0)  # whoever is ready to run now comes along
        finally:
            self._is_gathering = False

    def _taken(self) -> list[tuple[Asked, "asyncio.Future[Answered | _Turn]"]]:
        taken = [self._waiting.popleft() for _ in range(min(self._most - 1, len(self._waiting)))]
        return [(asked, future) for asked, future in taken if not future.done()]

    def _hand_on(self) -> None:
        # All whose pieces are done wake in one round, so that what they do next waits at the same moment again.
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(_Turn.LEAD)
                return
        self._free += 1

    async def _go(self, pieces: "Sequence[tuple[Asked, asyncio.Future[Any]]]") -> None:
        outcomes: Sequence[Answered | SyncerError] = []
        try:
            outcomes = await self._perform([asked for asked, _ in pieces])
        except SyncerError as error:
            outcomes = [error] * len(pieces)
        finally:
            outcomes = outcomes or [self._broken_off() for _ in pieces]
            for (_, future), outcome in zip(pieces, outcomes, strict=True):
                _settle(future, outcome)


def _is_told_to_lead(future: "asyncio.Future[Answered | _Turn]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None and future.result() is _Turn.LEAD


def _settle(future: "asyncio.Future[Any]", outcome: Answered | SyncerError) -> None:
    if future.done():
        return
    if isinstance(outcome, SyncerError):
        future.set_exception(outcome)
        future.exception()  # whoever waits for it raises it; one who went away leaves nothing to complain of
    else:
        future.set_result(outcome)
