"""Upkeep: a channel for every calendar that is served, renewed before it is over, stopped when it is of no use.

And what vendors registered, and no event ever answered, is ended when its time has come.

A channel is a row before it is a request, so that none is left behind; what could not be done is done when it is due.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from syncer.clients.google.channels import Ask, Granted
from syncer.clients.secret import Secret
from syncer.model.budget import Lane
from syncer.model.calendar import Calendar
from syncer.model.errors import (
    AlreadyGone,
    Conflict,
    FencedOut,
    Missing,
    OperatorError,
    OutsideError,
    Refused,
    SetUpWrong,
    Unreachable,
    Unreadable,
    Unwatchable,
)
from syncer.rules import schedule, timing
from syncer.run.limits import Watching
from syncer.store import channels, notified
from syncer.store.channels import Due, Setback, Stopping
from syncer.sync import lapses
from syncer.sync.tools import Project, Tools

log = structlog.get_logger()
_AT_ONCE = 8
# A thousand calendars at once, then some hundred thousand a day: what a project may ask is for looks first.
_WATCHES_IN_A_ROW, _WATCHES_A_SECOND = 1000, 5.0
_SETTLE_SECONDS = 3600.0
# Longer than it can take until it is known what came of a request.
_AGAIN_SECONDS = 300.0
_UNWATCHABLE = timedelta(days=30)
_ADDRESS_REFUSED_SECONDS = 900.0
# Renewed in the last third of its life, each at its own time, and the last of them with room for some failures.
_RENEWED_FROM, _RENEWED_WITHIN = 2 / 3, 0.3

Begin = Callable[[Coroutine[None, None, None]], None]


@dataclass(slots=True)
class _Kept:
    """A project whose channels are kept. busy: calendars and channels under way. allowance: watches that may begin now.

    settled_at, counted_at, rests_until: seconds of the loop. failing: kinds of trouble that were told. is_settling:
    what vendors registered is looked after right now.
    """

    project: Project
    counted_at: float
    allowance: float = _WATCHES_IN_A_ROW
    settled_at: float = float("-inf")
    rests_until: float = float("-inf")
    busy: set[object] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    is_settling: bool = False

    def room(self, now: float) -> int:
        """How many watches may begin now."""
        since, self.counted_at = now - self.counted_at, now
        self.allowance = min(self.allowance + since * _WATCHES_A_SECOND, _WATCHES_IN_A_ROW)
        return 0 if now < self.rests_until else min(_AT_ONCE - len(self.busy), int(self.allowance))


class Upkeep:
    """Keeps the channels of the projects that this worker serves.

    found: rings when a calendar is to be looked at. bell: rings when there is more to do.
    """

    def __init__(self, tools: Tools, watching: Watching, found: asyncio.Event) -> None:
        self.bell = asyncio.Event()
        self._tools = tools
        self._watching = watching
        self._found = found
        self._kept: dict[int, _Kept] = {}
        self._pruned_at = float("-inf")

    async def mind(self, projects: Mapping[int, Project], begin: Begin) -> None:
        """One round. begin: begins a piece of work. Raises StoreError."""
        self.bell.clear()
        now = asyncio.get_running_loop().time()
        self._kept = {
            project_id: self._kept_of(project_id, project, now)
            for project_id, project in projects.items()
            if project.since
        }
        for kept in list(self._kept.values()):
            await self._settle(kept, now)
            self._begin_lapses(kept, begin)
            await self._replace_silent(kept)
            await self._begin_watches(kept, begin, now)
            await self._begin_stops(kept, begin)
        if self._kept and now - self._pruned_at >= _SETTLE_SECONDS:
            await notified.prune(self._tools.database)
            self._pruned_at = now

    def _kept_of(self, project_id: int, project: Project, now: float) -> _Kept:
        kept = self._kept.get(project_id)
        return kept if kept is not None and kept.project is project else _Kept(project, now)

    async def _settle(self, kept: _Kept, now: float) -> None:
        if now - kept.settled_at >= _SETTLE_SECONDS:
            await channels.settle(self._tools.database, kept.project.lease, self._watching.address)
            kept.settled_at = now

    def _begin_lapses(self, kept: _Kept, begin: Begin) -> None:
        if not kept.is_settling:
            kept.is_settling = True
            begin(self._settle_lapses(kept))

    async def _settle_lapses(self, kept: _Kept) -> None:
        try:
            await lapses.settle(self._tools, kept.project)
        finally:
            kept.is_settling = False

    async def _replace_silent(self, kept: _Kept) -> None:
        calendars = kept.project.calendars
        found = [(calendars.key(slot), at) for slot, at in kept.project.unannounced.silent(self._tools.clock())]
        if found:
            replaced = await channels.replace(self._tools.database, found)
            if replaced:
                log.info("channels are silent", project_id=kept.project.lease.project_id, pieces=len(replaced))

    async def _begin_watches(self, kept: _Kept, begin: Begin, now: float) -> None:
        room, address = kept.room(now), self._watching.address
        if room <= 0 or address is None:
            return
        limit = room + len(kept.busy)
        tenant_ids = list(kept.project.tenants)
        # Whoever has many calendars is not always first.
        start = int(self._tools.chance() * len(tenant_ids))
        due = await channels.due(self._tools.database, tenant_ids[start:] + tenant_ids[:start], limit=limit)
        for one in due:
            calendar = kept.project.calendars.get(one.key)
            if calendar is not None and one.key not in kept.busy and room > 0:
                room -= 1
                kept.allowance -= 1
                kept.busy.add(one.key)
                begin(self._watch(kept, one, calendar, address, goes_on=len(due) == limit))

    async def _begin_stops(self, kept: _Kept, begin: Begin) -> None:
        room = _AT_ONCE - len(kept.busy)
        if room <= 0:
            return
        limit = room + len(kept.busy)
        found = await channels.to_stop(self._tools.database, kept.project.lease.project_id, limit=limit)
        for one in [one for one in found if one.channel_id not in kept.busy][:room]:
            kept.busy.add(one.channel_id)
            begin(self._stop(kept, one, goes_on=len(found) == limit))

    async def _watch(self, kept: _Kept, due: Due, calendar: Calendar, address: str, *, goes_on: bool) -> None:
        try:
            await self._ask(kept, due, calendar, address)
        finally:
            kept.busy.discard(due.key)
            if goes_on:
                self.bell.set()

    async def _ask(self, kept: _Kept, due: Due, calendar: Calendar, address: str) -> None:
        channel_id, token, project = uuid4(), Secret(secrets.token_urlsafe(32)), kept.project
        seconds = self._watching.channel_seconds
        asked = channels.Ask(
            channel_id=channel_id,
            key=due.key,
            secret_hash=hashlib.sha256(token.reveal().encode()).digest(),
            address=address,
            credential=calendar.credential,
            subject=calendar.subject,
            lasts_seconds=seconds,
            again_seconds=_AGAIN_SECONDS,
        )
        if not await channels.ask(self._tools.database, project.lease, asked):
            return
        google = project.tools(self._tools, Lane.REFRESH).google
        try:
            async with project.tenure.bounded():
                granted = await google.watch(calendar, Ask(str(channel_id), address, token, seconds))
        except (OutsideError, OperatorError) as error:
            await self._set_back(kept, due, channel_id, error)
        except TimeoutError:
            raise FencedOut("A channel was asked for, and the lease ran out before the answer.") from None
        else:
            await self._opened(kept, due, channel_id, granted)

    async def _opened(self, kept: _Kept, due: Due, channel_id: UUID, granted: Granted) -> None:
        now = self._tools.clock()
        share = _RENEWED_FROM + _RENEWED_WITHIN * schedule.phase(due.key)
        renew_at = now + max(granted.expires_at - now, timedelta()) * share
        is_open = await channels.opened(
            self._tools.database, channel_id, granted.resource_id, expires_at=granted.expires_at, renew_at=renew_at
        )
        if kept.failing:
            log.info("channels recovered", project_id=kept.project.lease.project_id)
            kept.failing.clear()
        # What changed before it was open is told by nobody.
        if is_open and kept.project.notified(due.key, self._tools.clock()):
            self._found.set()

    async def _set_back(self, kept: _Kept, due: Due, channel_id: UUID, error: OutsideError | OperatorError) -> None:
        if _is_address_refused(error):
            kept.rests_until = asyncio.get_running_loop().time() + _ADDRESS_REFUSED_SECONDS
        if _is_address_refused(error) or isinstance(error, Refused):
            self._tell(kept, error)
        setback = Setback(
            may_exist=isinstance(error, Unreachable | Unreadable),
            due_at=self._due_at(due, error),
            failures=due.failures + 1,
            is_unwatchable=isinstance(error, Unwatchable),
            reason=str(error),
        )
        await channels.failed(self._tools.database, channel_id, setback)

    def _due_at(self, due: Due, error: OutsideError | OperatorError) -> datetime:
        now, chance = self._tools.clock(), self._tools.chance()
        if isinstance(error, Unwatchable):
            return now + _UNWATCHABLE * (0.75 + 0.5 * chance)
        if isinstance(error, Conflict):
            return now  # its id was used before; the next one is another
        return timing.after(error, failures=due.failures + 1, now=now, jitter=chance).at

    def _tell(self, kept: _Kept, error: OutsideError | OperatorError) -> None:
        """Once: what is wrong with a calendar or its user is told by looks."""
        kind = type(error).__name__
        if kind not in kept.failing:
            kept.failing.add(kind)
            project_id = kept.project.lease.project_id
            log.warning("channels fail", project_id=project_id, error_type=kind, reason=str(error))

    async def _stop(self, kept: _Kept, one: Stopping, *, goes_on: bool) -> None:
        google = kept.project.tools(self._tools, Lane.REFRESH).google
        try:
            async with kept.project.tenure.bounded():
                await google.stop(str(one.channel_id), one.resource_id, (one.credential, one.subject))
            await channels.stopped(self._tools.database, one.channel_id)
        except (Missing, AlreadyGone, Refused):
            await channels.stopped(self._tools.database, one.channel_id)
        except (OutsideError, OperatorError) as error:
            failures, now = one.failures + 1, self._tools.clock()
            again_at = timing.after(error, failures=failures, now=now, jitter=self._tools.chance()).at
            await channels.not_stopped(self._tools.database, one.channel_id, failures=failures, again_at=again_at)
        except TimeoutError:
            raise FencedOut("A channel was to be stopped, and the lease ran out before the answer.") from None
        finally:
            kept.busy.discard(one.channel_id)
            if goes_on:
                self.bell.set()


def _is_address_refused(error: OutsideError | OperatorError) -> bool:
    return isinstance(error, SetUpWrong) and error.reason.startswith("push.")
