"""One round: two real workers of one project are killed and frozen while people edit; then all must be right.

The simulators, the people and the judge are a process of their own, which no blow strikes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from syncer.settings import Settings
from syncer.simulator.demo.staging import GRACE, Stage, staged
from syncer.simulator.demo.wishes import Wishes
from syncer.simulator.demo.worker import Worker
from syncer.simulator.judge.verdict import Verdict
from syncer.simulator.people import settling
from syncer.simulator.people.crowd import Crowd
from syncer.simulator.people.script import plan
from tests.chaos.violence import LEASE_SECONDS, Blow, Violence

WORKERS, CALENDARS, EDITS = 2, 2, 40
_FURNITURE, _SERIES = 3, 1
_PACE_SECONDS = 1.3
_GOOGLE_CHANCE = {"server_error": 0.01, "expire_sync_token": 0.01, "touch_before_patch": 0.2, "lost_answer": 0.02}
_VENDOR_CHANCE = {"slow": 0.3, "server_error": 0.03, "lost_answer": 0.05}
_SLOW_SECONDS = 0.4
_QUIET_SECONDS = 90.0
_POLL_SECONDS = 0.2
_EPOCHS = "SELECT coalesce(max(epoch), 0) FROM syncer.lease"


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round. blows: by what was done to a worker. on_holders: how many fell on who had the lease.

    epochs: how often that was taken. told: what the service says of the meetings that are not right. logs: copies of
    the workers' logs that outlive a round that failed.
    """

    seed: int
    edits: int
    blows: Counter[Blow]
    on_holders: int
    epochs: int
    verdict: Verdict
    seconds: float
    told: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return self.verdict.is_right

    def __str__(self) -> str:
        """One line, with the command that plays it again."""
        blows = ", ".join(f"{self.blows[blow]} {blow}" for blow in Blow)
        blows += f" ({self.on_holders} times with the lease)"
        counts = f"{len(self.verdict.standings)} meetings, {self.edits} edits, {blows}, {self.epochs} leases"
        word = "right" if self.is_right else "NOT RIGHT"
        return (
            f"seed {self.seed}: {word}; {counts}, {self.seconds:.0f} s (make chaos KILLS=0 ROUNDS=1 FIRST={self.seed})"
        )

    def faults(self) -> list[str]:
        """What is not right, a sentence each, and where the workers' logs are."""
        found = [f"  {one.standing.value} {one.meeting_id}: {one.sentence}" for one in self.verdict.findings]
        return found + [f"  {one}" for one in self.told] + [f"  log: {path}" for path in self.logs]


async def play(dsn: str, seed: int) -> Round:
    """One round on a database of its own. Raises OperatorError when a worker ends by itself."""
    began = time.monotonic()
    wishes = Wishes(tenants=2, calendars=CALENDARS, edits=EDITS, seed=seed)
    async with staged(wishes, Settings(database_url=SecretStr(dsn)), lambda _: None) as stage, _workers(stage) as both:
        violence = Violence(both, random.Random(f"{seed}:blows"))
        await _furnish(stage)
        # What goes before anybody saw it, nobody can know of.
        verdict = await _settled(stage, both)
        if verdict.is_right:
            await _edit_amid(stage, violence)
            verdict = await _settled(stage, both)
        return Round(
            seed=seed,
            edits=len(stage.town.world.record.edits),
            blows=violence.dealt,
            on_holders=violence.on_holders,
            epochs=int(await stage.ledger.database.value(_EPOCHS)),
            verdict=verdict,
            seconds=time.monotonic() - began,
            told=tuple([str(await stage.ledger.told(one.tenant, one.meeting_id)) for one in verdict.findings]),
            logs=() if verdict.is_right else tuple(str(one.kept_log()) for one in both),
        )


@asynccontextmanager
async def _workers(stage: Stage) -> AsyncIterator[Sequence[Worker]]:
    """The stage's worker and others like it, all running."""
    environment = stage.worker.environment | {"SYNCER_LEASE_SECONDS": str(LEASE_SECONDS)}
    async with AsyncExitStack() as stack:
        workers = [Worker(environment, stage.folder / f"worker-{number}.log") for number in range(WORKERS)]
        for worker in workers:
            stack.push_async_callback(worker.kill)
        await asyncio.gather(*(worker.start() for worker in workers))
        yield workers


async def _furnish(stage: Stage) -> None:
    world, seed = stage.town.world, f"{stage.wishes.seed}:furniture"
    for place in world.places:
        events = settling.furnished(world, place, _FURNITURE, seed, series=_SERIES)
        await settling.settle(world, stage.town.back, place, events)


async def _edit_amid(stage: Stage, violence: Violence) -> None:
    """People edit, servers fail now and then, and blows fall on the workers."""
    world, wishes = stage.town.world, stage.wishes
    crowd = Crowd(world, plan(world.places, wishes.edits, wishes.seed, with_series=True), wishes.seed)
    await stage.town.google("PUT", "faults", {"chance": _GOOGLE_CHANCE})
    await stage.town.vendor("PUT", "faults", {"chance": _VENDOR_CHANCE, "slow_seconds": _SLOW_SECONDS})
    async with asyncio.TaskGroup() as group:
        blows = group.create_task(violence.go_on())
        await crowd.work(1.0, pace_seconds=_PACE_SECONDS)
        blows.cancel()
    await stage.town.google("PUT", "faults", {"chance": {}, "next": {}})
    await stage.town.vendor("PUT", "faults", {"chance": {}, "next": {}})
    await violence.mend()


async def _settled(stage: Stage, workers: Sequence[Worker]) -> Verdict:
    """The judge's word once it is good, or when there was time enough for that."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while True:
        verdict = await stage.town.judge(grace_ms=GRACE.total_seconds() * 1000)
        if verdict.is_right or time.monotonic() > deadline:
            return verdict
        for worker in workers:
            worker.check()
        await asyncio.sleep(_POLL_SECONDS)
