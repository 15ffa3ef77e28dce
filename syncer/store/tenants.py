"""What an operator writes: projects, provider accounts, tenants, calendars, and the release of held deletions.

Whatever the database refuses becomes an OperatorError whose sentence says what to do; nothing was written then.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Literal

import orjson

from syncer.model.calendar import Matcher, Policy
from syncer.model.errors import OperatorError, StoreRefused
from syncer.store import statements
from syncer.store.database import Database

_SLUG = "A name is 1 to 63 lower-case letters, digits and dashes, with no dash at either end"
_REFERENCE = (
    "A credential is given as a reference, never as the secret itself: file:NAME (a file in "
    "SYNCER_CREDENTIALS_FOLDER), env:NAME (a variable whose name starts with SYNCER_CREDENTIALS_PREFIX) or "
    "sealed:NAME (a value that `syncer tenant seal` puts into the database)"
)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_ADDRESS_LIMIT = 320
_INTEGERS = 2**31
_SENTENCES: Mapping[str, str] = {
    "a_slug_is_lower_case_letters_digits_and_dashes": f"{_SLUG}.",
    "a_credential_is_a_reference": f"{_REFERENCE}.",
    "a_name_of_a_sealed_value_is_short_and_plain": (
        "A sealed credential's name is 1 to 63 lower-case letters, digits, dots, dashes and underscores, with a letter "
        "or digit at either end."
    ),
    "project_slug_key": "There is a project of that name already; `syncer project list` shows it.",
    "tenant_slug_key": "There is a tenant of that name already; `syncer tenant list` shows it.",
    "calendar_tenant_id_google_id_key": "The tenant has that calendar already; `syncer calendar list` shows it.",
    "grace_is_between_0_and_30_days": "The grace must lie between 0 and 30 days.",
    "read_window_is_between_0_and_100_years": "The window must be between 0 and 100 years.",
    "tenant_ladder_check": "Write-back knows conferenceData, location and description, nothing else.",
    "a_google_id_is_a_calendar_id_and_not_primary": (
        "A calendar is given by its own id, such as ana@example.org or …@group.calendar.google.com, without "
        "spaces, control characters, '/' or '?'; Google Calendar shows it under Settings, Integrate calendar."
    ),
    "a_subject_is_an_address": "A subject is a user's whole address, such as ana@example.org.",
    "addresses_are_addresses": "A further address of a calendar is a whole one, such as ana@example.org.",
    "tenant_guard_calendar_count_check": "A guard's count is 0 or more.",
    "tenant_guard_tenant_count_check": "A guard's count is 0 or more.",
    "tenant_guard_calendar_percent_check": "A guard's percentage is between 0 and 100.",
    "tenant_guard_tenant_percent_check": "A guard's percentage is between 0 and 100.",
    "a_tenant_has_a_request_a_minute_or_more": "A tenant's requests a minute are a count from 1 to 2147483647.",
    "a_weight_is_between_1_and_100": "A tenant's weight is between 1 and 100.",
    "provider_limits_are_limits": (
        "A provider's limit is a count from 1 to 999999999 and a period, such as 10/second, 600/minute or 5000/day; "
        "with /updates behind it only updates count, with /organizer those of each organizer apart."
    ),
    "provider_account_provider_settings_credential_key": (
        "Other tenants have an account of that provider, address and credential already, and two accounts cannot "
        "become one: their meetings' ids could be the same."
    ),
}
# What these refuse is in the way of something; all others refuse what is wrong by itself.
_TAKEN = frozenset(
    {
        "project_slug_key",
        "tenant_slug_key",
        "calendar_tenant_id_google_id_key",
        "provider_account_provider_settings_credential_key",
    }
)
_PRIMARY = (
    "'primary' means another calendar for each user, and sync tokens and links are kept by the calendar's own "
    "id; give that id, which for a user's main calendar is their address."
)


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant to add.

    project: slug. credential, provider_credential: references (`file:…`, `env:…`, `sealed:…`). subject: whom a service
    account acts as on calendars that have neither a subject nor a credential of their own.
    provider_settings: by name, what the provider needs; the webhook needs `url`. provider_limits: such as `10/second`,
    go to those that the account has already. share: of the project's requests.
    """

    slug: str
    project: str
    credential: str
    provider_credential: str
    provider: str = "webhook"
    provider_settings: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=lambda: Policy(matchers=(Matcher(solution_type="addOn"),)))
    subject: str | None = None
    provider_limits: tuple[str, ...] = ()
    share: "Share" = field(default_factory=lambda: Share(weight=1))


@dataclass(frozen=True, slots=True)
class Share:
    """A tenant's part of its project's requests; None leaves as it is.

    per_minute: its requests, 0 for as many as there are. weight: its turns, compared with other tenants'.
    """

    per_minute: int | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class TenantChange:
    """What is to change about a tenant; None leaves as it is.

    clears_subject: it has none any more. guards: calendar count and percentage, tenant count and percentage.
    provider_settings: go over those there are; provider_limits: instead of those there are. They and
    provider_credential are the account's, so they change for all tenants that share it.
    """

    credential: str | None = None
    subject: str | None = None
    clears_subject: bool = False
    matchers: tuple[Matcher, ...] | None = None
    grace: timedelta | None = None
    window: timedelta | None = None
    ladder: tuple[str, ...] | None = None
    guards: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    provider_settings: Mapping[str, str] | None = None
    provider_credential: str | None = None
    provider_limits: tuple[str, ...] | None = None
    share: Share = Share()

    @property
    def is_of_the_account(self) -> bool:
        of_account = (self.provider_settings, self.provider_credential, self.provider_limits)
        return any(one is not None for one in of_account)


@dataclass(frozen=True, slots=True)
class NewCalendar:
    """A calendar to add. subject, credential: its own, before its tenant's. addresses: further ones that are its."""

    google_id: str
    subject: str | None = None
    credential: str | None = None
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StateSet:
    """What pausing or resuming did. unparked: parked calendars that are due at once now."""

    has_changed: bool
    unparked: int


async def add_project(
    database: Database,
    slug: str,
    *,
    per_minute: int = 10_000,
    per_user_minute: int = 600,
    per_day: int = 1_000_000,
) -> int:
    """Adds a Google Cloud project with its request limits; gives its id.

    Source of the defaults: Calendar API, "Manage quotas".
    """
    if not all(0 < count < 2**31 for count in (per_minute, per_user_minute)):
        raise OperatorError("A limit of a minute is a count of requests from 1 to 2147483647.", exit_code=2)
    if not 0 < per_day < 2**53:
        raise OperatorError("A limit of a day is a count of requests from 1 to 9007199254740991.", exit_code=2)
    with _sentences():
        added = await database.value(_statements()["add_project"], slug, per_minute, per_user_minute, per_day)
    return int(added)


async def add_tenant(database: Database, tenant: NewTenant) -> int:
    """Adds a tenant; gives its id. Tenants of one provider, settings and credential share one provider account."""
    _check(tenant.subject is None or _is_address(tenant.subject), "a_subject_is_an_address")
    policy = tenant.policy
    with _sentences():
        added = await database.value(
            _statements()["add_tenant"],
            tenant.slug,
            tenant.project,
            tenant.provider,
            orjson.dumps(dict(tenant.provider_settings), option=orjson.OPT_SORT_KEYS),
            tenant.provider_credential,
            tenant.credential,
            orjson.dumps([_set_fields(matcher) for matcher in policy.matchers]),
            policy.grace,
            policy.window,
            list(policy.ladder),
            _guards(policy),
            tenant.subject,
            list(tenant.provider_limits),
            _per_minute(tenant.share.per_minute) or None,
            tenant.share.weight or 1,
        )
    if added is None:
        raise await unknown(database, "project", tenant.project)
    return int(added)


async def set_tenant(database: Database, tenant: str, change: TenantChange) -> list[str]:
    """Changes a tenant (slug); gives the names of what is other than before, none when all was so already."""
    _check(change.subject is None or _is_address(change.subject), "a_subject_is_an_address")
    with _sentences():
        row = await database.first(
            _statements()["set_tenant"],
            tenant,
            change.credential,
            change.subject,
            change.clears_subject,
            None if change.matchers is None else orjson.dumps([_set_fields(matcher) for matcher in change.matchers]),
            change.grace,
            change.window,
            None if change.ladder is None else list(change.ladder),
            list(change.guards),
            None if change.provider_settings is None else orjson.dumps(dict(change.provider_settings)),
            change.provider_credential,
            None if change.provider_limits is None else list(change.provider_limits),
            _per_minute(change.share.per_minute),
            change.share.weight,
        )
    if row is None:
        raise await unknown(database, "tenant", tenant)
    return list(row["changed"])


def _per_minute(count: int | None) -> int | None:
    _check(count is None or 0 <= count < _INTEGERS, "a_tenant_has_a_request_a_minute_or_more")
    return count


async def sharers(database: Database, tenant: str) -> list[str]:
    """The slugs of the other tenants that share a tenant's provider account."""
    return [row["slug"] for row in await database.fetch(_statements()["sharers"], tenant)]


async def add_calendar(database: Database, tenant: str, calendar: NewCalendar) -> int:
    """Adds a calendar to a tenant (slug); gives its id. A running worker sees it within seconds."""
    if calendar.google_id.lower() == "primary":
        raise OperatorError(_PRIMARY, exit_code=2)
    _check(calendar.google_id.isprintable(), "a_google_id_is_a_calendar_id_and_not_primary")
    _check(calendar.subject is None or _is_address(calendar.subject), "a_subject_is_an_address")
    _check(all(_is_address(address) for address in calendar.addresses), "addresses_are_addresses")
    with _sentences():
        added = await database.value(
            _statements()["add_calendar"],
            tenant,
            calendar.google_id,
            calendar.subject,
            calendar.credential,
            sorted(address.lower() for address in calendar.addresses),
        )
    if added is None:
        raise await unserved(database, tenant)
    return int(added)


async def set_state(database: Database, tenant: str, state: Literal["active", "paused"]) -> StateSet:
    """Pauses or resumes a tenant (slug). What was parked is due at once after resuming, whatever the state was.

    A retired tenant can be resumed, and has no calendars then. Raises OperatorError when it is to be paused.
    """
    row = await database.first(_statements()["set_state"], tenant, state)
    if row is None or (row["before"] == "retired" and state == "paused"):
        raise await unserved(database, tenant)
    return StateSet(row["before"] != state, row["unparked"])


async def set_calendar_state(
    database: Database, tenant: str, google_id: str, state: Literal["active", "paused"]
) -> StateSet:
    """Pauses or resumes one calendar. What was parked is due at once after resuming."""
    before = await database.value(_statements()["set_calendar_state"], tenant, google_id, state)
    if before is None:
        raise await unknown_calendar(database, tenant, google_id)
    return StateSet(before != state, int(before == "parked" and state == "active"))


async def resync(database: Database, tenant: str, google_id: str) -> None:
    """Has a calendar read anew from the start. What was read stays, and nothing goes before it was looked for."""
    if await database.first(_statements()["resync"], tenant, google_id) is None:
        raise await unknown_calendar(database, tenant, google_id)


async def release(database: Database, tenant: str, google_id: str) -> int:
    """Lets the held deletions of one calendar through; gives how many. They are due at once."""
    count = await database.value(_statements()["release"], tenant, google_id)
    if count is None:
        raise await unknown_calendar(database, tenant, google_id)
    return int(count)


async def unknown(database: Database, noun: Literal["project", "tenant"], slug: str) -> OperatorError:
    """The error for a project or tenant that does not exist, naming the nearest that does."""
    slugs = [row["slug"] for row in await database.fetch(_statements()["slugs"], noun)]
    if not slugs:
        return OperatorError(f"There is no {noun} {slug!r} and none at all yet; `syncer {noun} add` makes one.")
    return OperatorError(
        f"There is no {noun} {slug!r}; {_nearest(slug, slugs)}`syncer {noun} list` shows those there are."
    )


async def unknown_calendar(database: Database, tenant: str, google_id: str) -> OperatorError:
    """The error for a calendar that a tenant does not have, or for the tenant if there is none."""
    slugs = [row["slug"] for row in await database.fetch(_statements()["slugs"], "tenant")]
    if tenant not in slugs:
        return await unknown(database, "tenant", tenant)
    ids = [row["google_id"] for row in await database.fetch(_statements()["google_ids"], tenant)]
    return OperatorError(
        f"Tenant {tenant!r} has no calendar {google_id!r}; "
        f"{_nearest(google_id, ids)}`syncer calendar list {tenant}` shows those there are."
    )


async def unserved(database: Database, tenant: str) -> OperatorError:
    """The error for a tenant that is retired, or is not there."""
    if await database.first(_statements()["tenant_id"], tenant) is None:
        return await unknown(database, "tenant", tenant)
    return OperatorError(f"Tenant {tenant!r} was removed; `syncer tenant resume {tenant}` takes it back first.")


def unknown_conference(tenant: str, meeting_id: str) -> OperatorError:
    """The error for a meeting that a tenant has no conference for."""
    return OperatorError(
        f"Tenant {tenant!r} has no conference for meeting {meeting_id!r}; "
        f"`syncer conference list {tenant}` shows those there are."
    )


def _nearest(word: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _set_fields(matcher: Matcher) -> dict[str, str]:
    return {name: value for name, value in asdict(matcher).items() if value is not None}


def _guards(policy: Policy) -> list[int]:
    return [
        policy.guard_calendar_count,
        policy.guard_calendar_percent,
        policy.guard_tenant_count,
        policy.guard_tenant_percent,
    ]


@contextmanager
def _sentences() -> Iterator[None]:
    """Makes a refused constraint the sentence that says what to do."""
    try:
        yield
    except StoreRefused as refused:
        if refused.constraint not in _SENTENCES:
            raise
        raise _refusal(refused.constraint) from None


def _check(is_right: bool, constraint: str) -> None:
    """What a constraint says as well, but with Unicode's own idea of what can be seen."""
    if not is_right:
        raise _refusal(constraint)


def _refusal(constraint: str) -> OperatorError:
    return OperatorError(_SENTENCES[constraint], exit_code=1 if constraint in _TAKEN else 2)


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text)) and text.isprintable() and len(text) <= _ADDRESS_LIMIT


def _statements() -> Mapping[str, str]:
    return statements.of("tenants")
