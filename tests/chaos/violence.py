"""What befalls real workers: SIGKILL, SIGSTOP for longer than their lease, SIGTERM; and each is started again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from syncer.simulator.demo.worker import Worker

LEASE_SECONDS = 2.0
"""The shortest that the settings allow."""
_CALM_SECONDS = (0.1, 2.0)
_DOWN_SECONDS = (0.0, 1.0)
_FROZEN_SECONDS = (LEASE_SECONDS + 0.3, LEASE_SECONDS + 1.5)
_ALL_AT_ONCE, _EARLY = 0.15, 0.2
_POLL_SECONDS = 0.05


class Blow(StrEnum):
    """What is done to a worker."""

    KILL = "killed"
    FREEZE = "frozen"
    STOP = "stopped"


_WEIGHTS = {Blow.KILL: 6, Blow.FREEZE: 3, Blow.STOP: 1}


@dataclass(slots=True)
class Violence:
    """Blows that fall on workers of one project, one after the other, now and then on all. dealt: how many so far."""

    workers: Sequence[Worker]
    chance: random.Random
    dealt: Counter[Blow] = field(default_factory=Counter)

    async def go_on(self) -> None:
        """Blows at random moments until it is cancelled; `mend` makes good what was under way."""
        while True:
            await _pass(self.chance.uniform(*_CALM_SECONDS))
            struck = [self.chance.choice(self.workers)]
            if self.chance.random() < _ALL_AT_ONCE:
                struck = list(self.workers)
            await asyncio.gather(*(self._deal(worker) for worker in struck))

    async def mend(self) -> None:
        """All run, and nothing holds them."""
        for worker in self.workers:
            worker.thaw()
            await worker.start()

    async def _deal(self, worker: Worker) -> None:
        blow = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        self.dealt[blow] += 1
        if blow is Blow.FREEZE:
            worker.freeze()
            await _pass(self.chance.uniform(*_FROZEN_SECONDS))
            # It goes on as if nothing had been, with what it knew, and with a lease that is another's.
            worker.thaw()
            return
        await (worker.kill() if blow is Blow.KILL else worker.stop())
        await _pass(self.chance.uniform(*_DOWN_SECONDS))
        await worker.start()
        # But for one time in five the next blow waits until it works.
        is_early = self.chance.random() < _EARLY
        while not is_early and worker.address() is None:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(_POLL_SECONDS)


async def _pass(seconds: float) -> None:
    """Let so much time pass."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:  # noqa: ASYNC110 (nothing tells that time has passed)
        await asyncio.sleep(left)
