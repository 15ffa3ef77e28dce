"""How Google tells of a calendar, in plain sentences. Knows no database and no clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.cli.output import moment

if TYPE_CHECKING:
    from syncer.store.channels import ChannelView

_BY_THE_CLOCK = "it is looked at by the clock"


def sentences(view: "ChannelView | None", now: datetime) -> Iterator[str]:
    """What is true of a calendar's notifications; nothing where no calendar has any."""
    if view is None or not (view.has_any or view.failures or view.told_at):
        return
    yield f"{_of_channel(view, now)}."
    if view.told_at is not None:
        yield f"A message that came at {moment(view.told_at, now=now)} waits for the look that it asks for."


def state(view: "ChannelView | None") -> str | None:
    """In a few words, whether Google tells of the calendar; None where no calendar is told of."""
    if view is None or not (view.has_any or view.failures):
        return None
    if view.is_unwatchable:
        return "none for such a calendar"
    if view.state == "open":
        return f"until {moment(view.expires_at)}"
    return "asked for" if view.state == "asked" else "not yet"


def _of_channel(view: "ChannelView", now: datetime) -> str:
    again = f" at {moment(view.due_at, now=now)}" if view.due_at is not None and view.due_at > now else " soon"
    because = f" ({view.reason.rstrip('.')})" if view.reason else ""
    if view.is_unwatchable:
        return f"Google tells nothing of such a calendar, so {_BY_THE_CLOCK}; it is asked again{again}"
    if view.state == "open":
        until = f"Google tells of its changes until {moment(view.expires_at, now=now)}"
        if view.failures:
            return f"{until}; asking for longer failed{because} and is tried again{again}"
        return f"{until}, and is asked for longer{again}"
    if view.failures:
        return f"Google tells nothing of it, for asking failed{because}; it is tried again{again}, and {_BY_THE_CLOCK}"
    return f"Google is {'being' if view.state == 'asked' else 'yet to be'} asked to tell of it; {_BY_THE_CLOCK}"
