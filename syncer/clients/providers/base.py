"""The provider port: what a conferencing system must do for us, and what it is given to do it with.

A provider is a plug-in: the entry point group `syncer.providers` names a callable that takes a `Setup` and gives a
`Provider`, or raises OperatorError with a sentence about the account's settings. It is called once per account.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from syncer.clients.http import Http
from syncer.clients.secret import Secret
from syncer.model.budget import CallLimit
from syncer.model.calendar import Tenant
from syncer.model.conference import Capabilities, Change, NoRoom, Outcome, Retry
from syncer.model.errors import SyncerError

ENTRY_POINTS = "syncer.providers"


@dataclass(frozen=True, slots=True)
class Setup:
    """One provider account, and the way out.

    settings: the account's, as the tenant's row has them. reference: names the credential in messages.
    secret: its content. http: `send_to_tenant` is for URLs from settings. deadline_seconds: for one call.
    """

    settings: Mapping[str, str]
    reference: str
    secret: Secret
    http: Http
    deadline_seconds: float


class Unauthorized(Retry, frozen=True):
    """Not now, for our credential was not accepted: it is read anew, and the call repeated once."""


class Provider(Protocol):
    """Makes meetings as they are wanted.

    `apply` closes every trouble outside into an outcome; it raises only what is a mistake of its own.
    An update gives Applied or Replaced with the meeting, a read the same, a deletion Gone (also when the meeting was
    gone before). Any of them may give Gone, Stale, Rejected or Retry.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def apply(self, change: Change) -> Outcome:
        """Does one change, or reads. A repeat with the same key does nothing twice where the provider can tell."""
        ...

    async def probe(self) -> str:
        """One sentence that the account works, found out without changing anything. Raises OperatorError if not."""
        ...


class NotSigned(SyncerError):
    """Whoever sent it does not know the account's secret, or sent it long ago. Nothing in it counts."""


class Unfit(SyncerError):
    """It comes from the account's vendor and cannot be used. The message is the sentence that they read."""


@runtime_checkable
class Hearing(Protocol):
    """What a provider has besides whose vendor can tell us that meetings changed there."""

    def heard(self, headers: Mapping[str, str], body: bytes) -> tuple[str, ...]:
        """The ids of those meetings, each once. Looks at nothing before the sender is proved.

        headers: names in any case. Raises NotSigned, Unfit.
        """
        ...


class Gate(Protocol):
    """Lets calls out within what providers grant: whoever counts them answers."""

    def call(
        self, tenant: Tenant, limits: Sequence[CallLimit], change: Change
    ) -> AbstractAsyncContextManager[NoRoom | None]:
        """A block in which one call is under way; or, given NoRoom, in which it must not be made.

        limits: that the provider knows of, beside those of the tenant's account.
        """


class _Open:
    """Lets every call out: for who makes a few, and counts none."""

    @asynccontextmanager
    async def call(self, tenant: Tenant, limits: Sequence[CallLimit], change: Change) -> AsyncIterator[NoRoom | None]:  # noqa: ARG002
        yield None


OPEN: Gate = _Open()
Factory = Callable[[Setup], Provider]
