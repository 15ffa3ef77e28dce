"""Each row of Google's error table becomes the error whose remedy it needs."""

import json

import pytest

from syncer.clients.google.errors import error_of, token_error_of
from syncer.clients.http import Answer
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
    Remedy,
    SetUpWrong,
    Throttled,
    TokenRefused,
    Unreachable,
    Unreadable,
    UseLimit,
)

JSON = {"content-type": "application/json; charset=UTF-8"}


def legacy(reason: str, location: str = "") -> bytes:
    problem = {"domain": "global", "reason": reason, "message": "canary", "location": location}
    return json.dumps({"error": {"errors": [problem], "code": 1, "message": "canary"}}).encode()


def modern(reason: str) -> bytes:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return json.dumps({"error": {"code": 1, "message": "canary", "status": "X", "details": [detail]}}).encode()


# One line a row of Google's table, with the remedy that belongs to it.
ROWS = [
    (400, legacy("timeRangeEmpty"), Refused, Remedy.LEAVE),
    (400, legacy("invalid"), Refused, Remedy.LEAVE),
    (400, legacy("required"), Refused, Remedy.LEAVE),
    (400, legacy("badRequest"), Refused, Remedy.LEAVE),
    (400, legacy("parseError"), Refused, Remedy.LEAVE),
    (400, legacy("syncTokenWithRequestRestrictions"), Refused, Remedy.LEAVE),
    (400, legacy("invalid", "syncToken"), CursorExpired, Remedy.READ_ANEW),
    (400, legacy("invalid", "pageToken"), CursorExpired, Remedy.READ_ANEW),
    (401, legacy("authError", "Authorization"), TokenRefused, Remedy.AGAIN),
    (403, legacy("userRateLimitExceeded"), Throttled, Remedy.WAIT),
    (403, legacy("rateLimitExceeded"), Throttled, Remedy.WAIT),
    (403, modern("RATE_LIMIT_EXCEEDED"), Throttled, Remedy.WAIT),
    (403, modern("RESOURCE_EXHAUSTED"), Throttled, Remedy.WAIT),
    (403, legacy("quotaExceeded"), UseLimit, Remedy.PARK),
    (403, legacy("dailyLimitExceeded"), DaySpent, Remedy.STOP),
    (403, legacy("dailyLimitExceededUnreg"), Refused, Remedy.LEAVE),
    (403, legacy("forbiddenForNonOrganizer"), Refused, Remedy.LEAVE),
    (403, legacy("requiredAccessLevel"), AccessDenied, Remedy.PARK),
    (403, legacy("insufficientPermissions"), SetUpWrong, Remedy.ASK),
    (403, modern("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), SetUpWrong, Remedy.ASK),
    (403, legacy("accessNotConfigured"), SetUpWrong, Remedy.ASK),
    (403, modern("SERVICE_DISABLED"), SetUpWrong, Remedy.ASK),
    (403, legacy("domainPolicy"), SetUpWrong, Remedy.ASK),
    (403, legacy("forbidden"), AccessDenied, Remedy.PARK),
    (403, legacy("notACalendarUser"), AccessDenied, Remedy.PARK),
    (403, legacy("aReasonOfTomorrow"), AccessDenied, Remedy.PARK),
    (403, b"", AccessDenied, Remedy.PARK),
    (404, legacy("notFound"), Missing, Remedy.PARK),
    (408, b"", Unreachable, Remedy.AGAIN),
    (409, legacy("duplicate"), Conflict, Remedy.LOOK_AGAIN),
    (409, legacy("conflict"), Crowded, Remedy.AGAIN),
    (409, b"", Conflict, Remedy.LOOK_AGAIN),
    (410, legacy("fullSyncRequired", "syncToken"), CursorExpired, Remedy.READ_ANEW),
    (410, legacy("updatedMinTooLongAgo", "updatedMin"), CursorExpired, Remedy.READ_ANEW),
    (410, legacy("deleted"), AlreadyGone, Remedy.FORGET),
    (410, b"<html>", CursorExpired, Remedy.READ_ANEW),
    (412, legacy("conditionNotMet", "If-Match"), Conflict, Remedy.LOOK_AGAIN),
    (418, b"[]", Refused, Remedy.LEAVE),
    (422, legacy("invalid"), Refused, Remedy.LEAVE),
    (429, legacy("rateLimitExceeded"), Throttled, Remedy.WAIT),
    (429, legacy("quotaExceeded"), UseLimit, Remedy.PARK),
    (429, legacy("dailyLimitExceeded"), DaySpent, Remedy.STOP),
    (429, b"<html>", Throttled, Remedy.WAIT),
    (500, legacy("backendError"), Unreachable, Remedy.AGAIN),
    (500, b'{"error": {"more": ' + b"[" * 100_000, Unreachable, Remedy.AGAIN),
    (502, b"<!DOCTYPE html><html>\xff\xfe", Unreachable, Remedy.AGAIN),
    (503, b"", Unreachable, Remedy.AGAIN),
    (503, legacy("quotaExceeded"), Unreachable, Remedy.AGAIN),
    (504, b'{"error": "a text"}', Unreachable, Remedy.AGAIN),
    (204, b"", Unreadable, Remedy.AGAIN),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "remedy"), ROWS, ids=[f"{r[0]} {r[2].__name__} {r[1][22:70]!r}" for r in ROWS]
)
def test_each_row_of_the_table(status: int, body: bytes, kind: type[OutsideError], remedy: Remedy) -> None:
    error = error_of("calendar.test", Answer(status, JSON, body))
    assert type(error) is kind
    assert (error.status, error.remedy) == (status, remedy)
    assert "canary" not in str(error)


def test_the_legacy_reason_is_read_before_the_modern_one() -> None:
    both = json.loads(legacy("rateLimitExceeded"))
    both["error"] |= json.loads(modern("SERVICE_DISABLED"))["error"]
    error = error_of("calendar.test", Answer(403, JSON, json.dumps(both).encode()))
    assert type(error) is Throttled


ADVISED = [
    (403, legacy("accessNotConfigured"), "enable the Calendar API"),
    (403, modern("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), "with the scope https://www.googleapis.com/auth/calendar.events"),
    (403, legacy("domainPolicy"), "let the domain's administrator allow"),
    (403, legacy("requiredAccessLevel"), "share the calendar with the account"),
    (403, legacy("quotaExceeded"), "has reached a use limit"),
    (403, legacy("dailyLimitExceeded"), "its next day is waited for"),
]


@pytest.mark.parametrize(("status", "body", "words"), ADVISED, ids=[row[2] for row in ADVISED])
def test_what_somebody_must_do_is_said(status: int, body: bytes, words: str) -> None:
    error = error_of("calendar.test", Answer(status, JSON, body))
    assert error is not None
    assert words in error.advice
    assert str(error).endswith(error.advice)


GRANTS = [
    ("invalid_grant", "Token has been expired or revoked.", GrantLost, "revoked or has expired: let the user consent"),
    ("invalid_grant", "Bad Request", GrantLost, "let the user consent again"),
    ("invalid_grant", "Invalid email or User ID", GrantLost, "no user, or renamed, or suspended"),
    ("invalid_grant", "Not a valid email", GrantLost, "no user, or renamed, or suspended"),
    ("invalid_grant", "Invalid JWT Signature.", GrantLost, "key is deleted or disabled"),
    ("invalid_grant", "Invalid JWT: Token must be a short-lived token", GrantLost, "finds our clock wrong"),
    ("deleted_client", "", GrantLost, "restore the OAuth client"),
    ("unauthorized_client", "Client is unauthorized", AccessDenied, "up to 24 hours to spread"),
    ("access_denied", "canary", AccessDenied, "delegate to the service account's client id"),
    ("admin_policy_enforced", "canary", AccessDenied, "allow this application its scope"),
    ("invalid_scope", "canary", AccessDenied, "delegate to the service account's client id"),
    ("org_internal", "canary", AccessDenied, "its own organization only"),
]


@pytest.mark.parametrize(("error", "said", "kind", "words"), GRANTS, ids=[f"{r[0]} {r[1]}" for r in GRANTS])
def test_each_refusal_of_a_grant_says_what_to_do(error: str, said: str, kind: type[OutsideError], words: str) -> None:
    body = json.dumps({"error": error, "error_description": said}).encode()
    refusal = token_error_of("oauth2.test", Answer(400, JSON, body))
    assert (type(refusal), refusal.reason) == (kind, error)
    assert words in refusal.advice
    assert "canary" not in str(refusal)


def test_a_good_answer_is_no_error() -> None:
    assert error_of("calendar.test", Answer(200, JSON, b"{}")) is None


def test_a_page_for_people_is_no_answer() -> None:
    error = error_of("calendar.test", Answer(200, {"content-type": "text/html"}, b"<html>log in here"))
    assert type(error) is Unreadable


def test_the_reason_is_a_word_and_never_a_text() -> None:
    error = error_of("calendar.test", Answer(400, JSON, legacy("ana@example.test is not a \x1b[31mguest")))
    assert str(error) == "calendar.test answered 400 without a reason"


def test_a_wait_is_handed_on() -> None:
    error = error_of("calendar.test", Answer(403, {**JSON, "retry-after": "30"}, legacy("rateLimitExceeded")))
    assert error is not None
    assert error.retry_after_seconds == 30
