"""Pull: work through one calendar's changes, page by page, and write down what was seen.

The conferences that a read touches are pushed after its last page, never on half a calendar.
"""

from collections.abc import Sequence
from typing import assert_never

from msgspec import structs

from syncer.clients.google.calendar import Failed, Looked, look_at
from syncer.model.calendar import Calendar, Page
from syncer.model.errors import SyncerError
from syncer.rules import family
from syncer.store import calendars
from syncer.store.calendars import PageCommit
from syncer.sync import page, sweep
from syncer.sync.sweep import Changed
from syncer.sync.tools import Project, Tools


async def pull(tools: Tools, project: Project, calendar: Calendar, first: Page) -> set[int]:
    """Reads a calendar to the end, from a page that was fetched already; gives the conferences that it touched.

    A calendar that is not served any more, or of which something else is known meanwhile, ends it before the next page.
    Raises what the walls raise; each page that was committed stays.
    """
    key, touched, seen = calendar.key, set[int](), first
    version = project.calendars.version_of(key)
    while project.stands(key, version):
        commit = await page.decided(tools, project, calendar, seen)
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
        seen = await next_page(tools, calendar)
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
    """Pulls many calendars, those whose page is short in few statements; gives what `pull` does of each.

    Instead of it the error of one that failed, which says nothing of the others.
    """
    if not all(one.is_short for one in several):
        return [await _alone(tools, project, one) for one in several]
    outcomes: dict[int, set[int] | SyncerError] = {}
    commits: dict[int, PageCommit] = {}
    alone: list[int] = []
    try:
        found = await page.known_of_each(tools, [(one.calendar.key, one.page.events) for one in several])
    except SyncerError as error:
        return [error] * len(several)
    for place, (one, known) in enumerate(zip(several, found, strict=True)):
        try:
            if project.stands(one.calendar.key, one.version):
                sight = page.sight_of(tools, project, one.calendar, one.page)
                told = family.tell(one.page.events, known, sight)
                if told.strangers:
                    alone.append(place)
                else:
                    commits[place] = page.commit_of(one.page, told, known, sight)
        except SyncerError as error:
            outcomes[place] = error
    outcomes |= await _committed(tools, project, several, commits)
    for place in alone:
        outcomes[place] = await _alone(tools, project, several[place])
    return [outcomes.get(place, set()) for place in range(len(several))]


async def _committed(
    tools: Tools, project: Project, several: Sequence[Changed], commits: dict[int, PageCommit]
) -> dict[int, set[int] | SyncerError]:
    outcomes: dict[int, set[int] | SyncerError] = {}
    pages = [(several[place].calendar.key, commit) for place, commit in commits.items()]
    for place, outcome in zip(commits, await calendars.commit_pages(tools.database, project.lease, pages), strict=True):
        outcomes[place] = outcome if isinstance(outcome, SyncerError) else set(outcome)
        key = several[place].calendar.key
        if isinstance(outcome, list) and project.stands(key, several[place].version):
            project.keep_cursor(key, commits[place].cursor)
    return outcomes


async def _alone(tools: Tools, project: Project, one: Changed) -> set[int] | SyncerError:
    try:
        return await pull(tools, project, one.calendar, one.page)
    except SyncerError as error:
        return error
