"""`syncer tenant`: customers whose calendars are served."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Parameter

from syncer.cli import asking, connect, credential, options, output, progress
from syncer.cli.asking import Yes
from syncer.cli.output import AsJson
from syncer.cli.seal import seal as seal  # one of its commands, in a module of its own
from syncer.cli.tenant_options import TenantChanges, TenantOptions
from syncer.model.errors import OperatorError

if TYPE_CHECKING:
    from syncer.model.calendar import Policy
    from syncer.store.overview import TenantView
    from syncer.store.retirement import Outlook
    from syncer.store.tenants import NewTenant, TenantChange

_T = TypeVar("_T")
Slug = Annotated[str, Parameter(help="The tenant's name.")]

_NOTHING = TenantChanges()


async def add(slug: Slug, /, *, chosen: TenantOptions, as_json: AsJson = False) -> None:
    """Add a tenant.

    Example: syncer tenant add acme --project main --credential file:acme.json
    --provider-url https://meet.example.org/hooks/calendar --provider-credential env:SYNCER_CREDENTIAL_ACME
    """
    from syncer.store import tenants

    tenant = _new(slug, chosen, prefix=connect.settings().credentials_prefix)
    said = await credential.of_google("--credential", tenant.credential)
    said += await credential.of_provider(
        "--provider-credential", tenant.provider_credential, tenant.provider, tenant.provider_settings
    )
    async with connect.store() as database:
        tenant_id = await tenants.add_tenant(database, tenant)
        said += await credential.unsealed(database, slug, tenant.credential, tenant.provider_credential)
    output.warn(said)
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


async def change(slug: Slug, /, *, chosen: TenantChanges = _NOTHING, yes: Yes = False, as_json: AsJson = False) -> int:
    """Change what a tenant decided; what is not given stays as it is.

    Example: syncer tenant set acme --grace 1h --matcher 'type=addOn,name=Example Meeting'
    """
    from syncer.store import overview, tenants

    if chosen == _NOTHING:
        raise OperatorError("Nothing is given to change; `syncer tenant set --help` lists what can be.", exit_code=2)
    wanted = _change(chosen, prefix=connect.settings().credentials_prefix)
    async with connect.store() as database:
        about = await overview.tenant(database, slug)
        said = await _looked_at(wanted, about)
        others = await tenants.sharers(database, slug) if wanted.is_of_the_account else []
        leaving, of_all = await overview.unmatched(database, slug, wanted.matchers) if wanted.matchers else (0, 0)
        risks = [_shared(slug, others)] if others else []
        risks += [_leaving(slug, leaving, of_all)] if leaving else []
        if risks and not asking.sure(" ".join(risks), yes=yes):
            return 1
        changed = await tenants.set_tenant(database, slug, wanted)
        said += await credential.unsealed(database, slug, wanted.credential, wanted.provider_credential)
    output.warn(said)
    if as_json:
        output.document({"tenant": slug, "changed": changed, "also_for": others, "meetings_that_leave": leaving})
        return 0
    is_retired = about.state == "retired"
    output.lines(_told(slug, changed, is_retired=is_retired))
    if "provider settings" in changed and about.provider_credential.startswith("sealed:"):
        name = about.provider_credential.removeprefix("sealed:")
        output.lines([f"If it is another server, seal its secret anew: `syncer tenant seal {slug} {name} --provider`."])
    if leaving and "matchers" in changed:
        output.lines([f"Of its {output.counted(of_all, 'meeting')} {leaving} will be detached."])
    output.advise(f"syncer tenant show {slug}")
    return 0


async def remove(
    slug: Slug,
    /,
    *,
    forget: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Delete all that is kept of it too, its history and its name."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Stop serving a tenant for good: its calendars go, its meetings stay at the provider as they are.

    Conferences and history are kept, and `tenant resume` takes it back, until --forget deletes them.

    Example: syncer tenant remove acme
    """
    from syncer.store import retirement

    async with connect.store() as database:
        going = await retirement.outlook(database, slug)
        is_over = going.is_retired and not going.calendar_ids and not forget
        if not is_over and not asking.sure(_going(slug, going, forget=forget), yes=yes):
            return 1
        with progress.shown("Removing calendars", total=len(going.calendar_ids)) as bar:
            detached = await retirement.retire_tenant(database, slug, bar.advance)
        if forget:
            with progress.shown("Forgetting") as bar:
                await retirement.forget(database, slug)
    if as_json:
        counts = {"calendars": len(going.calendar_ids), "meetings_that_stay": detached}
        output.document({"tenant": slug, **counts, "is_forgotten": forget})
        return 0
    if is_over:
        output.lines([f"Tenant {slug} was removed already; nothing was changed."])
    else:
        output.lines([f"Tenant {slug} is {'removed, and nothing is kept of it' if forget else 'removed'}."])
    if detached:
        output.lines([stay(slug, detached, is_listed=not forget)])
    output.advise("syncer tenant list" if forget else f"syncer conference list {slug} --state detached")
    return 0


def stay(slug: str, meetings: int, *, is_listed: bool = True) -> str:
    """The sentence that says what is left at the provider."""
    how = f"; `syncer conference list {slug} --state detached` lists them" if is_listed else ""
    kept = output.counted(meetings, "meeting stays", "meetings stay")
    return f"{kept} at the provider as {'it is' if meetings == 1 else 'they are'}{how}."


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
    from syncer.store import overview, tenants

    async with connect.store() as database:
        about = await overview.tenant(database, slug)
        done = await tenants.set_state(database, slug, state)
    if as_json:
        output.document({"tenant": slug, "state": state, "changed": done.has_changed, "unparked": done.unparked})
        return
    sentence = f"Tenant {slug} is {state} now." if done.has_changed else f"Tenant {slug} was {state} already."
    if about.state == "retired":
        sentence += f" It was removed, so its calendars must be added anew: `syncer calendar add {slug} ADDRESS`."
    if done.unparked:
        again = output.counted(done.unparked, "parked calendar is", "parked calendars are")
        sentence = f"{sentence} {again} looked at again at once."
    output.lines([sentence])
    output.advise(f"syncer tenant resume {slug}" if state == "paused" else f"syncer calendar list {slug}")


def _change(chosen: TenantChanges, *, prefix: str) -> "TenantChange":
    from syncer.store.tenants import Share, TenantChange

    def given(read: Callable[[str, str], _T], option: str, text: str | None) -> _T | None:
        return None if text is None else read(option, text)

    def reference(option: str, text: str) -> str:
        return options.reference(option, text, prefix=prefix)

    url = given(_provider_url, "--provider-url", chosen.provider_url)
    return TenantChange(
        credential=given(reference, "--credential", chosen.credential),
        subject=None if chosen.subject == "none" else chosen.subject,
        clears_subject=chosen.subject == "none",
        matchers=options.matchers(chosen.matcher) if chosen.matcher else None,
        grace=given(options.duration, "--grace", chosen.grace),
        window=given(options.duration, "--window", chosen.window),
        ladder=None if chosen.write_back is None else options.ladder(chosen.write_back),
        guards=(
            *options.guard("--guard-calendar", chosen.guard_calendar),
            *options.guard("--guard-tenant", chosen.guard_tenant),
        ),
        provider_settings=None if url is None else {"url": url},
        provider_credential=given(reference, "--provider-credential", chosen.provider_credential),
        provider_limits=options.call_limits(chosen.provider_limit) if chosen.provider_limit else None,
        share=Share(per_minute=chosen.per_minute, weight=chosen.weight),
    )


async def _looked_at(wanted: "TenantChange", about: "TenantView") -> list[str]:
    """What there is to say of the credentials that are given."""
    said: list[str] = []
    if wanted.credential is not None:
        said += await credential.of_google("--credential", wanted.credential)
    if wanted.provider_credential is not None:
        settings = {**about.provider_settings, **(wanted.provider_settings or {})}
        said += await credential.of_provider(
            "--provider-credential", wanted.provider_credential, about.provider, settings
        )
    return said


def _provider_url(option: str, text: str) -> str:
    return options.web_address(option, text, opened=connect.settings().private_networks)


# What a change means, by what has changed.
_MEANINGS = {
    "credential": "Calendars without a credential of their own are read anew with it.",
    "subject": "Calendars without a subject of their own are read anew on behalf of that user.",
    "matchers": (
        "Its calendars are read anew; a meeting that no matcher takes any more is detached: it stays at the provider "
        "as it is."
    ),
    "grace": "It holds for meetings whose last event goes from now on.",
    "window": "Its calendars are read anew.",
    "guards": "What is held stays held until it is released.",
}


def _told(slug: str, changed: list[str], *, is_retired: bool) -> Iterator[str]:
    if not changed:
        yield f"Tenant {slug} was so already; nothing was changed."
        return
    names = " and ".join([", ".join(changed[:-1]), changed[-1]] if changed[1:] else changed)
    if is_retired:
        yield f"Tenant {slug}: {names} changed. It is removed, so nobody serves it until `syncer tenant resume {slug}`."
        return
    yield f"Tenant {slug}: {names} changed. A running worker sees it within seconds."
    yield from (
        _MEANINGS[name] for name in changed if name in _MEANINGS and not (name == "window" and "matchers" in changed)
    )
    if not {"credential", "subject", "provider credential"}.isdisjoint(changed):
        yield f"What is parked is tried again at once after `syncer tenant resume {slug}`."


def _shared(slug: str, others: list[str]) -> str:
    return f"Tenant {slug} shares its provider account with {', '.join(others)}, for whom it would be changed too."


def _leaving(slug: str, leaving: int, of_all: int) -> str:
    return (
        f"{leaving} of the {output.counted(of_all, 'meeting')} of tenant {slug} would be detached, for none of the new "
        "matchers takes them: they would stay at the provider as they are."
    )


def _going(slug: str, going: "Outlook", *, forget: bool) -> str:
    calendars = output.counted(len(going.calendar_ids), "calendar")
    sentence = f"Tenant {slug} would not be served any more and lose {calendars}"
    if going.meetings:
        sentence += f", and {stay(slug, going.meetings, is_listed=False).removesuffix('.')}"
    return f"{sentence}." + (" All that is kept of it would be deleted, its history too." if forget else "")


def _new(slug: str, chosen: TenantOptions, *, prefix: str) -> "NewTenant":
    from syncer.store.tenants import NewTenant, Share

    return NewTenant(
        slug=slug,
        project=chosen.project,
        credential=options.reference("--credential", chosen.credential, prefix=prefix),
        subject=chosen.subject,
        provider_credential=options.reference("--provider-credential", chosen.provider_credential, prefix=prefix),
        provider=options.provider(chosen.provider),
        provider_settings={"url": _provider_url("--provider-url", chosen.provider_url)},
        policy=_policy(chosen),
        provider_limits=options.call_limits(chosen.provider_limit),
        share=Share(per_minute=chosen.per_minute, weight=chosen.weight),
    )


def _policy(chosen: TenantOptions) -> "Policy":
    from syncer.model.calendar import Policy

    of_calendar = options.guard("--guard-calendar", chosen.guard_calendar)
    of_tenant = options.guard("--guard-tenant", chosen.guard_tenant)
    return Policy(
        matchers=options.matchers(chosen.matcher),
        grace=options.duration("--grace", chosen.grace),
        window=options.duration("--window", chosen.window),
        ladder=options.ladder(chosen.write_back),
        guard_calendar_count=of_calendar[0] or 0,
        guard_calendar_percent=of_calendar[1] or 0,
        guard_tenant_count=of_tenant[0] or 0,
        guard_tenant_percent=of_tenant[1] or 0,
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
        "provider's limits": list(found.provider_limits),
        "requests a minute": found.per_minute or "as many as the project has",
        "weight": found.weight,
        "matchers": [", ".join(f"{name}={value}" for name, value in one.items()) for one in found.matchers],
        "grace": timedelta(seconds=found.grace_seconds),
        "window": timedelta(seconds=found.window_seconds),
        "write-back": found.ladder or "none",
        "guard of a calendar": "{},{}%".format(*found.guards[:2]),
        "guard of the tenant": "{},{}%".format(*found.guards[2:]),
        "calendars": found.calendars,
        "meetings": found.conferences,
        "deletions held": found.held,
        "added": found.created_at,
    }
