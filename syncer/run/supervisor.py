"""The supervisor: every task is born here, runs within a named limit, and ends when its bell rings."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from syncer.model.calendar import Calendar, CalendarKey
from syncer.model.errors import CursorExpired, FencedOut, StoreError, SyncerError
from syncer.run.bells import Bells
from syncer.run.ownership import Ownership
from syncer.store import conferences
from syncer.sync import pull, push, sweep
from syncer.sync.push import Push
from syncer.sync.tools import Project, Tools

log = structlog.get_logger()
_LOOKS_A_SWEEP = 50
_PUSHES_A_RESCUE = 500
_PUSHES_AN_ACCOUNT = 100
_LONGEST_TICK_SECONDS = 0.2
_TOKENS_SECONDS = 60.0
_SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Named limits: pieces of work at once, and pushes at once to one provider account."""

    sweeps: int
    pulls: int
    pushes: int
    pushes_per_provider: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two rounds of each loop, and how long work under way may take to end."""

    beat: float
    rescue: float
    read_back: float
    grace: float


class Supervisor:
    """Runs one worker until its bells ring."""

    def __init__(self, tools: Tools, ownership: Ownership, limits: Limits, rhythm: Rhythm) -> None:
        self._tools = tools
        self._ownership = ownership
        self._limits = limits
        self._rhythm = rhythm
        self._sweeps = asyncio.Semaphore(limits.sweeps)
        self._pulls = asyncio.Semaphore(limits.pulls)
        self._pushes = asyncio.Semaphore(limits.pushes)
        self._accounts: dict[int, asyncio.Semaphore] = {}
        self._pulling: set[tuple[int, CalendarKey]] = set()
        self._pushing: set[tuple[int, int]] = set()
        self._again: set[tuple[int, int]] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._failing: set[str] = set()
        self._troubles: dict[CalendarKey, str] = {}

    async def run(self, bells: Bells) -> None:
        """Serves until the stop bell, then drains, then gives the leases back."""
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self._loop("beat", self._ownership.beat, self._rhythm.beat)),
                group.create_task(self._sweep_loop(group)),
                group.create_task(self._loop("rescue", lambda: self._rescue(group), self._rhythm.rescue)),
                group.create_task(
                    self._loop("read back", lambda: self._read_back(group), min(self._rhythm.read_back / 4, 60))
                ),
                group.create_task(self._loop("tokens", self._save_tokens, _TOKENS_SECONDS)),
            ]
            await bells.stop.wait()
            await self._drain(loops[1:], bells)
            loops[0].cancel()
        await self._hand_back()

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
            async with asyncio.timeout(5):
                await self._save_tokens()
                await self._ownership.release()
        except (StoreError, TimeoutError):
            log.warning("leases not given back")

    async def _loop(self, name: str, once: Callable[[], Awaitable[None]], seconds: float) -> None:
        """An endless loop around one iteration. Trouble with Postgres is told once, and once when it is over."""
        while True:
            try:
                await once()
            except SyncerError as error:
                self._tell_trouble(name, error)
            else:
                self._tell_recovery(name)
            await asyncio.sleep(seconds)

    def _tell_trouble(self, name: str, error: SyncerError) -> None:
        if name not in self._failing:
            self._failing.add(name)
            log.error("loop fails", loop=name, reason=str(error))

    def _tell_recovery(self, name: str) -> None:
        if name in self._failing:
            self._failing.discard(name)
            log.info("loop recovered", loop=name)

    async def _sweep_loop(self, group: asyncio.TaskGroup) -> None:
        while True:
            for project in list(self._ownership.projects.values()):
                await self._begin_sweeps(group, project)
            await asyncio.sleep(self._until_next_due())

    def _until_next_due(self) -> float:
        now = self._tools.clock().timestamp()
        soonest = min((project.schedule.next_due() for project in self._ownership.projects.values()), default=now + 1)
        return min(max(soonest - now, 0.01), _LONGEST_TICK_SECONDS)

    async def _begin_sweeps(self, group: asyncio.TaskGroup, project: Project) -> None:
        while keys := project.schedule.due(self._tools.clock(), _LOOKS_A_SWEEP):
            due = [project.calendars[key] for key in keys if key in project.calendars]
            await self._sweeps.acquire()
            self._begin(group, self._sweep(group, project, due))

    def _begin(self, group: asyncio.TaskGroup, work: Coroutine[None, None, None]) -> None:
        piece = group.create_task(_guarded(work))
        self._work.add(piece)
        piece.add_done_callback(self._work.discard)
        # A piece that is cancelled before its first step never awaits its work.
        piece.add_done_callback(lambda _: work.close())

    async def _sweep(self, group: asyncio.TaskGroup, project: Project, due: Sequence[Calendar]) -> None:
        began_at = self._tools.clock()
        try:
            seen = await sweep.sweep(self._tools, project, due)
            for what in seen:
                await self._rest(project, what, began_at)
            for what in seen:
                if isinstance(what, sweep.Changed):
                    await self._begin_pull(group, project, what, began_at)
        finally:
            self._sweeps.release()
            pulled = {key for epoch, key in self._pulling if epoch == project.lease.epoch}
            self._give_back(project, [calendar for calendar in due if calendar.key not in pulled])

    async def _begin_pull(
        self, group: asyncio.TaskGroup, project: Project, what: sweep.Changed, began_at: datetime
    ) -> None:
        # A place first: pages that wait to be pulled are held by their sweep, so there are never many in memory.
        await self._pulls.acquire()
        # Marked before its task first runs, or it would be handed out again at once.
        self._pulling.add((project.lease.epoch, what.calendar.key))
        self._begin(group, self._pull(group, project, what, began_at))

    async def _rest(self, project: Project, what: sweep.Seen, began_at: datetime) -> None:
        match what:
            case sweep.Quiet(calendar):
                await sweep.rest(self._tools, project, what)
                project.schedule.looked(calendar.key, began_at, self._tools.clock())
                self._tell_well(calendar)
            case sweep.Trouble(calendar, error):
                await self._set_back(project, calendar, error)
            case sweep.Changed():
                pass  # its pull begins after all that is quickly done
            case _:
                assert_never(what)

    def _give_back(self, project: Project, calendars: Sequence[Calendar]) -> None:
        """Whatever happened to them, calendars that were handed out come due again."""
        for calendar in calendars:
            project.schedule.give_back(calendar.key, self._tools.clock() + _SOON)

    async def _pull(self, group: asyncio.TaskGroup, project: Project, what: sweep.Changed, began_at: datetime) -> None:
        calendar = what.calendar
        try:
            touched = await pull.pull(self._tools, project, calendar, what.page)
            project.schedule.looked(calendar.key, began_at, self._tools.clock())
            self._tell_well(calendar)
            for conference_id in touched:
                self._begin_push(group, project, Push(calendar.key.tenant_id, conference_id))
        except SyncerError as error:
            await self._set_back(project, calendar, error)
        finally:
            self._pulls.release()
            self._pulling.discard((project.lease.epoch, calendar.key))
            self._give_back(project, [calendar])

    async def _set_back(self, project: Project, calendar: Calendar, error: SyncerError) -> None:
        self._tell_setback(calendar, error)
        project.schedule.postpone(calendar.key, await sweep.setback(self._tools, project, calendar, error))

    def _tell_setback(self, calendar: Calendar, error: SyncerError) -> None:
        """Told once for each kind of trouble; an expired cursor is no trouble."""
        key, kind = calendar.key, type(error).__name__
        if isinstance(error, CursorExpired):
            log.info("calendar read anew", tenant_id=key.tenant_id, calendar_id=key.calendar_id)
        elif self._troubles.get(key) != kind:
            self._troubles[key] = kind
            log.warning(
                "calendar fails",
                tenant_id=key.tenant_id,
                calendar_id=key.calendar_id,
                error_type=kind,
                reason=str(error),
            )

    def _tell_well(self, calendar: Calendar) -> None:
        key = calendar.key
        if self._troubles.pop(key, None) is not None:
            log.info("calendar recovered", tenant_id=key.tenant_id, calendar_id=key.calendar_id)

    def _begin_push(self, group: asyncio.TaskGroup, project: Project, what: Push) -> None:
        """One push of a conference at a time; what is asked for meanwhile comes once more after it."""
        key = (what.tenant_id, what.conference_id)
        if key in self._pushing:
            self._again.add(key)
            return
        self._pushing.add(key)
        self._begin(group, self._push(group, project, what))

    async def _push(self, group: asyncio.TaskGroup, project: Project, what: Push) -> None:
        key = (what.tenant_id, what.conference_id)
        try:
            async with self._place_at(project, what), self._pushes:
                await push.push(self._tools, project, what)
        finally:
            self._pushing.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._begin_push(group, project, Push(*key))

    def _place_at(self, project: Project, what: Push) -> asyncio.Semaphore:
        # Taken before a place among all pushes: an account that hangs holds up nobody else's.
        tenant = project.tenants.get(what.tenant_id)
        account_id = tenant.account_id if tenant else 0
        return self._accounts.setdefault(account_id, asyncio.Semaphore(self._limits.pushes_per_provider))

    async def _rescue(self, group: asyncio.TaskGroup) -> None:
        """Finds by their rows what is due to be pushed: retries, deletions, and what a crash left behind."""
        for project in list(self._ownership.projects.values()):
            due = await conferences.waiting(
                self._tools.database, project.tenants, limit=_PUSHES_A_RESCUE, per_account=_PUSHES_AN_ACCOUNT
            )
            for key in due:
                if key not in self._pushing:
                    self._begin_push(group, project, Push(*key))

    async def _read_back(self, group: asyncio.TaskGroup) -> None:
        """Asks providers, slowly, how meetings are that nobody has touched for a while."""
        before = self._tools.clock() - timedelta(seconds=self._rhythm.read_back)
        for project in list(self._ownership.projects.values()):
            unread = await conferences.unread(
                self._tools.database,
                project.tenants,
                before=before,
                limit=_PUSHES_A_RESCUE,
                per_account=_PUSHES_AN_ACCOUNT,
            )
            for key in unread:
                if key not in self._pushing:
                    self._begin_push(group, project, Push(*key, reads_back=True))

    async def _save_tokens(self) -> None:
        for project in list(self._ownership.projects.values()):
            await sweep.save_tokens(self._tools, project)


async def _guarded(work: Awaitable[None]) -> None:
    """One piece of work, whose failure ends nothing but itself: its row is still due, so it comes again."""
    try:
        await work
    except FencedOut as error:
        log.info("fenced out", reason=str(error))
    except SyncerError as error:
        log.warning("a piece of work failed", reason=str(error))
    except Exception as error:  # noqa: BLE001
        # The one guard. Type and place are told and no more, for an error's text may hold what was in its hands.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "a piece of work failed unexpectedly", error=type(error).__name__, where=f"{frame.name}:{frame.lineno}"
        )
