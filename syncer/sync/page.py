"""Page: what is known of a page's entries, what more must be read of them, and what is to be written down."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import assert_never

from syncer.model.calendar import Calendar, CalendarKey, Event, Exclusion, Link, Page, Status
from syncer.model.errors import AlreadyGone, Missing, Refused
from syncer.rules import decide, family, parse, reading
from syncer.rules.family import Known, Told
from syncer.store import calendars
from syncer.store.calendars import LinkDrop, LinkPut, NotePut, PageCommit
from syncer.sync import sweep
from syncer.sync.tools import Project, Tools

# A series has a few hundred exceptions at most; who has more pages of them than these is not read to the end.
_FAMILY_PAGES = 20


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
    return [Known(found, *one) for found, one in zip(links, families, strict=True)]


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
    if page.next_page_token is None and calendar.cursor.is_full_read:
        found = await verified(tools, await _orphans(tools, calendar, page), sight)
        events = [*found, *await _brought_back(tools, page, sight), *events]
    (known,) = await known_of_each(tools, [(calendar.key, events)])
    told = await tell(events, known, sight)
    if told.strangers:
        # What the page itself says of an event is as new, or newer.
        events = [*await _families(tools, calendar, told.strangers), *events]
        (known,) = await known_of_each(tools, [(calendar.key, events)])
        told = await tell(events, known, sight)
    return commit_of(page, told, known, sight, number)


async def tell(events: Sequence[Event], known: Known, sight: decide.Sight) -> Told:
    """What these entries mean, told in steps between which others may go on: to see where a series ends takes long."""
    told: list[Event] = []
    for event in events:
        if event.recurrence and event.solution is not None:
            event = decide.with_end(event, sight)
            await asyncio.sleep(0)
        told.append(event)
    return family.tell(told, known, sight)


async def _orphans(tools: Tools, calendar: Calendar, page: Page) -> list[Link]:
    """Links that this full read should have seen and has not."""
    left = await calendars.left_behind(tools.database, calendar.key, calendar.cursor.generation)
    named = _named(page)
    return [link for link in decide.orphans(left, calendar.cursor.read_from) if link.event_id not in named]


def _named(page: Page) -> set[str]:
    return {event.event_id for event in page.events} | {entry.event_id for entry in page.set_aside}


async def verified(tools: Tools, orphans: Iterable[Link], sight: decide.Sight) -> list[Event]:
    """The events of orphans, asked for by name; one that is not there is as one that was deleted."""
    found: list[Event] = []
    for orphan in orphans:
        read = await _event(tools, sight.calendar, orphan.event_id)
        if read is not None:
            found.append(read)
        elif sight.sees_details:
            # Who sees free and busy only may not be shown an event that is there.
            found.append(_vanished(orphan.event))
    return found


def _vanished(event: Event) -> Event:
    # Without its original start: an exception that is not there says nothing of its occurrence.
    master_id = event.recurring_event_id
    return Event(event.event_id, event.etag, Status.CANCELLED, has_details=False, recurring_event_id=master_id)


async def _event(tools: Tools, calendar: Calendar, event_id: str) -> Event | None:
    """An event by its id; None when it is not there. One that cannot be used says nothing."""
    try:
        body = await tools.google.get(calendar, event_id)
    except (Missing, AlreadyGone):
        return None
    read = parse.event(body, zones=tools.zones)
    return read if isinstance(read, Event) else _speechless(event_id)


def _speechless(event_id: str) -> Event:
    return Event(event_id, "", Status.CONFIRMED, has_details=False)


async def _brought_back(tools: Tools, page: Page, sight: decide.Sight) -> list[Event]:
    """Exceptions that were cancelled and that this full read has not listed: some may take place again.

    Of occurrences that are past none is asked for: a series has ever more of them, and nobody comes to them again.
    """
    calendar, named = sight.calendar, _named(page)
    left: Sequence[Exclusion] = await calendars.excluded_before(
        tools.database, calendar.key, calendar.cursor.generation
    )
    asked = [one for one in left if one.event_id not in named and decide.is_ahead(one.original_start, sight.since)]
    found = [await _event(tools, calendar, one.event_id) for one in asked]
    return [event for event in found if event is not None and not event.is_cancelled]


async def _families(tools: Tools, calendar: Calendar, ical_uids: Iterable[str]) -> list[Event]:
    """All entries of some series. Raises what the walls raise."""
    found: list[Event] = []
    for ical_uid in sorted(ical_uids):
        try:
            found += await _family(tools, calendar, ical_uid)
        except Refused:
            # Whoever imported the series gave it an iCalUID that cannot be asked for: the calendar goes on without.
            continue
    return found


async def _family(tools: Tools, calendar: Calendar, ical_uid: str) -> list[Event]:
    found: list[Event] = []
    page_token: str | None = None
    for _ in range(_FAMILY_PAGES):
        read = await sweep.page_of(tools, await tools.google.family(calendar, ical_uid, page_token))
        found += read.events
        page_token = read.next_page_token
        if page_token is None:
            break
    return found


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
                drop = LinkDrop(event_id, _link(known, event_id).meeting_id, reason, is_detaching)
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
    seen_by = "full read" if sight.calendar.cursor.is_full_read else "sweep"
    seen: dict[str, object] = {"seen_by": seen_by, "page": number}
    return seen if before is None else decide.differences(event, before.event) | seen


def _link(known: Known, event_id: str) -> Link:
    found = known.links.get(event_id)
    if found is None:
        found = next(link for links in known.children.values() for link in links if link.event_id == event_id)
    return found
