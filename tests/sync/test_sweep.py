"""Many calendars are looked at in one request: quiet ones write nothing, and what loses all is no one's fault."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from syncer.model.budget import Lane
from syncer.model.errors import DaySpent, FencedOut
from syncer.sync import sweep
from tests.simulator.google_stage import ANA
from tests.sync.stage import Acted, slot_of


async def swept(stage: Acted) -> Sequence[sweep.Seen]:
    slots = [slot_of(stage.project, key) for key in stage.project.calendars]
    return await sweep.sweep(stage.tools, stage.project, slots)


async def test_quiet_calendars_write_nothing(stage: Acted) -> None:
    await swept(stage)
    before = await stage.tools.database.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    for _ in range(5):
        assert await swept(stage) == []
    assert await stage.tools.database.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == before


@pytest.mark.parametrize(
    "fault", ["batch_502", "batch_429", "batch_html", "batch_disorder", "batch_part_missing", "batch_truncated"]
)
async def test_looks_lost_with_their_batch_go_alone_next_time_and_are_written_down(stage: Acted, fault: str) -> None:
    await swept(stage)
    await stage.set_google_faults(next={fault: 1})
    seen = await swept(stage)
    assert [isinstance(each, sweep.Trouble) and each.is_shared for each in seen] == [True] * 3
    for each in seen:
        assert isinstance(each, sweep.Trouble)
        await sweep.setback(stage.tools, stage.project, each.calendar, each.error, is_shared=True)
    rows = await stage.rows("calendar")
    assert {(row["state"], row["failures"], row["next_look_at"] is None) for row in rows} == {("active", 1, False)}
    assert len(stage.project.apart) == 3
    assert all(isinstance(each, sweep.Quiet) for each in await swept(stage))
    assert stage.project.apart == set()


async def test_when_batch_after_batch_is_lost_looks_go_on_in_batches(stage: Acted) -> None:
    await swept(stage)
    stage.project.lost_in_a_row = 3
    await stage.set_google_faults(next={"batch_502": 1})
    assert len(await swept(stage)) == 3
    assert stage.project.apart == set()


async def test_a_spent_day_is_said_of_the_project(stage: Acted) -> None:
    await stage.google.control("PUT", "quotas", {"limits": {"project_per_day": 1}})
    seen = await swept(stage)
    assert all(isinstance(each, sweep.Trouble) and isinstance(each.error, DaySpent) for each in seen)


async def test_an_answer_for_a_calendar_that_was_replaced_meanwhile_says_nothing(stage: Acted) -> None:
    key = stage.ids[ANA]
    slot = slot_of(stage.project, key)
    before = stage.project.calendars.version(slot)
    looked = stage.tools.google.look

    async def look_late(looks: Sequence[object]) -> object:
        answers = await looked(looks)  # type: ignore[arg-type]
        stage.project.forget_cursor(key, stage.tools.clock())
        return answers

    stage.tools.google.look = look_late  # type: ignore[method-assign, assignment]
    assert await sweep.sweep(stage.tools, stage.project, [slot]) == []
    assert stage.project.calendars.version(slot) != before
    assert stage.project.calendars[key].cursor.is_full_read


async def test_a_resting_project_sleeps_until_it_may_look_again(stage: Acted) -> None:
    now = stage.tools.clock()
    stage.project.rests_until = now + timedelta(hours=1)
    assert stage.project.is_resting(now)
    assert stage.project.next_sweep() >= (now + timedelta(hours=1)).timestamp()


async def test_a_look_for_which_the_lease_did_not_last_is_no_failure_of_its_calendar(stage: Acted) -> None:
    tools = stage.project.tools(stage.tools, Lane.REFRESH)
    stage.project.tenure.end()
    (seen,) = await sweep.sweep(tools, stage.project, [slot_of(stage.project, stage.ids[ANA])])
    assert isinstance(seen, sweep.Trouble)
    with pytest.raises(FencedOut):
        await sweep.setback(tools, stage.project, seen.calendar, seen.error, is_shared=seen.is_shared)
    assert [row["failures"] for row in await stage.rows("calendar")] == [0, 0, 0]
