"""Names: events that are asked for by their ids, where a read did not list them or two entries speak of one.

So many at a look, in batches and not often: what is left waits for the next one, and stands meanwhile as it stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from msgspec import structs

from syncer.model.calendar import Calendar, Cursor, Event, Exclusion, Link, Page, Status
from syncer.model.errors import AlreadyGone, Missing, Refused, SyncerError
from syncer.rules import decide, parse
from syncer.store import calendars
from syncer.store.calendars import LinkPut, PageCommit
from syncer.sync.tools import Project, Tools

# A quarter of the 600 requests that Google grants a calendar in a minute, of which a worker takes a third at most.
_A_LOOK = 50
_PAUSE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a full read has not listed, as far as it was asked for now.

    found: the events, as they are. links, exclusions: those that were asked for. is_all: none is left.
    """

    found: Sequence[Event] = ()
    links: Sequence[Link] = ()
    exclusions: Sequence[Exclusion] = ()
    is_all: bool = True


async def missed(tools: Tools, project: Project, page: Page, sight: decide.Sight) -> Missed:
    """Asks for what a full read whose last page this is should have listed and has not, as much as at one look.

    Exceptions that were cancelled are among it, for some may take place again. While something is left the calendar is
    looked at again before its turn.
    """
    named = {event.event_id for event in page.events} | {entry.event_id for entry in page.set_aside}
    orphans = await _orphans(tools, sight.calendar, named)
    exclusions = await _unseen(tools, sight, named) if len(orphans) <= _A_LOOK else []
    links, excluded = orphans[:_A_LOOK], exclusions[: max(0, _A_LOOK - len(orphans))]
    found = await verified(tools, links, sight)
    read = await asked(tools, sight.calendar, [one.event_id for one in excluded])
    found += [event for event in read.values() if event is not None and not event.is_cancelled]
    is_all = len(orphans) + len(exclusions) <= _A_LOOK
    if not is_all:
        project.postpone(sight.calendar.key, tools.clock() + _PAUSE)
    return Missed(found, links, excluded, is_all)


async def _orphans(tools: Tools, calendar: Calendar, named: set[str]) -> list[Link]:
    """Links that this full read should have seen and has not, one more than are asked for in a look at most."""
    found: list[Link] = []
    async for left in calendars.left_behind(tools.database, calendar.key, calendar.cursor.generation):
        found += [link for link in decide.orphans(left, calendar.cursor.read_from) if link.event_id not in named]
        if len(found) > _A_LOOK:
            break
    return found[: _A_LOOK + 1]


async def _unseen(tools: Tools, sight: decide.Sight, named: set[str]) -> list[Exclusion]:
    """Exceptions that were cancelled and that this full read has not listed.

    Of occurrences that are past none is asked for: a series has ever more of them, and nobody comes to them again.
    """
    cursor = sight.calendar.cursor
    left = await calendars.excluded_before(tools.database, sight.calendar.key, cursor.generation)
    ahead = (one for one in left if one.event_id not in named and decide.is_ahead(one.original_start, sight.since))
    return list(islice(ahead, _A_LOOK + 1))


def with_missed(commit: PageCommit, missed: Missed, before: Cursor) -> PageCommit:
    """The commit of a full read's last page, with what it has missed: what was asked for is seen; what was not waits.

    While something waits the read is not over, though all is listed: see `Cursor`. before: as it stood until then.
    """
    if not missed.is_all:
        cursor = structs.replace(commit.cursor, is_full_read=True, pin=before.pin)
        commit = structs.replace(commit, cursor=cursor, ends_full_read=False)
    told = {put.event.event_id for put in commit.puts} | {drop.event_id for drop in commit.drops}
    kept = [
        LinkPut(_named(link), link.meeting_id, is_new=False, is_news=False, is_users=False)
        for link in missed.links
        if link.event_id not in told
    ]
    places = {(one.master_id, one.original_start) for one in commit.excluded} | set(commit.included)
    still = [
        structs.replace(one, meeting_id=None)
        for one in missed.exclusions
        if not places & {(one.master_id, one.original_start), (one.master_id, None)}
    ]
    return structs.replace(commit, puts=(*commit.puts, *kept), excluded=(*commit.excluded, *still))


def _named(link: Link) -> Event:
    return structs.replace(link.event, event_id=link.event_id)


async def verified(tools: Tools, orphans: Sequence[Link], sight: decide.Sight) -> list[Event]:
    """The events of orphans, asked for by name; one that is not there is as one that was deleted."""
    read = await asked(tools, sight.calendar, [orphan.event_id for orphan in orphans])
    found: list[Event] = []
    for orphan in orphans:
        event = read[orphan.event_id]
        if event is not None:
            found.append(event)
        elif sight.sees_details:
            # Who sees free and busy only may not be shown an event that is there.
            found.append(_vanished(orphan.event))
    return found


def _vanished(event: Event) -> Event:
    # Without its original start: an exception that is not there says nothing of its occurrence.
    master_id = event.recurring_event_id
    return Event(event.event_id, event.etag, Status.CANCELLED, has_details=False, recurring_event_id=master_id)


async def asked(tools: Tools, calendar: Calendar, event_ids: Sequence[str]) -> dict[str, Event | None]:
    """Events by their ids, in batches; None for one that is not there. One that cannot be used says nothing.

    Raises OutsideError or OperatorError when nothing can be said of one.
    """
    found: dict[str, Event | None] = {}
    size = max(1, tools.google.looks_at_once)
    for start in range(0, len(event_ids), size):
        some = event_ids[start : start + size]
        for event_id, answer in zip(some, await tools.google.events(calendar, some), strict=True):
            found[event_id] = _read(tools, event_id, answer)
    return found


def _read(tools: Tools, event_id: str, answer: bytes | SyncerError) -> Event | None:
    if isinstance(answer, Missing | AlreadyGone):
        return None
    if isinstance(answer, Refused):
        return _speechless(event_id)
    if isinstance(answer, SyncerError):
        raise answer
    read = parse.event(answer, zones=tools.zones)
    return read if isinstance(read, Event) else _speechless(event_id)


def _speechless(event_id: str) -> Event:
    return Event(event_id, "", Status.CONFIRMED, has_details=False)
