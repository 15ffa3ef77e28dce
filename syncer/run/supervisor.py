"""The supervisor: every task is born here, runs within a named limit, and ends when its bell rings."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from syncer.model.budget import Lane
from syncer.model.calendar import Calendar
from syncer.model.errors import DaySpent, StoreError, SyncerError
from syncer.rules import timing
from syncer.run.bells import Bells, rung
from syncer.run.guard import guarded
from syncer.run.limits import Limits, Rhythm, Watching
from syncer.run.ownership import Ownership
from syncer.run.places import Places
from syncer.run.room import Room
from syncer.run.tally import Tally
from syncer.run.telling import Telling
from syncer.run.upkeep import Upkeep
from syncer.store import conferences
from syncer.sync import pull, push, sweep
from syncer.sync.changes import Changes
from syncer.sync.notified import Notified
from syncer.sync.push import Push
from syncer.sync.tools import Project, Tools

log = structlog.get_logger()
_PUSHES_A_RESCUE = 2000
# Of one account, more than there is room for (`run.room`): a rescue always finds some that do not wait yet.
_PUSHES_AN_ACCOUNT = 400
_LONG_READS_A_SWEEP = 4
_LONGEST_TICK_SECONDS = 0.2
_TOKENS_SECONDS = 60.0
# Lost batches in a row make a project rest longer each time, up to some 32 seconds: there is always the next look.
_LONGEST_REST_AFTER = 6
# All tokens that move without changes are saved in this time: the old ones serve as well, and each costs a write.
_TOKENS_ROUND_SECONDS = 6 * 3600.0
_SOON = timedelta(seconds=1)
_HEARING_SECONDS = 2.0
_MARKS_SECONDS = 1.0
HAND_BACK_SECONDS = 5.0


class Supervisor:
    """Runs one worker until its bells ring. ownership: what it serves. tally: what has come of its work."""

    def __init__(self, tools: Tools, ownership: Ownership, limits: Limits, rhythm: Rhythm, watching: Watching) -> None:
        self.tally = Tally()
        self._tools = tools
        self.ownership = ownership
        self._limits = limits
        self._rhythm = rhythm
        self._places = Places(limits)
        self._pushing: set[tuple[int, int]] = set()
        self._room = Room(limits.pushes_per_provider)
        self._again: set[tuple[int, int]] = set()
        self._changes = Changes(tools)
        self._work: set[asyncio.Task[None]] = set()
        self._telling = Telling()
        self._is_watching = watching.address is not None
        self._notified = Notified(tools, ownership.is_new)
        self._upkeep = Upkeep(tools, watching, self._notified.found)

    async def run(self, bells: Bells) -> None:
        """Serves until the stop bell, then drains, then gives the leases back."""
        with closing(self._notified.ear):
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(self._loop("beat", self.ownership.beat, self._rhythm.beat)),
                    group.create_task(
                        self._loop("listing", self.ownership.list_anew, self._rhythm.beat, bell=self.ownership.is_new)
                    ),
                    group.create_task(self._sweep_loop(group)),
                    group.create_task(
                        self._loop("rescue", lambda: self._rescue(group), self._rhythm.rescue, bell=self._room.bell)
                    ),
                    group.create_task(
                        self._loop("read back", lambda: self._read_back(group), min(self._rhythm.read_back / 4, 60))
                    ),
                    group.create_task(self._loop("tokens", self._save_tokens, _TOKENS_SECONDS)),
                    *self._listening_loops(group),
                ]
                await bells.stop.wait()
                await self._drain(loops[1:], bells)
                loops[0].cancel()
        await self._hand_back()

    def _listening_loops(self, group: asyncio.TaskGroup) -> Iterator[asyncio.Task[None]]:
        """What has to do with being told of changes."""
        projects, marks, upkeep = self.ownership.projects, self._notified, self._upkeep
        yield group.create_task(self._told_loop(group))
        yield group.create_task(self._loop("hearing", marks.ear.beat, _HEARING_SECONDS, bell=marks.ear.gone))
        yield group.create_task(self._loop("marks", lambda: marks.read(projects), _MARKS_SECONDS, bell=marks.bell))
        minded = lambda: upkeep.mind(projects, lambda work: self._begin(group, work))  # noqa: E731
        yield group.create_task(self._loop("channels", minded, self._rhythm.beat, bell=upkeep.bell))

    async def _drain(self, loops: Sequence[asyncio.Task[None]], bells: Bells) -> None:
        """Begins nothing new, lets what is under way end, cancels what takes longer than the grace."""
        for loop in loops:
            loop.cancel()
        log.info("draining", pieces=len(self._work))
        cancelled = asyncio.create_task(bells.cancel.wait())
        until = asyncio.get_running_loop().time() + self._rhythm.grace
        while self._work and not bells.cancel.is_set() and asyncio.get_running_loop().time() < until:
            left = until - asyncio.get_running_loop().time()
            await asyncio.wait({*self._work, cancelled}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        cancelled.cancel()
        for piece in self._work:
            piece.cancel()

    async def _hand_back(self) -> None:
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self.ownership.release()
        except (StoreError, TimeoutError):
            log.warning("leases not given back")

    async def _loop(
        self, name: str, once: Callable[[], Awaitable[None]], seconds: float, *, bell: asyncio.Event | None = None
    ) -> None:
        """An endless loop around one iteration. Trouble with Postgres is told once, and once when it is over.

        bell: one that does not wait for the next round; `once` stops its ringing.
        """
        while True:
            try:
                await once()
            except SyncerError as error:
                self._telling.loop_fails(name, error)
            else:
                self._telling.loop_works(name)
                if bell is not None:
                    await rung(bell, seconds)
                    continue
            await asyncio.sleep(seconds)

    async def _sweep_loop(self, group: asyncio.TaskGroup) -> None:
        """Sweeps each project in its turn, one sweep a turn, as long as any has something due."""
        while True:
            has_begun = False
            for project in list(self.ownership.projects.values()):
                has_begun |= await self._begin_sweep(group, project)
            await asyncio.sleep(0 if has_begun else self._until_next_due())

    def _until_next_due(self) -> float:
        now = self._tools.clock().timestamp()
        soonest = min((project.next_sweep() for project in self.ownership.projects.values()), default=now + 1)
        return min(max(soonest - now, 0.01), _LONGEST_TICK_SECONDS)

    async def _begin_sweep(self, group: asyncio.TaskGroup, project: Project) -> bool:
        now = self._tools.clock()
        if project.is_resting(now):
            return False
        room = min(project.room(Lane.REFRESH, now), self._tools.google.looks_at_once)
        slots = project.due(now, room)
        long_reads = {slot for slot in slots if project.is_long_read(slot)}
        project.read_long(long_reads)
        has_begun = await self._begin_long_reads(group, project)
        quick = [slot for slot in slots if slot not in long_reads]
        if quick:
            await self._places.sweeps.acquire()
            self._begin(group, self._sweep(group, project, quick, self._places.sweeps))
        return has_begun or bool(slots)

    async def _told_loop(self, group: asyncio.TaskGroup) -> None:
        """Sweeps those that were told of as soon as they are: in places of their own, for they wait for nobody."""
        while True:
            begun = [await self._begin_told(group, project) for project in list(self.ownership.projects.values())]
            if not any(begun):
                await self._notified.rest(self.ownership.projects)

    async def _begin_told(self, group: asyncio.TaskGroup, project: Project) -> bool:
        now = self._tools.clock()
        if project.is_resting(now):
            return False
        room = min(project.room(Lane.URGENT, now), self._tools.google.looks_at_once)
        slots = project.told(now, room)
        project.read_long([slot for slot in slots if project.is_long_read(slot)])
        quick = [slot for slot in slots if not project.is_long_read(slot)]
        if quick:
            await self._places.told_sweeps.acquire()
            self._begin(group, self._sweep(group, project, quick, self._places.told_sweeps))
        return bool(slots)

    async def _begin_long_reads(self, group: asyncio.TaskGroup, project: Project) -> bool:
        """A few first reads in places of their own: they wait long for one to be pulled in, and nobody else must."""
        if self._places.long_sweeps.locked() or not project.spending.room(project.long_reads.lane):
            return False
        slots = project.next_long_reads(_LONG_READS_A_SWEEP)
        if not slots:
            return False
        await self._places.long_sweeps.acquire()
        self._begin(group, self._sweep(group, project, slots, self._places.long_sweeps))
        return True

    def _begin(self, group: asyncio.TaskGroup, work: Coroutine[None, None, None]) -> None:
        piece = group.create_task(guarded(work))
        self._work.add(piece)
        piece.add_done_callback(self._work.discard)
        # A piece that is cancelled before its first step never awaits its work.
        piece.add_done_callback(lambda _: work.close())

    async def _sweep(
        self, group: asyncio.TaskGroup, project: Project, slots: Sequence[int], places: asyncio.Semaphore
    ) -> None:
        began_at = self._tools.clock()
        left, go_together = set(slots), project.go_together(slots)
        try:
            lane = project.lane(slots, self._places.lane_of(places))
            seen = await sweep.sweep(project.tools(self._tools, lane), project, slots)
            self.tally.swept(len(slots), seen)
            self._note_lost(project, seen, go_together=go_together)
            short: list[sweep.Changed] = []
            for what in seen:
                if not isinstance(what, sweep.Changed):
                    left.discard(what.slot)
                    self._begin(group, self._rest(project, what, began_at))
                elif what.is_short:
                    short.append(what)
                elif what.is_long and self._places.are_held_up(places):
                    left.discard(what.slot)
                    project.long_reads.add([what.slot], project.schedule.is_told)
                else:
                    await self._begin_pull(group, project, [what], left)
            for some in pull.together(short, project.alone):
                await self._begin_pull(group, project, some, left)
        finally:
            places.release()
            project.swept(slots)
            # Whatever happened to them, calendars that were handed out come due again.
            project.give_back(left, self._tools.clock() + _SOON)

    async def _begin_pull(
        self, group: asyncio.TaskGroup, project: Project, several: Sequence[sweep.Changed], left: set[int]
    ) -> None:
        """A place first: pages that wait to be pulled are held by their sweep, so few are in memory.

        left: slots that nobody works on; those of the pull are taken out.
        """
        places = self._places.long_pulls if several[0].is_long else self._places.pulls
        await places.acquire()
        standing = [what for what in several if project.stands(what.calendar.key, what.version)]
        left.difference_update([what.slot for what in standing])
        if standing:
            self._begin(group, self._pull(group, project, standing, places))
        else:
            places.release()

    async def _rest(self, project: Project, what: sweep.Quiet | sweep.Trouble, began_at: datetime) -> None:
        """Writes down what is quickly done: a calendar that is well again, or why one is not."""
        try:
            match what:
                case sweep.Quiet(_, calendar):
                    await sweep.rest(self._tools, project, what)
                    project.looked(calendar.key, began_at, self._tools.clock(), found_nothing=True)
                    self._telling.calendar_works(calendar)
                case sweep.Trouble(_, calendar, error, is_shared):
                    await self._set_back(project, calendar, error, is_shared=is_shared)
                case _:
                    assert_never(what)
        finally:
            project.give_back([what.slot], self._tools.clock() + _SOON)

    async def _pull(
        self, group: asyncio.TaskGroup, project: Project, several: Sequence[sweep.Changed], places: asyncio.Semaphore
    ) -> None:
        """Pulls one calendar whose pages are many, or many that have one."""
        slots = [what.slot for what in several]
        lane = project.lane(slots, Lane.BACKFILL if several[0].calendar.cursor.is_full_read else Lane.URGENT)
        project.alone.update(slots)
        try:
            async for what, outcome in pull.pull_together(project.tools(self._tools, lane), project, several):
                self.tally.pulled(outcome)
                if isinstance(outcome, SyncerError):
                    await self._set_back(project, what.calendar, outcome)
                elif outcome is not None:
                    self._pulled(group, project, what, outcome)
            project.alone.difference_update(slots)
        finally:
            places.release()
            project.give_back(slots, self._tools.clock() + _SOON)

    def _pulled(self, group: asyncio.TaskGroup, project: Project, what: sweep.Changed, touched: Iterable[int]) -> None:
        calendar = what.calendar
        self.tally.found(project, what, touched)
        if self._is_watching and not project.schedule.is_told(what.slot):
            project.unannounced.saw(what.slot, self._tools.clock())
        project.looked(calendar.key, what.began_at, self._tools.clock())
        self._telling.calendar_works(calendar)
        self._telling.calendar_shows(calendar, sees_details=what.page.sees_details)
        for conference_id in touched:
            self._begin_push(group, project, Push(calendar.key.tenant_id, conference_id))

    async def _set_back(
        self, project: Project, calendar: Calendar, error: SyncerError, *, is_shared: bool = False
    ) -> None:
        until = await sweep.setback(self._tools, project, calendar, error, is_shared=is_shared)
        if not is_shared:
            self.tally.refused(error)
            self._telling.calendar_fails(project.lease.project_id, calendar, error)
        project.postpone(calendar.key, until)
        if isinstance(error, DaySpent):
            project.rests_until = until

    def _note_lost(self, project: Project, seen: Sequence[sweep.Seen], *, go_together: bool) -> None:
        """Whole batches that are lost are the project's trouble, however many calendars were in them.

        go_together: there was a batch; only one that was answered says that they are again.
        """
        project_id = project.lease.project_id
        lost = next((what.error for what in seen if isinstance(what, sweep.Trouble) and what.is_shared), None)
        if lost is not None:
            self._rest_after(project, lost)
            self._telling.looks_fail(project_id, lost)
        elif go_together:
            project.lost_in_a_row = 0
            self._telling.looks_work(project_id)

    def _rest_after(self, project: Project, lost: SyncerError) -> None:
        """A batch that was put off puts off the project's next, longer each time; its calendars are not to blame."""
        now = self._tools.clock()
        if project.rests_until is None or project.rests_until <= now:
            project.lost_in_a_row += 1
            failures = min(project.lost_in_a_row, _LONGEST_REST_AFTER)
            verdict = timing.after(lost, failures=failures, now=now, jitter=self._tools.chance())
            project.rests_until = verdict.at

    def _begin_push(self, group: asyncio.TaskGroup, project: Project, what: Push) -> None:
        """One push of a conference at a time; what is asked for meanwhile comes once more after it.

        Few wait in memory: the rows are the queue, and a rescue finds the others as soon as there is room again.
        """
        key, account_id = (what.tenant_id, what.conference_id), _account_id(project, what)
        if key in self._pushing:
            self._again.add(key)
        elif self._room.enter(account_id, what.tenant_id):
            self._pushing.add(key)
            self._begin(group, self._push(group, project, what, account_id))

    async def _push(self, group: asyncio.TaskGroup, project: Project, what: Push, account_id: int) -> None:
        key, tenant = (what.tenant_id, what.conference_id), project.tenants.get(what.tenant_id)
        try:
            # That first: an account that hangs holds up nobody else's.
            async with self._room.place_at(account_id, what.tenant_id), self._places.pushes:
                came = await push.push(project.tools(self._tools, Lane.URGENT), project, what)
            self.tally.pushed(key, came, self._tools.clock())
            if tenant is not None:
                self._telling.pushed(tenant, what.conference_id, came)
        except SyncerError as error:
            self.tally.push_failed(error)
            raise
        finally:
            self._pushing.discard(key)
            self._room.leave(account_id, what.tenant_id)
        if key in self._again:
            self._again.discard(key)
            self._begin_push(group, project, Push(*key))

    async def _rescue(self, group: asyncio.TaskGroup) -> None:
        """Finds by their rows what is due to be pushed: retries, deletions, and what a crash left behind."""
        self._telling.pass_time()
        self._room.bell.clear()
        for project in list(self.ownership.projects.values()):
            due = await conferences.waiting(
                self._tools.database, project.listed, limit=_PUSHES_A_RESCUE, per_account=_PUSHES_AN_ACCOUNT
            )
            for key in due:
                if key not in self._pushing:
                    self._begin_push(group, project, Push(*key))
            for told in await self._changes.due(project.listed, busy=self._pushing):
                self._begin_push(group, project, told)

    async def _read_back(self, group: asyncio.TaskGroup) -> None:
        """Asks providers, slowly, how meetings are that nobody has touched for a while."""
        before = self._tools.clock() - timedelta(seconds=self._rhythm.read_back)
        for project in list(self.ownership.projects.values()):
            unread = await conferences.unread(
                self._tools.database,
                project.listed,
                before=before,
                limit=_PUSHES_A_RESCUE,
                per_account=_PUSHES_AN_ACCOUNT,
            )
            for key in unread:
                if key not in self._pushing:
                    self._begin_push(group, project, Push(*key, reads_back=True))

    async def _save_tokens(self) -> None:
        for project in list(self.ownership.projects.values()):
            await sweep.save_tokens(self._tools, project, _TOKENS_SECONDS / _TOKENS_ROUND_SECONDS)


def _account_id(project: Project, what: Push) -> int:
    tenant = project.tenants.get(what.tenant_id)
    return tenant.account_id if tenant else 0
