"""Push: make one meeting as its links want it, and its events show what the meeting is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from syncer.model.calendar import CalendarKey, Event, Link
from syncer.model.conference import (
    Applied,
    Conference,
    Gone,
    Meeting,
    Outcome,
    Rejected,
    Replaced,
    Retry,
    Stale,
    State,
)
from syncer.model.errors import AlreadyGone, Missing, OperatorError, OutsideError
from syncer.rules import compose, decide, parse, timing
from syncer.store import calendars, conferences
from syncer.store.conferences import Told
from syncer.sync import write_back
from syncer.sync.desk import Desk
from syncer.sync.tools import Project, Tools

# A calendar that could not be looked at for so long, parked or paused, holds up no deletion any more.
_UNSEEN_LIMIT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Push:
    """One conference to push. reads_back: ask the provider how the meeting is, even if nothing else asks for it."""

    tenant_id: int
    conference_id: int
    reads_back: bool = False


async def push(tools: Tools, project: Project, what: Push) -> None:
    """Makes one meeting as its links want it, and writes down what came of it.

    Raises FencedOut or a StoreError; trouble at the provider or at Google becomes a row that is due again later.
    """
    tenant = project.tenants.get(what.tenant_id)
    found = await conferences.one(tools.database, what.tenant_id, what.conference_id)
    if tenant is None or found is None:
        return
    conference, links = found
    desk = Desk(tools, project, tenant, conference, conference.failures)
    driver = decide.driver(links, _last_driver(conference), tools.clock())
    if not conference.is_owner:
        await desk.settle(replace(conference, state=State.WATCHED))
    elif driver is None:
        await _bury(desk)
    else:
        await _keep(desk, driver, links, reads_back=what.reads_back or conference.is_in_doubt)


def _last_driver(conference: Conference) -> tuple[CalendarKey, str] | None:
    if conference.driver is None or conference.driver_event_id is None:
        return None
    return conference.driver, conference.driver_event_id


async def _keep(desk: Desk, driver: Link, links: Sequence[Link], *, reads_back: bool) -> None:
    """A conference with links: its meeting is made as the driver wants it, and its events show the meeting."""
    desk = desk.having(_revived(desk.conference, driver))
    if reads_back:
        now = desk.tools.clock()
        outcome = await desk.call(compose.reading(desk.conference, desk.tenant.slug, now))
        if not isinstance(outcome, Applied | Replaced):
            await _not_done(desk, outcome, during="reading the meeting back")
            return
        desk = desk.having(_as_read(desk.conference, outcome.meeting, now))
        if _has_drifted(desk.conference, driver):
            told = Told("read_back", {"drifted": True})
            await desk.note(replace(desk.conference, is_in_doubt=False), told, is_touched=True)
            return
    desk, is_done = await _make_so(desk, driver)
    if is_done:
        await write_back.write_back(desk, links)


def _has_drifted(conference: Conference, driver: Link) -> bool:
    # Bringing it back needs a version of its own: under the old one the provider would repeat its old answer.
    aim = compose.wanted(driver.event)
    is_due = conference.wanted_version > conference.applied_version and not conference.is_in_doubt
    return aim is not None and not is_due and bool(compose.changed(aim, conference.applied))


def _revived(conference: Conference, driver: Link) -> Conference:
    return replace(
        conference,
        state=State.LIVE,
        driver=driver.key,
        driver_event_id=driver.event_id,
        unlinked_at=None,
        delete_after=None,
        was_released=False,
    )


def _as_read(conference: Conference, meeting: Meeting, now: datetime) -> Conference:
    return replace(conference, meeting=meeting, applied=compose.held(conference, meeting), read_back_at=now)


async def _make_so(desk: Desk, driver: Link) -> tuple[Desk, bool]:
    """Updates the meeting if it differs from what is wanted; says whether it is so now."""
    conference, aim = desk.conference, compose.wanted(driver.event)
    if aim is None:
        return await desk.settle(conference, reason="its event shows no times"), False
    changed = compose.changed(aim, conference.applied)
    if not changed:
        return await desk.settle(conference), True
    began = time.monotonic()
    outcome = await desk.call(compose.update(conference, desk.tenant.slug, aim))
    if not isinstance(outcome, Applied | Replaced):
        await _not_done(desk, outcome, during="updating the meeting")
        return desk, False
    told = Told(
        "updated",
        {
            "changed": changed,
            "revision": conference.wanted_version,
            "ms": round((time.monotonic() - began) * 1000),
        },
    )
    after = replace(conference, applied=aim, meeting=outcome.meeting, read_back_at=desk.tools.clock())
    return await desk.settle(after, told), True


async def _not_done(desk: Desk, outcome: Gone | Stale | Rejected | Retry, *, during: str) -> None:
    """Writes down why the meeting is not as wanted."""
    match outcome:
        case Gone():
            told = Told("gone", {"during": during})
            await desk.settle(
                replace(desk.conference, state=State.GONE), told, reason="the provider has no such meeting"
            )
        case Stale(revision):
            newer = replace(desk.conference, wanted_version=revision + 1, is_in_doubt=True)
            await desk.note(newer, Told("stale", {"revision": revision}), reason="the provider knew a newer revision")
        case Rejected(reason):
            await desk.settle(desk.conference, Told("rejected", {"reason": reason, "during": during}), reason=reason)
        case Retry():
            await desk.postpone(outcome, during=during)
        case _:
            assert_never(outcome)


async def _bury(desk: Desk) -> None:
    """A conference without links: its meeting goes, once that is sure."""
    conference, now = _undoubted(desk.conference), desk.tools.clock()
    desk = desk.having(conference)
    if conference.state in (State.DELETED, State.GONE, State.DETACHED, State.WATCHED, State.HELD):
        await desk.settle(conference, reason=None if conference.state is not State.HELD else _HELD)
    elif conference.delete_after is None:
        await _take_leave(desk, now)
    elif now < conference.delete_after:
        await desk.settle(conference)
    elif not conference.was_released and await _is_guarded(desk):
        held = replace(conference, state=State.HELD)
        await desk.settle(held, Told("held", {"reason": _HELD}), reason=_HELD)
    else:
        await _look_a_last_time(desk)


def _undoubted(conference: Conference) -> Conference:
    # Nobody asks how a meeting is that is to go. Should its event come back, nothing counts as done.
    return replace(conference, applied=None, is_in_doubt=False) if conference.is_in_doubt else conference


_HELD = "so many meetings would be deleted at once that a person must release them"


async def _take_leave(desk: Desk, now: datetime) -> None:
    grace = desk.tenant.policy.grace
    after = replace(desk.conference, state=State.LEAVING, unlinked_at=now, delete_after=now + grace)
    await desk.settle(after, Told("leaving", {"grace_seconds": grace.total_seconds()}))


async def _is_guarded(desk: Desk) -> bool:
    conference = desk.conference
    removals = await conferences.removals(desk.tools.database, conference.tenant_id, conference.driver)
    return decide.is_guarded(removals, desk.tenant.policy)


async def _look_a_last_time(desk: Desk) -> None:
    """Reads the driver's event once more before the meeting is deleted."""
    try:
        farewell = await _farewell(desk)
    except (OutsideError, OperatorError) as error:
        asked = error.retry_after_seconds if isinstance(error, OutsideError) else None
        await desk.postpone(Retry(str(error), asked), during="reading the event a last time")
        return
    match farewell:
        case decide.Farewell.STILL_THERE:
            await _read_calendar_anew(desk)
        case decide.Farewell.ELSEWHERE:
            reason = "an event that makes no link of ours may still refer to the meeting"
            await desk.settle(replace(desk.conference, state=State.DETACHED), Told("detached", {"reason": reason}))
        case decide.Farewell.PERHAPS_MOVED if not await _looked_everywhere(desk):
            await _wait(desk, "the event may have moved: every calendar of the tenant is looked at first")
        case decide.Farewell.PERHAPS_MOVED | decide.Farewell.DELETED:
            await _delete(desk)
        case _:
            assert_never(farewell)


async def _farewell(desk: Desk) -> decide.Farewell:
    conference = desk.conference
    calendar = desk.project.calendars.get(conference.driver) if conference.driver else None
    if calendar is None or conference.driver_event_id is None:
        return decide.Farewell.PERHAPS_MOVED
    try:
        body = await desk.tools.google.get(calendar, conference.driver_event_id)
    except (Missing, AlreadyGone):
        return decide.Farewell.PERHAPS_MOVED
    read = parse.event(body, zones=desk.tools.zones)
    if not isinstance(read, Event):
        return decide.Farewell.ELSEWHERE
    policy = desk.tenant.policy
    since = desk.tools.clock() - policy.window
    sight = decide.Sight(calendar, policy, sees_details=True, is_repinned=False, since=since)
    return decide.farewell(read, conference.meeting_id, sight)


async def _looked_everywhere(desk: Desk) -> bool:
    tenant_id, since = desk.conference.tenant_id, desk.conference.unlinked_at
    if since is None:
        return False
    if desk.tools.clock() - since > _UNSEEN_LIMIT:
        return True
    is_looked = desk.project.looked_everywhere(tenant_id, since)
    return is_looked and not await calendars.has_paused(desk.tools.database, tenant_id)


async def _read_calendar_anew(desk: Desk) -> None:
    """The event refers to the meeting after all: its calendar's changes are read again from the start."""
    key = desk.conference.driver
    if key is not None:
        await calendars.restart(desk.tools.database, desk.project.lease, key, "an event without a link was found")
        desk.project.forget_cursor(key, desk.tools.clock())
    await _wait(desk, "the event is still there: its calendar is read anew")


async def _wait(desk: Desk, reason: str) -> None:
    at = timing.retry_at(desk.failures + 1, now=desk.tools.clock(), jitter=desk.tools.chance())
    told = [] if desk.failures else [Told("kept", {"reason": reason})]
    await desk.note(replace(desk.conference, next_try_at=at, failures=desk.failures + 1), *told, reason=reason)


async def _delete(desk: Desk) -> None:
    if await conferences.hand_over(desk.tools.database, desk.project.lease, desk.conference):
        told = Told("handed_over", {"reason": "another tenant's event refers to the meeting"})
        await desk.settle(replace(desk.conference, state=State.WATCHED), told)
        return
    outcome: Outcome = await desk.call(compose.deletion(desk.conference, desk.tenant.slug))
    match outcome:
        case Applied() | Replaced() | Gone():
            await desk.settle(replace(desk.conference, state=State.DELETED), Told("deleted"))
        case Stale() | Retry():
            await _not_done(desk, outcome, during="deleting the meeting")
        case Rejected(reason):
            refused = replace(desk.conference, state=State.DETACHED)
            await desk.settle(
                refused, Told("rejected", {"reason": reason, "during": "deleting the meeting"}), reason=reason
            )
        case _:
            assert_never(outcome)
