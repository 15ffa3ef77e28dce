"""How calendars, their events and their meetings are called, by number; and what there is to set."""

from enum import Enum

PREFIX = "/calendar/v3/calendars/c"
DIGITS = 7


def calendar_id(number: int) -> str:
    """The calendar's id, which is its owner's address."""
    return f"c{number:0{DIGITS}d}@example.org"


def event_id(number: int) -> str:
    """The event that carries a meeting."""
    return f"meeting{number:0{DIGITS}d}"


def meeting_id(number: int) -> str:
    """The meeting's id at the provider."""
    return f"8{number:0{DIGITS}d}"


class Looks(Enum):
    """What a look with a sync token finds.

    QUIET: nothing. SHARE: a change at every hundredth look. CHANGED: a change at each. PUSHED: a change once the
    calendar's last one has come back as a patch. SINGLE: one change at a time over all calendars, a while after the
    last has come back. WRONG: an answer that is none.
    """

    QUIET = "quiet"
    SHARE = "share"
    CHANGED = "changed"
    PUSHED = "pushed"
    SINGLE = "single"
    WRONG = "wrong"
