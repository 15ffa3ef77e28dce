"""Provisional links: what a vendor said of an event that nobody has read yet, and what may come of it.

A provisional link keeps a meeting and drives nothing. An event that was read takes its place, a tombstone of its event
is the event's end, and time is the end of those whose event never came.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum

from syncer.model.calendar import CalendarKey, Event, Value


class Provisional(Value, frozen=True):
    """A registration that is not answered by an event yet.

    key: of the calendar. event_id: None where the vendor did not know it. is_linked: an event was read that refers to
    the meeting. is_live: nothing else has become of the meeting.
    """

    key: CalendarKey
    event_id: str | None
    registered_at: datetime
    expires_at: datetime
    is_linked: bool
    is_live: bool


_SOONEST = timedelta(minutes=1)


class End(Enum):
    """WAIT: not yet. DONE: it says nothing any more. LET_GO: as when the last event of a meeting went, with all that is
    asked before a meeting is deleted. LEAVE: the meeting stays at its provider as it is.
    """

    WAIT = "wait"
    DONE = "done"
    LET_GO = "let_go"
    LEAVE = "leave"


def end(known: Provisional, now: datetime) -> End:
    """What becomes of a provisional link now."""
    if known.is_linked or not known.is_live:
        return End.DONE
    if now < known.expires_at:
        return End.WAIT
    if known.event_id is None:
        return End.LEAVE  # nobody knows which event to look at before the meeting goes
    return End.LET_GO


def next_look(known: Provisional, now: datetime) -> datetime:
    """When its event is asked for again: twice as long after its registration each time, and when it expires.

    A tombstone is listed to whoever looked before the event was deleted; a first full read, or any other, shows none.
    Source: Calendar API, Events: list, showDeleted and syncToken.
    """
    return min(now + max(now - known.registered_at, _SOONEST), max(known.expires_at, now))


def tombstones(events: Iterable[Event], linked: Mapping[str, object]) -> list[str]:
    """Event ids of cancelled entries without a link: those that a provisional link may wait for.

    linked: anything by event id.
    """
    return [event.event_id for event in events if event.is_cancelled and event.event_id not in linked]


def losses(events: Iterable[Event], expected: Mapping[str, str]) -> list[str]:
    """Meetings whose event was created and deleted before it was ever read. expected: meeting ids by event id.

    An entry that is there without the meeting says nothing: the add-on registers before the user has saved.
    """
    latest = {event.event_id: event for event in events}
    found = (expected[event_id] for event_id, event in latest.items() if event.is_cancelled and event_id in expected)
    return list(dict.fromkeys(found))
