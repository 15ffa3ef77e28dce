"""`syncer tenant`: customers whose calendars are served."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from syncer.cli import connect, options, output
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.store.overview import TenantView
    from syncer.store.tenants import NewTenant

Slug = Annotated[str, Parameter(help="The tenant's name.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOptions:
    """The options of `syncer tenant add`."""

    project: Annotated[str, Parameter(help="Project that its requests count for.")]
    credential: Annotated[str, Parameter(help="Google credential: file:NAME or env:NAME.")]
    subject: Annotated[
        str | None, Parameter(help="User whom a service account acts as on calendars without a subject of their own.")
    ] = None
    provider: Annotated[str, Parameter(help="Kind of conferencing system.")] = "webhook"
    provider_url: Annotated[str, Parameter(help="Where the conferencing system listens.")]
    provider_credential: Annotated[str, Parameter(help="Its secret: file:NAME or env:NAME.")]
    matcher: Annotated[
        tuple[str, ...],
        Parameter(
            help="Whose conferences are the tenant's, as 'type=addOn,name=Example Meeting'; also uri=, parameter=. "
            "May be repeated; by default all that an add-on made.",
            negative="",
            show_default=False,
        ),
    ] = ()
    grace: Annotated[str, Parameter(help="Wait between the last event going and its meeting's deletion.")] = "10m"
    window: Annotated[str, Parameter(help="How far back a first read goes.")] = "1d"
    write_back: Annotated[str, Parameter(help="Where a changed join URL is written, in this order; or none.")] = (
        "conferenceData,location,description"
    )


async def add(slug: Slug, /, *, chosen: TenantOptions, as_json: AsJson = False) -> None:
    """Add a tenant.

    Example: syncer tenant add acme --project main --credential file:acme.json
    --provider-url https://meet.example.org/hooks/calendar --provider-credential env:SYNCER_CREDENTIAL_ACME
    """
    from syncer.store import tenants

    tenant = _new(slug, chosen, prefix=connect.settings().credentials_prefix)
    async with connect.store() as database:
        tenant_id = await tenants.add_tenant(database, tenant)
    if as_json:
        output.document({"tenant": slug, "tenant_id": tenant_id})
        return
    output.lines([f"Tenant {slug} is added."])
    output.advise(f"syncer calendar add {slug} ADDRESS" + ("" if chosen.subject else " --subject ADDRESS"))


async def list_all(*, as_json: AsJson = False) -> None:
    """List the tenants.

    Example: syncer tenant list
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.all_tenants(database)
    if as_json:
        output.document(found)
        return
    output.table(
        ("tenant", "project", "state", "calendars", "meetings", "held"),
        [(one.slug, one.project, one.state, one.calendars, one.conferences, one.held or None) for one in found],
    )
    output.advise(f"syncer calendar list {found[0].slug}" if found else "syncer tenant add NAME --project NAME …")


async def show(slug: Slug, /, *, as_json: AsJson = False) -> None:
    """Show one tenant and what it decided.

    Example: syncer tenant show acme
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.tenant(database, slug)
    if as_json:
        output.document(found)
        return
    output.fields(_fields(found))
    output.advise(f"syncer calendar list {slug}")


async def pause(slug: Slug, /, *, as_json: AsJson = False) -> None:
    """Stop reading and changing anything for a tenant, until it is resumed.

    Example: syncer tenant pause acme
    """
    await _set_state(slug, "paused", as_json=as_json)


async def resume(slug: Slug, /, *, as_json: AsJson = False) -> None:
    """Serve a paused tenant again, from where it was; parked calendars are looked at again at once.

    Use it on an active tenant too, after mending what its calendars were parked for.

    Example: syncer tenant resume acme
    """
    await _set_state(slug, "active", as_json=as_json)


async def _set_state(slug: str, state: Literal["active", "paused"], *, as_json: bool) -> None:
    from syncer.store import tenants

    async with connect.store() as database:
        done = await tenants.set_state(database, slug, state)
    if as_json:
        output.document({"tenant": slug, "state": state, "changed": done.has_changed, "unparked": done.unparked})
        return
    sentence = f"Tenant {slug} is {state} now." if done.has_changed else f"Tenant {slug} was {state} already."
    if done.unparked:
        again = output.counted(done.unparked, "parked calendar is", "parked calendars are")
        sentence = f"{sentence} {again} looked at again at once."
    output.lines([sentence])
    output.advise(f"syncer tenant resume {slug}" if state == "paused" else f"syncer calendar list {slug}")


def _new(slug: str, chosen: TenantOptions, *, prefix: str) -> "NewTenant":
    from syncer.model.calendar import Policy
    from syncer.store.tenants import NewTenant

    return NewTenant(
        slug=slug,
        project=chosen.project,
        credential=options.reference("--credential", chosen.credential, prefix=prefix),
        subject=chosen.subject,
        provider_credential=options.reference("--provider-credential", chosen.provider_credential, prefix=prefix),
        provider=options.provider(chosen.provider),
        provider_settings={"url": options.web_address("--provider-url", chosen.provider_url)},
        policy=Policy(
            matchers=options.matchers(chosen.matcher),
            grace=options.duration("--grace", chosen.grace),
            window=options.duration("--window", chosen.window),
            ladder=options.ladder(chosen.write_back),
        ),
    )


def _fields(found: "TenantView") -> dict[str, object]:
    return {
        "tenant": found.slug,
        "project": found.project,
        "state": found.state,
        "credential": found.credential,
        "subject": found.subject,
        "provider": found.provider,
        **{f"provider's {name}": value for name, value in found.provider_settings.items()},
        "provider's credential": found.provider_credential,
        "matchers": [", ".join(f"{name}={value}" for name, value in one.items()) for one in found.matchers],
        "grace": timedelta(seconds=found.grace_seconds),
        "window": timedelta(seconds=found.window_seconds),
        "write-back": found.ladder or "none",
        "calendars": found.calendars,
        "meetings": found.conferences,
        "deletions held": found.held,
        "added": found.created_at,
    }
