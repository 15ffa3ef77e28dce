"""The demo: it judges honestly, leaves nothing behind, and refuses in sentences what it cannot do."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from syncer.cli.application import invoke
from syncer.cli.demo import show
from syncer.embedded import folders
from syncer.model.errors import OperatorError
from syncer.settings import Settings
from syncer.simulator.conferencing import changes as vendor_changes
from syncer.simulator.conferencing import faults as vendor_faults
from syncer.simulator.demo import kinds as demo_kinds
from syncer.simulator.demo import latency, remains
from syncer.simulator.demo.claim import claimed
from syncer.simulator.demo.latency import Diaries, Followed
from syncer.simulator.demo.ledger import Ledger
from syncer.simulator.demo.report import OF_SERIES, Clearing, Report, Size
from syncer.simulator.demo.staging import staged
from syncer.simulator.demo.wishes import Wishes
from syncer.simulator.demo.worker import Worker
from syncer.simulator.google import faults as google_faults
from syncer.simulator.google import quotas
from syncer.simulator.judge.verdict import Finding, Standing, Verdict
from syncer.simulator.people.record import Edit, Kind, Meant, Reference, SeriesKind, kinds_of
from syncer.store.database import Database
from tests.waiting import until

EXPORT = Path(__file__).parent / "exports" / "team.ics"
WHERE = Reference("tenant-1", "ana@tenant-1.test", "e1")
TIMES: dict[str, Any] = {
    "starts": {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Paris"},
    "ends": {"dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/Paris"},
}


def meant(title: str) -> Meant:
    return Meant(title=title, description=None, location=None, guests=0, meeting_id="m1", **TIMES)


def renamed(title: str, at_ms: float) -> Edit:
    return Edit(Kind.RENAME, WHERE, "m1", at_ms, at_ms + 1, '"1"', meant(title))


def call(title: str, at_ms: float, **more: Any) -> dict[str, Any]:
    holds = {
        "title": title,
        "organizer": WHERE.calendar_id,
        "attendee_count": 0,
        "start": "2026-12-01T09:00:00Z",
        "end": "2026-12-01T10:00:00Z",
    }
    entry = {"face": "webhook", "applied": True, "action": "update", "meeting_id": "m1", "monotonic_ms": at_ms}
    return {**entry, "holds": holds, **more}


def call_of_series(at_ms: float, **more: Any) -> dict[str, Any]:
    entry = call("weekly", at_ms)
    lines = {"timezone": "Europe/Paris", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "overrides": [], "further": []}
    entry["holds"] |= lines | more
    return entry


async def works(worker: Worker) -> None:
    while worker.address() is None:
        worker.check()
        await asyncio.sleep(0.02)


async def watch(worker: Worker) -> None:
    while True:
        worker.check()
        await asyncio.sleep(0.02)


def report(*, standing: Standing = Standing.RIGHT, edits: tuple[Edit, ...] = ()) -> Report:
    findings = () if standing is Standing.RIGHT else (Finding(standing, "tenant-1", "m1", "why"),)
    return Report(
        size=Size(1, 2, 1, 0, 1),
        followed=[Followed(edit, 5.0) for edit in edits],
        faults={"google_410": 1},
        diaries=Diaries((), ()),
        clearing=Clearing(held=25, released=25, was_held_right=True),
        verdict=Verdict({("tenant-1", "m1"): standing}, findings),
        skipped=(),
        told={},
        seconds=1.0,
        unsettled=None,
    )


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        pytest.param({"edits": 30}, "--edits", id="fewer edits than kinds"),
        pytest.param({"calendars": 1}, "--calendars", id="nowhere to move to"),
        pytest.param({"tenants": 0}, "--tenants", id="no tenant"),
        pytest.param({"exports": (EXPORT,) * 7}, "more files than calendars", id="too many files"),
    ],
)
def test_a_wish_that_makes_no_demo_is_refused(wish: dict[str, Any], word: str) -> None:
    with pytest.raises(OperatorError, match=word) as refused:
        Wishes(**wish)
    assert refused.value.exit_code == 2


def test_latency_runs_to_the_first_call_that_holds_what_was_meant() -> None:
    diary = Diaries((), [call("old", 11.0), call("new", 30.0), call("new", 40.0)])

    assert [one.latency_ms for one in latency.measure([renamed("new", 10.0)], diary)] == [19.0]


def test_an_edit_that_a_later_one_overtook_counts_with_the_later_state() -> None:
    edits = [renamed("first", 10.0), renamed("second", 20.0)]

    found = latency.measure(edits, Diaries((), [call("second", 31.0)]))

    assert [one.latency_ms for one in found] == [20.0, 10.0]


def test_a_deletion_runs_to_the_call_that_deletes() -> None:
    deleted = Edit(Kind.DELETE, WHERE, "m1", 10.0, 11.0)

    found = latency.measure([deleted], Diaries((), [call("x", 12.0), call("x", 21.0, action="delete", holds=None)]))

    assert [one.latency_ms for one in found] == [10.0]


def test_a_kind_that_never_happened_fails_the_demo() -> None:
    all_kinds = tuple(Edit(kind, WHERE, "m1", 1.0, 2.0) for kind in kinds_of())

    assert report(edits=all_kinds).is_good
    assert not report(edits=all_kinds[1:]).is_good
    assert report(edits=all_kinds[1:]).missing == ["create"]


def test_every_kind_of_edit_of_series_is_told_in_one_row() -> None:
    told = [kind for kinds in OF_SERIES.values() for kind in kinds]

    assert sorted(told) == sorted(SeriesKind)


def test_an_edit_of_an_instance_runs_to_the_call_that_has_it_and_a_cancellation_to_the_one_without() -> None:
    series = replace(meant("weekly"), recurrence=("RRULE:FREQ=WEEKLY;COUNT=3",))
    original = {"dateTime": "2026-12-08T10:00:00+01:00", "timeZone": "Europe/Paris"}
    ends = {"dateTime": "2026-12-08T11:00:00+01:00", "timeZone": "Europe/Paris"}
    one = replace(meant("weekly"), master=WHERE, original=original, starts=original, ends=ends)
    renamed_one = replace(one, title="this time")
    there = Reference(WHERE.tenant, WHERE.calendar_id, "e1_2")
    edits = [
        Edit(SeriesKind.CREATE_SERIES, WHERE, "m1", 10.0, 11.0, None, series),
        Edit(SeriesKind.RENAME_INSTANCE, there, "m1", 20.0, 21.0, None, renamed_one),
        Edit(SeriesKind.CANCEL_INSTANCE, there, "m1", 30.0, 31.0, was=renamed_one),
    ]
    instead = {
        "original_start": "2026-12-08T09:00:00Z",
        "start": "2026-12-08T09:00:00Z",
        "end": "2026-12-08T10:00:00Z",
        "title": "this time",
    }
    diary = [
        call_of_series(15.0),
        call_of_series(26.0, overrides=[instead]),
        call_of_series(37.0, recurrence=[*series.recurrence, "EXDATE;TZID=Europe/Paris:20261208T100000"]),
    ]

    found = latency.measure(edits, Diaries((), diary))

    assert [one.latency_ms for one in found] == [4.0, 5.0, 6.0]


def test_every_kind_of_fault_that_a_simulator_knows_strikes_in_a_demo_and_has_words() -> None:
    spoken = {name for words in demo_kinds.SPOKEN.values() for name in words}
    limits = {field.name for field in fields(quotas.Limits)} - {"calendar_seconds"}

    assert set(demo_kinds.GOOGLE) == set(google_faults.KINDS)
    assert set(demo_kinds.QUOTAS) == {*limits, "use_limit"}
    # What is refused for good stays so until a person mends it, and a demo is to come right by itself.
    assert set(demo_kinds.VENDOR) == {fault.value for fault in vendor_faults.Fault} - {"refused"}
    assert set(demo_kinds.CHANGES) == {mishap.value for mishap in vendor_changes.Mishap}
    names = (demo_kinds.GOOGLE, demo_kinds.QUOTAS, demo_kinds.VENDOR, demo_kinds.CHANGES)
    struck = {name for kinds in names for name in kinds.values()}
    messages = {demo_kinds.MESSAGE_LOST, demo_kinds.MESSAGE_DOUBLED}
    assert spoken == {*struck, *demo_kinds.ACCESS, *messages, demo_kinds.HEAVY_PATCH, demo_kinds.KILLED}


async def test_where_a_worker_takes_calls_is_known_anew_after_each_start(tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": "nowhere"}, tmp_path / "worker.log")
    said = '{{"where":"http://127.0.0.1:{port}","event":"taking calls"}}\n'
    worker.log_path.write_text(said.format(port=1), "utf-8")
    await worker.start()

    assert worker.address() is None
    with worker.log_path.open("a", encoding="utf-8") as log:
        log.write(said.format(port=2))
    assert worker.address() == "http://127.0.0.1:2"
    await worker.kill()
    assert worker.address() is None


def test_a_wrong_meeting_fails_the_demo_and_its_edit_does_not_follow() -> None:
    found = report(standing=Standing.WRONG, edits=(renamed("new", 1.0),))

    assert not found.converged
    assert found.as_json()["wrong"] == 1
    assert next(tally for tally in found.tallies() if tally.name == Kind.RENAME).following == 0


async def test_a_worker_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": "nowhere"}, tmp_path / "worker.log")
    await worker.start()

    with pytest.raises(OperatorError, match="SYNCER_DATABASE_URL"):
        await asyncio.wait_for(watch(worker), 30)


async def test_a_worker_that_we_kill_did_not_end_by_itself(tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": "nowhere"}, tmp_path / "worker.log")
    await worker.start()

    killing = asyncio.create_task(worker.kill())
    while not killing.done():
        await asyncio.sleep(0)
        worker.check()

    assert worker.kills == 1


async def test_a_kill_that_is_called_off_leaves_room_for_the_next_worker(tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": "nowhere"}, tmp_path / "worker.log")
    await worker.start()
    killing = asyncio.create_task(worker.kill())
    await until(lambda: worker.kills == 1)
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)

    worker.check()
    await worker.start()

    with pytest.raises(OperatorError, match="SYNCER_DATABASE_URL"):
        await asyncio.wait_for(watch(worker), 30)


async def test_a_worker_that_hands_over_goes_once_the_fresh_one_takes_calls(database: str, tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": database, "SYNCER_LISTEN": "127.0.0.1:0"}, tmp_path / "worker.log")
    await worker.start()
    try:
        await asyncio.wait_for(works(worker), 60)
        await worker.stand_by()
        assert worker.log_path.read_text("utf-8").count('"taking calls"') == 1
        before = worker.address()
        await worker.hand_over()
        assert worker.address() not in (None, before)
        said = worker.log_path.read_text("utf-8")
        assert said.rindex('"taking calls"') < said.index('"draining"')
        worker.check()
    finally:
        await worker.stop()


async def test_a_fresh_one_that_ends_by_itself_is_told_at_the_hand_over(tmp_path: Path) -> None:
    worker = Worker({"SYNCER_DATABASE_URL": "nowhere"}, tmp_path / "worker.log")
    await worker.hand_over()

    with pytest.raises(OperatorError, match="SYNCER_DATABASE_URL"):
        worker.check()


THEIRS = (
    "INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:x');"
    "INSERT INTO syncer.project (slug) VALUES ('{0}');"
    "INSERT INTO syncer.tenant (slug, project_id, account_id, credential)"
    " SELECT 'theirs', project_id, account_id, 'file:x' FROM syncer.project, syncer.provider_account"
)


@pytest.mark.parametrize("options", [[], ["--ics", str(EXPORT)]], ids=["plain", "with an export"])
@pytest.mark.parametrize("project", ["main", "demo-abc123"])
def test_a_database_that_holds_others_projects_is_refused_untouched(
    project: str,
    options: list[str],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    execute(database, THEIRS.format(project))
    monkeypatch.setenv("SYNCER_DATABASE_URL", database)

    assert invoke(["demo", *options]) == 1

    said = capsys.readouterr().err
    assert f"holds projects that are not the demo's ({project}): give it an empty database" in said
    assert fetch(database, "SELECT count(*) FROM syncer.test_clock") == 0
    assert fetch(database, "SELECT count(*) FROM syncer.tenant") == 1
    assert fetch(database, "SELECT count(*) FROM syncer.project") == 1


async def test_a_second_demo_on_a_database_is_refused(database: str) -> None:
    async with claimed(database):
        with pytest.raises(OperatorError, match="Another demo is using"):
            async with claimed(database):
                pytest.fail("it was let in")
    async with claimed(database):
        pass


def test_the_next_demo_removes_what_a_killed_one_left(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "SYNCER_DATABASE_URL": database, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "syncer", "demo", "--ics", str(EXPORT), "--calendars", "2"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as killed:
        wait_until(lambda: fetch(database, "SELECT count(*) FROM syncer.lease WHERE owner IS NOT NULL") == 1)
        killed.kill()
    slug = fetch(database, "SELECT slug FROM syncer.project")
    assert fetch(database, "SELECT shift < interval '-1 day' FROM syncer.test_clock")
    assert len(list(tmp_path.glob("syncer-demo-*"))) == 1
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told: list[str] = []

    asyncio.run(_set_up_and_leave(database, told.append))

    assert len(told) == 1
    assert told[0].startswith(f"Removed what a demo that was killed had left behind: project {slug}, the clock that")
    assert f"folder {tmp_path}" in told[0]
    assert list(tmp_path.glob("*syncer-demo-*")) == []
    for table in ("tenant", "project", "provider_account", "test_clock", "history"):
        assert fetch(database, f"SELECT count(*) FROM syncer.{table}") == 0  # noqa: S608


async def _set_up_and_leave(dsn: str, tell: Callable[[str], None]) -> None:
    async with staged(Wishes(tenants=1, calendars=2), Settings(database_url=SecretStr(dsn)), tell):
        pass


def test_the_folder_of_a_demo_that_goes_on_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with folders.owned(remains.PREFIX) as folder:
        assert remains.reap_folders() == []
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_breaks_off_is_named_with_what_it_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SYNCER_DATABASE_URL", raising=False)
    cut = tmp_path / "cut.ics"
    cut.write_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:one@example.org\nDTSTART:20240709T130000Z\n", "utf-8")

    assert invoke(["demo", "--ics", str(cut)]) == 2

    said = " ".join(capsys.readouterr().err.split())
    assert "one@example.org: it has no END:VEVENT of its own" in said
    assert "cut.ics: it breaks off before its END:VCALENDAR" in said


def test_the_report_says_both_verdicts_and_why_times_are_blank(capsys: pytest.CaptureFixture[str]) -> None:
    show(report(edits=(renamed("new", 1.0),)))

    told = " ".join(capsys.readouterr().out.split())
    assert "(held: judged right; released: judged right)" in told
    assert "Times are blank for edits that need no call of their own" in told


def test_what_the_service_did_to_a_meeting_can_be_told(database: str) -> None:
    execute(
        database,
        "INSERT INTO syncer.project (slug) VALUES ('p');"
        "INSERT INTO syncer.provider_account (provider, credential) VALUES ('webhook', 'file:x');"
        "INSERT INTO syncer.tenant (slug, project_id, account_id, credential)"
        " SELECT 't', project_id, account_id, 'file:x' FROM syncer.project, syncer.provider_account;"
        "INSERT INTO syncer.conference (tenant_id, account_id, meeting_id)"
        " SELECT tenant_id, account_id, 'm1' FROM syncer.tenant;"
        "INSERT INTO syncer.history (tenant_id, conference_id, kind)"
        " SELECT tenant_id, conference_id, 'updated' FROM syncer.conference",
    )

    told = asyncio.run(_ask(database, "m1"))

    assert told is not None
    assert (told["state"], [entry["kind"] for entry in told["history"]]) == ("live", ["updated"])
    assert asyncio.run(_ask(database, "m2")) is None


async def _ask(dsn: str, meeting_id: str) -> dict[str, Any] | None:
    async with Database.opened(dsn, connections=1) as opened:
        return await Ledger(opened, "p").told("t", meeting_id)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--kill-workers", "--edits", "44", "--seed", "5"], id="workers killed"),
        pytest.param(["--ics", str(EXPORT), "--edits", "56", "--seed", "6"], id="through the time of an export"),
    ],
)
def test_every_meeting_follows_and_nothing_stays_behind(
    options: list[str], database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYNCER_DATABASE_URL", database)

    code = invoke(["demo", "--json", "--calendars", "2", *options])

    said = capsys.readouterr()
    assert said.out, said.err
    told = json.loads(said.out)
    assert told["findings"] == []
    assert (code, told["converged"], told["unsettled"], told["missing"]) == (0, True, None, [])
    assert told["held"] == told["released"] >= 25
    assert told["conflicts_412"] > 0
    names = {name for words in demo_kinds.SPOKEN.values() for name in words} - {
        demo_kinds.KILLED,
        demo_kinds.MESSAGE_LOST,
        demo_kinds.MESSAGE_DOUBLED,
    }
    assert names <= told["faults_by_kind"].keys()
    assert all(told["faults_by_kind"].values())
    for table in ("tenant", "project", "provider_account", "test_clock", "history"):
        assert fetch(database, f"SELECT count(*) FROM syncer.{table}") == 0  # noqa: S608


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def execute(dsn: str, sql: str) -> None:
    asyncio.run(_with(dsn, lambda connection: connection.execute(sql)))


def fetch(dsn: str, sql: str) -> Any:
    return asyncio.run(_with(dsn, lambda connection: connection.fetchval(sql)))


async def _with(dsn: str, act: Callable[[asyncpg.Connection], Any]) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await act(connection)
    finally:
        await connection.close()
