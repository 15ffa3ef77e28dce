"""A project's limits hold over all of its workers, and nobody waits who need not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from syncer.model.budget import Lane
from syncer.model.errors import Throttled
from syncer.run.ownership import Ownership
from syncer.sync.tools import Project
from tests.run.test_ownership import PACE, beat, run_out
from tests.run.worker import a_worker, until, until_row, until_titled
from tests.simulator.google_stage import ANA
from tests.sync.stage import PLENTY, Acted, Booked

RESERVED = "SELECT minute_count, reserved_count, day_count FROM syncer.budget"


async def limit(stage: Acted, **limits: int) -> None:
    """What the project's row says that Google grants, changed as an operator would."""
    for column, count in limits.items():
        await stage.tools.database.run(f"UPDATE syncer.project SET {column} = $1", count)  # noqa: S608


async def tally(stage: Acted, name: str) -> dict[str, Any]:
    """What came of one of Google's limits: `most` wanted within a window, how many were `refused`."""
    tallies = (await stage.google.control("GET", "quotas"))["tallies"]
    return dict(tallies.get(name, {"most": 0, "refused": 0}))


async def refused(stage: Acted) -> int:
    """How many requests Google has refused for any limit."""
    tallies = (await stage.google.control("GET", "quotas"))["tallies"]
    return sum(one["refused"] for one in tallies.values())


def the_project(ownership: Ownership) -> Project:
    (project,) = ownership.projects.values()
    return project


async def serving(stage: Acted) -> Ownership:
    """A worker that has just taken the project."""
    made = Ownership(stage.tools, PACE)
    await beat(made)
    return made


async def test_a_worker_that_was_killed_leaves_its_reservation_spent(stage: Acted) -> None:
    await limit(stage, per_minute=60)
    first = the_project(await serving(stage))
    assert first.spending.room(Lane.URGENT) == 50
    await run_out(stage)
    second = the_project(await serving(stage))
    assert second.spending.room(Lane.URGENT) == 10


async def test_a_worker_that_ends_well_leaves_what_it_has_not_spent(stage: Acted) -> None:
    await limit(stage, per_minute=60)
    first = await serving(stage)
    await first.release()
    second = the_project(await serving(stage))
    assert second.spending.room(Lane.URGENT) == 50


async def test_a_lost_lease_writes_no_budget(stage: Acted) -> None:
    first = await serving(stage)
    await run_out(stage)
    await serving(stage)
    before = await stage.rows("budget")
    await first.beat()
    assert [dict(row) for row in await stage.rows("budget")] == [dict(row) for row in before]


async def test_a_limit_that_an_operator_changes_counts_from_the_next_beat(stage: Acted) -> None:
    ownership = await serving(stage)
    await limit(stage, per_minute=3)
    await beat(ownership)
    assert the_project(ownership).spending.room(Lane.URGENT) == 3


async def test_the_days_requests_survive_a_restart(stage: Acted, booked: Booked) -> None:
    before = await _asked(stage)
    async with a_worker(stage):
        await until_titled(stage, booked, "Standup")
    (row,) = await stage.rows("budget")
    assert row["day_count"] == await _asked(stage) - before > 0
    assert row["reserved_count"] == 0
    second = the_project(await serving(stage))
    assert second.spending.budget.day_count == row["day_count"]


async def _asked(stage: Acted) -> int:
    """What Google has counted of the worker's requests, a patch as three."""
    calls = [row for row in await _diary(stage) if row["actor"] == "client" and row["kind"] == "api"]
    return sum(3 if row["method"] == "PATCH" else 1 for row in calls)


async def _diary(stage: Acted) -> list[dict[str, Any]]:
    return list((await stage.google.control("GET", "diary"))["entries"])


async def test_google_never_has_to_refuse_a_worker_that_may_ask_little(stage: Acted, booked: Booked) -> None:
    await limit(stage, per_minute=30)
    await stage.google.control("PUT", "quotas", {"limits": {"project_per_minute": 30}, "forget": True})
    project = the_project(await serving(stage))
    google, calendar = project.tools(stage.tools, Lane.URGENT).google, project.calendars[stage.ids[ANA]]
    asked = [google.get(calendar, booked.event_id) for _ in range(40)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, bytes) for outcome in outcomes) == 30
    assert sum(isinstance(outcome, Throttled) for outcome in outcomes) == 10
    assert await refused(stage) == 0


async def test_google_never_has_to_refuse_a_calendar_of_which_little_may_be_asked(stage: Acted, booked: Booked) -> None:
    await limit(stage, per_user_minute=30)
    await stage.google.control("PUT", "quotas", {"limits": {"user_per_minute": 30}})
    async with a_worker(stage, cycle_seconds=0.1, lease_seconds=3):
        await until_titled(stage, booked, "Standup")
        await until(lambda: _has_asked(stage, "user_per_minute", 7))
    assert await refused(stage) == 0
    assert await stage.tools.database.value("SELECT max(failures) FROM syncer.calendar") == 0


async def _has_asked(stage: Acted, name: str, count: int) -> bool:
    return bool((await tally(stage, name))["most"] >= count)


async def test_a_spent_day_is_waited_for(stage: Acted, booked: Booked) -> None:
    await limit(stage, per_day=40)
    await stage.tools.database.run(
        "INSERT INTO syncer.budget (project_id, minute_count, reserved_count, day, day_count) "
        "SELECT project_id, 0, 0, $1, 40 FROM syncer.project",
        stage.tools.google_day(),
    )
    before = await _asked(stage)
    async with a_worker(stage, cycle_seconds=0.1, lease_seconds=3):
        for _ in range(3):
            await until_row(stage, "UPDATE syncer.budget SET written_at = '-infinity' RETURNING true")
            await until_row(stage, "SELECT written_at > '-infinity' AND day_count = 40 FROM syncer.budget")
        assert await _asked(stage) == before
        await limit(stage, per_day=PLENTY["per_day"])
        await stage.pass_time(timedelta(days=1, minutes=10))
        await until_titled(stage, booked, "Standup")


@pytest.mark.parametrize("lane", list(Lane))
async def test_no_lane_has_room_before_the_budget_is_written(stage: Acted, lane: Lane) -> None:
    assert stage.project.spending.room(lane) == 0


async def test_a_calendar_with_more_to_write_than_a_minute_has_room_for_is_still_followed(stage: Acted) -> None:
    await limit(stage, per_user_minute=240)
    several = [await stage.book(f"Standup {number}") for number in range(20)]
    for one in several:
        await stage.change_meeting(one, passcode="777")
    async with a_worker(stage, cycle_seconds=1.0):
        await until_row(stage, "SELECT count(*) > 0 FROM syncer.conference WHERE reason LIKE '%spent for this minute%'")
        await stage.edit(several[0], summary="Moved")
        await until_titled(stage, several[0], "Moved")
    assert await stage.tools.database.value("SELECT max(failures) FROM syncer.calendar") == 0
    assert await stage.tools.database.value("SELECT max(failures) FROM syncer.conference") == 0
