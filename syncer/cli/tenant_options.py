"""What `syncer tenant add` and `syncer tenant set` are given."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

GuardCalendar = Annotated[
    str, Parameter(help="Deletions on one calendar beyond both count and percentage are held, as '20,30%'.")
]
GuardTenant = Annotated[str, Parameter(help="Deletions of the tenant within an hour beyond both are held.")]
ProviderLimit = Annotated[
    tuple[str, ...],
    Parameter(
        help="Calls that the provider grants the account, as 10/second, 600/minute or 5000/day; 100/day/updates counts "
        "updates only, 100/day/organizer those of each organizer apart. May be repeated.",
        negative="",
        show_default=False,
    ),
]
PerMinute = Annotated[
    int | None, Parameter(help="Its requests to Google a minute, at most; 0 for no limit of its own.")
]
Weight = Annotated[int, Parameter(help="Its turns when there is more to do than may be asked: 1-100.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOptions:
    """The options of `syncer tenant add`."""

    project: Annotated[str, Parameter(help="Project that its requests count for.")]
    credential: Annotated[str, Parameter(help="Google credential: file:NAME, env:NAME or sealed:NAME.")]
    subject: Annotated[
        str | None, Parameter(help="User whom a service account acts as on calendars without a subject of their own.")
    ] = None
    provider: Annotated[str, Parameter(help="Kind of conferencing system.")] = "webhook"
    provider_url: Annotated[str, Parameter(help="Where the conferencing system listens.")]
    provider_credential: Annotated[str, Parameter(help="Its secret: file:NAME, env:NAME or sealed:NAME.")]
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
    guard_calendar: GuardCalendar = "20,30%"
    guard_tenant: GuardTenant = "50,5%"
    provider_limit: ProviderLimit = ()
    per_minute: PerMinute = None
    weight: Weight = 1


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TenantChanges:
    """The options of `syncer tenant set`: what is not given stays as it is."""

    credential: Annotated[str | None, Parameter(help="Google credential: file:NAME, env:NAME or sealed:NAME.")] = None
    subject: Annotated[str | None, Parameter(help="User whom a service account acts as; none for nobody.")] = None
    provider_url: Annotated[str | None, Parameter(help="Where the conferencing system listens.")] = None
    provider_credential: Annotated[str | None, Parameter(help="Its secret: file:NAME, env:NAME or sealed:NAME.")] = None
    matcher: Annotated[
        tuple[str, ...],
        Parameter(help="Instead of all its matchers; may be repeated.", negative="", show_default=False),
    ] = ()
    grace: Annotated[str | None, Parameter(help="Wait between the last event going and its meeting's deletion.")] = None
    window: Annotated[str | None, Parameter(help="How far back a first read goes.")] = None
    write_back: Annotated[
        str | None, Parameter(help="Where a changed join URL is written, in this order; or none.")
    ] = None
    guard_calendar: GuardCalendar | None = None
    guard_tenant: GuardTenant | None = None
    provider_limit: Annotated[
        tuple[str, ...],
        Parameter(
            help="Instead of all limits of its provider account, such as 10/second; none for none. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    per_minute: PerMinute = None
    weight: Weight | None = None
