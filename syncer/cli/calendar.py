"""`syncer calendar`: calendars that are looked at."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from syncer.cli import asking, channel, connect, credential, options, output, progress, resync_plan, standing
from syncer.cli.asking import Yes
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.store.overview import CalendarView

Slug = Annotated[str, Parameter(help="The tenant's name.")]
GoogleId = Annotated[str, Parameter(help="The calendar's id at Google.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarOptions:
    """The options of `syncer calendar add`."""

    subject: Annotated[
        str | None,
        Parameter(help="User whom a service account acts as, before the tenant's; not needed with a user's own grant."),
    ] = None
    credential: Annotated[str | None, Parameter(help="Its own credential, before the tenant's.")] = None
    address: Annotated[
        tuple[str, ...],
        Parameter(help="A further address that is its owner's. May be repeated.", negative="", show_default=False),
    ] = ()


_PLAIN = CalendarOptions()


async def add(
    tenant: Slug, google_id: GoogleId, /, *, chosen: CalendarOptions = _PLAIN, as_json: AsJson = False
) -> None:
    """Add a calendar to a tenant; a running worker sees it within seconds.

    Example: syncer calendar add acme ana@example.org --subject ana@example.org
    """
    from syncer.store import tenants

    own, said = chosen.credential, list[str]()
    if own is not None:
        own = options.reference("--credential", own, prefix=connect.settings().credentials_prefix)
        said = await credential.of_google("--credential", own)
    calendar = tenants.NewCalendar(
        google_id, subject=chosen.subject, credential=own, addresses=frozenset(chosen.address)
    )
    async with connect.store() as database:
        calendar_id = await tenants.add_calendar(database, tenant, calendar)
        said += await credential.unsealed(database, tenant, own, None)
    output.warn(said)
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "calendar_id": calendar_id})
        return
    output.lines([f"Calendar {google_id} is added to tenant {tenant}."])
    output.advise(f"syncer calendar explain {tenant} {google_id}")


async def list_all(tenant: Slug | None = None, /, *, as_json: AsJson = False) -> None:
    """List the calendars of all tenants, or of one.

    Example: syncer calendar list acme
    """
    from syncer.store import overview

    async with connect.store() as database:
        with progress.shown("Reading"):
            found = await overview.calendars(database, tenant)
    if as_json:
        output.document(found)
        return
    output.table(
        ("tenant", "calendar", "state", "read", "events", "failures", "reason"),
        [
            (one.tenant, one.google_id, one.state, standing.reading(one), one.links, one.failures or None, one.reason)
            for one in found
        ],
        last_may_break=True,
    )
    last = found[-1] if found else None
    output.advise(
        f"syncer calendar explain {last.tenant} {last.google_id}" if last else "syncer calendar add TENANT ADDRESS"
    )


async def show(tenant: Slug, google_id: GoogleId, /, *, as_json: AsJson = False) -> None:
    """Show one calendar.

    Example: syncer calendar show acme ana@example.org
    """
    from syncer.model.calendar import CalendarKey
    from syncer.store import channels, overview

    async with connect.store() as database:
        found = await overview.calendar(database, tenant, google_id)
        told = await channels.standing(database, CalendarKey(found.tenant_id, found.calendar_id))
    if as_json:
        output.document(found)
        return
    output.fields(_fields(found) | {"told of by Google": channel.state(told)})
    output.advise(f"syncer calendar explain {tenant} {google_id}")


async def explain(tenant: Slug, google_id: GoogleId, /, *, as_json: AsJson = False) -> None:
    """Say why a calendar is or is not up to date, and what happens next.

    Example: syncer calendar explain acme ana@example.org
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.standing(database, tenant, google_id)
    sentences = standing.sentences(found)
    if as_json:
        output.document(
            {"is_up_to_date": standing.is_up_to_date(found), "sentences": sentences, "standing": found},
        )
        return
    output.lines(sentences)
    output.advise(standing.next_command(found))


async def release(tenant: Slug, google_id: GoogleId, /, *, as_json: AsJson = False) -> None:
    """Let the held deletions of a calendar through: its meetings without an event are deleted.

    Example: syncer calendar release acme ana@example.org
    """
    from syncer.store import tenants

    async with connect.store() as database:
        count = await tenants.release(database, tenant, google_id)
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "released": count})
        return
    if count:
        output.lines([f"{output.counted(count, 'deletion').capitalize()} of {google_id} let through; due at once."])
    else:
        output.lines([f"No deletion of {google_id} is held; nothing was changed."])
    output.advise(f"syncer calendar explain {tenant} {google_id}")


async def pause(tenant: Slug, google_id: GoogleId, /, *, as_json: AsJson = False) -> None:
    """Stop reading and changing anything of one calendar, until it is resumed.

    Example: syncer calendar pause acme ana@example.org
    """
    await _set_state(tenant, google_id, "paused", as_json=as_json)


async def resume(tenant: Slug, google_id: GoogleId, /, *, as_json: AsJson = False) -> None:
    """Serve a paused calendar again, from where it was; a parked one is looked at again at once.

    Example: syncer calendar resume acme ana@example.org
    """
    await _set_state(tenant, google_id, "active", as_json=as_json)


async def resync(
    tenant: Slug,
    google_id: GoogleId,
    /,
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="Look now and say what would change; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a calendar anew from the start. Nothing is lost by it: what was read before stays until it is seen again.

    Example: syncer calendar resync acme ana@example.org --dry-run
    """
    if dry_run:
        await resync_plan.tell(tenant, google_id, as_json=as_json)
        return
    from syncer.store import overview, tenants

    async with connect.store() as database:
        await tenants.resync(database, tenant, google_id)
        paused = standing.resuming(await overview.calendar(database, tenant, google_id))
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "resync": True})
        return
    when = f"with its first look after `{paused}`, for it is paused" if paused else "with its next look"
    output.lines([f"Calendar {google_id} is read anew {when}."])
    output.advise(f"syncer calendar explain {tenant} {google_id}")


async def remove(tenant: Slug, google_id: GoogleId, /, *, yes: Yes = False, as_json: AsJson = False) -> int:
    """Stop serving a calendar for good: its meetings stay at the provider as they are.

    What was done to them stays on record with their tenant.

    Example: syncer calendar remove acme ana@example.org
    """
    from syncer.cli.tenant import stay
    from syncer.store import retirement

    async with connect.store() as database:
        going = await retirement.outlook(database, tenant, google_id)
        left = f", and {stay(tenant, going.meetings, is_listed=False)}" if going.meetings else "."
        if not asking.sure(f"Calendar {google_id} would not be served any more{left}", yes=yes):
            return 1
        with progress.shown("Removing"):
            detached = await retirement.retire_calendars(database, going)
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "meetings_that_stay": detached})
        return 0
    output.lines([f"Calendar {google_id} is removed.", *([stay(tenant, detached)] if detached else [])])
    output.advise(f"syncer conference list {tenant} --state detached" if detached else f"syncer calendar list {tenant}")
    return 0


async def _set_state(tenant: str, google_id: str, state: Literal["active", "paused"], *, as_json: bool) -> None:
    from syncer.store import tenants

    async with connect.store() as database:
        done = await tenants.set_calendar_state(database, tenant, google_id, state)
    if as_json:
        output.document({"tenant": tenant, "calendar": google_id, "state": state, "changed": done.has_changed})
        return
    if done.unparked:
        output.lines([f"Calendar {google_id} was parked; it is looked at again at once."])
    else:
        since = f"is {state} now" if done.has_changed else f"was {state} already"
        output.lines([f"Calendar {google_id} {since}."])
    verb = "resume" if state == "paused" else "explain"
    output.advise(f"syncer calendar {verb} {tenant} {google_id}")


def _fields(found: "CalendarView") -> dict[str, object]:
    return {
        "calendar": found.google_id,
        "tenant": found.tenant,
        "state": found.state,
        "reason": found.reason,
        "subject": found.subject,
        "credential": found.credential or "the tenant's",
        "addresses": found.addresses,
        "read": standing.reading(found),
        "full reads begun": found.generation,
        "last change seen": found.changed_at,
        "time zone": found.time_zone,
        "failures in a row": found.failures,
        "next look not before": found.next_look_at,
        "events with a meeting": found.links,
        "added": found.created_at,
    }
