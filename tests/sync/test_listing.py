"""What operators change takes effect with the next listing, however it was changed, and only that is listed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from syncer.model.calendar import CalendarKey
from syncer.store import roster
from syncer.sync import sweep
from syncer.sync.tools import Project
from tests.simulator.google_stage import ANA, BO, ROOM
from tests.sync.stage import Acted, Booked, list_anew, slot_of

SOON = timedelta(seconds=1)


async def change(stage: Acted, sql: str, *arguments: object) -> None:
    """Somebody writes SQL, and the worker lists anew."""
    await stage.tools.database.run(sql, *arguments)
    await list_anew(stage.tools, stage.project)


def due(project: Project, stage: Acted) -> set[CalendarKey]:
    """What is handed out within a second."""
    slots = project.schedule.due(stage.tools.clock() + SOON, 99)
    project.give_back(slots, stage.tools.clock() + SOON * 60)
    return {project.calendars.key(slot) for slot in slots}


async def row(stage: Acted, google_id: str = ANA) -> Any:
    return await stage.tools.database.first("SELECT * FROM syncer.calendar WHERE google_id = $1", google_id)


async def put_off(stage: Acted) -> None:
    """No calendar is due by itself."""
    for key in stage.project.calendars:
        stage.project.postpone(key, stage.tools.clock() + timedelta(hours=1))
    assert due(stage.project, stage) == set()


async def test_a_listing_without_changes_replaces_nothing(stage: Acted) -> None:
    await list_anew(stage.tools, stage.project)
    versions = {key: stage.project.calendars.version_of(key) for key in stage.project.calendars}
    await list_anew(stage.tools, stage.project)
    assert {key: stage.project.calendars.version_of(key) for key in stage.project.calendars} == versions


async def test_an_inserted_calendar_is_due_at_once(stage: Acted) -> None:
    await put_off(stage)
    await change(
        stage,
        "INSERT INTO syncer.calendar (tenant_id, google_id, credential) SELECT tenant_id, 'new@x.test', 'file:x.json' "
        "FROM syncer.tenant",
    )
    (key,) = due(stage.project, stage)
    assert stage.project.calendars[key].google_id == "new@x.test"


async def test_a_paused_calendar_goes_and_a_resumed_one_is_due_at_once(stage: Acted) -> None:
    await put_off(stage)
    await change(stage, "UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", BO)
    assert stage.ids[BO] not in stage.project.calendars
    await change(stage, "UPDATE syncer.calendar SET state = 'active' WHERE google_id = $1", BO)
    assert due(stage.project, stage) == {stage.ids[BO]}


async def test_a_deleted_calendar_goes(stage: Acted) -> None:
    await change(stage, "DELETE FROM syncer.calendar WHERE google_id = $1", BO)
    assert set(stage.project.calendars) == {stage.ids[ANA], stage.ids[ROOM]}


async def test_a_tenant_that_moves_to_another_project_takes_its_calendars_along_and_brings_them_back(
    stage: Acted,
) -> None:
    await stage.tools.database.run("INSERT INTO syncer.project (slug) VALUES ('other')")
    move = "UPDATE syncer.tenant SET project_id = (SELECT project_id FROM syncer.project WHERE slug = $1)"
    await change(stage, move, "other")
    assert (len(stage.project.calendars), stage.project.tenants) == (0, {})
    await change(stage, move, "main")
    assert set(stage.project.calendars) == set(stage.ids.values())


async def test_a_provider_account_that_changes_is_known_at_once(stage: Acted) -> None:
    await change(
        stage, "UPDATE syncer.provider_account SET settings = $1", json.dumps({"url": "https://x.test"}).encode()
    )
    (tenant,) = stage.project.tenants.values()
    assert tenant.provider_settings == (("url", "https://x.test"),)


@pytest.mark.parametrize("what", ['matchers = \'[{"solution_name": "Other"}]\'', "read_window = interval '9 days'"])
async def test_matchers_or_a_window_that_change_have_all_read_anew(stage: Acted, what: str) -> None:
    await change(stage, f"UPDATE syncer.tenant SET {what}")  # noqa: S608
    assert all(stage.project.is_long_read(slot_of(stage.project, key)) for key in stage.project.calendars)
    await stage.follow()
    assert not any(stage.project.is_long_read(slot_of(stage.project, key)) for key in stage.project.calendars)
    assert {each["generation"] for each in await stage.rows("calendar")} == {2}


async def test_a_tenant_whose_row_is_mended_has_its_calendars_served_again(stage: Acted) -> None:
    await change(stage, "UPDATE syncer.tenant SET matchers = '[7]'")
    assert len(stage.project.calendars) == 0
    await change(stage, """UPDATE syncer.tenant SET matchers = '[{"solution_type": "addOn"}]'""")
    assert set(stage.project.calendars) == set(stage.ids.values())


async def test_what_is_still_uncommitted_is_listed_when_it_has_come(stage: Acted) -> None:
    database = stage.tools.database
    async with database._pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", BO)
        await change(stage, "UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", ANA)
        await list_anew(stage.tools, stage.project)
        assert set(stage.project.calendars) == {stage.ids[BO], stage.ids[ROOM]}
        await transaction.commit()
    await list_anew(stage.tools, stage.project)
    assert set(stage.project.calendars) == {stage.ids[ROOM]}


async def test_rows_restored_from_an_older_cluster_are_not_listed_each_time(stage: Acted) -> None:
    database, project_id, listed = stage.tools.database, stage.project.lease.project_id, list[int]()
    await database.run("UPDATE syncer.calendar SET revision = '99999999999'")
    for since in (0, stage.project.since):
        listed.append(sum([len(page) async for page in roster.pages(database, project_id, since)]))
    assert listed == [3, 0]


async def test_a_resync_that_a_pull_under_way_does_not_know_of_is_not_lost(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    (seen,) = await sweep.sweep(stage.tools, stage.project, [slot_of(stage.project, stage.ids[ANA])])
    assert isinstance(seen, sweep.Changed)
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET sync_token = NULL, page_token = NULL, is_full_read = true, read_from = NULL"
    )
    await stage._take(seen)
    assert (await row(stage))["sync_token"] is None
    await list_anew(stage.tools, stage.project)
    await stage.follow()
    after = await row(stage)
    assert (after["generation"], after["sync_token"] is not None, after["is_full_read"]) == (2, True, False)
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_a_pull_ends_when_its_calendar_is_paused_or_replaced(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    (seen,) = await sweep.sweep(stage.tools, stage.project, [slot_of(stage.project, stage.ids[ANA])])
    await change(stage, "UPDATE syncer.calendar SET state = 'paused' WHERE google_id = $1", ANA)
    before = await row(stage)
    assert await stage._take(seen) == set()
    assert await row(stage) == before


async def test_a_tenant_that_goes_in_the_middle_of_a_sweep_harms_nothing(stage: Acted) -> None:
    slots = [slot_of(stage.project, key) for key in stage.project.calendars]
    handed_out = stage.project.schedule.due(stage.tools.clock() + timedelta(hours=1), 99)
    assert sorted(handed_out) == sorted(slots)
    await change(stage, "UPDATE syncer.tenant SET state = 'paused'")
    await change(stage, "UPDATE syncer.tenant SET state = 'active'")
    assert due(stage.project, stage) == set()
    stage.project.give_back(handed_out, stage.tools.clock())
    assert due(stage.project, stage) == set(stage.ids.values())
