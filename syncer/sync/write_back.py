"""Write back: let each event show what its meeting is, under If-Match, and never over a user's edit."""

from collections.abc import Sequence
from enum import Enum

from msgspec.structs import replace

from syncer.clients.google.calendar import Patch
from syncer.model.calendar import Calendar, Event, Link, Value
from syncer.model.conference import Meeting, NoRoom, Retry
from syncer.model.errors import (
    AccessDenied,
    AlreadyGone,
    Conflict,
    Crowded,
    Missing,
    OperatorError,
    OutsideError,
    Refused,
    Unreachable,
    Unreadable,
    Unsent,
    UseLimit,
)
from syncer.rules import compose, decide, match, parse, timing
from syncer.store import conferences
from syncer.store.conferences import Told, WroteBack
from syncer.sync.desk import Desk
from syncer.sync.rungs import Way
from syncer.sync.tools import Resting

_ATTEMPTS = 5
_DURING = "writing back to an event"


class _Step(Enum):
    """What came of one attempt. UNSAID: this way does not work, the next may. OVERTAKEN: the event has changed."""

    DONE = "done"
    UNSAID = "unsaid"
    OVERTAKEN = "overtaken"


class _Try(Value, frozen=True):
    """One event to write back to.

    stored: as its row has it. link: as it was read last. failed_rungs: did not work. refusal: of the last of those
    that Google refused rather than dropped. was_taken: it took one all the same, which counts for the day. was_spoilt:
    it made a text of its own out of our lines.
    """

    stored: Link
    link: Link
    calendar: Calendar
    meeting: Meeting
    failed_rungs: frozenset[str] = frozenset()
    refusal: OutsideError | None = None
    was_taken: bool = False
    was_spoilt: bool = False


class _Trouble(Value, frozen=True):
    """Why an event could not be written back to."""

    link: Link
    error: OutsideError | OperatorError


async def write_back(desk: Desk, links: Sequence[Link]) -> None:
    """Brings every event of a conference to show its meeting; what cannot be done now is due again later.

    Raises FencedOut or a StoreError.
    """
    meeting = desk.conference.meeting
    if meeting is None:
        return
    troubles: list[_Trouble] = []
    for link in links:
        if compose.is_shown(link.event, meeting):
            continue
        calendar = desk.project.calendars.get(link.key)
        if calendar is not None:
            error = await _tried(desk, _Try(link, link, calendar, meeting))
            if error is not None:
                troubles.append(_Trouble(link, error))
    if troubles:
        await _put_off(desk, troubles)


async def _tried(desk: Desk, attempt: _Try) -> OutsideError | OperatorError | None:
    """Writes back to one event; gives the trouble there was, which is no reason to leave out the others.

    A user who has reached a limit of use rests, whichever conference they are to write for, and longer each time, up to
    some hours: each try would prolong it.
    """
    whose = (attempt.calendar.credential, attempt.calendar.subject)
    resting = desk.project.resting.get(whose)
    if resting is not None and desk.tools.clock() < resting.until:
        return resting.error
    try:
        await _write_back_one(desk, attempt)
    except UseLimit as error:
        now = desk.tools.clock()
        refusals = resting.refusals + 1 if resting is not None else 1
        verdict = timing.after(error, failures=refusals, now=now, jitter=desk.tools.chance())
        desk.project.resting[whose] = Resting(error, verdict.at, refusals)
        return error
    except (OutsideError, OperatorError) as error:
        return error
    desk.project.resting.pop(whose, None)
    return None


async def _put_off(desk: Desk, troubles: Sequence[_Trouble]) -> None:
    """What passes is tried again soon; what somebody must mend, or what takes hours, comes with a reading back.

    A refused event is tried again at growing distances, for nothing but a try tells that a permission is back. It costs
    none of the day's write-backs. What was not sent for want of room waits for it.
    """
    passing = [one.error for one in troubles if desk.verdict(one.error).standing is not timing.Standing.PARKED]
    failed = [error for error in passing if not isinstance(error, Unsent)]
    unsent = [error for error in passing if isinstance(error, Unsent)]
    if unsent and not failed:
        full = NoRoom(unsent[-1].reason, unsent[-1].seconds)
        await desk.wait_for_room(full, during=_DURING, is_touched=True)
    elif failed:
        error = failed[-1]
        desk.came.errors.append(error)
        asked = error.retry_after_seconds if isinstance(error, OutsideError) else None
        await desk.postpone(Retry(str(error), asked), during=_DURING, is_touched=True)
    else:
        told = [
            Told("write_back_refused", {"reason": str(one.error)}, one.link.key, one.link.event_id) for one in troubles
        ]
        await desk.set_back(troubles[-1].error, *told, during=_DURING)


async def _write_back_one(desk: Desk, attempt: _Try) -> None:
    today = desk.tools.clock().date()
    conflicts = 0
    while patch := _next_patch(desk, attempt):
        if compose.write_backs_left(attempt.link, today) == 0:
            return
        try:
            step, attempt = await _patch(desk, attempt, patch)
        except Unsent:
            _learn_refused(desk, attempt)
            raise
        if step is _Step.DONE:
            return
        if step is _Step.OVERTAKEN:
            conflicts += 1
            if conflicts == _ATTEMPTS:
                raise Conflict("Google", 412, "the event changed each time it was written to")
            fresh = await _read_again(desk, attempt)
            if fresh is None:
                return
            attempt = fresh
    if attempt.refusal is not None and not attempt.was_taken:
        raise attempt.refusal.with_traceback(None)
    if attempt.failed_rungs:
        await _record_failed(desk, attempt)


async def _record_failed(desk: Desk, attempt: _Try) -> None:
    link = attempt.link
    detail: dict[str, object] = {"rungs": sorted(attempt.failed_rungs)}
    if attempt.was_spoilt:
        detail["reason"] = "its text does not keep our lines as they are, so it is written to no more"
    told = Told("write_back_refused", detail, link.key, link.event_id)
    await _record(desk, attempt, link.event, told, rung=compose.NO_RUNG if attempt.was_spoilt else None)


def _next_patch(desk: Desk, attempt: _Try) -> compose.Patch | None:
    """The best way that has not failed; one that others' events do not take comes last."""
    now, last = desk.tools.clock(), None
    for patch in compose.patches(attempt.link, attempt.meeting, desk.tenant.policy.ladder):
        if patch.rung not in attempt.failed_rungs:
            if not desk.project.rungs.is_hopeless(_way(desk, attempt, patch.rung), now):
                return patch
            last = last or patch
    return last


def _way(desk: Desk, attempt: _Try, rung: str) -> Way:
    solution = attempt.link.event.solution
    return desk.tenant.tenant_id, solution.name if solution is not None else None, rung


def _learn(desk: Desk, attempt: _Try, rung: str) -> None:
    desk.project.rungs.worked(_way(desk, attempt, rung))
    _learn_refused(desk, attempt)


def _learn_refused(desk: Desk, attempt: _Try) -> None:
    """Of what did not work, even where nothing was left to try another way with: else only that is ever tried."""
    for failed in attempt.failed_rungs:
        desk.project.rungs.refused(_way(desk, attempt, failed), desk.tools.clock())


async def _patch(desk: Desk, attempt: _Try, patch: compose.Patch) -> tuple[_Step, _Try]:
    """Sends one patch. Its answer is the read-back, for Google may take it and drop what it says."""
    link = attempt.link
    failed = replace(attempt, failed_rungs=attempt.failed_rungs | {patch.rung})
    try:
        async with desk.project.tenure.bounded():
            body = await desk.tools.google.patch(
                desk.project.lease.project_id, Patch(attempt.calendar, link.event_id, dict(patch.body), link.etag)
            )
    except (Conflict, Crowded):
        return _Step.OVERTAKEN, attempt
    except (Unreachable, Unreadable, TimeoutError) as error:
        # Nobody has said what came of it, so the event does; if it was not done the next push does it.
        if await _is_found_done(desk, attempt, patch):
            return _Step.DONE, attempt
        if isinstance(error, TimeoutError):
            return _Step.OVERTAKEN, attempt
        raise
    except (Refused, AccessDenied) as error:
        return _Step.UNSAID, replace(failed, refusal=error)
    except (Missing, AlreadyGone):
        return _Step.DONE, attempt
    read = parse.event(body, zones=desk.tools.zones)
    if not isinstance(read, Event):
        return _Step.UNSAID, replace(failed, was_taken=True)
    if not compose.is_shown(read, attempt.meeting):
        was_spoilt = patch.rung == "description" and compose.is_spoilt(read, link.event)
        return _Step.UNSAID, replace(failed, link=replace(link, event=read), was_taken=True, was_spoilt=was_spoilt)
    detail: dict[str, object] = {"rung": patch.rung}
    if attempt.failed_rungs:
        detail["refused"] = sorted(attempt.failed_rungs)
    told = Told("wrote_back", detail, link.key, link.event_id)
    _learn(desk, attempt, patch.rung)
    await _record(desk, attempt, read, told, rung=patch.rung)
    return _Step.DONE, attempt


async def _is_found_done(desk: Desk, attempt: _Try, patch: compose.Patch) -> bool:
    fresh = await _read_again(desk, attempt)
    if fresh is None or not compose.is_shown(fresh.link.event, attempt.meeting):
        return False
    link = fresh.link
    told = Told("wrote_back", {"rung": patch.rung, "found": "by reading back"}, link.key, link.event_id)
    await _record(desk, attempt, link.event, told, rung=patch.rung)
    return True


async def _record(desk: Desk, attempt: _Try, read: Event, told: Told, *, rung: str | None) -> None:
    event = decide.kept(read, attempt.stored.event)
    today = desk.tools.clock().date()
    lease = desk.project.lease
    await conferences.wrote_back(desk.tools.database, lease, WroteBack(attempt.stored, event, told, rung, today))


async def _read_again(desk: Desk, attempt: _Try) -> _Try | None:
    """The event as it is now, to decide again; None when it is no link to this meeting any more."""
    try:
        body = await desk.tools.google.get(attempt.calendar, attempt.link.event_id)
    except (Missing, AlreadyGone):
        return None
    read = parse.event(body, zones=desk.tools.zones)
    if not isinstance(read, Event) or read.is_cancelled or not read.has_details:
        return None
    if not decide.is_organizers(read, attempt.calendar):
        return None
    if match.meeting_id(read.solution, desk.tenant.policy.matchers) != attempt.link.meeting_id:
        return None
    return replace(attempt, link=replace(attempt.link, event=read))
