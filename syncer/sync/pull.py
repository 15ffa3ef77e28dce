"""Pull: work through one calendar's changes, page by page, and write down what was seen.

The conferences that a read touches are pushed after its last page, never on half a calendar.
"""

from collections.abc import AsyncIterator, Container, Iterator, Sequence
from typing import assert_never

from msgspec import structs

from syncer.clients.google.calendar import Failed, Looked, look_at
from syncer.model.calendar import Calendar, Page
from syncer.model.errors import SyncerError
from syncer.store import calendars
from syncer.store.calendars import PageCommit
from syncer.sync import page, sweep
from syncer.sync.sweep import Changed
from syncer.sync.tools import Project, Tools

# So many pulls of short pages make two statements; more saves little, and holds up the loop for milliseconds.
_MOST, _MOST_EVENTS = 50, 500

Pulled = set[int] | SyncerError | None


async def pull(tools: Tools, project: Project, calendar: Calendar, first: Page) -> set[int] | None:
    """Reads a calendar to the end, from a page that was fetched already; gives the conferences that it touched.

    A calendar that is not served any more, or of which something else is known meanwhile, ends it before the next page:
    None then, for nobody may take it for looked at. None as well where events that a full read did not list are left
    to be asked for. Raises what the walls raise. Each page that was committed stays.
    """
    key, touched, seen = calendar.key, set[int](), first
    version = project.calendars.version_of(key)
    number = 0
    while project.stands(key, version):
        number += 1
        commit = await page.decided(tools, project, calendar, seen, number)
        if not project.stands(key, version):
            break
        touched.update(await calendars.commit_page(tools.database, project.lease, key, commit))
        if not project.stands(key, version):
            break
        project.keep_cursor(key, commit.cursor)
        if commit.cursor.page_token is None:
            return None if commit.cursor.is_full_read else touched
        version = project.calendars.version_of(key)
        calendar = structs.replace(calendar, cursor=commit.cursor)
        seen = await next_page(tools, calendar)
    return None


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


def together(short: Sequence[Changed], alone: Container[int]) -> Iterator[list[Changed]]:
    """Pulls that go together, as they come. alone: slots of which each goes by itself."""
    some: list[Changed] = []
    events = 0
    for what in short:
        if what.slot in alone:
            yield [what]
            continue
        events += len(what.page.events)
        if some and (len(some) == _MOST or events > _MOST_EVENTS):
            yield some
            some, events = [], len(what.page.events)
        some.append(what)
    if some:
        yield some


async def pull_together(
    tools: Tools, project: Project, several: Sequence[Changed]
) -> AsyncIterator[tuple[Changed, Pulled]]:
    """Pulls many calendars, those whose page is short in few statements; gives each, as it is done, with what `pull`
    gives of it.

    Instead of it the error of one that failed, which says nothing of the others. Nor do they wait for those of which
    more must be read: these come last.
    """
    done = await _at_once(tools, project, several)
    for place, outcome in done.items():
        yield several[place], outcome
    for place, one in enumerate(several):
        if place not in done:
            yield one, await _alone(tools, project, one)


async def _at_once(tools: Tools, project: Project, several: Sequence[Changed]) -> dict[int, Pulled]:
    """What came of those of which nothing more must be read, by their places."""
    short = {place: one for place, one in enumerate(several) if one.is_short}
    try:
        found = await page.known_of_each(tools, [(one.calendar.key, one.page.events) for one in short.values()])
    except SyncerError as error:
        return dict.fromkeys(short, error)
    done: dict[int, Pulled] = {}
    commits: dict[int, PageCommit] = {}
    for (place, one), known in zip(short.items(), found, strict=True):
        try:
            if not _stands(project, one):
                done[place] = None
                continue
            sight = page.sight_of(tools, project, one.calendar, one.page)
            told = await page.tell(one.page.events, known, sight)
            if told.is_whole:
                page.keep_left_blocks(project, one.page.events, told, known)
                commits[place] = page.commit_of(one.page, told, known, sight)
        except SyncerError as error:
            done[place] = error
    standing = {place: commit for place, commit in commits.items() if _stands(project, several[place])}
    committed = await _committed(tools, project, several, standing)
    return {place: committed.get(place) for place in commits} | done


async def _committed(
    tools: Tools, project: Project, several: Sequence[Changed], commits: dict[int, PageCommit]
) -> dict[int, set[int] | SyncerError]:
    outcomes: dict[int, set[int] | SyncerError] = {}
    pages = [(several[place].calendar.key, commit) for place, commit in commits.items()]
    for place, outcome in zip(commits, await calendars.commit_pages(tools.database, project.lease, pages), strict=True):
        outcomes[place] = outcome if isinstance(outcome, SyncerError) else set(outcome)
        key = several[place].calendar.key
        if _stands(project, several[place]):
            if isinstance(outcome, list):
                project.keep_cursor(key, commits[place].cursor)
        elif isinstance(outcome, list):
            del outcomes[place]
    return outcomes


async def _alone(tools: Tools, project: Project, one: Changed) -> Pulled:
    if not _stands(project, one):
        return None
    try:
        return await pull(tools, project, one.calendar, one.page)
    except SyncerError as error:
        return error


def _stands(project: Project, one: Changed) -> bool:
    return project.stands(one.calendar.key, one.version)
