"""Every calendar that is served has a channel for as long as it is, and none is left behind."""

from datetime import timedelta

import pytest
import structlog.testing

from syncer.store import channels as rows
from tests.run.told import ALL_OPEN, Told, channels, counted, live, notify, told, until_live
from tests.run.worker import until, until_row, until_titled
from tests.simulator.google_stage import ANA, BO, ROOM
from tests.sync.stage import Acted

NOWHERE = "https://sync.example.org/notifications/google"


async def sorted_calls(stage: Acted) -> list[tuple[str, str]]:
    """The worker's requests about channels, in order: what, and of which channel."""
    posted = [row for row in await stage.requests("POST") if row["path"].endswith(("/watch", "/stop"))]
    return [(row["path"].rpartition("/")[2], row["channel_id"]) for row in posted]


async def test_every_calendar_has_a_channel(stage: Acted) -> None:
    async with told(stage):
        await until_live(stage, ANA, BO, ROOM)
        await until_row(stage, ALL_OPEN)
    assert [what for what, _ in await sorted_calls(stage)] == ["watch"] * 3


async def test_without_an_address_nothing_is_asked_for(stage: Acted) -> None:
    async with told(stage, notifications_url=None, cycle_seconds=0.2) as worker:
        await until(lambda: _has_looked(worker))
    assert (await channels(stage), await sorted_calls(stage)) == ([], [])


async def _has_looked(worker: Told) -> bool:
    return await worker.looks() > 9


async def test_a_channel_is_renewed_under_a_new_id_before_the_old_one_is_stopped(stage: Acted) -> None:
    async with told(stage):
        await until_row(stage, ALL_OPEN)
        before = {one["id"]: one["calendar_id"] for one in await channels(stage)}
        await stage.pass_time(timedelta(days=6.9))
        await until(lambda: _are_replaced(stage, before))
    order = await sorted_calls(stage)
    calendar_of = {one["id"]: one["calendar_id"] for one in await channels(stage)}
    for old, calendar_id in before.items():
        new = next(one for one, whose in calendar_of.items() if whose == calendar_id and one != old)
        assert order.index(("watch", new)) < order.index(("stop", old))


async def _are_replaced(stage: Acted, before: dict[str, str]) -> bool:
    found = [one for one in await channels(stage) if one["state"] == "live"]
    return sorted(one["calendar_id"] for one in found) == sorted(before.values()) and not (
        {one["id"] for one in found} & before.keys()
    )


async def test_renewals_are_spread_and_go_by_the_life_that_was_granted(stage: Acted) -> None:
    await notify(stage, longest_seconds=3000)
    async with told(stage):
        await until_row(stage, ALL_OPEN)
    sql = """
    SELECT extract(epoch FROM w.due_at - c.opened_at)::float8 AS renewed,
           extract(epoch FROM c.expires_at - c.opened_at)::float8 AS lasts
    FROM syncer.channel c JOIN syncer.watch w USING (tenant_id, calendar_id)
    """
    found = await stage.tools.database.fetch(sql)
    assert all(2990 < row["lasts"] <= 3001 for row in found)
    assert all(0.66 < row["renewed"] / row["lasts"] < 0.97 for row in found)
    assert len({round(row["renewed"] / 10) for row in found}) == len(found)


async def test_a_calendar_of_which_nothing_is_told_is_remembered_and_polled(stage: Acted) -> None:
    await notify(stage, unwatchable=[BO])
    async with told(stage, cycle_seconds=0.5):
        await until_live(stage, ANA, ROOM)
        await until_row(stage, "SELECT count(*) = 1 FROM syncer.watch WHERE is_unwatchable")
        booked = await stage.book(calendar=BO)
        await until_titled(stage, booked, "Standup")
    asked = [row["calendar_id"] for row in await stage.requests("POST") if row["path"].endswith("/watch")]
    assert asked.count(BO) == 1
    sql = "SELECT extract(epoch FROM due_at - syncer.clock())::float8 / 86400 FROM syncer.watch WHERE is_unwatchable"
    assert await stage.tools.database.value(sql) > 20
    assert await stage.tools.database.value("SELECT count(*) FROM syncer.channel") == 2


async def test_a_channel_that_went_silent_is_replaced(stage: Acted) -> None:
    booked = await stage.book()
    async with told(stage, cycle_seconds=0.3):
        await until_row(stage, ALL_OPEN)
        silent = [one["id"] for one in await channels(stage) if one["calendar_id"] == ANA]
        await notify(stage, silent=silent)
        await until_row(stage, "SELECT count(*) = 0 FROM syncer.notified")
        for title in ("One", "Two", "Three"):
            await stage.edit(booked, summary=title)
            await until_titled(stage, booked, title)
        await stage.pass_time(timedelta(minutes=4))
        await until(lambda: _is_told_by_another(stage, silent))
        assert await live(stage) == sorted((ANA, BO, ROOM))


async def _is_told_by_another(stage: Acted, silent: list[str]) -> bool:
    found = [one["id"] for one in await channels(stage) if one["state"] == "live" and one["calendar_id"] == ANA]
    return len(found) == 1 and found != silent


async def test_a_channel_whose_answer_was_lost_is_found_by_its_message_and_stopped(stage: Acted) -> None:
    await stage.set_google_faults(chance={"lost_answer": 1.0})
    async with told(stage):
        await until_row(stage, "SELECT count(*) >= 3 FROM syncer.channel WHERE state = 'stopping'")
        await stage.set_google_faults(chance={})
        await until(lambda: _has_resources(stage))
        await stage.tools.database.run("UPDATE syncer.watch SET due_at = '-infinity'")
        await until_live(stage, ANA, BO, ROOM)
        await until_row(stage, "SELECT count(*) = 3 AND bool_and(state = 'open') FROM syncer.channel")


async def _has_resources(stage: Acted) -> bool:
    # A sync message may have come before its channel was in doubt, and been lost with it: another one tells as well.
    for google_id in (ANA, BO, ROOM):
        await stage.google.control("POST", f"calendars/{google_id}/tell", {"times": 1})
    return bool(await stage.tools.database.value("SELECT bool_and(resource_id IS NOT NULL) FROM syncer.channel"))


@pytest.mark.parametrize("is_first", [True, False], ids=["sync before the answer", "sync after it"])
async def test_a_channel_is_open_whichever_comes_first(stage: Acted, is_first: bool) -> None:
    await notify(stage, sync_first=is_first, delay_seconds=[0.05, 0.1])
    async with told(stage) as worker:
        await until_row(stage, ALL_OPEN)
        await worker.settled()
        assert worker.receiver.notifications.counts.unknown == 0
    assert await live(stage) == sorted((ANA, BO, ROOM))


async def test_what_is_paused_or_removed_is_told_of_no_longer_and_what_is_resumed_is_again(stage: Acted) -> None:
    database = stage.tools.database
    async with told(stage):
        await until_live(stage, ANA, BO, ROOM)
        await database.run("UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", BO)
        await until_live(stage, ANA, ROOM)
        await database.run("DELETE FROM syncer.calendar WHERE google_id = $1", ROOM)
        await until_live(stage, ANA)
        await database.run("UPDATE syncer.calendar SET state = 'active' WHERE google_id = $1", BO)
        await until_live(stage, ANA, BO)
        await database.run("UPDATE syncer.tenant SET state = 'paused'")
        await until_live(stage)
        await until_row(stage, "SELECT count(*) = 0 FROM syncer.channel")


async def test_channels_that_lead_elsewhere_are_replaced(stage: Acted) -> None:
    async with told(stage) as first:
        await until_row(stage, ALL_OPEN)
    async with told(stage) as second:
        await until(lambda: _lead_to(stage, second.url))
        await until_live(stage, ANA, BO, ROOM)
    assert first.url != second.url


async def _lead_to(stage: Acted, url: str) -> bool:
    found = [one["address"] for one in await channels(stage) if one["state"] == "live"]
    return len(found) == 3 and set(found) == {url}


async def test_where_nothing_is_to_be_told_any_more_all_channels_are_stopped(stage: Acted) -> None:
    async with told(stage):
        await until_row(stage, ALL_OPEN)
    async with told(stage, notifications_url=None):
        await until_live(stage)
        await until_row(stage, "SELECT count(*) = 0 FROM syncer.channel")


async def test_an_address_that_google_does_not_take_is_told_once_and_rests(stage: Acted) -> None:
    with structlog.testing.capture_logs() as lines:
        async with told(stage, notifications_url=NOWHERE):
            await until_row(stage, "SELECT count(*) > 0 FROM syncer.watch WHERE failures > 0")
            await until_row(
                stage, "SELECT bool_and(reason LIKE '%SYNCER_NOTIFICATIONS_URL%' OR reason IS NULL) FROM syncer.watch"
            )
            # A worker that is stopped between the row and the answer leaves the row, for somebody else to settle.
            await until_row(stage, "SELECT count(*) = 0 FROM syncer.channel")
    (line,) = [line for line in lines if line["event"] == "channels fail"]
    assert "SYNCER_NOTIFICATIONS_URL" in line["reason"]
    assert await channels(stage) == []


async def test_a_watch_that_fails_is_tried_again_later(stage: Acted) -> None:
    failed = "SELECT count(*) = 3 FROM syncer.watch WHERE failures > 0 AND due_at > syncer.clock()"
    await stage.set_google_faults(chance={"server_error": 1.0})
    async with told(stage):
        await until_row(stage, failed)
        await stage.set_google_faults(chance={})
        await stage.pass_time(timedelta(minutes=15))
        await until_row(stage, ALL_OPEN)
    assert set(await live(stage)) == {ANA, BO, ROOM}


async def test_channels_that_are_over_leave_no_row(stage: Acted) -> None:
    async with told(stage):
        await until_row(stage, ALL_OPEN)
    await stage.pass_time(timedelta(days=8))
    await stage.restart()
    await rows.settle(stage.tools.database, stage.project.lease, None)
    assert await stage.tools.database.value("SELECT count(*) FROM syncer.channel") == 0


async def test_a_stopped_channel_that_still_talks_is_no_news(stage: Acted) -> None:
    await notify(stage, after_stop=3)
    async with told(stage) as worker:
        await until_row(stage, ALL_OPEN)
        await stage.tools.database.run("DELETE FROM syncer.calendar WHERE google_id = $1", BO)
        await until_live(stage, ANA, ROOM)
        await stage.book(calendar=BO)
        await until(lambda: _has_refused(worker))
    assert (await counted(stage))["counts"]["retried"] == 0


async def _has_refused(worker: Told) -> bool:
    return worker.receiver.notifications.counts.unknown > 0
