"""The provider port: what a conferencing system must do for us, and what it is given to do it with.

A provider is a plug-in: the entry point group `syncer.providers` names a callable that takes a `Setup` and gives a
`Provider`, or raises OperatorError with a sentence about the account's settings. It is called once per account.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from syncer.clients.http import Http
from syncer.clients.secret import Secret
from syncer.model.conference import Capabilities, Change, Outcome, Retry
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


Factory = Callable[[Setup], Provider]
