"""Sweep: one look at many calendars. Quiet ones write nothing; changed ones go on to be pulled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from syncer.clients.google.calendar import Answered, Failed, Look, Looked
from syncer.model.calendar import Calendar, Page
from syncer.model.errors import FencedOut, StoreUnavailable, SyncerError
from syncer.rules import parse, reading, timing
from syncer.store import calendars
from syncer.sync.tools import Project, Tools


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing has changed. sync_token: the newest one; the old one stays valid."""

    calendar: Calendar
    sync_token: str


@dataclass(frozen=True, slots=True)
class Changed:
    """There is something to pull. page: the first one, already fetched."""

    calendar: Calendar
    page: Page


@dataclass(frozen=True, slots=True)
class Trouble:
    """The look failed."""

    calendar: Calendar
    error: SyncerError


Seen = Quiet | Changed | Trouble


async def sweep(tools: Tools, project: Project, due: Sequence[Calendar]) -> list[Seen]:
    """Looks at these calendars, each from where its cursor stands; says of each what there is to do.

    Calendars of tenants that are not served any more are left out.
    """
    served = [calendar for calendar in due if calendar.key.tenant_id in project.tenants]
    ready = [_ready(project, calendar, tools.clock()) for calendar in served]
    answers = await tools.google.look([look(calendar) for calendar in ready])
    by_key = {calendar.key: calendar for calendar in ready}
    return [_seen(tools, by_key[answer.key], answer) for answer in answers]


def look(calendar: Calendar) -> Look:
    """What to ask of a calendar; a full read asks from the same instant on each of its pages."""
    return Look(calendar, calendar.cursor.read_from if calendar.cursor.is_full_read else None)


def _ready(project: Project, calendar: Calendar, now: datetime) -> Calendar:
    policy = project.tenants[calendar.key.tenant_id].policy
    return replace(calendar, cursor=reading.begun(calendar, policy, now))


def _seen(tools: Tools, calendar: Calendar, answer: Answered) -> Seen:
    match answer:
        case Failed():
            return Trouble(calendar, answer.error)
        case Looked():
            return _read(tools, calendar, answer.body)
        case _:
            assert_never(answer)


def _read(tools: Tools, calendar: Calendar, body: bytes) -> Seen:
    try:
        page = parse.page(body, zones=tools.zones)
    except SyncerError as error:
        return Trouble(calendar, error)
    cursor = calendar.cursor
    if page.is_quiet and page.next_sync_token and cursor.page_token is None and not cursor.is_full_read:
        return Quiet(calendar, page.next_sync_token)
    return Changed(calendar, page)


async def rest(tools: Tools, project: Project, quiet: Quiet) -> None:
    """Leaves a quiet calendar as it is. Writes only if it had failed before; a token that moved is saved later."""
    calendar = quiet.calendar
    if calendar.failures or calendar.next_look_at is not None:
        await calendars.recovered(tools.database, project.lease, calendar.key)
    old = calendar.cursor.sync_token
    if old is not None and old != quiet.sync_token:
        first = project.moved.get(calendar.key, (old, old))[0]
        project.moved[calendar.key] = (first, quiet.sync_token)
    project.keep_cursor(calendar.key, replace(calendar.cursor, sync_token=quiet.sync_token))


async def setback(tools: Tools, project: Project, calendar: Calendar, error: SyncerError) -> datetime:
    """Writes down that a look or a pull failed; gives when to look again.

    Postgres being away is nobody's fault but ours: nothing is written then. Raises FencedOut.
    """
    if isinstance(error, FencedOut):
        raise error
    now = tools.clock()
    failures = calendar.failures + 1
    verdict = timing.after(error, failures=failures, now=now, jitter=tools.chance())
    if isinstance(error, StoreUnavailable):
        return verdict.at
    if verdict.standing is timing.Standing.READ_ANEW:
        await calendars.restart(tools.database, project.lease, calendar.key, str(error))
        project.forget_cursor(calendar.key, now)
        project.note_failure(replace(calendar, failures=failures, next_look_at=None))
        return verdict.at
    failed = replace(calendar, failures=failures, next_look_at=verdict.at)
    await calendars.failed(tools.database, project.lease, failed, state=verdict.standing.value, reason=str(error))
    project.note_failure(failed)
    return verdict.at


async def save_tokens(tools: Tools, project: Project) -> None:
    """Saves the sync tokens that moved without changes, all at once."""
    moved, project.moved = project.moved, {}
    if moved:
        rows = [(key, old, new) for key, (old, new) in moved.items()]
        await calendars.save_tokens(tools.database, project.lease, rows)
