"""Push: make one meeting as its links want it, and its events show what the meeting is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

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
    Wanted,
)
from syncer.model.errors import AlreadyGone, Missing, OperatorError, OutsideError
from syncer.rules import compose, decide, parse, series, timing
from syncer.store import calendars, conferences
from syncer.store.conferences import Told
from syncer.sync import take_back, write_back
from syncer.sync.desk import Came, Desk
from syncer.sync.tools import Project, Tools

# A calendar that could not be looked at for so long, parked or paused, holds up no deletion any more.
_UNSEEN_LIMIT = timedelta(days=7)
# What every JSON number can carry, and more than any number of edits.
_LARGEST_REVISION = 2**53
_NO_SUCH_MEETING = "the provider has no such meeting"


@dataclass(frozen=True, slots=True)
class Push:
    """One conference to push. reads_back: ask the provider how the meeting is, even if nothing else asks for it."""

    tenant_id: int
    conference_id: int
    reads_back: bool = False


async def push(tools: Tools, project: Project, what: Push) -> Came:
    """Makes one meeting as its links want it, and writes down what came of it; gives what is to be told of that.

    Raises FencedOut or a StoreError; trouble at the provider or at Google becomes a row that is due again later.
    """
    tenant = project.tenants.get(what.tenant_id)
    if tenant is None or what.tenant_id in project.unlisted:
        return Came()
    found = await conferences.one(tools.database, what.tenant_id, what.conference_id)
    if found is None:
        return Came()
    conference, links = found
    desk = Desk(tools, project, tenant, conference, conference.failures, Came())
    desk = await take_back.from_left(desk, links)
    driver = decide.driver(links, _last_driver(conference), tools.clock())
    if not conference.is_owner:
        await desk.settle(replace(conference, state=State.WATCHED))
    elif driver is None:
        await _bury(desk)
    else:
        await _keep(desk, driver, links, reads_back=what.reads_back or _is_unsure(conference))
        if desk.came.is_gone:
            await take_back.from_all(desk, links)
    return desk.came


def _is_unsure(conference: Conference) -> bool:
    return conference.is_in_doubt or conference.state in (State.DELETED, State.GONE)


def _last_driver(conference: Conference) -> tuple[CalendarKey, str] | None:
    if conference.driver is None or conference.driver_event_id is None:
        return None
    return conference.driver, conference.driver_event_id


async def _keep(desk: Desk, driver: Link, links: Sequence[Link], *, reads_back: bool) -> None:
    """A conference with links: its meeting is made as the driver wants it, and its events show the meeting."""
    before = desk.conference
    desk = desk.having(_revived(before, driver))
    if reads_back:
        # Until it could be read, it stays known who drove it before.
        last = replace(desk.conference, driver=before.driver, driver_event_id=before.driver_event_id)
        read = await _read_back(desk.having(last))
        if read is None:
            return
        desk = desk.having(replace(read.conference, driver=driver.key, driver_event_id=driver.event_id))
        if _has_drifted(before, desk.conference, _wanted(desk, driver, links)):
            told = Told("read_back", {"handed_on" if _is_handed_on(before, desk.conference) else "drifted": True})
            due = replace(desk.conference, is_in_doubt=False)
            if timing.is_held(desk.failures):
                due = replace(due, failures=0, next_try_at=None)
            await desk.note(due, told, is_touched=True)
            return
    desk, is_done = await _make_so(desk, _wanted(desk, driver, links), left_out=series.left_out(links))
    if is_done:
        await write_back.write_back(desk, links)


async def _read_back(desk: Desk) -> Desk | None:
    """Asks the provider how the meeting is; None when that is all that can be done now."""
    now = desk.tools.clock()
    outcome = await desk.call(compose.reading(desk.conference, desk.tenant.slug, now))
    match outcome:
        case Applied(meeting) | Replaced(meeting):
            return desk.having(_as_read(desk.conference, meeting, now))
        case Rejected():
            # It cannot be asked. That says nothing of what is wanted: a doubt is met by telling it once more.
            held = None if desk.conference.is_in_doubt else desk.conference.applied
            return desk.having(replace(desk.conference, applied=held, read_back_at=now))
        case Gone() | Stale() | Retry():
            await _not_done(desk, outcome, during="reading the meeting back")
            return None
        case _:
            assert_never(outcome)


def _has_drifted(before: Conference, read: Conference, aim: Wanted | None) -> bool:
    """The provider's own users changed what we left there, nobody knows what came of our last call, another event
    drives it, or the provider answers again after it had failed for so long that the push was held.

    Bringing it back needs a version of its own: under the old one the provider would repeat its old answer.
    """
    if aim is None or not compose.changed(aim, read.applied):
        return False
    is_due = before.wanted_version > before.applied_version
    if not is_due and (timing.is_held(before.failures) or _is_handed_on(before, read)):
        return True
    return before.is_in_doubt if is_due or read.applied == before.applied else True


def _is_handed_on(before: Conference, read: Conference) -> bool:
    """Time has passed over the driver, and another event says now how the meeting is."""
    return _last_driver(before) not in (None, _last_driver(read))


def _revived(conference: Conference, driver: Link) -> Conference:
    is_driver_known = _last_driver(conference) == (driver.key, driver.event_id)
    is_leaving = conference.unlinked_at is not None or conference.delete_after is not None
    if conference.state is State.LIVE and is_driver_known and not is_leaving and not conference.was_released:
        return conference
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


def _wanted(desk: Desk, driver: Link, links: Sequence[Link]) -> Wanted | None:
    return series.wanted(driver, links, zones=desk.tools.zone)


async def _make_so(desk: Desk, aim: Wanted | None, *, left_out: Sequence[str]) -> tuple[Desk, bool]:
    """Updates the meeting if it differs from what is wanted; says whether it is so now."""
    conference = desk.conference
    if aim is None:
        return await desk.settle(conference, reason="its event shows no times"), False
    change = compose.update(conference, desk.tenant.slug, aim)
    if not change.changed:
        return await desk.settle(conference, *_found_done(desk)), True
    if conference.wanted_version == conference.applied_version:
        # It was refused, and nobody has asked for anything else since.
        return await desk.settle(conference, reason=conference.reason), True
    began = time.monotonic()
    outcome = await desk.call(change)
    if not isinstance(outcome, Applied | Replaced):
        await _not_done(desk, outcome, during="updating the meeting")
        return desk, False
    detail: dict[str, object] = {
        "changed": change.changed,
        "revision": conference.wanted_version,
        "ms": round((time.monotonic() - began) * 1000),
    }
    if conference.meeting is not None:
        detail["is_join_url_new"] = outcome.meeting.join_url != conference.meeting.join_url
    if not_held := compose.not_held(aim, outcome.meeting):
        detail["not_held"] = not_held
    if left_out:
        detail["left_out"] = left_out
    told = Told("updated", detail)
    after = replace(conference, applied=aim, meeting=outcome.meeting, read_back_at=desk.tools.clock())
    return await desk.settle(after, told), True


def _found_done(desk: Desk) -> list[Told]:
    # The answer to the call was lost, and a reading has shown that it was carried out.
    conference = desk.conference
    is_found = conference.is_in_doubt and conference.wanted_version > conference.applied_version
    return [Told("updated", {"revision": conference.wanted_version, "found": "by reading back"})] if is_found else []


async def _not_done(desk: Desk, outcome: Gone | Stale | Rejected | Retry, *, during: str) -> None:
    """Writes down why the meeting is not as wanted."""
    match outcome:
        case Gone():
            told = Told("gone", {"during": during})
            await desk.settle(replace(desk.conference, state=State.GONE), told, reason=_NO_SUCH_MEETING)
            desk.came.stuck = _NO_SUCH_MEETING if desk.conference.reason != _NO_SUCH_MEETING else None
        case Stale(revision):
            await _go_above(desk, revision)
        case Rejected(kind=kind):
            is_news = outcome.in_full != desk.conference.reason
            news = [_told_of(outcome, during)] if is_news else []
            await desk.settle(desk.conference, *news, reason=outcome.in_full)
            desk.came.stuck = f"refused, {during}: {kind}" if is_news else None
        case Retry():
            await desk.try_later(outcome, during=during)
        case _:
            assert_never(outcome)


def _told_of(refused: Rejected, during: str) -> Told:
    code = {"code": refused.code} if refused.code else {}
    return Told("rejected", {"reason": refused.reason, "during": during, **code})


async def _go_above(desk: Desk, revision: int) -> None:
    """The provider knows a newer revision, after a restored backup say: ours goes above it, at once the first time."""
    now, failures = desk.tools.clock(), desk.failures + 1
    again_at = timing.retry_at(failures, now=now, jitter=desk.tools.chance()) if desk.failures else None
    newer = replace(
        desk.conference,
        wanted_version=min(revision, _LARGEST_REVISION) + 1,
        is_in_doubt=True,
        failures=failures,
        next_try_at=again_at,
    )
    told = [] if desk.failures else [Told("stale", {"revision": revision})]
    await desk.note(newer, *told, reason="the provider knew a newer revision")


async def _bury(desk: Desk) -> None:
    """A conference without links: its meeting goes, once that is sure."""
    conference, now = _undoubted(desk.conference), desk.tools.clock()
    desk = desk.having(conference)
    if conference.state in (State.DELETED, State.GONE, State.DETACHED, State.WATCHED, State.HELD):
        await desk.settle(conference, reason=conference.reason)
    elif conference.is_expected:
        await desk.settle(conference)  # its vendor said which event is to refer to it, and nobody has read that yet
    elif conference.was_detached:
        await _detach(desk, "one of its events was lost to changed matchers, and may still be there")
    elif conference.delete_after is None and conference.wanted_version == conference.applied_version:
        await _detach(desk, "its calendar is not served any more")
    elif conference.delete_after is None:
        await _take_leave(desk, now)
    elif now < conference.delete_after:
        await desk.settle(conference)
    elif not conference.was_released and await _is_guarded(desk):
        held = replace(conference, state=State.HELD)
        await desk.settle(held, Told("held", {"reason": _HELD}), reason=_HELD)
    else:
        await _look_a_last_time(desk)


async def _detach(desk: Desk, reason: str) -> None:
    """The meeting stays at the provider as it is: nothing says that its event is gone."""
    await desk.settle(
        replace(desk.conference, state=State.DETACHED), Told("detached", {"reason": reason}), reason=reason
    )


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
        farewell, event = await _farewell(desk)
    except (OutsideError, OperatorError) as error:
        during = "reading the event a last time"
        await desk.set_back(error, Told("retry", {"reason": str(error), "during": during}), during=during)
        return
    # Not since a link went only: who brings an event back has all of the grace for it.
    due_at = desk.conference.delete_after
    match farewell:
        case decide.Farewell.STILL_THERE:
            await _read_calendar_anew(desk)
        case decide.Farewell.ELSEWHERE:
            await _detach(desk, "an event that makes no link of ours may still refer to the meeting")
        case decide.Farewell.PERHAPS_MOVED if not await _looked_everywhere(desk, due_at):
            await _wait(desk, "the event may have moved: every calendar of the tenant is looked at first")
        case decide.Farewell.DELETED if desk.conference.strayed_at and not await _looked_everywhere(desk, due_at):
            await _wait(desk, "another of its events may be there: every calendar of the tenant is looked at first")
        case decide.Farewell.PERHAPS_MOVED | decide.Farewell.DELETED:
            cleaned = await take_back.from_last(desk, event)
            if cleaned is not None:
                await _delete(cleaned)
        case _:
            assert_never(farewell)


async def _farewell(desk: Desk) -> tuple[decide.Farewell, Event | None]:
    """What the driver's event says of its meeting's end, and the event where it was found."""
    conference = desk.conference
    if conference.driver is None or conference.driver_event_id is None:
        return decide.Farewell.PERHAPS_MOVED, None
    calendar = desk.project.calendars.get(conference.driver)
    if calendar is None:
        is_paused = await calendars.has_paused(desk.tools.database, conference.tenant_id)
        return (decide.Farewell.PERHAPS_MOVED if is_paused else decide.Farewell.ELSEWHERE), None
    try:
        body = await desk.tools.google.get(calendar, conference.driver_event_id)
    except (Missing, AlreadyGone):
        return decide.Farewell.PERHAPS_MOVED, None
    read = parse.event(body, zones=desk.tools.zones)
    if not isinstance(read, Event):
        return decide.Farewell.ELSEWHERE, None
    policy = desk.tenant.policy
    since = desk.tools.clock() - policy.window
    sight = decide.Sight(calendar, policy, sees_details=True, is_repinned=False, since=since, zones=desk.tools.zone)
    return decide.farewell(read, conference.meeting_id, sight), read


async def _looked_everywhere(desk: Desk, since: datetime | None) -> bool:
    """Every calendar of the tenant was looked at after that; a paused or failing one is waited for a week at most."""
    tenant_id = desk.conference.tenant_id
    if since is None or desk.tools.clock() - since > _UNSEEN_LIMIT:
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
    """Keeps a meeting for now. That is no failure: it says nothing about its provider."""
    now = desk.tools.clock()
    at = timing.wait_at(desk.conference.delete_after or now, now=now, jitter=desk.tools.chance())
    told = [] if desk.conference.reason == reason else [Told("kept", {"reason": reason})]
    await desk.note(replace(desk.conference, next_try_at=at, failures=0), *told, reason=reason)


async def _delete(desk: Desk) -> None:
    if await conferences.hand_over(desk.tools.database, desk.project.lease, desk.conference):
        told = Told("handed_over", {"reason": "another tenant's event refers to the meeting"})
        await desk.settle(replace(desk.conference, state=State.WATCHED), told)
        return
    if await _has_come_back(desk):
        return
    outcome: Outcome = await desk.call(compose.deletion(desk.conference, desk.tenant.slug))
    match outcome:
        case Applied() | Replaced() | Gone():
            await desk.settle(replace(desk.conference, state=State.DELETED), Told("deleted"))
        case Stale() | Retry():
            await _not_done(desk, outcome, during="deleting the meeting")
        case Rejected(kind=kind):
            # Released: the guard has nothing against it any more, and counts it no longer.
            refused = replace(desk.conference, state=State.HELD, was_released=True)
            await desk.settle(refused, _told_of(outcome, "deleting the meeting"), reason=outcome.in_full)
            desk.came.stuck = f"refused, deleting the meeting: {kind}"
        case _:
            assert_never(outcome)


async def _has_come_back(desk: Desk) -> bool:
    """A pull has seen the event again since this push began: what is due now is another push."""
    now = await conferences.one(desk.tools.database, desk.conference.tenant_id, desk.conference.conference_id)
    return now is None or bool(now[1]) or now[0].wanted_version != desk.conference.wanted_version
