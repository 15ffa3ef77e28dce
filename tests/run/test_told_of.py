"""A change that Google tells of is followed at once, whatever happens to messages, connections and workers."""

from datetime import timedelta

import pytest

from tests.run.told import ALL_OPEN, NO_MARK, Told, channels, counted, notify, told
from tests.run.worker import a_worker, until, until_row, until_titled
from tests.simulator.google_stage import ANA
from tests.sync.stage import Acted, Booked

MARKED = "SELECT count(*) > 0 FROM syncer.notified"


async def test_a_change_is_followed_within_a_second_however_rarely_calendars_are_looked_at(stage: Acted) -> None:
    async with told(stage) as worker:
        await worker.settled()
        booked = await stage.book()
        await until_titled(stage, booked, "Standup")
        await worker.settled()
        took = []
        for title in ("One", "Two", "Three"):
            await stage.edit(booked, summary=title)
            await until_titled(stage, booked, title)
            born, applied = await _moments(stage, booked)
            took.append(applied - born)
            await worker.settled()
    # Of three, for this machine may have much else to do.
    assert min(took) < 1000


async def _moments(stage: Acted, booked: Booked) -> tuple[float, float]:
    """When the last change was made at Google and when its meeting was changed, in milliseconds."""
    edits = (await stage.google.control("GET", "diary"))["entries"]
    born = max(row["monotonic_ms"] for row in edits if row.get("change") and row["actor"] == "people")
    applied = max(row["monotonic_ms"] for row in await stage.calls("update") if row["meeting_id"] == booked.meeting_id)
    return born, applied


async def test_a_burst_costs_few_looks_and_its_last_change_is_followed(stage: Acted) -> None:
    async with told(stage) as worker:
        booked = await stage.book()
        await until_titled(stage, booked, "Standup")
        await worker.settled()
        before = await worker.looks()
        for number in range(20):
            await stage.edit(booked, summary=f"Name {number}")
            await stage.google.control("POST", f"calendars/{ANA}/tell", {"times": 10})
        await until_titled(stage, booked, "Name 19")
        await worker.settled()
        assert (await counted(stage))["counts"]["announced"] > 200
        # Once a second at most while it lasts, once after its last message, and once more where that finds nothing.
        assert await worker.looks() - before < 20


async def test_a_message_that_tells_of_nothing_costs_two_looks(stage: Acted) -> None:
    async with told(stage) as worker:
        await worker.settled()
        before = await worker.looks()
        await stage.google.control("POST", f"calendars/{ANA}/tell", {"times": 1})
        await until(lambda: _have_looked(worker, before + 2))
        await worker.settled()
        assert await worker.looks() == before + 2


async def _have_looked(worker: Told, count: int) -> bool:
    return await worker.looks() >= count


async def test_what_was_told_while_no_worker_ran_is_looked_at_first(stage: Acted) -> None:
    async with told(stage) as worker:
        await worker.settled()
        url = worker.url
        worker.worker.bells.ring()
        await worker.worker.ended()
        booked = await stage.book()
        await until_row(stage, MARKED)
        async with a_worker(stage, cycle_seconds=36_000.0, notifications_url=url):
            await until_titled(stage, booked, "Standup")
            await until_row(stage, NO_MARK)


async def test_what_was_told_while_nobody_listened_is_looked_at_once_the_connection_is_back(stage: Acted) -> None:
    async with told(stage) as worker:
        await worker.settled()
        worker.worker.supervisor._notified.ear.close()  # as if it had been cut unseen
        booked = await stage.book()
        await until_titled(stage, booked, "Standup")


async def test_a_mark_outlives_looks_that_fail(stage: Acted) -> None:
    async with told(stage) as worker:
        await worker.settled()
        await stage.set_google_faults(chance={"server_error": 1.0})
        booked = await stage.book()
        await until_row(stage, "SELECT max(failures) > 0 FROM syncer.calendar")
        assert await stage.tools.database.value(MARKED)
        await stage.set_google_faults(chance={})
        await until_titled(stage, booked, "Standup")
        await until_row(stage, NO_MARK)


async def test_a_change_while_a_channel_is_made_is_followed(stage: Acted) -> None:
    await notify(stage, loss=1.0)
    booked = await stage.book()
    async with told(stage):
        await until_row(stage, ALL_OPEN)
        await until_titled(stage, booked, "Standup")


@pytest.mark.parametrize("how", [{"duplicate": 0.5, "several": 0.5}, {"reorder": 0.5, "delay_seconds": [0, 0.2]}])
async def test_however_messages_come_the_last_change_is_followed(stage: Acted, how: dict[str, object]) -> None:
    await notify(stage, **how)
    async with told(stage) as worker:
        await until_row(stage, ALL_OPEN)
        booked = await stage.book()
        for number in range(10):
            await stage.edit(booked, summary=f"Name {number}")
        await until_titled(stage, booked, "Name 9")
        assert worker.receiver.notifications.counts.unknown == 0


async def test_a_calendar_that_comes_back_from_a_pause_is_told_of_again(stage: Acted) -> None:
    async with told(stage):
        await until_row(stage, ALL_OPEN)
        await stage.tools.database.run("UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", ANA)
        await until_row(stage, "SELECT count(*) = 2 FROM syncer.channel")
        booked = await stage.book()
        await stage.tools.database.run("UPDATE syncer.calendar SET state = 'active' WHERE google_id = $1", ANA)
        await until_titled(stage, booked, "Standup")
        await until_row(stage, ALL_OPEN)
        await stage.edit(booked, summary="Renamed")
        await until_titled(stage, booked, "Renamed")


async def test_a_change_while_channels_are_renewed_is_followed(stage: Acted) -> None:
    async with told(stage) as worker:
        await until_row(stage, ALL_OPEN)
        booked = await stage.book()
        await until_titled(stage, booked, "Standup")
        await worker.settled()
        await stage.pass_time(timedelta(days=6.9))
        for number in range(5):
            await stage.edit(booked, summary=f"Name {number}")
        await until_titled(stage, booked, "Name 4")
        await until_row(stage, ALL_OPEN)
        await worker.settled()
        assert {one["state"] for one in await channels(stage)} <= {"live", "stopped"}
