"""What goes wrong is told in the log once when it begins and once when it is over, and no stranger's words with it."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog.testing
from aiohttp import web

from syncer.model.calendar import Tenant
from syncer.model.conference import Gone, Outcome, Rejected, Retry
from syncer.run.telling import Telling
from syncer.simulator.serve import serving
from syncer.sync.desk import Came
from syncer.telemetry import ALLOWED
from tests.run.worker import a_worker, until, until_titled
from tests.simulator.google_stage import ANA, BO
from tests.sync.stage import POLICY, Acted, Booked

ACME = Tenant(1, "acme", POLICY, 7, "webhook", (), "file:webhook")
QUOTED = {"type": "about:blank", "title": "No", "detail": "Canary is no fit title"}
PROVIDERS = ("provider fails", "provider recovered", "meeting is stuck", "more meetings are stuck")

Lines = list[Any]


class Watch:
    """A telling whose time stands still, and what it has told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.telling = Telling(now=lambda: self.now)

    def pushed(self, *outcomes: Outcome, number: int = 1, stuck: str | None = None) -> None:
        self.telling.pushed(ACME, number, Came(list(outcomes), stuck))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.telling.pass_time()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def _of(lines: Lines, *events: str) -> Lines:
    return [line for line in lines if line["event"] in events]


def _busy(kind: str = "busy") -> Retry:
    return Retry("their words", kind=kind)


def test_an_accounts_trouble_is_one_line_however_many_meetings(watch: Watch) -> None:
    with structlog.testing.capture_logs() as lines:
        for number in range(100):
            watch.pushed(_busy(), number=number)
        watch.pushed(_busy("shut"))
        watch.pushed(Gone())
        watch.wait(59)
        watch.wait(2)
        watch.wait(60)
    assert [line["event"] for line in lines] == ["provider fails", "provider fails", "provider recovered"]
    assert [line.get("reason") for line in lines] == ["busy", "shut", None]
    assert lines[-1]["untold"] == 99
    assert "their words" not in str(lines)


def test_an_account_that_fails_now_and_then_does_not_fill_the_log(watch: Watch) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(500):
            watch.pushed(_busy())
            watch.pushed(Rejected("their words"))
            watch.wait(1)
    assert [line["event"] for line in lines] == ["provider fails"]


def test_an_account_that_fails_in_ever_new_words_does_not_fill_the_log(watch: Watch) -> None:
    with structlog.testing.capture_logs() as lines:
        for number in range(500):
            watch.pushed(_busy(f"kind {number}"))
    assert len(lines) == 8


def test_trouble_is_not_over_before_the_account_answers(watch: Watch) -> None:
    with structlog.testing.capture_logs() as lines:
        watch.pushed(_busy())
        watch.wait(3600)
    assert [line["event"] for line in lines] == ["provider fails"]


def test_stuck_meetings_are_told_of_up_to_some_a_minute_and_counted(watch: Watch) -> None:
    with structlog.testing.capture_logs() as lines:
        for number in range(50):
            watch.pushed(Rejected("their words"), number=number, stuck="refused")
        watch.wait(61)
        watch.pushed(number=99, stuck="refused")
        watch.wait(61)
    told = [(line["event"], line.get("conference_id"), line.get("untold")) for line in lines]
    assert told == [
        *(("meeting is stuck", number, None) for number in range(20)),
        ("more meetings are stuck", None, 30),
        ("meeting is stuck", 99, None),
    ]


async def _tell_answers(stage: Acted, booked: Booked, answering: Callable[[], web.Response], lines: Lines) -> None:
    """A worker whose vendor answers so, until it has told of it and pushed a while longer."""
    asked = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return answering()

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with serving(application) as root:
        await stage.tools.database.run(
            "UPDATE syncer.provider_account SET settings = jsonb_build_object('url', $1::text)", f"{root}hook"
        )

        async def is_told() -> bool:
            return bool(_of(lines, *PROVIDERS)) and asked > 0

        async with a_worker(stage):
            await until(is_told)


@pytest.mark.parametrize(
    ("answered", "event", "said"),
    [
        (lambda: web.json_response(QUOTED, status=422), "meeting is stuck", "answered 422"),
        (lambda: web.json_response({"status": "not_found"}), "meeting is stuck", "no such meeting"),
        (lambda: web.json_response({"status": "Canary"}), "provider fails", "cannot be read"),
        (lambda: web.Response(text="<html>Canary", content_type="text/html"), "provider fails", "cannot be read"),
        (lambda: web.json_response(QUOTED, status=401), "provider fails", "answered 401"),
        (lambda: web.json_response(QUOTED, status=404), "provider fails", "answered 404"),
        (lambda: web.json_response(QUOTED, status=500), "provider fails", "answered 500"),
        (lambda: web.Response(status=302, headers={"Location": "/canary"}), "provider fails", "answered 302"),
    ],
    ids=["422", "not found", "unknown status", "HTML", "401", "404", "500", "302"],
)
async def test_what_a_provider_does_wrong_is_in_the_log_without_its_words(
    stage: Acted, booked: Booked, answered: Callable[[], web.Response], event: str, said: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        await _tell_answers(stage, booked, answered, lines)
    (line,) = _of(lines, *PROVIDERS)
    assert line["event"] == event
    assert said in line["reason"]
    assert (line["tenant"], line.keys() - {"log_level"} <= ALLOWED) == ("acme", True)
    assert "canary" not in str(lines).lower()
    assert "Standup" not in str(lines)


async def test_a_provider_that_is_well_again_is_told_once(stage: Acted, booked: Booked) -> None:
    with structlog.testing.capture_logs() as lines:
        async with a_worker(stage) as worker:
            worker.supervisor._telling._calm_seconds = 0.1
            await stage.vendor.set_faults(next={"server_error": 2})
            await until_titled(stage, booked, "Standup")

            async def is_over() -> bool:
                return bool(_of(lines, "provider recovered"))

            await until(is_over)
    told = [line["event"] for line in _of(lines, *PROVIDERS)]
    assert told[:1] == ["provider fails"]
    assert told.count("provider fails") == told.count("provider recovered") <= 2


async def test_access_that_is_narrowed_and_regained_is_told_once_each(stage: Acted, booked: Booked) -> None:
    with structlog.testing.capture_logs() as lines:
        async with a_worker(stage):
            await until_titled(stage, booked, "Standup")
            for role, event in (("freeBusyReader", "calendar access narrowed"), ("owner", "calendar access regained")):
                await _let_bo(stage, role)
                await until(lambda event=event: _is_told(lines, event))  # type: ignore[misc]
    told = _of(lines, "calendar access narrowed", "calendar access regained")
    key = stage.ids[ANA]
    assert [(line["event"], line["calendar_id"]) for line in told] == [
        ("calendar access narrowed", key.calendar_id),
        ("calendar access regained", key.calendar_id),
    ]


async def _is_told(lines: Lines, event: str) -> bool:
    return bool(_of(lines, event))


async def _let_bo(stage: Acted, role: str) -> None:
    """The worker's grant on Ana's calendar is Bo's, who may do so much there; it is read once more."""
    rule = {"role": role, "scope": {"type": "user", "value": BO}}
    assert (await stage.google.call("POST", f"calendars/{ANA}/acl", rule, user=ANA)).status == 200
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET credential = $1, sync_token = NULL, is_full_read = true WHERE google_id = $2",
        f"file:{BO}.json",
        ANA,
    )
