"""What Google's answers mean: status and reason to our errors. Knows bodies, no network.

Source: Calendar API, "Handle API errors"; RFC 9110. The reason is read, never the text:
texts change, and hold addresses.
"""

import re
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from yarl import URL

from syncer.clients.http import BAD_JSON, Answer
from syncer.clients.retry_after import retry_after_seconds
from syncer.model.errors import (
    AccessDenied,
    AlreadyGone,
    Conflict,
    CursorExpired,
    GrantLost,
    Missing,
    OutsideError,
    Refused,
    Throttled,
    TokenRefused,
    Unreachable,
    Unreadable,
)

Shape = TypeVar("Shape")

_RATE_REASONS = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
        "dailyLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
    }
)
_CURSOR_PLACES = frozenset({"syncToken", "pageToken"})
_BY_STATUS: dict[int, type[OutsideError]] = {
    401: TokenRefused,
    404: Missing,
    408: Unreachable,
    409: Conflict,
    412: Conflict,
    429: Throttled,
}
_BY_TOKEN_ERROR: dict[str, type[OutsideError]] = {
    "invalid_grant": GrantLost,
    "invalid_client": GrantLost,
    "deleted_client": GrantLost,
    "disabled_client": GrantLost,
    "unauthorized_client": AccessDenied,
    "access_denied": AccessDenied,
    "admin_policy_enforced": AccessDenied,
    "org_internal": AccessDenied,
    "invalid_scope": AccessDenied,
    "rate_limit_exceeded": Throttled,
    "slow_down": Throttled,
    "internal_failure": Unreachable,
}


class _Reason(msgspec.Struct):
    reason: str = ""
    location: str = ""


class _Problem(msgspec.Struct):
    errors: list[_Reason] = []
    details: list[_Reason] = []


class _Envelope(msgspec.Struct):
    error: _Problem = msgspec.field(default_factory=_Problem)


class _TokenProblem(msgspec.Struct):
    error: str = ""
    error_description: str = ""


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TOKEN_PROBLEM = msgspec.json.Decoder(_TokenProblem)


def host_of(url: str) -> str:
    """The host of a URL, for messages."""
    return URL(url, encoded=True).host or "no host"


def error_of(host: str, answer: Answer) -> OutsideError | None:
    """The error that an API answer stands for, None when it is a 200 with JSON. Survives any body, HTML included."""
    if answer.status == 200:
        is_json = "json" in answer.headers.get("content-type", "")
        return None if is_json else Unreadable(host, 200, "with something that is not JSON")
    reason, location = _reason(answer.body)
    kind = _kind(answer.status, reason, location)
    return kind(host, answer.status, reason, retry_after_seconds=_wait(answer))


def token_error_of(host: str, answer: Answer) -> OutsideError:
    """The error that a token endpoint's answer other than 200 stands for.

    Source: Google Identity, "Using OAuth 2.0 for server to server applications", error codes; RFC 6749, 5.2.
    """
    problem = _decoded(answer.body, _TOKEN_PROBLEM) or _TokenProblem()
    reason = _word(problem.error)
    kind = _BY_TOKEN_ERROR.get(problem.error) or _kind(answer.status, "", "")
    if kind is TokenRefused:
        kind = GrantLost
    if problem.error == "invalid_grant" and problem.error_description.startswith("Invalid JWT: Token"):
        reason = "invalid_grant: it finds our clock wrong"
    return kind(host, answer.status, reason, retry_after_seconds=_wait(answer))


def _kind(status: int, reason: str, location: str) -> type[OutsideError]:
    """Which error: one line per case."""
    if status >= 500:
        return Unreachable
    if status == 403:
        return Throttled if reason in _RATE_REASONS else AccessDenied
    if status == 410:
        return AlreadyGone if reason == "deleted" else CursorExpired
    if status == 400 and location in _CURSOR_PLACES:
        return CursorExpired
    if 200 <= status < 300:
        return Unreadable
    return _BY_STATUS.get(status, Refused)


def _reason(body: bytes) -> tuple[str, str]:
    """Reason and location of the first error named, `errors` before `details`."""
    problem = (_decoded(body, _ENVELOPE) or _Envelope()).error
    for named in (*problem.errors, *problem.details):
        if named.reason:
            return _word(named.reason), named.location
    return "without a reason", ""


def _word(reason: str) -> str:
    """A reason fit for messages: somebody else's text is no part of ours unless it is a plain word."""
    return reason if re.fullmatch(r"[A-Za-z_]{1,60}", reason) else "without a reason"


def _wait(answer: Answer) -> float | None:
    return retry_after_seconds(answer.headers.get("retry-after"), now=datetime.now(UTC))


def _decoded(body: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape | None:
    """None for what is not JSON of this shape."""
    try:
        return decoder.decode(body)
    except BAD_JSON:
        return None
