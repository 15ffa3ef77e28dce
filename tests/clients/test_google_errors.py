"""Each row of Google's error table becomes the error whose remedy it needs."""

import json

import pytest

from syncer.clients.google.errors import error_of
from syncer.clients.http import Answer
from syncer.model.errors import (
    AccessDenied,
    AlreadyGone,
    Conflict,
    CursorExpired,
    Missing,
    OutsideError,
    Refused,
    Throttled,
    TokenRefused,
    Unreachable,
    Unreadable,
)

JSON = {"content-type": "application/json; charset=UTF-8"}


def legacy(reason: str, location: str = "") -> bytes:
    problem = {"domain": "global", "reason": reason, "message": "canary", "location": location}
    return json.dumps({"error": {"errors": [problem], "code": 1, "message": "canary"}}).encode()


def modern(reason: str) -> bytes:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return json.dumps({"error": {"code": 1, "message": "canary", "status": "X", "details": [detail]}}).encode()


ROWS = [
    (400, legacy("timeRangeEmpty"), Refused),
    (400, legacy("invalid"), Refused),
    (400, legacy("required"), Refused),
    (400, legacy("parseError"), Refused),
    (400, legacy("syncTokenWithRequestRestrictions"), Refused),
    (400, legacy("invalid", "syncToken"), CursorExpired),
    (400, legacy("invalid", "pageToken"), CursorExpired),
    (401, legacy("authError", "Authorization"), TokenRefused),
    (403, legacy("userRateLimitExceeded"), Throttled),
    (403, legacy("rateLimitExceeded"), Throttled),
    (403, legacy("quotaExceeded"), Throttled),
    (403, legacy("dailyLimitExceeded"), Throttled),
    (403, legacy("dailyLimitExceededUnreg"), AccessDenied),
    (403, legacy("forbiddenForNonOrganizer"), AccessDenied),
    (403, legacy("requiredAccessLevel"), AccessDenied),
    (403, legacy("insufficientPermissions"), AccessDenied),
    (403, modern("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), AccessDenied),
    (403, modern("SERVICE_DISABLED"), AccessDenied),
    (403, modern("RATE_LIMIT_EXCEEDED"), Throttled),
    (403, legacy("forbidden"), AccessDenied),
    (403, legacy("notACalendarUser"), AccessDenied),
    (403, b"", AccessDenied),
    (404, legacy("notFound"), Missing),
    (409, legacy("duplicate"), Conflict),
    (409, legacy("conflict"), Conflict),
    (410, legacy("fullSyncRequired", "syncToken"), CursorExpired),
    (410, legacy("updatedMinTooLongAgo", "updatedMin"), CursorExpired),
    (410, legacy("deleted"), AlreadyGone),
    (410, b"<html>", CursorExpired),
    (412, legacy("conditionNotMet", "If-Match"), Conflict),
    (422, legacy("invalid"), Refused),
    (429, legacy("rateLimitExceeded"), Throttled),
    (429, b"<html>", Throttled),
    (500, legacy("backendError"), Unreachable),
    (502, b"<!DOCTYPE html><html>\xff\xfe", Unreachable),
    (503, b"", Unreachable),
    (504, b'{"error": "a text"}', Unreachable),
    (500, b'{"error": {"more": ' + b"[" * 100_000, Unreachable),
    (204, b"", Unreadable),
    (418, b"[]", Refused),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), ROWS, ids=[f"{r[0]} {r[2].__name__} {r[1][22:70]!r}" for r in ROWS]
)
def test_each_row_of_the_table(status: int, body: bytes, kind: type[OutsideError]) -> None:
    error = error_of("calendar.test", Answer(status, JSON, body))
    assert type(error) is kind
    assert error.status == status
    assert "canary" not in str(error)


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
