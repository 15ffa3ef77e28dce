"""Sweep: one look at many calendars. Quiet ones write nothing; changed ones go on to be pulled."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec import structs

from syncer.clients.google.calendar import Answered, Failed, Look, Looked, look_at
from syncer.model.calendar import Calendar, Page, Value
from syncer.model.errors import FencedOut, StoreUnavailable, SyncerError, Unsent
from syncer.rules import parse, reading, timing
from syncer.store import calendars, roster
from syncer.sync.tools import Project, Tools

_LONG_PAGE = 250
# One calendar can spoil its batch, but not so many batches one after another: then the next look goes in one again.
_LOST_APART = 2


class Quiet(Value, frozen=True):
    """Nothing has changed. sync_token: the newest one; the old one stays valid."""

    slot: int
    calendar: Calendar
    sync_token: str


class Changed(Value, frozen=True):
    """There is something to pull. page: the first one, already fetched. version: of what is known of the calendar.

    began_at: when the look began.
    """

    slot: int
    calendar: Calendar
    page: Page
    version: int
    began_at: datetime

    @property
    def is_long(self) -> bool:
        """Its pull takes memory and time."""
        return len(self.page.events) > _LONG_PAGE or self.page.next_page_token is not None

    @property
    def is_short(self) -> bool:
        """Its page is all there is to read, and nothing is to be asked for before it is written down."""
        return not self.is_long and not self.calendar.cursor.is_full_read


class Trouble(Value, frozen=True):
    """The look failed. is_shared: a whole batch did, which says nothing of this calendar."""

    slot: int
    calendar: Calendar
    error: SyncerError
    is_shared: bool = False


Seen = Quiet | Changed | Trouble


async def sweep(tools: Tools, project: Project, slots: Sequence[int]) -> list[Seen]:
    """Looks at these calendars, each from where its cursor stands; gives those of which there is something to say.

    A steady one that is quiet is dealt with here, and nothing is written. One of a tenant that is not served any more
    is left out, and so is one whose cursor has moved while it was looked at.
    """
    began_at = tools.clock()
    tenant_ids, tenants = project.calendars.tenant_ids, project.tenants
    asked = [_asked(project, slot, began_at) for slot in slots if tenant_ids[slot] in tenants]
    answers = await tools.google.look([one.look for one in asked])
    quiet: list[int] = []
    seen: list[Seen] = []
    for one, answer in zip(asked, answers, strict=True):
        if project.calendars.version(one.slot) != one.version:
            continue
        sync_token = parse.quiet(answer.body) if one.calendar is None and isinstance(answer, Looked) else None
        if sync_token is None:
            seen.append(await _seen(tools, project, one, answer))
        else:
            project.calendars.move_token(one.slot, sync_token)
            quiet.append(one.slot)
    project.apart.difference_update(quiet)
    project.schedule.looked(quiet, began_at, tools.clock(), found_nothing=True)
    return seen


class _Asked(Value, frozen=True):
    """A calendar that is looked at. calendar: with the cursor it is looked at from, None when it is steady."""

    slot: int
    version: int
    look: Look
    calendar: Calendar | None
    began_at: datetime


def _asked(project: Project, slot: int, now: datetime) -> _Asked:
    served = project.calendars
    look = served.look(slot)
    calendar = None
    if look is None:
        known = served.at(slot)
        policy = project.tenants[known.key.tenant_id].policy
        calendar = structs.replace(known, cursor=reading.begun(known, policy, now))
        look = look_at(calendar, calendar.cursor.read_from)
    if slot in project.apart:
        look = structs.replace(look, is_alone=True)
    return _Asked(slot, served.version(slot), look, calendar, now)


async def _seen(tools: Tools, project: Project, one: _Asked, answer: Answered) -> Seen:
    calendar = one.calendar or project.calendars.at(one.slot)
    project.apart.discard(one.slot)
    match answer:
        case Failed(error, is_shared):
            if is_shared and project.lost_in_a_row <= _LOST_APART and not isinstance(error, Unsent):
                project.apart.add(one.slot)
            return Trouble(one.slot, calendar, error, is_shared)
        case Looked(body):
            return await _read(tools, one, calendar, body)
        case _:
            assert_never(answer)


async def _read(tools: Tools, one: _Asked, calendar: Calendar, body: bytes) -> Seen:
    try:
        page = await page_of(tools, body)
    except SyncerError as error:
        return Trouble(one.slot, calendar, error)
    cursor = calendar.cursor
    if page.is_quiet and page.next_sync_token and cursor.page_token is None and not cursor.is_full_read:
        return Quiet(one.slot, calendar, page.next_sync_token)
    return Changed(one.slot, calendar, page, one.version, one.began_at)


async def page_of(tools: Tools, body: bytes) -> Page:
    """A page of events, read in steps between which others may go on. Raises Unreadable."""
    parts: list[Page] = []
    for part in parse.parts(body, zones=tools.zones):
        if parts:
            await asyncio.sleep(0)
        parts.append(part)
    return parse.whole(parts)


async def rest(tools: Tools, project: Project, quiet: Quiet) -> None:
    """Leaves a quiet calendar as it is. Writes only if it had failed before; a token that moved is saved later."""
    calendar = quiet.calendar
    if calendar.failures or calendar.next_look_at is not None:
        await calendars.recovered(tools.database, project.lease, calendar.key)
    project.keep_cursor(calendar.key, structs.replace(calendar.cursor, sync_token=quiet.sync_token))


async def setback(
    tools: Tools, project: Project, calendar: Calendar, error: SyncerError, *, is_shared: bool = False
) -> datetime:
    """Writes down that a look or a pull failed; gives when to look again.

    is_shared: with a whole batch, which says nothing of this calendar: it waits no longer for failing again and again.

    Postgres being away is nobody's fault but ours, and what was not sent for want of room has not failed: nothing is
    written then. Raises FencedOut.
    """
    if isinstance(error, FencedOut):
        raise error
    if project.tenure.is_over:
        raise FencedOut(f"Nothing is said of a calendar after the lease on its project has run out: {error}")
    now = tools.clock()
    if isinstance(error, Unsent):
        return timing.room_at(error.seconds, now=now, jitter=tools.chance())
    failures = max(calendar.failures, 1) if is_shared else calendar.failures + 1
    verdict = timing.after(error, failures=failures, now=now, jitter=tools.chance())
    if isinstance(error, StoreUnavailable):
        return verdict.at
    if verdict.standing is timing.Standing.READ_ANEW:
        await calendars.restart(tools.database, project.lease, calendar.key, str(error))
        project.forget_cursor(calendar.key, now)
        project.note_failure(structs.replace(calendar, failures=failures, next_look_at=None))
        return verdict.at
    failed = structs.replace(calendar, failures=failures, next_look_at=verdict.at)
    await calendars.failed(tools.database, project.lease, failed, state=verdict.standing.value, reason=str(error))
    project.note_failure(failed)
    return verdict.at


async def save_tokens(tools: Tools, project: Project, share: float) -> None:
    """Saves sync tokens that moved without changes, of this share of all calendars; of the next share next time.

    The old ones stay valid, so nothing hurries.
    """
    moved = project.calendars.unsaved(share)
    if moved:
        await roster.save_tokens(tools.database, project.lease, moved)
