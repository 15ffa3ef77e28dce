"""Which provider serves a tenant: found by name, loaded at first use, kept per account."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from syncer.clients.http import Http
from syncer.clients.providers.base import ENTRY_POINTS, OPEN, Factory, Gate, Provider, Setup, Unauthorized
from syncer.clients.references import References
from syncer.clients.secret import Secret
from syncer.model.calendar import Tenant
from syncer.model.conference import Change, Outcome, ProviderAccount, Retry
from syncer.model.errors import OperatorError
from syncer.model.reference import as_written

# What a package may fail with while it is imported; it then fails its own tenants and nobody else.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(slots=True)
class _Made:
    """A provider, and what it was made from: a change of any of that makes a new one. read_at: monotonic seconds."""

    account: ProviderAccount
    secret: Secret
    provider: Provider
    read_at: float


class Providers:
    """The providers of all tenants' accounts.

    deadline_seconds: for one call of a provider. credential_seconds: after so long a credential is read again.
    durations: of requests.
    """

    def __init__(
        self, http: Http, references: References, *, deadline_seconds: float = 20.0, credential_seconds: float = 2.0
    ) -> None:
        self.durations = http.tenants_durations
        self._http = http
        self._references = references
        self._deadline_seconds = deadline_seconds
        self._credential_seconds = credential_seconds
        self._factory_by_name: dict[str, Factory] = {}
        self._made_by_account_id: dict[int, _Made] = {}
        self._making: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, tenant: Tenant) -> Provider:
        """The provider of a tenant's account. Raises OperatorError: unknown or broken plug-in, settings, credential."""
        return await self.at(
            ProviderAccount(tenant.account_id, tenant.provider, tenant.provider_settings, tenant.provider_credential)
        )

    async def at(self, account: ProviderAccount) -> Provider:
        """The provider of an account. Raises OperatorError: unknown or broken plug-in, settings, credential.

        Raises StoreError where its credential is sealed in a database that cannot be asked.
        """
        made = self._made_lately(account)
        if made is None:
            # One at a time, or each that is under way would read the credential too.
            async with self._making[account.account_id]:
                made = self._made_lately(account) or await self._renewed(account)
        return made.provider

    def _made_lately(self, account: ProviderAccount) -> _Made | None:
        made = self._made_by_account_id.get(account.account_id)
        if made is None or made.account != account or time.monotonic() - made.read_at >= self._credential_seconds:
            return None
        return made

    async def _renewed(self, account: ProviderAccount) -> _Made:
        secret = await self._references.read(account.credential)
        made = self._made_by_account_id.get(account.account_id)
        if made is None or made.account != account or made.secret != secret:
            made = _Made(account, secret, self._made(account, secret), 0.0)
            self._made_by_account_id[account.account_id] = made
        made.read_at = time.monotonic()
        return made

    async def apply(self, tenant: Tenant, change: Change, gate: Gate = OPEN) -> Outcome:
        """What came of a change. An account that cannot be used is a Retry, for it heals when the operator mends it.

        gate: lets each call out; what it does not is NoRoom.

        A credential that is not accepted is read anew, for it may have been renewed, and the call repeated once.
        """
        outcome = await self._applied(tenant, change, gate)
        return await self._applied(tenant, change, gate) if isinstance(outcome, Unauthorized) else outcome

    async def _applied(self, tenant: Tenant, change: Change, gate: Gate) -> Outcome:
        try:
            provider = await self.of(tenant)
        except OperatorError as error:
            return Retry(reason=str(error), kind=str(error))
        async with gate.call(tenant, provider.capabilities.limits, change) as no_room:
            if no_room is not None:
                return no_room
            outcome = await provider.apply(change)
        if isinstance(outcome, Retry):
            # Made anew for the next try, which then has whatever was mended meanwhile.
            self._made_by_account_id.pop(tenant.account_id, None)
        return outcome

    def _made(self, account: ProviderAccount, secret: Secret) -> Provider:
        setup = _setup(self._http, account, secret, deadline_seconds=self._deadline_seconds)
        return _set_up(account, self._factory(account.provider), setup)

    def _factory(self, name: str) -> Factory:
        if name not in self._factory_by_name:
            self._factory_by_name[name] = load(name)
        return self._factory_by_name[name]


def load(name: str) -> Factory:
    """The plug-in of this name. Raises OperatorError when there is none, more than one, or it cannot be imported."""
    found = list(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise OperatorError(f"provider {name} is not installed: install its package or choose {_choices()}")
    if len(found) > 1:
        raise OperatorError(
            f"provider {name} is there {len(found)} times, in {_packages(found)}: uninstall all but one"
        )
    try:
        factory: Factory = found[0].load()
    except _BROKEN as error:
        raise OperatorError(
            f"provider {name} is broken: {type(error).__name__} when {found[0].value} was loaded; repair its package"
        ) from error
    return factory


def refuse_unusable(http: Http, account: ProviderAccount, secret: Secret) -> None:
    """Raises OperatorError when the account's provider cannot be set up with this secret. Nothing is sent."""
    _set_up(account, load(account.provider), _setup(http, account, secret, deadline_seconds=1.0))


def _setup(http: Http, account: ProviderAccount, secret: Secret, *, deadline_seconds: float) -> Setup:
    return Setup(
        settings=dict(account.settings),
        reference=as_written(account.credential),
        secret=secret,
        http=http,
        deadline_seconds=deadline_seconds,
    )


def _set_up(account: ProviderAccount, factory: Factory, setup: Setup) -> Provider:
    try:
        return factory(setup)
    except _BROKEN as error:
        kind = type(error).__name__
    # Without the error itself: it may hold the secret.
    raise OperatorError(f"provider {account.provider} is broken: {kind} when it was set up; repair its package")


def _choices() -> str:
    return ", ".join(sorted(entry_points(group=ENTRY_POINTS).names)) or "none: no provider is installed"


def _packages(found: list[EntryPoint]) -> str:
    return " and ".join(sorted(point.dist.name if point.dist else "an unknown package" for point in found))
