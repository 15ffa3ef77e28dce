"""Page: what is known of a page's entries, what more must be read of them, and what is to be written down."""

import asyncio
from collections.abc import Container, Iterable, Sequence
from typing import assert_never

from msgspec import structs

from syncer.model.calendar import Calendar, CalendarKey, Event, Link, Page
from syncer.model.errors import Refused
from syncer.rules import decide, family, provisional, reading
from syncer.rules.family import Known, Told
from syncer.store import calendars, registration
from syncer.store.calendars import LinkDrop, LinkPut, NotePut, PageCommit
from syncer.sync import names, sweep
from syncer.sync.tools import Project, Tools

# A series has a few hundred exceptions at most; who has more pages of them than these is not read to the end.
_FAMILY_PAGES = 20
_CUT = (
    "its series has more changed and cancelled occurrences than are read at once: what the others say is known only "
    "from when they change, or from a full read"
)


def sight_of(tools: Tools, project: Project, calendar: Calendar, page: Page) -> decide.Sight:
    """Under which circumstances a page was seen."""
    policy = project.tenants[calendar.key.tenant_id].policy
    return decide.Sight(
        calendar=calendar,
        policy=policy,
        sees_details=page.sees_details,
        is_repinned=reading.is_repinned(calendar, policy),
        since=tools.clock() - policy.window,
        zones=tools.zone,
    )


async def known_of_each(tools: Tools, asked: Sequence[tuple[CalendarKey, Sequence[Event]]]) -> list[Known]:
    """What is stored of some entries of many calendars. Raises StoreError."""
    wanted = [(key, _ids(events)) for key, events in asked]
    links = await calendars.links_of_each(tools.database, wanted)
    masters = [(key, family.asks_for(events)) for key, events in asked]
    families = await calendars.families_of_each(tools.database, masters)
    gone = [(key, provisional.tombstones(events, found)) for (key, events), found in zip(asked, links, strict=True)]
    expected = await registration.expected_of_each(tools.database, gone)
    return [Known(found, *one, meetings) for found, one, meetings in zip(links, families, expected, strict=True)]


def _ids(events: Sequence[Event]) -> list[str]:
    """Event ids of entries, and of the masters of exceptions among them."""
    ids = dict.fromkeys(event.event_id for event in events)
    return [*ids, *{event.recurring_event_id for event in events if event.recurring_event_id is not None} - ids.keys()]


async def decided(tools: Tools, project: Project, calendar: Calendar, page: Page, number: int) -> PageCommit:
    """What one page says, with all that must be read for it; on the last page of a full read also what is missing.

    number: of the page in its read, as far as it was not broken off.
    """
    sight = sight_of(tools, project, calendar, page)
    events: Sequence[Event] = page.events
    missed = names.Missed()
    if page.next_page_token is None and calendar.cursor.is_full_read:
        missed = await names.missed(tools, project, page, sight)
        events = [*missed.found, *events]
    (known,) = await known_of_each(tools, [(calendar.key, events)])
    told = await tell(events, known, sight)
    cut: set[str] = set()
    if not told.is_whole:
        more, cut = await _more(tools, told, sight)
        # What the page itself says of an event is as new, or newer.
        events = [*more, *events]
        (known,) = await known_of_each(tools, [(calendar.key, events)])
        told = await tell(events, known, sight)
    keep_left_blocks(project, events, told, known)
    commit = commit_of(page, told, known, sight, number)
    return names.with_missed(_with_cut(commit, cut), missed, calendar.cursor)


async def _more(tools: Tools, told: Told, sight: decide.Sight) -> tuple[list[Event], set[str]]:
    """All entries of series of which too little is known, and events of links that another entry speaks of.

    Beside them iCalUIDs of series that have more entries than are read.
    """
    found, cut = await _families(tools, sight.calendar, told.strangers)
    return [*found, *await names.verified(tools, list(told.doubted.values()), sight)], cut


def _with_cut(commit: PageCommit, cut: Container[str]) -> PageCommit:
    """The same, with a note of each new link whose series was not read to its end."""
    named = set(commit.event_ids)
    notes = {note.event_id: note for note in commit.notes}
    for put in commit.puts:
        event = put.event
        if event.event_id in named and event.ical_uid in cut:
            notes[event.event_id] = NotePut(event.event_id, "set_aside", event.etag, _CUT)
    return structs.replace(commit, notes=tuple(notes.values()))


def keep_left_blocks(project: Project, events: Sequence[Event], told: Told, known: Known) -> None:
    """Keeps in mind which events have our lines and do not refer to their meeting any more; a push takes them out."""
    stale = {event.event_id for event in events if event.shown.block is not None and not event.is_cancelled}
    for decision in told.decisions if stale else ():
        if isinstance(decision, decide.Drop) and not decision.is_detaching and decision.event_id in stale:
            link = _link(known, decision.event_id)
            project.left_blocks.setdefault(link.conference_id, set()).add((link.key, link.event_id))
    for one in told.excluded if stale else ():
        master = known.links.get(one.master_id)
        if master is not None and one.event_id in stale:
            project.left_blocks.setdefault(master.conference_id, set()).add((master.key, one.event_id))


async def tell(events: Sequence[Event], known: Known, sight: decide.Sight) -> Told:
    """What these entries mean, told in steps between which others may go on: to see where a series ends takes long."""
    told: list[Event] = []
    for event in events:
        if event.recurrence and event.solution is not None:
            event = decide.with_end(event, sight)
            await asyncio.sleep(0)
        told.append(event)
    steps = family.tell_in_steps(told, known, sight)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Told = end.value
            return found
        await asyncio.sleep(0)


async def _families(tools: Tools, calendar: Calendar, ical_uids: Iterable[str]) -> tuple[list[Event], set[str]]:
    """All entries of some series, and the iCalUIDs of those that have more. Raises what the walls raise."""
    found: list[Event] = []
    cut: set[str] = set()
    for ical_uid in sorted(ical_uids):
        try:
            entries, is_whole = await _family(tools, calendar, ical_uid)
        except Refused:
            # Whoever imported the series gave it an iCalUID that cannot be asked for: the calendar goes on without.
            continue
        found += entries
        if not is_whole:
            cut.add(ical_uid)
    return found, cut


async def _family(tools: Tools, calendar: Calendar, ical_uid: str) -> tuple[list[Event], bool]:
    """Entries of a series, and whether these are all."""
    found: list[Event] = []
    page_token: str | None = None
    for _ in range(_FAMILY_PAGES):
        read = await sweep.page_of(tools, await tools.google.family(calendar, ical_uid, page_token))
        found += read.events
        page_token = read.next_page_token
        if page_token is None:
            return found, True
    return found, False


def commit_of(page: Page, told: Told, known: Known, sight: decide.Sight, number: int = 1) -> PageCommit:
    """What to write down of a page. Raises Unreadable on a last one without a sync token. number: of it in its read."""
    cursor = reading.advanced(sight.calendar, page, sight.policy)
    notes = [NotePut(entry.event_id, "set_aside", entry.etag, entry.reason) for entry in page.set_aside]
    puts: list[LinkPut] = []
    drops: dict[str, LinkDrop] = {}
    losses = dict.fromkeys(sorted(told.stirred))
    for decision in told.decisions:
        match decision:
            case decide.Put(event, meeting_id, is_news, is_users):
                before = known.links.get(event.event_id)
                is_new = before is None or before.meeting_id != meeting_id
                detail = _told(event, None if is_new else before, sight, number) if is_users else {}
                puts.append(LinkPut(event, meeting_id, is_new, is_news, is_users, detail))
                if before is not None and is_new:
                    losses[before.meeting_id] = None
            case decide.Drop(event_id, reason, is_detaching):
                meeting_id, seen = _link(known, event_id).meeting_id, _seen(sight, number)
                drop = LinkDrop(event_id, meeting_id, reason, is_detaching, seen)
                drops.setdefault(event_id, drop)
            case decide.Note(event_id, kind, etag, reason):
                notes.append(NotePut(event_id, kind, etag, reason))
            case decide.Pass():
                pass
            case _:
                assert_never(decision)
    return PageCommit(
        cursor=cursor,
        puts=tuple(puts),
        drops=tuple(drops.values()),
        notes=tuple({note.event_id: note for note in notes}.values()),
        losses=tuple(losses),
        event_ids=tuple(event.event_id for event in page.events),
        time_zone=page.time_zone,
        sees_details=page.sees_details,
        ends_full_read=sight.calendar.cursor.is_full_read and not cursor.is_full_read,
        excluded=tuple({(one.master_id, one.original_start): one for one in told.excluded}.values()),
        included=(*told.included, *((master_id, None) for master_id in told.ended)),
    )


def _told(event: Event, before: Link | None, sight: decide.Sight, number: int) -> dict[str, object]:
    """What history tells of a change that people made, and where it was seen."""
    seen = _seen(sight, number)
    return seen if before is None else decide.differences(event, before.event) | seen


def _seen(sight: decide.Sight, number: int) -> dict[str, object]:
    return {"seen_by": "full read" if sight.calendar.cursor.lists_all else "sweep", "page": number}


def _link(known: Known, event_id: str) -> Link:
    found = known.links.get(event_id)
    if found is None:
        found = next(link for links in known.children.values() for link in links if link.event_id == event_id)
    return found
