"""List: take over what the rows say of a project's tenants and calendars, all of it at first, then what has changed.

And what has changed outside of the rows: credentials that failed, and were mended.
"""

import asyncio
from collections.abc import Iterable, Iterator

from syncer.model.errors import StoreError
from syncer.store import calendars, roster
from syncer.store.calendars import BrokenTenant
from syncer.sync.tools import Project, Tools

_NO_REVISION = -1


async def list_anew(tools: Tools, project: Project) -> list[BrokenTenant]:
    """Brings a project up to date with its rows; gives the tenants whose rows cannot be used, if any were read.

    Raises StoreError; the next time lists everything then, for it may be another server that answers.
    """
    try:
        return await _list_anew(tools, project)
    except StoreError:
        project.revision = _NO_REVISION
        raise


async def try_mended(tools: Tools, projects: Iterable[Project]) -> None:
    """Has calendars looked at at once whose credential failed and is another by now."""
    mended = await tools.google.mended()
    for project in projects if mended else ():
        await _in_steps(project.try_again(mended, tools.clock()))


async def _list_anew(tools: Tools, project: Project) -> list[BrokenTenant]:
    project_id, database = project.lease.project_id, tools.database
    stirred = await roster.stirred(database, project_id, project.since)
    # Where transactions are numbered from further back, a standby has taken over that did not know the last ones.
    is_whole = stirred.since < project.since or project.since == 0 or stirred.revision != project.revision
    broken: list[BrokenTenant] = []
    if is_whole or stirred.has_tenants:
        found, broken = await calendars.tenants(database, project_id)
        await _in_steps(project.keep_tenants(found))
    if is_whole:
        await _list_all(tools, project)
    else:
        await _list_changed(tools, project)
    project.unlisted.clear()
    project.since, project.revision = stirred.since, stirred.revision
    return broken


async def _list_all(tools: Tools, project: Project) -> None:
    is_restart, served = project.since == 0, set[int]()
    async for page in roster.pages(tools.database, project.lease.project_id, 0, is_restart=is_restart):
        if is_restart:
            await tools.google.mind({one.credential for one in page if one.failures})
        served.update(project.keep_calendars(page, tools.clock(), is_restart=is_restart))
    await _in_steps(project.keep_only(served))


async def _list_changed(tools: Tools, project: Project) -> None:
    project_id = project.lease.project_id
    async for page in roster.pages(tools.database, project_id, project.since):
        project.keep_calendars(page, tools.clock(), is_restart=False)
    if project.unlisted:
        async for page in roster.pages(tools.database, project_id, 0, tenant_ids=list(project.unlisted)):
            project.keep_calendars(page, tools.clock(), is_restart=False)
    for key in await roster.paused(tools.database, project_id, project.since):
        project.drop_calendar(key)


async def _in_steps(steps: Iterator[None]) -> None:
    for _ in steps:
        await asyncio.sleep(0)
