"""What Google's answers mean: status and reason to our errors. Knows bodies, no network.

Source: Calendar API, "Handle API errors"; RFC 9110. The reason is read, never the text:
texts change, and hold addresses.
"""

import re
from collections.abc import Mapping
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
    Crowded,
    CursorExpired,
    DaySpent,
    GrantLost,
    Missing,
    OutsideError,
    Refused,
    SetUpWrong,
    Throttled,
    TokenRefused,
    Unreachable,
    Unreadable,
    Unwatchable,
    UseLimit,
)

Shape = TypeVar("Shape")
Kind = type[OutsideError]

# One line a row; what is not here goes by its status alone. Google sends 403 and 429 for the same reasons.
_QUOTA: Mapping[str, Kind] = {
    "rateLimitExceeded": Throttled,
    "userRateLimitExceeded": Throttled,
    "RATE_LIMIT_EXCEEDED": Throttled,
    "RESOURCE_EXHAUSTED": Throttled,
    "quotaExceeded": UseLimit,
    "dailyLimitExceeded": DaySpent,
}
_BY_REASON: Mapping[int, Mapping[str, Kind]] = {
    400: {
        "pushNotSupportedForRequestedResource": Unwatchable,
        "channelIdNotUnique": Conflict,
        "push.webhookUrlNotHttps": SetUpWrong,
    },
    # No token is wrong then: the address is.
    401: {"push.webhookUrlUnauthorized": SetUpWrong},
    403: {
        **_QUOTA,
        # The request came without a credential.
        "dailyLimitExceededUnreg": Refused,
        "forbiddenForNonOrganizer": Refused,
        "insufficientPermissions": SetUpWrong,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT": SetUpWrong,
        "accessNotConfigured": SetUpWrong,
        "SERVICE_DISABLED": SetUpWrong,
        "domainPolicy": SetUpWrong,
        "requiredAccessLevel": AccessDenied,
        "forbidden": AccessDenied,
        "notACalendarUser": AccessDenied,
    },
    409: {"duplicate": Conflict, "conflict": Crowded},
    410: {"deleted": AlreadyGone, "fullSyncRequired": CursorExpired, "updatedMinTooLongAgo": CursorExpired},
    429: _QUOTA,
}
_BY_STATUS: Mapping[int, Kind] = {
    401: TokenRefused,
    403: AccessDenied,
    404: Missing,
    408: Unreachable,
    409: Conflict,
    410: CursorExpired,
    412: Conflict,
    429: Throttled,
}
_CURSOR_PLACES = frozenset({"syncToken", "pageToken"})
_SCOPE = "the scope https://www.googleapis.com/auth/calendar.events"
_ENABLE = "enable the Calendar API in the credential's Google Cloud project"
_CONSENT = f"let the user consent again, or the domain's administrator delegate, with {_SCOPE}"
_NOTIFICATIONS_URL = "let SYNCER_NOTIFICATIONS_URL be an https address that Google may send to"
_ADVICE: Mapping[str, str] = {
    "push.webhookUrlNotHttps": _NOTIFICATIONS_URL,
    "push.webhookUrlUnauthorized": _NOTIFICATIONS_URL,
    "quotaExceeded": "the user whom syncer acts as has reached a use limit of Google Calendar, which passes in hours",
    "dailyLimitExceeded": "the project's requests of the day are spent, and its next day is waited for; more can be "
    "had in the Google Cloud console",
    "insufficientPermissions": _CONSENT,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _CONSENT,
    "accessNotConfigured": _ENABLE,
    "SERVICE_DISABLED": _ENABLE,
    "domainPolicy": "let the domain's administrator allow Calendar and this application",
    "requiredAccessLevel": "share the calendar with the account, with the right to make changes to events",
    "forbidden": "share the calendar with the account, with the right to make changes to events",
    "notFound": "there is no such calendar, or the account may not see it: correct its id or subject, or share it",
    "notACalendarUser": "let the domain's administrator turn Google Calendar on for the user",
}
# Source: Google Identity, "Using OAuth 2.0 for server to server applications", error codes.
_BY_TOKEN_ERROR: Mapping[str, Kind] = {
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
_DELEGATE = (
    "let the domain's administrator delegate to the service account's client id (client_id in its key) "
    f"{_SCOPE}; that takes up to 24 hours to spread"
)
_CLIENT = "restore the OAuth client in the Google Cloud console, or give another credential"
_TOKEN_ADVICE: Mapping[str, str] = {
    "unauthorized_client": _DELEGATE,
    "access_denied": _DELEGATE,
    "invalid_scope": _DELEGATE,
    "admin_policy_enforced": "let the domain's administrator allow this application its scope",
    "org_internal": "the OAuth client serves its own organization only: use an account of that",
    "invalid_client": _CLIENT,
    "deleted_client": _CLIENT,
    "disabled_client": _CLIENT,
}
# An invalid_grant is told apart by how its description begins, for nothing else tells; all are GrantLost.
_GRANT_ADVICE: Mapping[str, str] = {
    "Token has been expired or revoked": "the consent was revoked or has expired: let the user consent again",
    "Not a valid email": "the subject is no user, or renamed, or suspended: correct it, or restore the user",
    "Invalid email or User ID": "the subject is no user, or renamed, or suspended: correct it, or restore the user",
    "Invalid JWT Signature": "the service account's key is deleted or disabled: give a new one",
    "Invalid JWT: Token": "it finds our clock wrong: set this machine's clock by NTP",
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
    return kind(host, answer.status, reason, retry_after_seconds=_wait(answer), advice=_ADVICE.get(reason, ""))


def token_error_of(host: str, answer: Answer) -> OutsideError:
    """The error that a token endpoint's answer other than 200 stands for. Also source: RFC 6749, 5.2."""
    problem = _decoded(answer.body, _TOKEN_PROBLEM) or _TokenProblem()
    kind = _BY_TOKEN_ERROR.get(problem.error) or _kind(answer.status, "", "")
    if kind is TokenRefused:
        kind = GrantLost
    advice = _grant_advice(problem) if kind is GrantLost else _TOKEN_ADVICE.get(problem.error, "")
    return kind(host, answer.status, _word(problem.error), retry_after_seconds=_wait(answer), advice=advice)


def _grant_advice(problem: _TokenProblem) -> str:
    said = (advice for start, advice in _GRANT_ADVICE.items() if problem.error_description.startswith(start))
    return next(said, _TOKEN_ADVICE.get(problem.error, _CONSENT))


def _kind(status: int, reason: str, location: str) -> Kind:
    if status >= 500:
        return Unreachable
    if status == 400 and location in _CURSOR_PLACES:
        return CursorExpired
    if 200 <= status < 300:
        return Unreadable
    return _BY_REASON.get(status, {}).get(reason) or _BY_STATUS.get(status, Refused)


def _reason(body: bytes) -> tuple[str, str]:
    """Reason and location of the first error named, `errors` before `details`."""
    problem = (_decoded(body, _ENVELOPE) or _Envelope()).error
    for named in (*problem.errors, *problem.details):
        if named.reason:
            return _word(named.reason), named.location
    return "without a reason", ""


def _word(reason: str) -> str:
    """A reason fit for messages: somebody else's text is no part of ours unless it is a plain word."""
    return reason if re.fullmatch(r"[A-Za-z_.]{1,60}", reason) else "without a reason"


def _wait(answer: Answer) -> float | None:
    return retry_after_seconds(answer.headers.get("retry-after"), now=datetime.now(UTC))


def _decoded(body: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape | None:
    """None for what is not JSON of this shape."""
    try:
        return decoder.decode(body)
    except BAD_JSON:
        return None
