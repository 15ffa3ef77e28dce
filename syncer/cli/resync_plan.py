"""`syncer calendar resync --dry-run`: what reading a calendar anew would change, looked at now."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncer.cli import connect, output, progress
from syncer.model.errors import OperatorError
from syncer.rules import decide

if TYPE_CHECKING:
    from syncer.model.calendar import Calendar, Policy
    from syncer.store.database import Database
    from syncer.sync.rehearsal import Rehearsal


async def tell(tenant: str, google_id: str, *, as_json: bool) -> None:
    """Looks at Google and prints what would change. Raises OperatorError or OutsideError."""
    from syncer import app
    from syncer.store import leases
    from syncer.sync import rehearsal

    chosen = connect.settings()
    async with connect.address(chosen) as dsn, app.tools_of(chosen, dsn) as tools:
        tools.clock.shift = await leases.clock_shift(tools.database)
        calendar, policy = await _served(tools.database, tenant, google_id)
        with progress.shown("Reading") as bar:
            seen = 0

            def count(entries: int) -> None:
                nonlocal seen
                seen += entries
                bar.tell(f"Reading: {output.counted(seen, 'entry', 'entries')}")

            found = await rehearsal.rehearse(tools, policy, calendar, count)
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "plan": found})
        return
    rows = list(_rows(found))
    if rows:
        output.table(("would", "event", "meeting", "why, or which"), rows, last_may_break=True)
    output.lines(_sentences(found))
    output.advise(f"syncer calendar resync {tenant} {google_id}")


async def _served(database: "Database", tenant: str, google_id: str) -> "tuple[Calendar, Policy]":
    from syncer.store import calendars, overview

    about = await overview.calendar(database, tenant, google_id)
    project = await overview.project(database, about.project)
    tenants, broken = await calendars.tenants(database, project.project_id)
    for one in broken:
        if one.slug == tenant:
            raise OperatorError(one.reason)
    for calendar in await calendars.served(database, project.project_id):
        if (calendar.key.tenant_id, calendar.key.calendar_id) == (about.tenant_id, about.calendar_id):
            return calendar, tenants[about.tenant_id].policy
    paused = (
        f"syncer tenant resume {tenant}"
        if about.tenant_state != "active"
        else f"syncer calendar resume {tenant} {google_id}"
    )
    raise OperatorError(f"Calendar {google_id} is paused, so nothing of it is read; `{paused}` first.")


def _rows(found: "Rehearsal") -> Iterator[tuple[str, str, str, str | None]]:
    for verb, links in (("come", found.coming), ("change", found.changing), ("go", found.going)):
        yield from ((f"the link {verb}", link.event_id, link.meeting_id, link.reason) for link in links)
    for verb, occurrences in (("go", found.excluded), ("come back", found.included)):
        yield from ((f"an occurrence {verb}", one.master_id, one.meeting_id, one.original_start) for one in occurrences)


def _sentences(found: "Rehearsal") -> Iterator[str]:
    seen = output.counted(found.entries, "entry was", "entries were")
    aside = f", {found.passed_over} of which cannot be used" if found.passed_over else ""
    yield f"{seen.capitalize()} read{aside}; nothing was written."
    if found.is_quiet:
        yield "Reading it anew would change no link."
    else:
        yield (
            f"{output.counted(len(found.coming), 'link').capitalize()} would come, {len(found.changing)} change and "
            f"{len(found.going)} go."
        )
        if found.excluded or found.included:
            out, back = output.counted(len(found.excluded), "occurrence"), len(found.included)
            yield f"{out.capitalize()} would be left out of their meeting, and {back} take place in it again."
        if any(link.reason != decide.MATCHERS_CHANGED for link in found.going):
            yield "A meeting without any link left is deleted after the grace, if its event is really gone then."
        if any(link.reason == decide.MATCHERS_CHANGED for link in found.going):
            yield (
                "A meeting that no matcher takes any more is detached, never deleted: it stays at the provider as it "
                "is."
            )
