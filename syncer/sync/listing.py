"""List: take over what the rows say of a project's tenants and calendars, all of it at first, then what has changed."""

from syncer.model.calendar import CalendarKey
from syncer.store import calendars, roster
from syncer.store.calendars import BrokenTenant
from syncer.sync.tools import Project, Tools


async def list_anew(tools: Tools, project: Project) -> list[BrokenTenant]:
    """Brings a project up to date with its rows; gives the tenants whose rows cannot be used, if any were read."""
    project_id, database = project.lease.project_id, tools.database
    stirred = await roster.stirred(database, project_id, project.since)
    is_whole = project.since == 0 or stirred.revision != project.revision
    broken: list[BrokenTenant] = []
    if is_whole or stirred.has_tenants:
        found, broken = await calendars.tenants(database, project_id)
        project.keep_tenants(found)
    if is_whole:
        await _list_all(tools, project)
    else:
        await _list_changed(tools, project)
    project.since, project.revision = stirred.since, stirred.revision
    return broken


async def _list_all(tools: Tools, project: Project) -> None:
    is_restart, served = project.since == 0, set[CalendarKey]()
    async for page in roster.pages(tools.database, project.lease.project_id, 0):
        project.keep_calendars(page, tools.clock(), is_restart=is_restart)
        if not is_restart:
            served.update(calendar.key for calendar in page)
    if not is_restart:
        project.keep_only(served)


async def _list_changed(tools: Tools, project: Project) -> None:
    async for page in roster.pages(tools.database, project.lease.project_id, project.since):
        project.keep_calendars(page, tools.clock(), is_restart=False)
    for key in await roster.paused(tools.database, project.lease.project_id, project.since):
        project.drop_calendar(key)
