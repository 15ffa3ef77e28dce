"""Pull: work through one calendar's changes, page by page, and write down what was seen.

The conferences that a read touches are pushed after its last page, never on half a calendar.
"""

from collections.abc import Sequence
from typing import assert_never

from msgspec import structs

from syncer.clients.google.calendar import Failed, Looked, look_at
from syncer.model.calendar import Calendar, CalendarKey, Cursor, Event, Link, Page
from syncer.model.errors import AlreadyGone, Missing, SyncerError
from syncer.rules import decide, parse, reading
from syncer.store import calendars
from syncer.store.calendars import LinkDrop, LinkPut, NotePut, PageCommit
from syncer.sync import sweep
from syncer.sync.sweep import Changed
from syncer.sync.tools import Project, Tools


async def pull(tools: Tools, project: Project, calendar: Calendar, page: Page) -> set[int]:
    """Reads a calendar to the end, from a page that was fetched already; gives the conferences that it touched.

    A calendar that is not served any more, or of which something else is known meanwhile, ends it before the next page.
    Raises what the walls raise; each page that was committed stays.
    """
    key, touched = calendar.key, set[int]()
    version = project.calendars.version_of(key)
    while project.stands(key, version):
        commit = await _decided(tools, project, calendar, page)
        if not project.stands(key, version):
            break
        touched.update(await calendars.commit_page(tools.database, project.lease, key, commit))
        if not project.stands(key, version):
            break
        project.keep_cursor(key, commit.cursor)
        if commit.cursor.page_token is None:
            break
        version = project.calendars.version_of(key)
        calendar = structs.replace(calendar, cursor=commit.cursor)
        page = await next_page(tools, calendar)
    return touched


async def next_page(tools: Tools, calendar: Calendar) -> Page:
    """The page that a calendar's cursor stands before. Raises what the walls raise."""
    (answer,) = await tools.google.look([look_at(calendar, calendar.cursor.read_from)])
    match answer:
        case Failed(error):
            raise error
        case Looked(body):
            return await sweep.page_of(tools, body)
        case _:
            assert_never(answer)


async def pull_together(tools: Tools, project: Project, several: Sequence[Changed]) -> list[set[int] | SyncerError]:
    """Pulls many calendars, those whose page is short in two statements; gives what `pull` does of each.

    Instead of it the error of one that failed, which says nothing of the others.
    """
    if not all(one.is_short for one in several):
        return [await _alone(tools, project, one) for one in several]
    outcomes: dict[int, set[int] | SyncerError] = {}
    try:
        found = await calendars.links_of_each(tools.database, [_named(one.calendar, one.page) for one in several])
    except SyncerError as error:
        return [error] * len(several)
    commits: dict[int, PageCommit] = {}
    for place, (one, known) in enumerate(zip(several, found, strict=True)):
        try:
            if project.stands(one.calendar.key, one.version):
                commits[place] = _read(one.page, known, _sight(tools, project, one.calendar, one.page))
        except SyncerError as error:
            outcomes[place] = error
    pages = [(several[place].calendar.key, commit) for place, commit in commits.items()]
    for place, outcome in zip(commits, await calendars.commit_pages(tools.database, project.lease, pages), strict=True):
        outcomes[place] = outcome if isinstance(outcome, SyncerError) else set(outcome)
        key = several[place].calendar.key
        if isinstance(outcome, list) and project.stands(key, several[place].version):
            project.keep_cursor(key, commits[place].cursor)
    return [outcomes.get(place, set()) for place in range(len(several))]


async def _alone(tools: Tools, project: Project, one: Changed) -> set[int] | SyncerError:
    try:
        return await pull(tools, project, one.calendar, one.page)
    except SyncerError as error:
        return error


def _named(calendar: Calendar, page: Page) -> tuple[CalendarKey, list[str]]:
    return calendar.key, [event.event_id for event in page.events]


def _sight(tools: Tools, project: Project, calendar: Calendar, page: Page) -> decide.Sight:
    policy = project.tenants[calendar.key.tenant_id].policy
    return decide.Sight(
        calendar=calendar,
        policy=policy,
        sees_details=page.sees_details,
        is_repinned=reading.is_repinned(calendar, policy),
        since=tools.clock() - policy.window,
    )


async def _decided(tools: Tools, project: Project, calendar: Calendar, page: Page) -> PageCommit:
    """What one page says about links, and on the last page of a full read also what it no longer says."""
    sight = _sight(tools, project, calendar, page)
    known = await calendars.links_of(tools.database, *_named(calendar, page))
    if page.next_page_token is not None or not calendar.cursor.is_full_read:
        return _read(page, known, sight)
    orphans = await _orphans(tools, calendar, page)
    known.update({orphan.event_id: orphan for orphan in orphans})
    return _read(page, known, sight, [await verified(tools, orphan, sight) for orphan in orphans])


def _read(page: Page, known: dict[str, Link], sight: decide.Sight, left: Sequence[decide.Decision] = ()) -> PageCommit:
    """What to write down of a page. left: what was decided of links that a full read has not seen."""
    cursor = reading.advanced(sight.calendar, page, sight.policy)
    decisions = [decide.link(event, known.get(event.event_id), sight) for event in page.events]
    notes = [NotePut(entry.event_id, "set_aside", entry.etag, entry.reason) for entry in page.set_aside]
    return _commit(cursor, [*decisions, *left], known, notes, page)


async def _orphans(tools: Tools, calendar: Calendar, page: Page) -> list[Link]:
    """Links that this full read should have seen and has not."""
    named = {event.event_id for event in page.events} | {entry.event_id for entry in page.set_aside}
    left = await calendars.left_behind(tools.database, calendar.key, calendar.cursor.generation)
    return [link for link in decide.orphans(left, calendar.cursor.read_from) if link.event_id not in named]


async def verified(tools: Tools, orphan: Link, sight: decide.Sight) -> decide.Decision:
    """What the event of an orphan says when it is asked for by name."""
    try:
        body = await tools.google.get(sight.calendar, orphan.event_id)
    except (Missing, AlreadyGone):
        # Who sees free and busy only may not be shown an event that is there.
        gone = decide.Drop(orphan.event_id, "the event is not there any more")
        return gone if sight.sees_details else decide.Pass(orphan.event_id)
    read = parse.event(body, zones=tools.zones)
    return decide.link(read, orphan, sight) if isinstance(read, Event) else decide.Pass(orphan.event_id)


def _commit(
    cursor: Cursor,
    decisions: Sequence[decide.Decision],
    known: dict[str, Link],
    notes: list[NotePut],
    page: Page,
) -> PageCommit:
    puts: list[LinkPut] = []
    drops: list[LinkDrop] = []
    losses: list[str] = []
    for decision in decisions:
        match decision:
            case decide.Put(event, meeting_id, is_news, is_users):
                before = known.get(event.event_id)
                is_new = before is None or before.meeting_id != meeting_id
                puts.append(LinkPut(event, meeting_id, is_new, is_news, is_users))
                if before is not None and is_new:
                    losses.append(before.meeting_id)
            case decide.Drop(event_id, reason, is_detaching):
                drops.append(LinkDrop(event_id, known[event_id].meeting_id, reason, is_detaching))
            case decide.Note(event_id, kind, etag, reason):
                notes.append(NotePut(event_id, kind, etag, reason))
            case decide.Pass():
                pass
            case _:
                assert_never(decision)
    return PageCommit(
        cursor=cursor,
        puts=tuple(_last_of_each(puts)),
        drops=tuple(drops),
        notes=tuple({note.event_id: note for note in notes}.values()),
        losses=tuple(losses),
        event_ids=tuple(event.event_id for event in page.events),
        time_zone=page.time_zone,
        sees_details=page.sees_details,
    )


def _last_of_each(puts: Sequence[LinkPut]) -> list[LinkPut]:
    # A row cannot be written twice by one statement; an entry that stands twice on a page counts as it stands last.
    return list({put.event.event_id: put for put in puts}.values())
