"""The probes of `syncer check`, from the database outwards. Each looks and changes nothing."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from msgspec import structs

from syncer.cli import connect
from syncer.cli.output import as_sentence, counted, moment
from syncer.model.errors import (
    AccessDenied,
    Missing,
    OperatorError,
    OutsideError,
    SyncerError,
    Throttled,
    TokenRefused,
    Unreachable,
)
from syncer.model.reference import as_written, owned

if TYPE_CHECKING:
    from syncer.clients.google.auth import Credentials
    from syncer.clients.google.calendar import GoogleCalendar
    from syncer.clients.http import Http
    from syncer.clients.providers.directory import Providers
    from syncer.model.calendar import Calendar, Tenant
    from syncer.settings import Settings
    from syncer.store.database import Database
    from syncer.store.overview import CalendarView, TenantView
    from syncer.store.ring import Keys

_OLDEST_POSTGRES = 15
_CLOCK_SECONDS = 5.0
_PROBE_SECONDS = 10.0
_MOST_TROUBLED = 10
# A full read from here on is a small one.
_FAR = timedelta(days=3650)

Tell = Callable[["Finding"], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found. sentence: what works, or what does not and what to do."""

    what: str
    is_well: bool
    sentence: str


_EMBEDDED = Finding("database", True, "The embedded Postgres works and is up to date.")


@dataclass(frozen=True, slots=True)
class _Outside:
    """The clients, made as the worker makes them."""

    http: "Http"
    credentials: "Credentials"
    google: "GoogleCalendar"
    providers: "Providers"


async def try_all(chosen: "Settings", tell: Tell) -> None:
    """Tries everything, telling each finding as it comes. Without a usable database nothing else can be tried."""
    from syncer.store.database import Database

    if chosen.database_url is not None and not await _try_database(chosen.database_url.get_secret_value(), tell):
        return
    async with connect.address(chosen, quietly=True) as dsn, Database.opened(dsn, connections=1) as database:
        if chosen.database_url is None:
            tell(_EMBEDDED)
        tell(await _tried("clock", _database_clock(database)))
        await _try_outside(chosen, database, tell)


async def try_database(chosen: "Settings", tell: Tell) -> None:
    """Tries the database alone."""
    from syncer.store.database import Database

    if chosen.database_url is not None and not await _try_database(chosen.database_url.get_secret_value(), tell):
        return
    async with connect.address(chosen, quietly=True) as dsn, Database.opened(dsn, connections=1) as database:
        if chosen.database_url is None:
            tell(_EMBEDDED)
        tell(await _tried("clock", _database_clock(database)))


async def _try_database(dsn: str, tell: Tell) -> bool:
    """Whether the operator's database can be used; the first thing that fails ends it."""
    for what, probe in (("database", _server), ("privileges", _privileges), ("migrations", _migrations)):
        finding = await _tried(what, probe(dsn))
        tell(finding)
        if not finding.is_well:
            return False
    return True


async def _try_outside(chosen: "Settings", database: "Database", tell: Tell) -> None:
    from syncer import app
    from syncer.clients.google.auth import Credentials
    from syncer.clients.google.calendar import Capacity, GoogleCalendar
    from syncer.clients.http import Http
    from syncer.clients.providers.directory import Providers
    from syncer.store.ring import Keys
    from syncer.store.vault import Vault

    keys = Keys(chosen.key_ring)
    finding = await _tried("key ring", _key_ring(database, keys))
    if chosen.key_ring is not None or not finding.is_well:
        tell(finding)
    references = app.references_of(chosen, Vault(database, keys))
    async with Http(private_networks=chosen.private_networks) as http:
        credentials = Credentials(http, references, token_uris=chosen.token_uris)
        google = GoogleCalendar(
            http, credentials, api_root=chosen.google_api_root, capacity=Capacity(deadline_seconds=_PROBE_SECONDS)
        )
        providers = Providers(http, references, deadline_seconds=_PROBE_SECONDS)
        outside = _Outside(http, credentials, google, providers)
        tell(await _tried("Google's clock", _google_clock(http, chosen.google_api_root)))
        await _try_tenants(database, outside, tell)


async def _try_tenants(database: "Database", outside: _Outside, tell: Tell) -> None:
    from syncer.store import calendars, overview

    for project in await overview.projects(database):
        tenants, broken = await calendars.tenants(database, project.project_id)
        for one in broken:
            tell(Finding(f"tenant {one.slug}", False, as_sentence(one.reason)))
        served = await calendars.served(database, project.project_id)
        for tenant in tenants.values():
            mine = [calendar for calendar in served if calendar.key.tenant_id == tenant.tenant_id]
            await _try_tenant(database, tenant, mine, outside, tell)


async def _try_tenant(
    database: "Database", tenant: "Tenant", served: "list[Calendar]", outside: _Outside, tell: Tell
) -> None:
    from syncer.store import overview

    seen = await overview.calendars(database, tenant.slug)
    if not served:
        about = await overview.tenant(database, tenant.slug)
        what = f"credential {about.credential} of {tenant.slug}"
        reference = owned(about.credential, "tenant", tenant.tenant_id)
        tell(await _tried(what, _grant(outside, reference, about.subject)))
        sentence = (
            f"All of them are paused; `syncer calendar list {tenant.slug}` shows them."
            if seen
            else f"It has no calendar yet; `syncer calendar add {tenant.slug} ADDRESS` adds one."
        )
        tell(Finding(f"calendars of {tenant.slug}", True, sentence))
    troubled = {one.calendar_id for one in seen if one.state == "parked" or one.failures}
    usable: list[Calendar] = []
    for reference in sorted({calendar.credential for calendar in served}):
        finding = await _tried(f"credential {as_written(reference)} of {tenant.slug}", _credential(outside, reference))
        tell(finding)
        if finding.is_well:
            usable += [calendar for calendar in served if calendar.credential == reference]
    await _try_calendars(outside, tenant.slug, usable, troubled, tell)
    tell(await _tried(f"provider of {tenant.slug}", _provider(outside, tenant)))
    for finding in _waiting(await overview.tenant(database, tenant.slug), seen):
        tell(finding)


def _waiting(about: "TenantView", seen: "Sequence[CalendarView]") -> "Iterator[Finding]":
    """What waits for a person, though all that was tried may work by now."""
    slug, parked = about.slug, [one for one in seen if one.state == "parked"]
    if parked:
        first = parked[0]
        yield Finding(
            f"parked calendars of {slug}",
            False,
            f"{counted(len(parked), 'calendar is', 'calendars are').capitalize()} not looked at for now, "
            f"{first.google_id} until {moment(first.next_look_at)}; "
            f"`syncer calendar resume {slug} {first.google_id}` looks at once.",
        )
    if about.held:
        yield Finding(
            f"deletions of {slug}",
            False,
            f"{counted(about.held, 'deletion is', 'deletions are').capitalize()} held for a person; "
            f"`syncer conference list {slug} --state held` names them, "
            f"`syncer calendar release {slug} ADDRESS` lets those of a calendar through.",
        )


async def _try_calendars(
    outside: _Outside, slug: str, usable: "list[Calendar]", troubled: set[int], tell: Tell
) -> None:
    """Looks at one calendar of each credential that is well, and at the first of those whose last look failed."""
    well: dict[str, Calendar] = {}
    for calendar in usable:
        if calendar.key.calendar_id not in troubled:
            well.setdefault(calendar.credential, calendar)
    failing = [calendar for calendar in usable if calendar.key.calendar_id in troubled]
    tried = [*well.values(), *failing[:_MOST_TROUBLED]]
    if not tried:
        return
    for calendar, error in zip(tried, await _look(outside, tried), strict=True):
        what = f"calendar {calendar.google_id} of {slug}"
        whom = f"on behalf of {calendar.subject}" if calendar.subject else ""
        if error is None:
            tell(Finding(what, True, as_sentence(f"it can be read {whom}".rstrip())))
        else:
            tell(_failure(what, error, f"{whom}: " if whom else ""))
    if len(failing) > _MOST_TROUBLED:
        more = counted(len(failing) - _MOST_TROUBLED, "calendar that fails was", "calendars that fail were")
        sentence = f"{more} not tried; `syncer calendar list {slug}` shows why they failed."
        tell(Finding(f"further calendars of {slug}", False, sentence))


async def _tried(what: str, probe: Awaitable[str]) -> Finding:
    try:
        return Finding(what, True, as_sentence(await probe))
    except SyncerError as error:
        return _failure(what, error)


def _failure(what: str, error: SyncerError, lead: str = "") -> Finding:
    return Finding(what, False, f"{as_sentence(f'{lead}{error}')}{_remedy(error)}")


async def _server(dsn: str) -> str:
    from syncer.store import overview
    from syncer.store.database import Database
    from syncer.store.reach import reach

    await reach(dsn)
    async with Database.opened(dsn, connections=1) as database:
        major = await overview.version(database) // 10_000
    if major < _OLDEST_POSTGRES:
        raise OperatorError(f"Postgres {major} is too old; use {_OLDEST_POSTGRES} or newer.")
    return f"Postgres {major} answers"


async def _privileges(dsn: str) -> str:
    lacking = await connect.missing_privileges(dsn) or await connect.missing_right_to_migrate(dsn)
    if lacking is not None:
        raise OperatorError(lacking)
    return "the database user has the rights it needs"


async def _migrations(dsn: str) -> str:
    from syncer.store.migrate import before_code, status

    found = await status(dsn)
    needed = before_code(found.pending)
    if needed:
        missing = counted(len(needed), "migration is", "migrations are")
        raise OperatorError(f"{missing} missing ({', '.join(needed)}); run `syncer migrate`.")
    if found.pending:
        return f"{counted(len(found.pending), 'migration')} left for `syncer migrate` once no older version runs"
    if found.unknown:
        return f"none is missing; a newer syncer has applied {', '.join(found.unknown)}"
    return "none is missing"


async def _database_clock(database: "Database") -> str:
    from syncer.store import overview

    before = time.time()
    real_at, _ = await overview.clock(database)
    _agrees("The database's clock", real_at, before)
    mark = await overview.clock_mark(database)
    if mark is None:
        return "it agrees with the database's"
    if mark.is_moved:
        remedy = "As its owner run `UPDATE syncer.test_clock SET shift = '0'`, or delete that row."
        raise OperatorError(
            f"The time in this database is moved by {mark.shift}: all is due at the wrong time. {remedy}"
        )
    return "it agrees with the database's; syncer.test_clock marks this as a cluster for tests, its time is not moved"


async def _google_clock(http: "Http", root: str) -> str:
    from syncer.clients.http import Limits

    limits = Limits(deadline_seconds=_PROBE_SECONDS, body_bytes=1 << 20)
    # Any answer will do: without a token it is a refusal, with the time on it.
    url = f"{root}calendar/v3/calendars/primary"
    before = time.time()
    answer = await http.send("GET", url, headers={}, body=None, limits=limits)
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return f"{root} answers, without saying what time it is"
    _agrees("Google's clock", theirs, before)
    return f"{root} answers, and our clock agrees with its own"


def _agrees(whose: str, theirs: datetime, before: float) -> None:
    """Compares with our own time, between `before` (seconds since 1970) and now. Raises OperatorError."""
    early = before - theirs.timestamp()
    late = theirs.timestamp() - time.time()
    apart = max(early, late)
    if apart > _CLOCK_SECONDS:
        side = "behind" if early > late else "ahead of"
        raise OperatorError(f"{whose} is {apart:.0f} s {side} ours; set this machine's clock by NTP.")


async def _key_ring(database: "Database", keys: "Keys") -> str:
    """Tries whether each key that seals a credential is there; nothing sealed needs no ring."""
    from syncer.store import vault

    needed = await vault.counts(database)
    if not needed:
        return "nothing is sealed yet"
    ring = keys.ring()
    missing = sorted(key_id for key_id in needed if ring.key(key_id) is None)
    if missing:
        count = counted(sum(needed[key_id] for key_id in missing), "credential does", "credentials do")
        raise OperatorError(
            f"{count} not open, for key {', '.join(missing)} is not in it; bring back the ring that has it, or seal "
            "them anew."
        )
    return f"it has the key of {counted(sum(needed.values()), 'sealed credential')}"


async def _credential(outside: _Outside, reference: str) -> str:
    await outside.credentials.check(reference)
    return "it can be used"


async def _grant(outside: _Outside, reference: str, subject: str | None) -> str:
    """Tries a tenant's credential without a calendar: with its subject, if it has one, up to Google's token."""
    await outside.credentials.check(reference)
    if subject is None:
        return "it can be used"
    await outside.credentials.access_token(reference, subject)
    return f"it can be used for {subject}"


async def _look(outside: _Outside, calendars: "list[Calendar]") -> list[SyncerError | None]:
    """Looks at these calendars of one tenant together; gives what went wrong with each."""
    from syncer.clients.google.calendar import Failed, look_at
    from syncer.model.calendar import Cursor

    far = datetime.now(UTC) + _FAR
    answers = await outside.google.look([look_at(structs.replace(one, cursor=Cursor()), far) for one in calendars])
    return [answer.error if isinstance(answer, Failed) else None for answer in answers]


async def _provider(outside: _Outside, tenant: "Tenant") -> str:
    return await (await outside.providers.of(tenant)).probe()


def _remedy(error: SyncerError) -> str:
    """What to do, where the error does not say so itself."""
    if isinstance(error, OutsideError) and error.advice:
        return ""
    match error:
        case TokenRefused():
            return " Give the credential anew."
        case AccessDenied():
            return " Enable the Calendar API in the project, or let the account see the calendar."
        case Missing():
            return " Correct the calendar's id or its --subject, or share the calendar with the account."
        case Throttled():
            return " Try again in a minute."
        case Unreachable():
            return " Check the network from here, and try again."
    return ""
