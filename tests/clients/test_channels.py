"""How channels are asked for and what Google's answers to that mean."""

from datetime import UTC, datetime

import orjson
import pytest

from syncer.clients.google import channels, errors
from syncer.clients.google.channels import Ask, Granted
from syncer.clients.http import Answer
from syncer.clients.secret import Secret
from syncer.model.errors import Conflict, Missing, OutsideError, SetUpWrong, TokenRefused, Unwatchable

ADDRESS = "https://sync.example.org/notifications/google"
WHOSE = ("file:key.json", "ana@example.org")


def refused(status: int, reason: str) -> OutsideError | None:
    body = orjson.dumps({"error": {"code": status, "message": "m", "errors": [{"reason": reason}]}})
    return errors.error_of("www.googleapis.com", Answer(status, {"content-type": "application/json"}, body))


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "pushNotSupportedForRequestedResource", Unwatchable),
        (400, "channelIdNotUnique", Conflict),
        (400, "push.webhookUrlNotHttps", SetUpWrong),
        (401, "push.webhookUrlUnauthorized", SetUpWrong),
        (401, "authError", TokenRefused),
        (404, "notFound", Missing),
    ],
)
def test_a_refused_watch_is_known_by_its_reason(status: int, reason: str, kind: type[OutsideError]) -> None:
    assert type(refused(status, reason)) is kind


def test_whoever_mends_a_refused_address_is_told_which_setting_it_is() -> None:
    assert "SYNCER_NOTIFICATIONS_URL" in str(refused(401, "push.webhookUrlUnauthorized"))


def test_a_watch_names_its_channel_its_secret_and_how_long_it_is_to_last() -> None:
    call = channels.watch_call("a%40b.test", "quota", WHOSE, Ask("id-1", ADDRESS, Secret("s3cret"), 3600))
    assert (call.method, call.whose, call.is_alone, call.user) == ("POST", WHOSE, True, "quota")
    assert call.path.startswith("calendar/v3/calendars/a%40b.test/events/watch?quotaUser=quota")
    assert orjson.loads(call.body or b"") == {
        "id": "id-1",
        "type": "web_hook",
        "address": ADDRESS,
        "token": "s3cret",
        "params": {"ttl": "3600"},
    }


def test_a_secret_is_in_no_word_about_it() -> None:
    assert "s3cret" not in repr(Ask("id-1", ADDRESS, Secret("s3cret"), 3600))


def test_what_was_granted_is_believed() -> None:
    body = b'{"kind": "api#channel", "id": "x", "resourceId": "r", "expiration": "1796115600000"}'
    assert channels.granted(body) == Granted("r", datetime(2026, 12, 1, 9, tzinfo=UTC))
    assert channels.granted(body.replace(b'"1796115600000"', b"1796115600000")) == channels.granted(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"resourceId": "r"}',
        b'{"expiration": "1"}',
        b'{"resourceId": "", "expiration": "1"}',
        b'{"resourceId": "r", "expiration": "soon"}',
        b'{"resourceId": "r", "expiration": "99999999999999999999"}',
        b'{"resourceId": "r", "expiration": null}',
        b"\xff",
    ],
)
def test_an_answer_that_tells_of_no_channel_is_none(body: bytes) -> None:
    assert channels.granted(body) is None


@pytest.mark.parametrize(("status", "is_done"), [(204, True), (200, True), (404, False), (500, False), (401, False)])
def test_a_stop_is_done_when_nothing_is_said(status: int, is_done: bool) -> None:
    assert channels.is_done(status) is is_done
