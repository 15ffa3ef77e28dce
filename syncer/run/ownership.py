"""Ownership: takes leases on projects, keeps them while the worker lives, lists what they cover, gives them back."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from syncer.durations import Durations
from syncer.model.calendar import Lease
from syncer.store import budgets, leases
from syncer.store.budgets import Standing, Written
from syncer.sync import listing
from syncer.sync.spending import Spending
from syncer.sync.tenure import Tenure
from syncer.sync.tools import Project, Tools

log = structlog.get_logger()
# The owner stops this much before the database would let another in: clocks' rates differ, and timers come late.
_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class Pace:
    """lease_seconds: how long a lease lasts. cycle_seconds: between two looks at a calendar. beat_seconds: beats."""

    lease_seconds: float
    cycle_seconds: float
    beat_seconds: float


class Ownership:
    """The projects that this worker serves, by id.

    owner: fresh for each process, so that no epoch is mistaken. is_new: rings when a project is to be listed first.
    budget_waits: how long requests have waited for their project's budget, those of projects that are gone too.
    """

    def __init__(self, tools: Tools, pace: Pace) -> None:
        self.owner: UUID = uuid4()
        self.projects: dict[int, Project] = {}
        self.is_new = asyncio.Event()
        self.budget_waits = Durations()
        self._tools = tools
        self._pace = pace
        self._broken: dict[str, str] = {}
        self._is_idle = False
        self._fresh_until = float("-inf")

    async def beat(self) -> None:
        """One beat: set the clock, renew what is held, take what is free.

        Raises StoreError; what is held then runs out by itself.
        """
        deadline = self._deadline()
        await self._set_clock()
        await self._renew()
        await self._take()
        self._fresh_until = deadline
        await self._spend()
        await self._tools.calling.settle()
        self._tell_idle()

    @property
    def is_stale(self) -> bool:
        """No lease can be held any more, for none was asked for with success since one would have run out."""
        return asyncio.get_running_loop().time() >= self._fresh_until

    async def list_anew(self) -> None:
        """Brings what is held up to date with its rows and with credentials that were mended.

        Beside the beats, for it may take longer than a lease lasts.

        Raises StoreError.
        """
        self.is_new.clear()
        for project in list(self.projects.values()):
            await self._list(project)
        await listing.try_mended(self._tools, list(self.projects.values()))

    async def release(self) -> None:
        """Gives everything back, so that the next worker need not wait."""
        for project in self.projects.values():
            project.tenure.end()
        told = [self._written(project, is_last=True) for project in self.projects.values()]
        self.projects.clear()
        if told:
            await budgets.write(self._tools.database, self.owner, told)
        await self._tools.calling.settle()
        await leases.release(self._tools.database, self.owner)

    async def _set_clock(self) -> None:
        shift = await leases.clock_shift(self._tools.database)
        if shift != self._tools.clock.shift:
            log.warning("the clock of this test cluster is set off", seconds=shift.total_seconds())
        self._tools.clock.shift = shift

    def _tell_idle(self) -> None:
        is_idle = not self.projects
        if is_idle and not self._is_idle:
            log.info("standing by: every project is served by another worker, or there is none")
        self._is_idle = is_idle

    async def _renew(self) -> None:
        deadline = self._deadline()
        held = [project.lease for project in self.projects.values()]
        if not held:
            return
        kept = await leases.renew(
            self._tools.database, self.owner, held, lease_seconds=self._pace.lease_seconds, now=self._tools.clock()
        )
        for project_id, project in list(self.projects.items()):
            if project_id in kept:
                project.tenure.prolong(deadline)
            else:
                self._lose(project_id, project)

    def _lose(self, project_id: int, project: Project) -> None:
        project.tenure.end()
        del self.projects[project_id]
        log.warning("lease lost", project_id=project_id)

    async def _take(self) -> None:
        deadline = self._deadline()
        taken = await leases.take(
            self._tools.database,
            self.owner,
            list(self.projects),
            lease_seconds=self._pace.lease_seconds,
            now=self._tools.clock(),
        )
        standing = await budgets.standing(self._tools.database, [lease.project_id for lease in taken]) if taken else {}
        for lease in taken:
            if lease.project_id in standing:
                self.projects[lease.project_id] = self._project(lease, deadline, standing[lease.project_id])
                self.is_new.set()
                log.info("lease taken", project_id=lease.project_id, epoch=lease.epoch)

    def _project(self, lease: Lease, deadline: float, standing: Standing) -> Project:
        tenure = Tenure(lease, deadline)
        cycle_seconds, today = self._pace.cycle_seconds, self._tools.google_day()
        now = self._tools.clock.seconds
        spending = Spending(standing, tenure, today=today, cycle_seconds=cycle_seconds, now=now)
        spending.waited = self.budget_waits
        return Project(tenure, cycle_seconds, spending)

    async def _spend(self) -> None:
        """Writes down what each project has spent, and reserves what it may spend until the next beat."""
        told = [self._written(project) for project in self.projects.values()]
        if not told:
            return
        limits = await budgets.write(self._tools.database, self.owner, told)
        for one in told:
            project = self.projects.get(one.lease.project_id)
            if project is not None and one.lease.project_id in limits:
                project.spending.reserve(one.spend, limits[one.lease.project_id])
                await self._spread(project)

    async def _spread(self, project: Project) -> None:
        """Has looks by the clock come as often as the budget allows."""
        looks_a_second = project.spending.looks_a_second(self._tools.day_left_seconds())
        for _ in project.schedule.spread(looks_a_second, self._tools.clock()):
            await asyncio.sleep(0)

    def _written(self, project: Project, *, is_last: bool = False) -> Written:
        spending, today = project.spending, self._tools.google_day()
        spend = spending.last(today) if is_last else spending.spent(today, self._pace.beat_seconds)
        return Written(project.lease, spend, spending.pace)

    async def _list(self, project: Project) -> None:
        for tenant in await listing.list_anew(self._tools, project):
            if self._broken.get(tenant.slug) != tenant.reason:
                self._broken[tenant.slug] = tenant.reason
                log.error("tenant set aside", tenant=tenant.slug, reason=tenant.reason)

    def _deadline(self) -> float:
        # From before the statement is sent: the database counts from later, so ours always ends first.
        return asyncio.get_running_loop().time() + self._pace.lease_seconds * (1 - _MARGIN)
