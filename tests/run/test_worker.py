"""A worker serves until its bell rings, ends what is under way, and gives its lease back."""

import asyncio
import signal
from typing import Any
from urllib.parse import quote

import structlog.testing

from syncer.run.bells import Bells
from tests.cli.process import started
from tests.run.worker import SECONDS, a_worker, until, until_row, until_titled, variables
from tests.simulator.google_stage import ANA, CLEO
from tests.sync.stage import GRACE, Acted, Booked, add_tenant

FREE = "SELECT bool_and(owner IS NULL) FROM syncer.lease"
TAKEN = "SELECT bool_and(owner IS NOT NULL) FROM syncer.lease"


async def test_a_worker_follows_and_brings_back_what_is_due(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage):
        await until_titled(stage, booked, "Standup")
        await stage.edit(booked, summary="Renamed")
        await until_titled(stage, booked, "Renamed")
        await stage.delete(booked)
        await until_row(stage, "SELECT bool_and(state = 'leaving') FROM syncer.conference")
        await stage.pass_time(GRACE * 2)
        await until_row(stage, "SELECT bool_and(state = 'deleted') FROM syncer.conference")
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_a_worker_reads_meetings_back(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage, read_back_seconds=0.2):
        await until_titled(stage, booked, "Standup")
        await stage.change_meeting(booked, title="By the vendor's user", passcode="777")
        await until_titled(stage, booked, "Standup")
        await until_row(stage, "SELECT count(*) > 0 FROM syncer.history WHERE kind = 'wrote_back'")


async def test_a_running_worker_sees_new_tenants_and_calendars(stage: Acted) -> None:
    async with a_worker(stage):
        await until_row(stage, TAKEN)
        await add_tenant(stage, "other", CLEO)
        booked = await stage.book("Theirs", calendar=CLEO)
        await until_titled(stage, booked, "Theirs")


async def test_a_paused_tenant_is_left_alone(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("UPDATE syncer.tenant SET state = 'paused'")
    await add_tenant(stage, "other", CLEO)
    theirs = await stage.book("Theirs", calendar=CLEO)
    async with a_worker(stage):
        await until_titled(stage, theirs, "Theirs")
    assert (await stage.meeting(booked))["title"] is None


async def test_a_bad_row_stops_its_own_tenant_only(stage: Acted, booked: Booked) -> None:
    await add_tenant(stage, "other", CLEO)
    theirs = await stage.book("Theirs", calendar=CLEO)
    await stage.tools.database.run("""UPDATE syncer.tenant SET matchers = '[7]' WHERE slug = 'acme'""")
    await stage.tools.database.run("UPDATE syncer.calendar SET addresses = ARRAY[NULL]::text[]")
    async with a_worker(stage):
        await until_titled(stage, theirs, "Theirs")
    assert (await stage.meeting(booked))["title"] is None


async def test_a_provider_that_hangs_holds_up_no_other_meeting(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"slow": 1}, slow_seconds=3)
    async with a_worker(stage):
        await until_row(stage, "SELECT count(*) > 0 FROM syncer.conference")
        other = await stage.book("Other")
        await until_titled(stage, other, "Other")
        assert (await stage.meeting(booked))["title"] is None


async def test_the_stop_bell_lets_what_is_under_way_end(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"slow": 1}, slow_seconds=0.5)
    async with a_worker(stage) as worker:
        await until(lambda: _slow(stage))
        worker.bells.ring()
        await worker.ended()
    assert (await stage.meeting(booked))["title"] == "Standup"
    assert await stage.tools.database.value("SELECT applied_version = wanted_version FROM syncer.conference")
    assert await stage.tools.database.value(FREE)


async def test_after_the_stop_bell_nothing_new_begins(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage) as worker:
        await until_titled(stage, booked, "Standup")
        worker.bells.ring()
        await worker.ended()
    before = await stage.requests("GET")
    await stage.edit(booked, summary="Renamed")
    assert (await stage.requests("GET"), await stage.tools.database.value(FREE)) == (before, True)


async def test_a_second_ring_ends_at_once_and_loses_nothing(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"slow": 1}, slow_seconds=30)
    async with a_worker(stage) as worker:
        await until(lambda: _slow(stage))
        worker.bells.ring()
        worker.bells.ring()
        async with asyncio.timeout(2):
            await worker.ended()
    assert await stage.tools.database.value(FREE)
    assert await stage.tools.database.value("SELECT applied_version < wanted_version FROM syncer.conference")
    async with a_worker(stage):
        await until_titled(stage, booked, "Standup")


async def test_what_takes_longer_than_the_grace_is_cancelled(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"slow": 1}, slow_seconds=30)
    async with a_worker(stage, grace_seconds=0.2) as worker:
        await until(lambda: _slow(stage))
        worker.bells.ring()
        async with asyncio.timeout(3):
            await worker.ended()
    assert await stage.tools.database.value(FREE)


def test_bells_ring_stop_first_and_cancel_then() -> None:
    bells = Bells()
    bells.ring()
    assert (bells.stop.is_set(), bells.cancel.is_set()) == (True, False)
    bells.ring()
    assert bells.cancel.is_set()


async def test_a_terminated_process_ends_well_and_gives_its_lease_back(stage: Acted, booked: Booked) -> None:
    with started("run", **variables(stage)) as process:
        await until_titled(stage, booked, "Standup")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, SECONDS) == 0
    assert await stage.tools.database.value(FREE)


async def test_a_killed_process_loses_nothing(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"slow": 1}, slow_seconds=0.5)
    with started("run", **variables(stage)) as process:
        await until(lambda: _slow(stage))
        process.kill()
        await asyncio.to_thread(process.wait, SECONDS)
    await stage.edit(booked, summary="Renamed")
    await stage.tools.database.run("UPDATE syncer.lease SET until = syncer.clock() - interval '1 second'")
    async with a_worker(stage):
        await until_titled(stage, booked, "Renamed")
    done = [call for call in await stage.calls("update") if call["applied"] and call["holds"]["title"] == "Renamed"]
    assert len(done) == 1


async def test_a_worker_without_its_database_comes_back(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage):
        await until_titled(stage, booked, "Standup")
        await _cut(stage)
        await stage.edit(booked, summary="Renamed")
        await until_titled(stage, booked, "Renamed")


async def _cut(stage: Acted) -> None:
    """All connections of workers are ended by Postgres."""
    try:
        await stage.tools.database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'syncer'"
        )
    except Exception as error:  # noqa: BLE001 (our own connection is one of them)
        assert type(error).__name__ == "StoreUnavailable"  # noqa: PT017


async def _slow(stage: Acted) -> bool:
    """The vendor lets somebody wait."""
    async with stage.vendor.session.get(f"{stage.vendor.root}simulator/faults") as response:
        return int((await response.json())["happened"].get("slow", 0)) > 0


async def test_trouble_is_told_once_for_each_kind_and_once_when_it_is_over(stage: Acted, booked: Booked) -> None:
    with structlog.testing.capture_logs() as lines:
        async with a_worker(stage):
            await until_titled(stage, booked, "Standup")
            await stage.set_google_faults(chance={"server_error": 1.0})
            await until_row(stage, "SELECT max(failures) >= 2 FROM syncer.calendar")
            await stage.set_google_faults(chance={})
            await until_row(stage, "SELECT max(failures) = 0 FROM syncer.calendar")
    told = [(line["event"], line["calendar_id"]) for line in lines if line["event"].startswith("calendar ")]
    assert len(told) == len(set(told))
    assert {event for event, _ in told} == {"calendar fails", "calendar recovered"}


async def _told(lines: list[Any], event: str) -> bool:
    return event in [line["event"] for line in lines]


async def test_one_calendars_trouble_is_told_once_and_once_when_it_is_over(stage: Acted, booked: Booked) -> None:
    rule = f"calendars/{quote(ANA)}/acl"
    with structlog.testing.capture_logs() as lines:
        async with a_worker(stage):
            await until_titled(stage, booked, "Standup")
            await stage.google.control("PUT", rule, {"user": ANA, "role": "none"})
            await until_row(stage, "SELECT max(failures) = 1 FROM syncer.calendar")
            await stage.tools.database.run("UPDATE syncer.calendar SET next_look_at = NULL")
            await until_row(stage, "SELECT max(failures) = 2 FROM syncer.calendar")
            await stage.google.control("PUT", rule, {"user": ANA, "role": "owner"})
            await stage.tools.database.run("UPDATE syncer.calendar SET next_look_at = NULL")
            await until(lambda: _told(lines, "calendar recovered"))
    told = [line["event"] for line in lines if line["event"] in ("looks fail", "calendar fails", "calendar recovered")]
    assert told == ["calendar fails", "calendar recovered"]
