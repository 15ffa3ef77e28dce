"""The published schema and page of the webhook say the same, and the schema refuses what it should."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from standardwebhooks import Webhook

from tests.simulator.vendors import WANTED, check, deleted, read, schema, updated

PAGE = Path(__file__).parents[2] / "docs" / "webhook.md"
CONFERENCE: dict[str, Any] = {
    "id": "1",
    "join_url": "https://meeting.test/1",
    "passcode": None,
    "dial_in": [],
    "revision": 1,
    "holds": {},
}


def _examples() -> list[Any]:
    """The JSON bodies of the page's examples, in order."""
    blocks = re.findall(r"```http\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [json.loads(block[block.index("{") :]) for block in blocks]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_example_of_the_page_fits_the_schema() -> None:
    update, updated_so, delete, deleted_so, asked, shown, refused, told, heard = _examples()
    for request in (update, delete, asked):
        check(request, "request")
    for answer in (updated_so, deleted_so, shown):
        check(answer, "answer")
    check(refused, "problem")
    check(told, "told")
    check(heard, "heard")


def test_the_sample_signature_of_the_page_is_right() -> None:
    secret = "whsec_c3luY2VyLXNhbXBsZS1zZWNyZXQtMzItYnl0ZXMhIQ=="
    at = datetime.fromtimestamp(1796115600, UTC)
    signature = Webhook(secret).sign("msg_sample", at, '{"type":"conference.read"}')
    assert secret in PAGE.read_text()
    assert f"`{signature}`" in PAGE.read_text()


@pytest.mark.parametrize("request_body", [updated("1", revision=1), deleted("1", revision=1), read("1")])
def test_a_request_may_carry_no_unknown_field(request_body: dict[str, Any]) -> None:
    check(request_body, "request")
    for body in (request_body | {"more": 1}, request_body | {"data": request_body["data"] | {"more": 1}}):
        with pytest.raises(ValidationError):
            check(body, "request")


@pytest.mark.parametrize("field", sorted(WANTED))
def test_wanted_is_whole(field: str) -> None:
    call = updated("1", revision=1)
    call["data"]["wanted"] = {name: value for name, value in WANTED.items() if name != field}
    with pytest.raises(ValidationError):
        check(call, "request")


def test_an_all_day_meeting_has_dates_and_a_timed_one_has_instants() -> None:
    check(updated("1", revision=1, all_day=True, start="2026-12-01", end="2026-12-02"), "request")
    for wrong in ({"all_day": True}, {"start": "2026-12-01"}):
        with pytest.raises(ValidationError):
            check(updated("1", revision=1, **wrong), "request")


def test_an_answer_may_carry_unknown_fields() -> None:
    check({"status": "applied", "conference": CONFERENCE | {"colour": "red"}, "took_ms": 3}, "answer")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": "done", "conference": CONFERENCE}, id="an unknown status"),
        pytest.param({"status": "applied"}, id="no conference"),
        pytest.param({"status": "not_found", "conference": CONFERENCE}, id="a conference that was not found"),
        pytest.param({"status": "applied", "conference": {"id": "1"}}, id="no way in"),
        pytest.param({"status": "applied", "conference": CONFERENCE | {"join_url": "sip:1@x.test"}}, id="no web URL"),
        pytest.param({"status": "applied", "conference": CONFERENCE | {"passcode": "1" * 129}}, id="a long passcode"),
        pytest.param(
            {"status": "applied", "conference": CONFERENCE | {"holds": {"start": "2026-12-01"}}}, id="half a state"
        ),
    ],
)
def test_a_wrong_answer_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(answer, "answer")
