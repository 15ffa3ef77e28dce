"""What `/metrics` shows: of a worker at work, with Postgres away, and as the page says it."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncer.durations import Durations
from syncer.model.calendar import CalendarKey
from syncer.model.conference import Applied, Gone, Meeting, Outcome, Rejected, Retry
from syncer.model.errors import OutsideError, SetUpWrong, StoreBusy, Throttled, Unsent
from syncer.rules.schedule import Schedule
from syncer.run import lag, metrics, tally
from syncer.run.receiver import Receiver
from syncer.run.stalls import Stalls
from syncer.run.tally import Tally
from syncer.store.database import Database
from syncer.sync.desk import Came
from tests.run.told import ANYWHERE, told
from tests.run.worker import a_worker, until, until_titled
from tests.simulator.google_stage import ANA
from tests.sync.stage import Acted

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
Sample = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One scrape. values: by sample name and its labels."""

    families: dict[str, Any]
    values: dict[Sample, float]
    text: str

    def value(self, name: str, **labels: str) -> float:
        return self.values[name, tuple(sorted(labels.items()))]


async def scraped(url: str) -> Shown:
    """What Prometheus would read there."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}{metrics.PATH}") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    return Shown(families, values, text)


@asynccontextmanager
async def watched(stage: Acted, **settings: Any) -> AsyncIterator[str]:
    """A worker whose metrics are shown; gives where."""
    receiver = Receiver(stage.tools)
    with lag.measured() as lags:
        async with a_worker(stage, **settings) as worker:
            receiver.metrics.watch(supervisor=worker.supervisor, stalls=Stalls(), lags=lags)
            async with receiver.listening(ANYWHERE) as address:
                yield f"http://{address}"


async def until_shown(url: str, at_least: float, name: str, **labels: str) -> Shown:
    """Waits until a sample has such a value; gives that scrape."""
    found: list[Shown] = []

    async def holds() -> bool:
        found[:] = [await scraped(url)]
        return found[0].value(name, **labels) >= at_least

    await until(holds)
    return found[0]


def on_the_page() -> dict[str, str]:
    """The metrics that the page's table names, with their labels as it writes them."""
    rows = re.findall(r"^\| `([a-z_]+)` \|([^|]*)\|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: labels.strip() for name, labels in rows}


async def test_every_metric_is_on_the_page_and_nothing_else_is(stage: Acted) -> None:
    async with watched(stage) as url:
        shown = await scraped(url)
    assert sorted(on_the_page()) == sorted(family.name for family in shown.families.values())


async def test_labels_are_those_of_the_page_and_name_nobody(stage: Acted) -> None:
    async with watched(stage) as url:
        shown = await until_shown(url, 1, "syncer_looks_total", outcome="quiet")
    labels_by_name: dict[str, set[str]] = {name: set() for name in shown.families}
    for family in shown.families.values():
        for sample in family.samples:
            labels_by_name[family.name] |= sample.labels.keys() - {"le"}
    told_of = {name: set(re.findall(r"`([a-z_]+)`", labels)) for name, labels in on_the_page().items()}
    assert told_of == labels_by_name
    for family in shown.families.values():
        assert not {"tenant", "project", "calendar"} & labels_by_name[family.name]
    assert ANA not in shown.text
    assert "tenant-a" not in shown.text


async def test_rules_of_the_page_ask_for_metrics_that_there_are(stage: Acted) -> None:
    async with watched(stage) as url:
        shown = await scraped(url)
    rules = "".join(re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    named = set(re.findall(r"\b(?:syncer|process)_[a-z_]+", "\n".join(re.findall(r"expr: (.*)", rules))))
    assert named
    assert named <= {name for name, _ in shown.values}
    for name, label, word in re.findall(r"(syncer_[a-z_]+)\{([a-z]+)=\"([a-z_]+)\"", rules):
        assert any(found == name and (label, word) in labels for found, labels in shown.values), (name, word)


async def test_a_change_is_counted_on_its_whole_way(stage: Acted) -> None:
    booked = await stage.book()
    async with watched(stage) as url:
        await until_titled(stage, booked, "Standup")
        shown = await until_shown(url, 1, "syncer_change_to_applied_seconds_count")
        await stage.edit(booked, summary="Moved")
        await until_titled(stage, booked, "Moved")
        after = await until_shown(url, 2, "syncer_change_to_applied_seconds_count")
    assert shown.value("syncer_pulls_total", outcome="done") >= 1
    assert after.value("syncer_pushes_total", outcome="applied") >= 2
    for segment in ("google", "database", "provider", "delivery", "queue"):
        assert after.value("syncer_segment_seconds_count", segment=segment) > 0, segment
    assert after.value("syncer_change_to_applied_seconds_sum") < 60
    assert after.value("syncer_budget_requests", window="day", part="used") > 0


async def test_a_message_is_where_the_queue_begins(stage: Acted) -> None:
    booked = await stage.book()
    async with told(stage) as line:
        line.receiver.metrics.watch(supervisor=line.worker.supervisor)
        url = line.url.removesuffix("/notifications/google")
        await line.settled()
        before = await scraped(url)
        await stage.edit(booked, summary="Told of")
        await until_titled(stage, booked, "Told of")
        count = before.value("syncer_segment_seconds_count", segment="queue") + 1
        after = await until_shown(url, count, "syncer_segment_seconds_count", segment="queue")
    assert after.value("syncer_messages_total", outcome="marked") > 0
    assert after.value("syncer_segment_seconds_sum", segment="queue") > before.value(
        "syncer_segment_seconds_sum", segment="queue"
    )


async def test_the_database_is_counted_by_state(stage: Acted) -> None:
    database = stage.tools.database
    await database.run("UPDATE syncer.calendar SET state = 'parked', reason = $1 WHERE google_id = $2", LOST, ANA)
    async with Receiver(stage.tools).listening(ANYWHERE) as address:
        shown = await scraped(f"http://{address}")
    assert shown.value("syncer_calendars", state="parked") == 1
    assert shown.value("syncer_calendars", state="active") == 2
    assert shown.value("syncer_parked_calendars", reason="grant") == 1
    assert shown.value("syncer_database_answers") == 1


LOST = "127.0.0.1 answered 400 invalid_grant; the consent was revoked or has expired: let the user consent again"


async def test_a_process_that_only_receives_shows_what_it_has(stage: Acted) -> None:
    async with Receiver(stage.tools).listening(ANYWHERE) as address:
        shown = await scraped(f"http://{address}")
    assert "syncer_messages" in shown.families
    assert "syncer_looks" not in shown.families


async def test_it_is_shown_while_postgres_is_away(stage: Acted, away: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{away}/live") as live,
        session.get(f"{away}/ready") as ready,
    ):
        assert (live.status, ready.status) == (200, 503)
    shown = await scraped(away)
    assert shown.value("syncer_database_answers") == 0
    assert shown.families["syncer_calendars"].samples == []


async def test_a_role_without_rights_is_told_no_figures_and_alarms_nobody(stage: Acted) -> None:
    async with Database.opened(stage.dsn, connections=1) as database:
        await database.run("SET ROLE pg_monitor")
        receiver = Receiver(replace(stage.tools, database=database))
        async with receiver.listening(ANYWHERE) as address:
            shown = await scraped(f"http://{address}")
    assert shown.value("syncer_database_answers") == 1
    assert shown.families["syncer_calendars"].samples == []


@pytest.fixture
async def away(stage: Acted) -> AsyncIterator[str]:
    """A receiver whose Postgres is gone."""
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE) as address:
        stage.tools.database._pool.terminate()
        yield f"http://{address}"


async def test_nobody_is_ready_before_postgres_answers(stage: Acted) -> None:
    async with (
        Receiver(stage.tools).listening(ANYWHERE) as address,
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/ready") as ready,
    ):
        assert ready.status == 200


async def test_a_refusal_is_counted_by_its_reason(stage: Acted) -> None:
    await stage.google.control("PUT", "faults", {"next": {"server_error": 2}})
    async with watched(stage) as url:
        shown = await until_shown(url, 1, "syncer_refusals_total", by="google", reason="unreachable")
    assert shown.value("syncer_refusals_total", by="google", reason="throttled") == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobodys"}], ids=["no key", "a wrong one"])
async def test_a_backend_without_a_good_key_is_counted(stage: Acted, headers: dict[str, str]) -> None:
    async with (
        Receiver(stage.tools).listening(ANYWHERE) as address,
        aiohttp.ClientSession() as session,
        session.post(f"http://{address}/v1/calendars", headers=headers, json={}) as refused,
    ):
        assert refused.status == 401
        shown = await scraped(f"http://{address}")
    assert shown.value("syncer_refusals_total", by="receiver", reason="key") == 1


def test_every_error_has_one_of_the_reasons() -> None:
    class Stranger(Throttled):
        """Of a kind that is nobody's own."""

    assert tally.reason_of(Stranger("h", 429, "x")) == "throttled"
    counted = Tally()
    counted.refused(Unsent("h", 0, "x"))
    assert counted.refusals == {("ourselves", "budget"): 1}
    assert tally.reason_of(SetUpWrong("h", 403, "x")) == "set_up_wrong"
    assert tally.reason_of(StoreBusy("x")) == "store_unavailable"
    reasons = tally.reasons()
    for kind in OutsideError.__subclasses__():
        assert tally.reason_of(kind("h", 0, "x")) in reasons["google"]


def test_the_look_that_has_waited_longest_is_found() -> None:
    schedule, now = Schedule(60.0), datetime(2026, 12, 1, tzinfo=UTC)
    for slot in range(3):
        schedule.keep(slot, CalendarKey(1, slot), now, is_urgent=False)
    schedule.postpone(1, now - timedelta(minutes=5))
    schedule.drop(0)
    assert list(schedule.oldest_due())[-1] == (now - timedelta(minutes=5)).timestamp()
    assert schedule.due(now, 10) == [1]
    schedule.drop(2)
    assert list(schedule.oldest_due())[-1] == math.inf


def _found(outcome: Outcome | None, *, has_room: bool = True) -> Tally:
    """A change that was made a minute ago, and a push of it that came to this."""
    counted = Tally()
    counted._since[1, 7] = NOW - timedelta(minutes=1)
    counted.pushed((1, 7), Came([outcome] if outcome else [], has_room=has_room), NOW)
    return counted


def test_a_change_is_applied_when_the_provider_has_done_it() -> None:
    counted = _found(Retry("busy"))
    assert (counted.applied.count, counted.pushes["retry"]) == (0, 1)
    counted.pushed((1, 7), Came([], has_room=False), NOW)
    counted.pushed((1, 7), Came([Applied(Meeting("81"))]), NOW)
    assert (counted.applied.count, counted.applied.total) == (1, 60.0)
    assert counted.refusals == {("provider", "retry"): 1, ("provider", "no_room"): 1}


@pytest.mark.parametrize("outcome", [None, Gone(), Rejected("their words")], ids=["unchanged", "gone", "rejected"])
def test_what_is_never_applied_takes_no_time(outcome: Outcome | None) -> None:
    counted = _found(outcome)
    assert (counted.applied.count, counted._since) == (0, {})


def test_durations_are_counted_in_the_first_bucket_they_fit_in() -> None:
    durations = Durations((0.1, 1.0))
    for seconds in (0.1, 0.2, 5.0, -3.0):
        durations.note(seconds)
    assert list(durations.buckets()) == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert durations.count == 4
    assert durations.total == pytest.approx(5.3)
