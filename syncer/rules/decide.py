"""What an entry that was read means for its link, which link drives, and whether a meeting may go.

Ladders: guards first, the most final case on top, the ordinary one last. Total: every input gets an answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from operator import attrgetter

from msgspec import structs

from syncer.model.calendar import Calendar, CalendarKey, ConferenceSolution, Event, Link, Policy, Value, When
from syncer.rules import match, recurrence
from syncer.rules.occurrence import Zones


class Put(Value, frozen=True):
    """The event is a link to this meeting.

    is_news: something that the meeting or its guests see has changed. is_users: and not only what we write back.
    """

    event: Event
    meeting_id: str
    is_news: bool
    is_users: bool


_MEANT = (
    *("status", "organizer", "title", "description", "starts", "ends"),
    *("created_at", "attendee_count", "recurrence"),
)
_said = attrgetter(*_MEANT)
MATCHERS_CHANGED = "the tenant's matchers changed"


class Drop(Value, frozen=True):
    """The event's link goes. is_detaching: not by a user's act, so nothing may be deleted for it."""

    event_id: str
    reason: str
    is_detaching: bool = False


class Note(Value, frozen=True):
    """The event makes no link, and `explain` should say why. kind: guest."""

    event_id: str
    kind: str
    etag: str
    reason: str


class Pass(Value, frozen=True):
    """The event says nothing about any link."""

    event_id: str


Decision = Put | Drop | Note | Pass


class Sight(Value, frozen=True):
    """Under which circumstances an event was seen.

    sees_details: the answer's accessRole is writer or owner. is_repinned: matchers or window changed since the last
    read. since: events that ended before this instant start no new link. zones: gives time zones by their names.
    """

    calendar: Calendar
    policy: Policy
    sees_details: bool
    is_repinned: bool
    since: datetime
    zones: Zones


def link(event: Event, known: Link | None, sight: Sight) -> Decision:
    """What one entry means for the link that it has (`known`) or could have. A master: as `with_end` gives it."""
    if known is None and event.solution is None:
        return Pass(event.event_id)  # most entries: there is no link, and nothing that could make one
    if event.is_cancelled:
        return Drop(event.event_id, "the event was deleted, or moved away") if known else Pass(event.event_id)
    meeting_id = match.meeting_id(event.solution, sight.policy.matchers)
    if not (sight.sees_details and event.has_details):
        return Pass(event.event_id)
    if not is_organizers(event, sight.calendar):
        return _of_a_guest(event, meeting_id, known)
    if meeting_id is None:
        return _without_meeting(event, known, sight)
    if known is None and is_over(event, sight.since):
        return Pass(event.event_id)
    is_users = known is None or known.meeting_id != meeting_id or meant(event) != meant(known.event)
    is_news = is_users or (known is not None and event.shown != known.event.shown)
    return Put(event, meeting_id, is_news=is_news, is_users=is_users)


def takes_place(event: Event, decision: Decision, sight: Sight) -> bool | None:
    """Whether an exception's occurrence takes place in a meeting of ours; None when the entry does not say it clearly.

    A cancelled one does not, and neither does one whose organizer took the conference off, or put another's on, or
    that was moved into the past: it makes no link, and is not where it would have been.
    """
    if isinstance(decision, Put):
        return True
    if event.is_cancelled:
        return False
    if not (sight.sees_details and event.has_details and is_organizers(event, sight.calendar)):
        return None
    if match.meeting_id(event.solution, sight.policy.matchers) is None:
        return False
    return False if event.original_start is not None and is_ahead(event.original_start, sight.since) else None


def is_ahead(original_start: str, since: datetime) -> bool:
    """An occurrence would begin on the day of this instant (in UTC) or later. original_start: as in `Event`."""
    return original_start >= since.astimezone(UTC).date().isoformat()


def with_end(event: Event, sight: Sight) -> Event:
    """The event, told when it is over if it is a master. That may take some milliseconds."""
    if not event.recurrence:
        return event
    return structs.replace(event, last_ends_at=recurrence.last_end(event, zones=sight.zones))


def _of_a_guest(event: Event, meeting_id: str | None, known: Link | None) -> Decision:
    if known is not None:
        return Drop(event.event_id, "another calendar organizes the event now")
    if meeting_id is not None:
        return Note(event.event_id, "guest", event.etag, "a guest's copy: its organizer's calendar decides")
    return Pass(event.event_id)


def _without_meeting(event: Event, known: Link | None, sight: Sight) -> Decision:
    if known is None:
        return Pass(event.event_id)
    if sight.is_repinned and event.solution is not None:
        return Drop(event.event_id, MATCHERS_CHANGED, is_detaching=True)
    return Drop(event.event_id, "the event refers to another conference now, or to none")


def is_organizers(event: Event, calendar: Calendar) -> bool:
    """This copy is the organizer's. `self` is relative to the calendar and missing on secondary ones, so addresses
    count too. Source: Calendar API, Event.organizer."""
    return event.is_organizer_self or (event.organizer is not None and event.organizer in calendar.addresses)


def meant(event: Event) -> tuple[object, ...]:
    """What people said with an event: the parts that its meeting or its driver depend on. An RSVP changes none."""
    said: tuple[object, ...] = _said(event)
    return said


def differences(event: Event, before: Event) -> dict[str, object]:
    """What history tells of a change: names of the parts, and between which times it moved. No text of an event."""
    pairs = zip(_MEANT, meant(event), meant(before), strict=True)
    names = [name for name, said, was in pairs if said != was]
    told: dict[str, object] = {"changed": names}
    if "starts" in names:
        told |= {"starts": event.starts, "started": before.starts}
    elif "ends" in names:
        told["ends"] = event.ends
    return told


def kept(read: Event, stored: Event) -> Event:
    """Which of two is to be stored after a patch of ours was answered with `read`.

    What people changed meanwhile is left to the next pull, or it would never reach the meeting.
    """
    # When a series ends is reckoned by who decides about its link, and no answer says it.
    is_ours_alone = meant(read) == meant(stored)
    return structs.replace(read, last_ends_at=stored.last_ends_at) if is_ours_alone else stored


def is_over(event: Event, at: datetime) -> bool:
    """The event, or the last occurrence of a master, ended before this instant. One without an end is not over."""
    if event.recurrence:
        return event.last_ends_at is not None and event.last_ends_at < at
    return event.ends is not None and instant(event.ends) < at


def instant(when: When) -> datetime:
    """The instant, or for a day the last one that some zone of the world calls its start (UTC-12)."""
    if when.at is not None:
        return when.at
    assert when.day is not None  # noqa: S101 (When holds one of the two)
    return datetime.combine(when.day, time.min, UTC) + timedelta(hours=12)


def driver(links: Sequence[Link], last: tuple[CalendarKey, str] | None, now: datetime) -> Link | None:
    """The link that decides: the earliest created that is not over; it stays so until it goes or is over.

    last: calendar and event id of the driver so far. When all are over the last driver stays, or the earliest drives.
    An exception of a master that refers to the same meeting does not drive: it changes one occurrence of it.
    """
    masters = {(master.key, master.event_id) for master in links if master.event.recurrence}
    links = [one for one in links if (one.key, one.event.recurring_event_id) not in masters]
    alive = [candidate for candidate in links if not is_over(candidate.event, now)] or links
    for candidate in alive:
        if last == (candidate.key, candidate.event_id):
            return candidate
    return min(alive, key=age, default=None)


def age(candidate: Link) -> tuple[datetime, int, str]:
    """What to sort links by so that the one that was created earliest comes first, and there is one order only."""
    created = candidate.event.created_at or datetime.max.replace(tzinfo=UTC)
    return (created, candidate.key.calendar_id, candidate.event_id)


class Farewell(Enum):
    """What a last look at the driver's event says about deleting its meeting."""

    DELETED = "deleted"
    PERHAPS_MOVED = "perhaps moved"
    STILL_THERE = "still there"
    ELSEWHERE = "elsewhere"


def farewell(event: Event | None, meeting_id: str, sight: Sight) -> Farewell:
    """What the driver's event, read once more, says. None: it was not found.

    DELETED: cancelled with the organizer's details, or swapped away by the organizer. PERHAPS_MOVED: a bare stub,
    nothing, or a guest's copy without it. STILL_THERE: it refers to the meeting and a full read would list it.
    ELSEWHERE: an event refers to it that makes no link of ours, or we are not shown whether it does.
    Source: Calendar API, Event.status, on cancelled events.
    """
    if event is None or (event.is_cancelled and not event.has_details):
        return Farewell.PERHAPS_MOVED
    if event.is_cancelled:
        return Farewell.DELETED if is_organizers(event, sight.calendar) else Farewell.PERHAPS_MOVED
    if not event.has_details or (event.solution is None and event.title is None):
        # events.get tells no accessRole: an event that shows neither may be one whose details we may not see.
        return Farewell.ELSEWHERE
    if match.meeting_id(event.solution, sight.policy.matchers) == meeting_id:
        return Farewell.STILL_THERE if _could_link(event, sight) else Farewell.ELSEWHERE
    if _names(event.solution, meeting_id):
        return Farewell.ELSEWHERE
    return Farewell.DELETED if is_organizers(event, sight.calendar) else Farewell.PERHAPS_MOVED


def _names(solution: ConferenceSolution | None, meeting_id: str) -> bool:
    """The conference is this meeting's under other matchers than today's. Matchers that change delete nothing."""
    return solution is not None and meeting_id in (solution.conference_id, *dict(solution.parameters).values())


def _could_link(event: Event, sight: Sight) -> bool:
    return is_organizers(event, sight.calendar) and not is_over(with_end(event, sight), sight.since)


@dataclass(frozen=True, slots=True)
class Removals:
    """Deletions against what there is, for one calendar and for one tenant.

    *_leaving: conferences whose deletion waits, is held or happened within the hour. *_total: those and the live ones.
    """

    calendar_leaving: int
    calendar_total: int
    tenant_leaving: int
    tenant_total: int


def is_guarded(removals: Removals, policy: Policy) -> bool:
    """So many meetings would go at once that a person must say yes."""
    of_calendar = max(policy.guard_calendar_count, removals.calendar_total * policy.guard_calendar_percent / 100)
    of_tenant = max(policy.guard_tenant_count, removals.tenant_total * policy.guard_tenant_percent / 100)
    return removals.calendar_leaving > of_calendar or removals.tenant_leaving > of_tenant


def orphans(links: Iterable[Link], read_from: datetime | None) -> list[Link]:
    """Of the links that a full read did not see, those that it should have seen. read_from: None if it read all."""
    return [stale for stale in links if read_from is None or not is_over(stale.event, read_from)]
