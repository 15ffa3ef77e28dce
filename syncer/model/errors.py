"""The tree of what can go wrong, each with the remedy that belongs to it.

    SyncerError
    ├── OperatorError        somebody gave us something wrong: told in one sentence, nothing changed
    │   └── NotThere           what they named is not there, or not yet
    ├── FencedOut            our lease is another's now: whatever we hold is stale
    ├── StoreError           Postgres
    │   ├── StoreUnavailable   cannot be reached, or went away
    │   │   └── StoreBusy        somebody else holds a row, or a deadlock was broken: what it met, and only that, waits
    │   └── StoreRefused       it did not like what we sent
    └── OutsideError         somebody else's server
        ├── Unreachable        no connection, cut, timed out, 5xx: the outcome of a write is unknown
        ├── Throttled          come back later
        │   └── Unsent             our own count of what may be asked leaves no room: nobody's failure
        ├── DaySpent           the project's requests for the day are spent: none until Google's next day
        ├── UseLimit           the acting user's writes are refused for hours or longer; reads go on
        ├── TokenRefused       401: the access token is not accepted
        ├── GrantLost          the grant itself is gone: a person must consent again
        ├── SetUpWrong         the project, its API or the consent's scope: the operator must mend it
        ├── AccessDenied       a permission is missing; it stays so until somebody repairs it
        ├── Missing            404: never there, or no access
        ├── AlreadyGone        410 `deleted`: what we wanted gone is gone
        ├── CursorExpired      410 `fullSyncRequired`, or a sync token that is not accepted
        ├── Conflict           412 or 409: it changed under us
        ├── Crowded            409 `conflict`: another request of its batch was in the way
        ├── Unwatchable        400: of this calendar nothing can be told; it can be looked at
        ├── Refused            400 and its kin: this one request will never be accepted
        └── Unreadable         an answer that is not what was asked for

A message says what was attempted and at whose server; never a token, a title, an address of a guest or a body.
"""

from enum import Enum


class Remedy(Enum):
    """What to do about an error. Only `rules.timing` turns one into a time."""

    AGAIN = "again"
    WAIT = "wait"
    LOOK_AGAIN = "look again"
    READ_ANEW = "read anew"
    ASK = "ask"
    FORGET = "forget"
    PARK = "park"
    LEAVE = "leave"
    STOP = "stop"


class SyncerError(Exception):
    """Anything of ours; `remedy` says what helps."""

    remedy: Remedy = Remedy.AGAIN


class OperatorError(SyncerError):
    """Somebody gave us something wrong. The message is the sentence they read; exit code 1, or 2 for usage."""

    remedy = Remedy.LEAVE

    def __init__(self, sentence: str, *, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class NotThere(OperatorError):
    """What a reference names is not there, or cannot be seen from here."""


class FencedOut(SyncerError):
    """The lease names another owner or epoch: nothing was written."""

    remedy = Remedy.STOP


class StoreError(SyncerError):
    """Postgres failed us."""


class StoreUnavailable(StoreError):
    """Postgres cannot be reached, or the connection went away in the middle."""


class StoreBusy(StoreUnavailable):
    """A row is held by somebody else's transaction, or two waited for each other. Nothing was written."""


class StoreRefused(StoreError):
    """Postgres refused a statement: a constraint, a value it cannot hold, a missing privilege.

    constraint: its name, empty where it was something else.
    """

    remedy = Remedy.LEAVE

    def __init__(self, message: str, *, constraint: str = "") -> None:
        super().__init__(message)
        self.constraint = constraint


class OutsideError(SyncerError):
    """Another server failed us.

    host: its name. status: HTTP status, 0 where there was none. reason: the server's short word for it, or ours.
    retry_after_seconds: what the server asked for, if it did. advice: what a person can do, part of the message.
    """

    def __init__(
        self, host: str, status: int, reason: str, *, retry_after_seconds: float | None = None, advice: str = ""
    ) -> None:
        said = f"{host} answered {status} {reason}" if status else f"{host}: {reason}"
        super().__init__(f"{said}; {advice}" if advice else said)
        self.host = host
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        self.advice = advice


class Unreachable(OutsideError):
    """No answer that counts: refused, cut, timed out or 5xx. A write may or may not have been done."""


class Throttled(OutsideError):
    """Too many requests."""

    remedy = Remedy.WAIT


class Unsent(Throttled):
    """Nothing was sent, for what may be asked is spent as we count it: nothing has failed, and waiting is all.

    retry_after_seconds: until there may be room.
    """

    @property
    def seconds(self) -> float:
        """Until there may be room."""
        return self.retry_after_seconds or 0.0


class DaySpent(OutsideError):
    """No request of the whole project is taken before the quota's next day."""

    remedy = Remedy.STOP


class UseLimit(OutsideError):
    """The acting user has used up what a user may write; what is read is not concerned."""

    remedy = Remedy.PARK


class TokenRefused(OutsideError):
    """401: the access token is not accepted (any more).

    Of a token that was got just now it is a passing fault: a grant that is gone is refused where tokens are got.
    """

    remedy = Remedy.AGAIN


class GrantLost(OutsideError):
    """The token endpoint refuses the grant itself."""

    remedy = Remedy.ASK


class SetUpWrong(OutsideError):
    """403 because of how the project or the consent is set up: everything of theirs is refused alike."""

    remedy = Remedy.ASK


class AccessDenied(OutsideError):
    """403 for a reason that waiting does not mend."""

    remedy = Remedy.PARK


class Missing(OutsideError):
    """404: it never existed, or we may not see it."""

    remedy = Remedy.PARK


class AlreadyGone(OutsideError):
    """410 `deleted`."""

    remedy = Remedy.FORGET


class CursorExpired(OutsideError):
    """The sync or page token is not accepted: the calendar must be read from the start."""

    remedy = Remedy.READ_ANEW


class Conflict(OutsideError):
    """412 or 409: the event is no longer the one that the decision was made on."""

    remedy = Remedy.LOOK_AGAIN


class Crowded(OutsideError):
    """409 `conflict`: refused only because of another request of the same batch. The same again, alone."""

    remedy = Remedy.AGAIN


class Unwatchable(OutsideError):
    """400 `pushNotSupportedForRequestedResource`: it stays so, and nobody can mend it."""

    remedy = Remedy.LEAVE


class Refused(OutsideError):
    """The request is wrong, and stays wrong."""

    remedy = Remedy.LEAVE


class Unreadable(OutsideError):
    """The answer is not JSON, is too large, or lacks what every such answer has."""
