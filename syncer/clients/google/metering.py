"""What a request asks before it goes out to Google, and tells when it is over: whoever keeps the budget answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol


class Metered(Protocol):
    """One request. user: whom Google counts it for. weight: how many requests it counts as. tenant_id: whose it is."""

    @property
    def user(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def tenant_id(self) -> int: ...


class Meter(Protocol):
    """Lets requests of one project out, within what may be asked of Google."""

    def most(self) -> int:
        """How many requests can go out at a time, at most; 1 or more."""

    async def begin(self, requests: Sequence[Metered]) -> int:
        """Waits until they may be sent, together; gives their weight, which is to be ended then.

        Raises OutsideError when they may not be sent.
        """

    def end(self, weight: int) -> None:
        """Requests of this weight were answered, or given up."""

    def crowded(self, requests: Sequence[Metered]) -> Sequence[int]:
        """The places of those whose user or tenant has asked so much that they must not go out now."""

    def refused(self) -> None:
        """Google refused a request for the project's rate."""


class Unmetered:
    """Lets everything out: for who asks a few times and keeps no budget."""

    def most(self) -> int:
        return 1_000_000

    async def begin(self, requests: Sequence[Metered]) -> int:  # noqa: ARG002
        return 0

    def end(self, weight: int) -> None:
        pass

    def crowded(self, requests: Sequence[Metered]) -> Sequence[int]:  # noqa: ARG002
        return ()

    def refused(self) -> None:
        pass


UNMETERED: Meter = Unmetered()


@asynccontextmanager
async def metered(meter: Meter, requests: Sequence[Metered]) -> AsyncIterator[None]:
    """A block in which these requests are under way. Raises OutsideError when they may not be sent."""
    weight = await meter.begin(requests)
    try:
        yield
    finally:
        meter.end(weight)
