"""A turnstile: so many places, for which tenants take turns: however many of one wait, another goes next."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turnstile:
    """places: pieces of work at a time."""

    def __init__(self, places: int) -> None:
        self._free = places
        # By tenant, the next one's first.
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    @property
    def is_full(self) -> bool:
        """Every place is taken."""
        return not self._free

    @asynccontextmanager
    async def place(self, tenant_id: int) -> AsyncIterator[None]:
        """A block that holds one place; waits for its tenant's turn."""
        if self._free > 0 and not self._waiting:
            self._free -= 1
        else:
            await self._turn(tenant_id)
        try:
            yield
        finally:
            self._hand_on()

    async def _turn(self, tenant_id: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._hand_on()  # it had its place already
            raise

    def _hand_on(self) -> None:
        while self._waiting:
            tenant_id = next(iter(self._waiting))
            line = self._waiting.pop(tenant_id)
            turn = line.popleft()
            if line:
                self._waiting[tenant_id] = line
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
