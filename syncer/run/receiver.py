"""The receiver: calls from outside that say *look*. Each is answered once its mark is committed, and no sooner."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from syncer.clients.providers import webhook_json
from syncer.clients.providers.base import Hearing, NotSigned, Unfit
from syncer.clients.providers.signatures import Signatures
from syncer.model.conference import ProviderAccount
from syncer.model.errors import OperatorError, StoreError, StoreUnavailable
from syncer.run.listening import Address, Limits, Refusal, answer, listening
from syncer.run.metrics import Metrics
from syncer.run.notifications import Notifications
from syncer.run.probes import Probes
from syncer.run.rates import Rates
from syncer.run.registration import Registration, Sealing
from syncer.store import changes
from syncer.store.changes import Told
from syncer.sync.tools import Tools
from syncer.together import Together

log = structlog.get_logger()
PATH = "/v1/conferences/changes"
_LISTED_SECONDS = 2.0
_CALLS_A_STATEMENT = 64
_TOLD_SECONDS = 3600.0


@dataclass(slots=True)
class Counts:
    """Since the start. known, unknown: meetings in signed calls. refused: calls without a right signature."""

    known: int = 0
    unknown: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Refused:
    """Calls in an account's name. told_at: monotonic seconds. untold: refused since."""

    told_at: float
    untold: int = 0


class Receiver:
    """Takes what vendors tell of changes at their side, and what Google tells of changes in calendars."""

    def __init__(self, tools: Tools, sealing: Sealing | None = None, rates: Rates | None = None) -> None:
        self.counts = Counts()
        self._registration = Registration(tools.database, sealing, rates)
        self.notifications = Notifications(tools.database)
        self.metrics = Metrics(tools, self.notifications.counts, self._refusals)
        self.probes = Probes(tools.database)
        self._tools = tools
        self._nobody = Signatures.of_nobody()
        self._listing = asyncio.Lock()
        self._listed_at = float("-inf")
        self._account_by_slug: Mapping[str, ProviderAccount] = {}
        self._unusable: dict[int, str] = {}
        self._refused: dict[int, _Refused] = {}
        self._mark = Together(self._mark_all, broken_off=_broken_off, most=_CALLS_A_STATEMENT)

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        own = web.post(PATH, self._take_changes)
        return [own, *self.notifications.routes(), *self._registration.routes(), *self.inner_routes()]

    def inner_routes(self) -> list[web.RouteDef]:
        """Of these, what only whoever runs this process asks."""
        return [*self.metrics.routes(), *self.probes.routes()]

    @asynccontextmanager
    async def listening(
        self, address: Address | None, limits: Limits | None = None, *, takes_calls: bool = True
    ) -> AsyncIterator[Address | None]:
        """Takes calls for as long as the block lasts; gives where. None takes none.

        takes_calls: not only those of whoever runs this process.
        Raises OperatorError when the address cannot be had.
        """
        if address is None:
            yield None
            return
        async with listening(self.routes() if takes_calls else self.inner_routes(), address, limits) as bound:
            log.info("taking calls" if takes_calls else "answering probes", where=f"http://{bound}")
            try:
                yield bound
            finally:
                if takes_calls:
                    self._tell_counts()

    def _refusals(self) -> Mapping[str, int]:
        return {
            "signature": self.counts.refused,
            "key": self._registration.refused,
            "rate": self._registration.too_many,
        }

    def _tell_counts(self) -> None:
        counts, messages = self.counts, self.notifications.counts
        log.info("messages of Google taken", known=messages.known, unknown=messages.unknown)
        log.info("calls taken", known=counts.known, unknown=counts.unknown, refused=counts.refused)

    async def _take_changes(self, request: web.Request) -> web.Response:
        """`POST /v1/conferences/changes`: the shape is in webhook.schema.json, `#told` and `#heard`."""
        body = await request.read()
        account = await self._account_of(webhook_json.sender(body))
        meeting_ids = await self._heard(account, request, body)
        told = Told(account.account_id if account else 0, meeting_ids)
        known = await self._mark(told)
        unknown = [meeting_id for meeting_id in meeting_ids if meeting_id not in known]
        self.counts.known += len(known)
        self.counts.unknown += len(unknown)
        return answer({"accepted": len(known), "unknown": unknown})

    async def _heard(self, account: ProviderAccount | None, request: web.Request, body: bytes) -> tuple[str, ...]:
        """What an account's vendor says changed. Without a right signature everybody is told the same."""
        try:
            hearing = await self._hearing(account)
            if hearing is not None:
                return hearing.heard(request.headers, body)
            self._nobody.fits(request.headers, body)
        except NotSigned:
            pass
        except Unfit as unfit:
            raise Refusal(422, str(unfit)) from None
        self._tell_refused(account)
        raise Refusal(401, "The signature fits no tenant's account, this body and the time.")

    def _tell_refused(self, account: ProviderAccount | None) -> None:
        """Once an hour for each account in whose name it comes, and for all others together."""
        self.counts.refused += 1
        if account is not None and account.account_id in self._unusable:
            return  # told of, and why
        now, account_id = time.monotonic(), account.account_id if account else 0
        before = self._refused.get(account_id)
        if before is not None and now - before.told_at < _TOLD_SECONDS:
            before.untold += 1
            return
        self._refused[account_id] = _Refused(now)
        whose = "in the name of a tenant" if account else "in nobody's name"
        log.warning(
            "calls are refused",
            account_id=account_id,
            reason=f"{whose}, and not signed with its account's secret or too old",
            untold=before.untold if before else 0,
        )

    async def _hearing(self, account: ProviderAccount | None) -> Hearing | None:
        if account is None:
            return None
        try:
            provider = await self._tools.providers.at(account)
        except OperatorError as error:
            if self._unusable.get(account.account_id) != str(error):
                self._unusable[account.account_id] = str(error)
                log.error("calls of a provider account cannot be checked", reason=str(error))
            return None
        self._unusable.pop(account.account_id, None)
        return provider if isinstance(provider, Hearing) else None

    async def _account_of(self, slug: str | None) -> ProviderAccount | None:
        """A tenant's account, as of the last few seconds: who sends much asks the database no more often."""
        async with self._listing:
            if time.monotonic() - self._listed_at >= _LISTED_SECONDS:
                await self._list()
        return self._account_by_slug.get(slug) if slug is not None else None

    async def _list(self) -> None:
        try:
            self._account_by_slug = await changes.accounts(self._tools.database)
        except StoreError:
            # The old ones still tell right from wrong; a mark will not be made.
            if not self._account_by_slug:
                raise
        self._listed_at = time.monotonic()

    async def _mark_all(self, told: Sequence[Told]) -> Sequence[frozenset[str]]:
        return await changes.mark(self._tools.database, told)


def _broken_off() -> StoreError:
    return StoreUnavailable("The call that several marks went with was broken off.")
