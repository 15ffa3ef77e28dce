"""Lapses: provisional links whose events are asked for, and the end of those whose events are gone or never came."""

from syncer.model.budget import Lane
from syncer.model.calendar import Event
from syncer.model.errors import AlreadyGone, FencedOut, Missing, OperatorError, OutsideError
from syncer.rules import parse, provisional
from syncer.rules.provisional import End, Provisional
from syncer.store import registration
from syncer.sync.tools import Project, Tools

_AT_ONCE = 50
_NEVER_CAME = "no event was seen in time that refers to it"
_DELETED = "the event was deleted before it was read"


async def settle(tools: Tools, project: Project) -> None:
    """Does what is due of a project's. A meeting that is let go is pushed when its row is found.

    Raises FencedOut or a StoreError; trouble at Google puts a question off.
    """
    for conferred, known in await registration.due(tools.database, project.tenants, limit=_AT_ONCE):
        now = tools.clock()
        end, reason = provisional.end(known, now), _NEVER_CAME
        if end is End.WAIT and await _is_deleted(tools, project, known):
            end, reason = End.LET_GO, _DELETED
        if end is End.WAIT:
            await registration.look_later(tools.database, conferred, provisional.next_look(known, now))
        else:
            await registration.expire(tools.database, project.lease, conferred, end.value, reason)


async def _is_deleted(tools: Tools, project: Project, known: Provisional) -> bool:
    """Google says that the event is deleted. One that is not there may not be saved yet."""
    calendar = project.calendars.get(known.key)
    if calendar is None or known.event_id is None:
        return False
    google = project.tools(tools, Lane.URGENT).google
    try:
        async with project.tenure.bounded():
            read = parse.event(await google.get(calendar, known.event_id), zones=tools.zones)
    except (Missing, AlreadyGone, OutsideError, OperatorError):
        return False
    except TimeoutError:
        raise FencedOut("An event was asked for, and the lease ran out before the answer.") from None
    return isinstance(read, Event) and read.is_cancelled
