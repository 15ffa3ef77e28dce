"""Tenure: how long this worker may act for a project, by its own clock."""

import asyncio

from syncer.model.calendar import Lease
from syncer.model.errors import FencedOut


class Tenure:
    """A lease as its owner knows it.

    The deadline (loop time, seconds) counts from before the renewal was sent, so it ends before the database's.
    """

    def __init__(self, lease: Lease, deadline: float) -> None:
        self.lease = lease
        self._deadline = deadline

    def prolong(self, deadline: float) -> None:
        """The lease was renewed."""
        self._deadline = deadline

    def end(self) -> None:
        """The lease is lost: nothing may be sent any more."""
        self._deadline = float("-inf")

    def bounded(self) -> asyncio.Timeout:
        """A block (`async with`) for one outside write, which cannot outlive the lease.

        Raises FencedOut when the lease is over already, and the block TimeoutError when it ends in the middle.
        """
        if self.is_over:
            raise FencedOut("Nothing was sent: the lease on the project has run out.")
        return asyncio.timeout_at(self._deadline)

    @property
    def is_over(self) -> bool:
        """Nothing may be sent any more."""
        return asyncio.get_running_loop().time() >= self._deadline
