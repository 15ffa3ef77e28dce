"""One worker in this process: the supervisor as the app makes it, over walls that can be stopped."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from syncer import app
from syncer.model.budget import Lane
from syncer.run.bells import Bells
from syncer.run.supervisor import Supervisor
from syncer.settings import Settings
from syncer.store.database import Database
from syncer.sync.tools import Project, Tools
from tests.world.gates import Gate, gated

# A calendar that is due later than this is one that waits for something, not for its turn.
_TURN_SECONDS = 0.6
# The clock jumps, and a worker that slept until the next thing was due would only see it a fifth of a second later.
_TICK_SECONDS = 0.006
_BEAT_SECONDS = 0.05


@dataclass(slots=True)
class Worker:
    """A worker that lives until it is killed. task: its run."""

    gate: Gate
    tools: Tools
    supervisor: Supervisor
    task: asyncio.Task[None]
    walls: AsyncExitStack

    @property
    def projects(self) -> list[Project]:
        """What it serves, as far as it knows."""
        return list(self.supervisor.ownership.projects.values())

    @property
    def is_at_work(self) -> bool:
        """Some piece of work is under way."""
        return bool(self.supervisor._work)

    @property
    def is_pushing(self) -> bool:
        """Some meeting, or an event of it, is being put right."""
        return bool(self.supervisor._pushing)

    def unseen(self, since: float) -> list[float]:
        """When those calendars are due that it has not looked at since then, in seconds of its clock."""
        found: list[float] = []
        for project in self.projects:
            schedule = project.schedule
            found += [schedule._due[slot] for slot in project.calendars.slots() if schedule.looked_at(slot) <= since]
        return found

    def serves(self, calendars: int) -> bool:
        """It has listed so many calendars: a worker that has only just begun has looked at all of none."""
        return sum(1 for project in self.projects for _ in project.calendars.slots()) == calendars

    def is_idle(self, since: float, rescues: int) -> bool:
        """It has looked at all it can look at since then, gone for what is due, and found nothing more to do."""
        now = self.tools.clock().timestamp()
        is_looked = all(due > now + _TURN_SECONDS and due != float("inf") for due in self.unseen(since))
        return is_looked and not self.is_pushing and self.rescues >= rescues + 2

    @property
    def rescues(self) -> int:
        """How often it has asked for rows that wait to be pushed."""
        return self.gate.passed.get("after waiting", 0)

    @property
    def lacks_room(self) -> bool:
        """Something waits until its project may ask Google again."""
        lanes = (Lane.URGENT, Lane.REFRESH)
        return any(project.spending.room(lane) == 0 for project in self.projects for lane in lanes)

    def hurry(self) -> None:
        """It asks at once for rows that wait, not in its next round."""
        self.supervisor._room.bell.set()

    def mind(self) -> None:
        """It asks at once for events that were registered and not seen, not at its next beat."""
        self.supervisor._upkeep.bell.set()

    def set_clock(self, shift: timedelta) -> None:
        """It learns at once what its next beat would tell it."""
        self.tools.clock.shift = self.gate.shift = shift

    def outlive_leases(self) -> None:
        """It was stopped for so long that by its own count no lease is left."""
        self.gate.is_over = True
        for project in self.projects:
            project.tenure.prolong(asyncio.get_running_loop().time())

    async def kill(self) -> None:
        """All that it had in memory is gone, and so are its connections."""
        self.gate.die()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.walls.aclose()


async def begin(settings: Settings, database: Database, seed: int, *, beats_often: bool = False) -> Worker:
    """A new worker, which serves from now on. Its connections are there already, and stay when it is gone.

    beats_often: it reserves requests as often as time goes by in a world.
    """
    walls = AsyncExitStack()
    gate = Gate()
    made = await walls.enter_async_context(app.tools_over(settings, database))
    tools = gated(made, gate, random.Random(seed).random)
    supervisor = app.supervisor_of(settings, tools)
    supervisor._until_next_due = lambda: _TICK_SECONDS  # type: ignore[method-assign]
    if beats_often:
        supervisor._rhythm = replace(supervisor._rhythm, beat=_BEAT_SECONDS)
    return Worker(gate, tools, supervisor, asyncio.create_task(supervisor.run(Bells())), walls)
