"""The signed webhook: what is sent, what is believed, and when a doubt is left."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from msgspec import structs
from multidict import CIMultiDict
from standardwebhooks import Webhook, WebhookVerificationError

from syncer.clients.http import Http
from syncer.clients.providers.base import Hearing, NotSigned, Provider, Setup, Unfit
from syncer.clients.providers.webhook import WebhookProvider
from syncer.clients.secret import Secret
from syncer.model.calendar import When
from syncer.model.conference import (
    Applied,
    Change,
    ChangeKind,
    Gone,
    Meeting,
    Outcome,
    Override,
    Rejected,
    Replaced,
    Retry,
    Series,
    Stale,
    Wanted,
)
from syncer.model.errors import OperatorError

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
NEW_SECRET = "whsec_" + "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQ="
ZONE = timezone(timedelta(hours=1))
WANTED = Wanted(
    title="Design review",
    description=None,
    starts=When(at=datetime(2026, 12, 1, 15, 0, tzinfo=ZONE), time_zone="Europe/Paris"),
    ends=When(at=datetime(2026, 12, 1, 16, 0, tzinfo=ZONE), time_zone="Europe/Paris"),
    time_zone="Europe/Paris",
    organizer="ana@example.test",
    attendee_count=2,
)
UPDATE = Change(ChangeKind.UPDATE, "acme", "81234567890", 12, "key-12", ("title", "starts", "time_zone"), WANTED)
DELETE = Change(ChangeKind.DELETE, "acme", "81234567890", 13, "key-13")
READ = Change(ChangeKind.READ, "acme", "81234567890", 13, "key-14")
HOLDS = {
    "title": "Design review",
    "description": "a\x00b",
    "start": "2026-12-01T14:00:00Z",
    "end": "2026-12-01T15:00:00Z",
    "all_day": False,
    "timezone": "Europe/Paris",
    "recurrence": [],
    "organizer": None,
    "attendee_count": 2,
    "unknown": 1,
}
MEETING = {
    "id": "81234567890",
    "join_url": "https://meet.example.test/j/81234567890?pwd=a",
    "passcode": "553311",
    "dial_in": ["+41435550100"],
    "revision": 12,
    "holds": HOLDS,
}


def schema(name: str) -> dict[str, Any]:
    whole = json.loads(files("syncer.clients.providers").joinpath("webhook.schema.json").read_text())
    return {**whole, "anyOf": [{"$ref": f"#/$defs/{name}"}]}


@dataclass
class Vendor:
    """An endpoint that keeps what it gets and answers what it is told to."""

    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    response: Callable[[], web.StreamResponse] = lambda: web.json_response({"status": "not_found"})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(await request.read())
        return self.response()

    def says(self, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.response = lambda: web.Response(text=text, status=status, headers=headers)

    @property
    def asked(self) -> Any:
        return json.loads(self.bodies[-1])


def setup(http: Http, url: str, *, deadline_seconds: float = 5, secret: str = SECRET) -> Setup:
    return Setup({"url": url}, "env:TEST_WEBHOOK", Secret(secret), http, deadline_seconds)


@dataclass
class Room:
    vendor: Vendor
    provider: Provider
    setup: Setup

    async def after(self, change: Change, body: Any, *, status: int = 200, **headers: str) -> Outcome:
        """The outcome when the endpoint answers so."""
        self.vendor.says(body, status=status, headers={n.replace("_", "-"): v for n, v in headers.items()})
        return await self.provider.apply(change)


@pytest.fixture
async def room(http: Http, serve: Any) -> Room:
    vendor = Vendor()
    made = setup(http, f"{await serve(vendor.answer)}hooks/calendar")
    return Room(vendor, WebhookProvider(made), made)


async def test_an_update_carries_the_whole_wanted_state(room: Room) -> None:
    await room.provider.apply(UPDATE)
    jsonschema.validate(room.vendor.asked, schema("request"))
    asked = room.vendor.asked
    assert asked.pop("timestamp")
    assert asked == {
        "type": "conference.updated",
        "data": {
            "tenant": "acme",
            "revision": 12,
            "conference": {"id": "81234567890"},
            "changed": ["title", "start", "timezone"],
            "wanted": {
                "title": "Design review",
                "description": None,
                "start": "2026-12-01T15:00:00+01:00",
                "end": "2026-12-01T16:00:00+01:00",
                "all_day": False,
                "timezone": "Europe/Paris",
                "recurrence": [],
                "organizer": "ana@example.test",
                "attendee_count": 2,
            },
        },
    }


@pytest.mark.parametrize("name", Wanted.__struct_fields__)
async def test_no_part_of_what_is_wanted_is_left_out(room: Room, name: str) -> None:
    other_at = When(at=datetime(2026, 12, 2, 9, 0, tzinfo=UTC))
    overrides = (Override("2026-12-03T09:00:00Z", other_at, other_at, "Other", None),)
    half = Series(other_at, other_at, "UTC", ("RRULE:FREQ=DAILY",), overrides)
    other = Wanted(
        *("Other", "Other", other_at, other_at, "UTC", "bo@example.test", 9, ("RRULE:FREQ=DAILY",), overrides, (half,))
    )
    sent = []
    for wanted in (WANTED, structs.replace(WANTED, **{name: getattr(other, name)})):
        await room.provider.apply(structs.replace(UPDATE, wanted=wanted))
        sent.append(room.vendor.asked["data"]["wanted"])
    assert len({key for key in sent[1] if sent[0].get(key) != sent[1][key]}) == 1
    jsonschema.validate(room.vendor.asked, schema("request"))


async def test_an_all_day_meeting_has_dates(room: Room) -> None:
    days = structs.replace(
        WANTED, starts=When(day=date(2026, 12, 1)), ends=When(day=date(2026, 12, 3)), recurrence=("RRULE:FREQ=DAILY",)
    )
    await room.provider.apply(structs.replace(UPDATE, wanted=days, changed=()))
    jsonschema.validate(room.vendor.asked, schema("request"))
    wanted = room.vendor.asked["data"]["wanted"]
    assert (wanted["start"], wanted["end"], wanted["all_day"]) == ("2026-12-01", "2026-12-03", True)
    assert wanted["recurrence"] == ["RRULE:FREQ=DAILY"]


@pytest.mark.parametrize(("change", "kind"), [(DELETE, "conference.deleted"), (READ, "conference.read")])
async def test_other_changes_carry_no_state(room: Room, change: Change, kind: str) -> None:
    await room.provider.apply(change)
    jsonschema.validate(room.vendor.asked, schema("request"))
    assert room.vendor.asked["type"] == kind
    assert room.vendor.asked["data"].keys() == {"tenant", "revision", "conference"}


async def test_the_signature_verifies_with_the_standards_own_library(room: Room) -> None:
    wanted = structs.replace(WANTED, title="Größe \U0001f389 \u2028")
    await room.provider.apply(structs.replace(UPDATE, wanted=wanted))
    body, headers = room.vendor.bodies[0], room.vendor.headers[0]
    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"acme", b"evil"), headers)


async def test_while_a_secret_is_changed_a_call_is_signed_with_both(room: Room, http: Http) -> None:
    both = f"{NEW_SECRET}\n{SECRET}\n"
    await WebhookProvider(dataclasses.replace(room.setup, secret=Secret(both))).apply(UPDATE)
    body, headers = room.vendor.bodies[0], room.vendor.headers[0]
    for known in (SECRET, NEW_SECRET):
        assert Webhook(known).verify(body, headers) == json.loads(body)


def told(secret: str, content: Any) -> tuple[dict[str, str], bytes]:
    """A vendor's call about changes, signed now."""
    body, now = json.dumps(content).encode(), datetime.now(UTC)
    signed = Webhook(secret).sign("msg_1", now, body.decode())
    return {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signed,
    }, body


CHANGED = {
    "type": "conference.changed",
    "timestamp": "2026-12-01T09:00:00Z",
    "data": {"tenant": "acme", "conferences": [{"id": "81234567890"}, {"id": "2"}, {"id": "81234567890"}], "more": 1},
}


def heard(room: Room, headers: dict[str, str], body: bytes) -> tuple[str, ...]:
    assert isinstance(room.provider, Hearing)
    return room.provider.heard(CIMultiDict(headers), body)


def test_a_vendor_is_heard_under_its_secret_only(room: Room) -> None:
    assert heard(room, *told(SECRET, CHANGED)) == ("81234567890", "2")
    with pytest.raises(NotSigned):
        heard(room, *told(NEW_SECRET, CHANGED))


def test_what_a_vendor_says_is_looked_at_after_its_signature(room: Room) -> None:
    wrong = {**CHANGED, "data": {"tenant": "acme"}}
    with pytest.raises(NotSigned):
        heard(room, *told(NEW_SECRET, wrong))
    with pytest.raises(Unfit, match="missing required field `conferences`"):
        heard(room, *told(SECRET, wrong))


async def test_a_retry_has_the_same_key(room: Room) -> None:
    await room.after(UPDATE, "", status=503)
    await room.provider.apply(UPDATE)
    assert [headers["webhook-id"] for headers in room.vendor.headers] == ["key-12", "key-12"]


@pytest.mark.parametrize("status", ["applied", "unchanged"])
async def test_a_done_update_gives_the_meeting(room: Room, status: str) -> None:
    body = {"status": status, "conference": MEETING, "more": 1}
    jsonschema.validate(body, schema("answer"))
    assert await room.after(UPDATE, body) == Applied(
        Meeting(
            meeting_id="81234567890",
            join_url="https://meet.example.test/j/81234567890?pwd=a",
            passcode="553311",
            dial_in=("+41435550100",),
            revision=12,
            holds=Wanted(
                title="Design review",
                description="ab",
                starts=When(at=datetime(2026, 12, 1, 14, 0, tzinfo=UTC)),
                ends=When(at=datetime(2026, 12, 1, 15, 0, tzinfo=UTC)),
                time_zone="Europe/Paris",
                organizer=None,
                attendee_count=2,
            ),
        )
    )


@pytest.mark.parametrize(
    ("change", "status", "conference", "outcome"),
    [
        (READ, "applied", {"id": "81234567890"}, Applied(Meeting("81234567890"))),
        (READ, "unchanged", {"id": "81234567890", "holds": {}}, Applied(Meeting("81234567890"))),
        (READ, "not_found", None, Gone()),
        (UPDATE, "not_found", None, Gone()),
        (DELETE, "not_found", None, Gone()),
        (DELETE, "applied", {"id": "81234567890"}, Gone()),
        (DELETE, "unchanged", None, Gone()),
        (UPDATE, "stale", {"id": "81234567890", "revision": 14}, Stale(14)),
        (DELETE, "stale", {"id": "81234567890", "revision": 14}, Stale(14)),
        (DELETE, "stale", {"id": "81234567890", "revision": 2**53}, Stale(2**53)),
        (UPDATE, "replaced", {"id": "9"}, Replaced(Meeting("9"))),
    ],
)
async def test_each_status_becomes_its_outcome(
    room: Room, change: Change, status: str, conference: Any, outcome: Outcome
) -> None:
    assert await room.after(change, {"status": status, "conference": conference}) == outcome


@pytest.mark.parametrize(
    ("change", "body"),
    [
        (UPDATE, {"status": "applied", "conference": {**MEETING, "id": "666"}}),
        (DELETE, {"status": "applied", "conference": {**MEETING, "id": "666"}}),
        (UPDATE, {"status": "applied"}),
        (UPDATE, {"status": "stale", "conference": {"id": "81234567890"}}),
        (UPDATE, {"status": "replaced", "conference": MEETING}),
        (DELETE, {"status": "replaced", "conference": {"id": "9"}}),
        (UPDATE, {"status": "done", "conference": MEETING}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "join_url": "https://a.test/" + "x" * 1300}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "join_url": "javascript:alert(1)"}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "join_url": "https://a.test/\n"}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "passcode": "1" * 129}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "passcode": "1\x00"}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "dial_in": ["1"] * 21}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "revision": 2**53 + 1}}),
        (UPDATE, {"status": "stale", "conference": {"id": "81234567890", "revision": 2**53 + 1}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "holds": {**HOLDS, "start": "soon"}}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "holds": {**HOLDS, "start": "2026-12-01T14:00:00"}}}),
        (UPDATE, {"status": "applied", "conference": {**MEETING, "holds": {**HOLDS, "start": "0001-01-01T00:00:00Z"}}}),
        (UPDATE, '{"status": "applied", "conference": {"id": "\\ud800"}}'),
        (UPDATE, "<html>"),
        (UPDATE, ""),
        (UPDATE, "[" * 100_000),
        (UPDATE, '{"status": "applied", "more": ' + "[" * 100_000),
        (UPDATE, json.dumps({"status": "applied"}) + " " * 300_000),
    ],
)
async def test_an_answer_that_cannot_be_believed_leaves_a_doubt(room: Room, change: Change, body: Any) -> None:
    outcome = await room.after(change, body)
    assert isinstance(outcome, Retry)
    assert outcome.is_in_doubt
    assert len(outcome.reason) <= 200


async def test_a_reading_never_leaves_a_doubt(room: Room) -> None:
    for body, status in (
        ("<html>", 200),
        ({"status": "applied", "conference": {"id": "6"}}, 200),
        ("", 500),
        ("", 202),
    ):
        outcome = await room.after(READ, body, status=status)
        assert isinstance(outcome, Retry)
        assert not outcome.is_in_doubt


@pytest.mark.parametrize(
    ("status", "is_in_doubt"),
    [(408, False), (409, False), (423, False), (429, False), (500, True), (502, True), (503, True), (202, True)],
)
async def test_what_may_pass_is_tried_again(room: Room, status: int, *, is_in_doubt: bool) -> None:
    outcome = await room.after(UPDATE, "", status=status, Retry_After="30")
    assert isinstance(outcome, Retry)
    assert outcome.is_in_doubt is is_in_doubt
    assert outcome.after_seconds == 30


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            401,
            "the endpoint does not accept our signature: the credential's secret and the vendor's must be the same",
        ),
        (403, "the endpoint does not let us in"),
        (404, "there is no such endpoint"),
        (410, "the endpoint is switched off"),
    ],
)
async def test_a_wrong_account_loses_no_change_until_it_is_mended(room: Room, status: int, reason: str) -> None:
    outcome = await room.after(UPDATE, "", status=status)
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.is_in_doubt) == (reason, False)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "the endpoint answered 400"),
        (413, "the endpoint answered 413"),
        (422, "the endpoint answered 422"),
    ],
)
async def test_what_stays_wrong_is_rejected(room: Room, status: int, reason: str) -> None:
    assert await room.after(UPDATE, "", status=status) == Rejected(reason, kind=f"the endpoint answered {status}")


async def test_a_refusal_is_told_in_the_endpoints_words_but_tamed(room: Room) -> None:
    problem = {"title": "Too long", "detail": "At most\n24 hours \x1b[31m" + "x" * 500}
    outcome = await room.after(UPDATE, problem, status=422)
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("Too long: At most 24 hours [31mxxx")
    assert len(outcome.reason) == 200


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ({"type": "https://meet.example.org/problems/meeting-locked"}, "meeting-locked"),
        ({"type": "https://meet.example.org/problems/meeting-locked/"}, "meeting-locked"),
        ({"type": "https://meet.example.org/problems#e-4711"}, "e-4711"),
        ({"type": "/problems/meeting-locked"}, "meeting-locked"),
        ({"type": "urn:example:meeting-locked"}, "meeting-locked"),
        ({"type": "meeting-locked"}, "meeting-locked"),
        ({"type": "meeting-locked", "code": "other"}, "meeting-locked"),
        ({"type": "about:blank", "code": "meeting-locked"}, "meeting-locked"),
        ({"type": "https://meet.example.org/problems/Ana's birthday", "code": "x" * 64}, "x" * 64),
        ({"code": "x" * 65}, None),
        ({"code": "Secret birthday"}, None),
        ({"code": "ana@example.org"}, None),
        ({"code": 4711, "type": ["a"]}, None),
        ({"code": "locked\n"}, None),
        ({"code": ""}, None),
        ({"type": "https://locked"}, None),
        ({"type": "https://meet.example.org/problems?title=secret"}, None),
        ({"type": "about:blank"}, None),
        ({}, None),
    ],
)
async def test_a_refusal_has_the_code_that_the_vendor_gave_it_and_no_words(
    room: Room, problem: dict[str, Any], code: str | None
) -> None:
    outcome = await room.after(UPDATE, {"title": "Locked", "detail": "by-ana", **problem}, status=422)
    assert outcome == Rejected("Locked: by-ana", "the endpoint answered 422", code)
    assert isinstance(outcome, Rejected)
    assert outcome.in_full == ("Locked: by-ana" if code is None else f"Locked: by-ana [{code}]")


async def test_a_redirect_is_not_followed(room: Room) -> None:
    outcome = await room.after(UPDATE, "", status=307, Location="https://elsewhere.example.org/")
    assert isinstance(outcome, Retry)
    assert "redirects are not followed" in outcome.reason
    assert len(room.vendor.bodies) == 1


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize("behaves", [_cut, _silence], ids=["cut", "silent"])
async def test_a_call_without_an_answer_leaves_a_doubt(http: Http, behaves: Any) -> None:
    async with await asyncio.start_server(behaves, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        provider = WebhookProvider(setup(http, url, deadline_seconds=0.3))
        outcomes = [await provider.apply(change) for change in (UPDATE, DELETE, READ)]
    assert [isinstance(outcome, Retry) and outcome.is_in_doubt for outcome in outcomes] == [True, True, False]


async def test_a_call_that_never_left_leaves_no_doubt(http: Http) -> None:
    async with await asyncio.start_server(_silence, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcome = await WebhookProvider(setup(http, url)).apply(UPDATE)
    assert isinstance(outcome, Retry)
    assert not outcome.is_in_doubt


async def test_a_url_into_the_inside_is_not_called(closed_http: Http) -> None:
    outcome = await WebhookProvider(setup(closed_http, "https://169.254.169.254/hook")).apply(UPDATE)
    assert isinstance(outcome, Retry)
    assert "not open to tenants" in outcome.reason


@pytest.mark.parametrize(
    "url", ["", "hooks", "ftp://a.test/", "https://", "https://u:p@a.test/", "https://a.test/#f", "http://[::"]
)
def test_a_wrong_url_is_told_at_once(http: Http, url: str) -> None:
    with pytest.raises(OperatorError, match="needs a setting url"):
        WebhookProvider(setup(http, url))


def test_a_setting_that_is_none_is_told(http: Http) -> None:
    wrong = dataclasses.replace(setup(http, "https://a.test/"), settings={"url": "https://a.test/", "uri": "x"})
    with pytest.raises(OperatorError, match="has no setting uri"):
        WebhookProvider(wrong)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "whsec_canary!"]
)
def test_a_secret_that_is_none_is_told_without_it(http: Http, secret: str) -> None:
    with pytest.raises(OperatorError, match="credential env:TEST_WEBHOOK is not a webhook secret") as caught:
        WebhookProvider(setup(http, "https://a.test/", secret=secret))
    assert "canary" not in str(caught.value)


async def test_a_probe_changes_nothing_and_says_how_it_went(room: Room) -> None:
    assert await room.provider.probe() == "the webhook at 127.0.0.1 answers signed calls"
    assert room.vendor.asked["type"] == "conference.read"
    room.vendor.says("", status=401)
    with pytest.raises(OperatorError, match="does not accept our signature"):
        await room.provider.probe()
