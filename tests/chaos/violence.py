"""What befalls real workers: SIGKILL, SIGSTOP for longer than their lease, SIGTERM; and each is started again."""

from __future__ import annotations

import asyncio
import random
import re
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
_ALL_AT_ONCE, _EARLY, _BLIND = 0.15, 0.2, 0.25
_POLL_SECONDS = 0.05
_TAKEN = re.compile(rb'"epoch":(\d+),"event":"lease taken"')


class Blow(StrEnum):
    """What is done to a worker."""

    KILL = "killed"
    FREEZE = "frozen"
    STOP = "stopped"


_WEIGHTS = {Blow.KILL: 6, Blow.FREEZE: 3, Blow.STOP: 1}


@dataclass(slots=True)
class Violence:
    """Blows that fall on workers of one project, one after the other, mostly on its holder, now and then on all.

    dealt: how many so far. on_holders: how many of them fell on whoever had the lease. epoch: of the one struck last.
    """

    workers: Sequence[Worker]
    chance: random.Random
    dealt: Counter[Blow] = field(default_factory=Counter)
    on_holders: int = 0
    epoch: int = 0

    async def go_on(self) -> None:
        """Blows at random moments until it is cancelled; `mend` makes good what was under way."""
        while True:
            await _pass(self.chance.uniform(*_CALM_SECONDS))
            holder = self._holder()
            blindly = [self.chance.choice(self.workers)]
            struck = blindly if holder is None or self.chance.random() < _BLIND else [holder]
            if self.chance.random() < _ALL_AT_ONCE:
                struck = list(self.workers)
            if holder in struck:
                self.on_holders, self.epoch = self.on_holders + 1, epoch_of(holder)
            await asyncio.gather(*(self._deal(worker) for worker in struck))

    def _holder(self) -> Worker | None:
        """Whoever took the lease last, by their logs; None when that one was struck since, so it may be free."""
        newest = max(self.workers, key=epoch_of)
        return newest if epoch_of(newest) > self.epoch else None

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


def epoch_of(worker: Worker) -> int:
    """Under which epoch a worker took the lease last, by its log; 0 when it never did."""
    taken = _TAKEN.findall(worker.log_path.read_bytes()) if worker.log_path.exists() else []
    return int(taken[-1]) if taken else 0


async def _pass(seconds: float) -> None:
    """Let so much time pass."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:  # noqa: ASYNC110 (nothing tells that time has passed)
        await asyncio.sleep(left)
