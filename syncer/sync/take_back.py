"""Take back: our block goes out of an event whose meeting is gone, under If-Match, and all else in it stays."""

from collections.abc import Sequence

from msgspec.structs import replace

from syncer.clients.google.calendar import Patch
from syncer.model.calendar import Calendar, CalendarKey, Event, Link
from syncer.model.conference import Retry, State
from syncer.model.errors import (
    AlreadyGone,
    Conflict,
    Crowded,
    Missing,
    OperatorError,
    OutsideError,
    Unreachable,
    Unreadable,
)
from syncer.rules import compose, decide, match, parse, timing
from syncer.store import conferences
from syncer.store.conferences import Told, WroteBack
from syncer.sync.desk import Desk

_ATTEMPTS = 5
_DURING = "taking our lines out of an event"


async def from_last(desk: Desk, event: Event | None) -> Desk | None:
    """Takes our block out of the event that was the driver's, as a last look has just found it.

    None when that is to be tried again before the meeting goes. What nobody lets us change is told, and left.
    Raises FencedOut or a StoreError.
    """
    key = desk.conference.driver
    calendar = desk.project.calendars.get(key) if key is not None else None
    if event is None or key is None or calendar is None or not _is_due(desk, calendar, event):
        return desk
    try:
        read = await _without_block(desk, calendar, event)
    except (OutsideError, OperatorError) as error:
        if desk.verdict(error).standing is not timing.Standing.PARKED:
            await desk.postpone(_retry(error), during=_DURING)
            return None
        told = Told("write_back_refused", {"reason": str(error)}, key, event.event_id)
        return await desk.note(desk.conference, told, reason=desk.conference.reason)
    if read is None:
        return desk
    return await desk.note(desk.conference, _told(read, key), reason=desk.conference.reason)


async def from_all(desk: Desk, links: Sequence[Link]) -> None:
    """Takes our block out of the events of a meeting that its provider does not have any more.

    What passes is tried again soon. Raises FencedOut or a StoreError.
    """
    gone = replace(desk.conference, state=State.GONE, applied_version=desk.conference.wanted_version)
    today = desk.tools.clock().date()
    for link in links:
        calendar = desk.project.calendars.get(link.key)
        if calendar is None or not _is_due(desk, calendar, link.event) or not compose.write_backs_left(link, today):
            continue
        try:
            read = await _without_block(desk, calendar, link.event)
        except (OutsideError, OperatorError) as error:
            if desk.verdict(error).standing is not timing.Standing.PARKED:
                await desk.having(gone).postpone(_retry(error), during=_DURING, is_touched=True)
            continue
        if read is not None:
            done = WroteBack(link, decide.kept(read, link.event), _told(read, link.key), None, today)
            await conferences.wrote_back(desk.tools.database, desk.project.lease, done)


async def from_left(desk: Desk, links: Sequence[Link]) -> Desk:
    """Takes our block out of events that do not refer to the meeting any more, as far as pulls of this worker saw them.

    What passes is tried again with the next push. The driver's waits for the last look, if no link is left.
    Raises FencedOut or a StoreError.
    """
    for key, event_id in desk.project.left_blocks.pop(desk.conference.conference_id, ()):
        is_last = not links and (desk.conference.driver, desk.conference.driver_event_id) == (key, event_id)
        calendar = None if is_last else desk.project.calendars.get(key)
        if calendar is not None:
            desk = await _from_left(desk, calendar, event_id)
    return desk


async def _from_left(desk: Desk, calendar: Calendar, event_id: str) -> Desk:
    try:
        event = await _read_again(desk, calendar, event_id)
        if event is None or not _is_due(desk, calendar, event):
            return desk
        read = await _without_block(desk, calendar, event)
    except (OutsideError, OperatorError) as error:
        if desk.verdict(error).standing is not timing.Standing.PARKED:
            left = desk.project.left_blocks.setdefault(desk.conference.conference_id, set())
            left.add((calendar.key, event_id))
            return desk
        told = Told("write_back_refused", {"reason": str(error)}, calendar.key, event_id)
        return await desk.note(desk.conference, told, reason=desk.conference.reason)
    if read is None:
        return desk
    return await desk.note(desk.conference, _told(read, calendar.key), reason=desk.conference.reason)


def _retry(error: OutsideError | OperatorError) -> Retry:
    return Retry(str(error), error.retry_after_seconds if isinstance(error, OutsideError) else None)


def _told(read: Event, key: CalendarKey) -> Told:
    # A server that puts it there again is left alone: nobody is served by a quarrel about it.
    if read.shown.block is not None:
        return Told("write_back_refused", {"rungs": ["description"]}, key, read.event_id)
    return Told("took_back", {}, key, read.event_id)


def _is_due(desk: Desk, calendar: Calendar, event: Event) -> bool:
    """Our block stands in an organizer's event that refers to no meeting of ours but this one."""
    named = match.meeting_id(event.solution, desk.tenant.policy.matchers)
    return (
        event.shown.block is not None
        and event.has_details
        and not event.is_cancelled
        and decide.is_organizers(event, calendar)
        and named in (None, desk.conference.meeting_id)
    )


async def _without_block(desk: Desk, calendar: Calendar, event: Event) -> Event | None:
    """The event as it is without our block; None when it is not to be written to any more."""
    for _ in range(_ATTEMPTS):
        body = dict(compose.without_block(event).body)
        try:
            async with desk.project.tenure.bounded():
                answer = await desk.tools.google.patch(
                    desk.project.lease.project_id, Patch(calendar, event.event_id, body, event.etag)
                )
            read = parse.event(answer, zones=desk.tools.zones)
            return read if isinstance(read, Event) else None
        except (Conflict, Crowded, TimeoutError):
            fresh = await _read_again(desk, calendar, event.event_id)
        except (Unreachable, Unreadable):
            # Nobody has said what came of it, so the event does.
            fresh = await _read_again(desk, calendar, event.event_id)
            if fresh is not None and fresh.has_details and fresh.shown.block is None:
                return fresh
            raise
        except (Missing, AlreadyGone):
            return None
        if fresh is None or not _is_due(desk, calendar, fresh):
            return None
        event = fresh
    raise Conflict("Google", 412, "the event changed each time it was written to")


async def _read_again(desk: Desk, calendar: Calendar, event_id: str) -> Event | None:
    try:
        read = parse.event(await desk.tools.google.get(calendar, event_id), zones=desk.tools.zones)
    except (Missing, AlreadyGone):
        return None
    return read if isinstance(read, Event) else None
