"""Places: how many pieces of work of each kind are under way at a time, and which requests each kind's are."""

import asyncio

from syncer.model.budget import Lane
from syncer.run.limits import Limits


class Places:
    """Named limits. told_sweeps, long_sweeps: as many places of their own, for looks that wait for nobody, and for
    first reads, which nobody is to wait for.
    """

    def __init__(self, limits: Limits) -> None:
        self.sweeps = asyncio.Semaphore(limits.sweeps)
        self.told_sweeps = asyncio.Semaphore(limits.sweeps)
        self.long_sweeps = asyncio.Semaphore(limits.sweeps)
        self.pulls = asyncio.Semaphore(limits.pulls)
        self.long_pulls = asyncio.Semaphore(limits.long_pulls)
        self.pushes = asyncio.Semaphore(limits.pushes)

    def lane_of(self, sweeps: asyncio.Semaphore) -> Lane:
        """What the looks of these sweeps are to the budget."""
        if sweeps is self.long_sweeps:
            return Lane.BACKFILL
        return Lane.URGENT if sweeps is self.told_sweeps else Lane.REFRESH

    def are_held_up(self, sweeps: asyncio.Semaphore) -> bool:
        """A long pull would have these sweeps wait: its page is fetched once more when there is a place for it."""
        return sweeps is not self.long_sweeps and self.long_pulls.locked()
