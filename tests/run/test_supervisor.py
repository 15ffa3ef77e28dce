"""A worker keeps its lease while it lists, and no crowd of pushes or first reads holds up the others."""

from datetime import timedelta

from syncer.run.room import Room
from tests.run.worker import a_worker, until, until_row, until_titled
from tests.simulator.google_stage import BO
from tests.sync.stage import Acted, Booked


async def test_a_lease_is_kept_while_a_listing_takes_longer_than_it_lasts(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage, lease_seconds=2) as worker:
        await until_titled(stage, booked, "Standup")
        until_then = "SELECT until FROM syncer.lease"
        async with stage.tools.database._pool.acquire() as other, other.transaction():
            await other.execute("LOCK TABLE syncer.tenant IN ACCESS EXCLUSIVE MODE")
            begun = await stage.tools.database.value(until_then)
            later = begun + timedelta(seconds=2)

            async def is_renewed() -> bool:
                return bool(await stage.tools.database.value(until_then) > later)

            await until(is_renewed)
        await stage.edit(booked, summary="Renamed")
        await until_titled(stage, booked, "Renamed")
        assert await stage.tools.database.value("SELECT epoch FROM syncer.lease") == 2
        assert not worker.task.done()


async def test_first_reads_that_wait_hold_up_no_quick_look(stage: Acted, booked: Booked) -> None:
    async with a_worker(stage) as worker:
        await until_titled(stage, booked, "Standup")
        supervisor = worker.supervisor
        for places in (supervisor._places.long_pulls, supervisor._places.long_sweeps):
            while not places.locked():
                await places.acquire()
        await stage.tools.database.run(
            "UPDATE syncer.calendar SET sync_token = NULL, is_full_read = true WHERE google_id = $1", BO
        )
        await stage.edit(booked, summary="Renamed")
        await until_titled(stage, booked, "Renamed")
        supervisor._places.long_pulls.release()
        supervisor._places.long_sweeps.release()
        await until_row(stage, f"SELECT generation = 2 FROM syncer.calendar WHERE google_id = '{BO}'")  # noqa: S608


async def test_a_crowd_of_pushes_is_left_in_its_rows_and_found_again(stage: Acted) -> None:
    await stage.tools.database.run(
        "INSERT INTO syncer.conference (tenant_id, account_id, meeting_id, wanted_version) "
        "SELECT tenant_id, account_id, n, 1 FROM syncer.tenant, generate_series(1, 700) AS n"
    )
    async with a_worker(stage, rescue_seconds=1) as worker:
        most = 0

        async def is_done() -> bool:
            nonlocal most
            most = max(most, len(worker.supervisor._pushing))
            waiting = "SELECT count(*) = 0 FROM syncer.conference WHERE wanted_version > applied_version"
            return bool(await stage.tools.database.value(waiting))

        await until(is_done)
    assert 0 < most <= 200


def test_room_is_found_again_when_half_of_it_is_free() -> None:
    room = Room(16)
    assert [room.enter(1, 7) for _ in range(201)] == [True] * 200 + [False]
    assert room.enter(2, 7)
    for _ in range(99):
        room.leave(1, 7)
    assert not room.bell.is_set()
    room.leave(1, 7)
    assert room.bell.is_set()


def test_an_account_has_work_for_its_places_however_crowded_the_others_are() -> None:
    room = Room(16)
    for account_id in range(50):
        while room.enter(account_id, 7):
            pass
    assert [room.enter(99, 7) for _ in range(17)] == [True] * 16 + [False]


def test_a_bell_is_not_needed_where_nobody_was_turned_away() -> None:
    room = Room(16)
    assert room.enter(1, 7)
    room.leave(1, 7)
    assert not room.bell.is_set()


def test_a_tenant_finds_room_however_much_another_of_its_account_has_waiting() -> None:
    room = Room(16)
    while room.enter(1, 7):
        pass
    assert [room.enter(1, 8) for _ in range(5)] == [True] * 4 + [False]
