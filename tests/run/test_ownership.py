"""Of several workers one serves a project; a lost lease takes everything with it."""

import pytest

from syncer.model.errors import FencedOut
from syncer.run.ownership import Ownership, Pace
from syncer.sync import pull, push, sweep
from syncer.sync.push import Push
from syncer.sync.tools import Project
from tests.simulator.google_stage import CLEO
from tests.sync.stage import Acted, Booked, add_tenant, slot_of

PACE = Pace(lease_seconds=60, cycle_seconds=60, beat_seconds=5)


async def beat(ownership: Ownership) -> None:
    """What a worker does again and again, one after the other."""
    await ownership.beat()
    await ownership.list_anew()


async def run_out(stage: Acted) -> None:
    """All leases run out by the database's clock."""
    await stage.tools.database.run("UPDATE syncer.lease SET until = syncer.clock() - interval '1 second'")


@pytest.fixture
async def first(stage: Acted) -> Ownership:
    """A worker that serves the project."""
    made = Ownership(stage.tools, PACE)
    await beat(made)
    return made


@pytest.fixture
def second(stage: Acted) -> Ownership:
    """A worker that stands by."""
    return Ownership(stage.tools, PACE)


async def test_a_second_worker_stands_by(first: Ownership, second: Ownership) -> None:
    for _ in range(3):
        await beat(second)
        await beat(first)
    assert (len(first.projects), len(second.projects)) == (1, 0)


def slots(project: Project) -> list[int]:
    return [slot_of(project, key) for key in project.calendars]


async def test_a_released_project_goes_to_the_next_worker_at_once(first: Ownership, second: Ownership) -> None:
    await first.release()
    await beat(second)
    assert (len(first.projects), len(second.projects)) == (0, 1)


async def test_a_second_worker_takes_over_and_the_first_writes_nothing(
    stage: Acted, booked: Booked, first: Ownership, second: Ownership
) -> None:
    (project,) = first.projects.values()
    looked = await sweep.sweep(stage.tools, project, slots(project))
    (seen,) = [found for found in looked if isinstance(found, sweep.Changed)]
    await run_out(stage)
    await beat(second)
    stage.project = next(iter(second.projects.values()))
    await stage.follow()
    before = await stage.rows("conference"), await stage.rows("history"), await stage.rows("calendar")
    with pytest.raises(FencedOut):
        await pull.pull(stage.tools, project, seen.calendar, seen.page)
    assert (await stage.rows("conference"), await stage.rows("history"), await stage.rows("calendar")) == before


async def test_a_worker_that_lost_its_lease_sends_nothing_after_its_next_beat(
    stage: Acted, booked: Booked, first: Ownership, second: Ownership
) -> None:
    (project,) = first.projects.values()
    stage.project = project
    (conference_id,) = await stage.look(*stage.ids)
    await run_out(stage)
    await beat(second)
    await beat(first)
    assert first.projects == {}
    with pytest.raises(FencedOut):
        await push.push(stage.tools, project, Push(next(iter(project.tenants)), conference_id))
    assert await stage.calls("update") == []


async def test_a_lease_that_ran_out_unseen_stays(stage: Acted, first: Ownership, second: Ownership) -> None:
    await run_out(stage)
    await beat(first)
    await beat(second)
    assert (len(first.projects), len(second.projects)) == (1, 0)


async def test_what_one_worker_has_read_the_next_does_not_read_again(
    stage: Acted, booked: Booked, first: Ownership, second: Ownership
) -> None:
    (stage.project,) = first.projects.values()
    await stage.follow()
    await first.release()
    await beat(second)
    (stage.project,) = second.projects.values()
    before = await stage.outside(), len(await stage.rows("history"))
    await stage.follow()
    assert (await stage.outside(), len(await stage.rows("history"))) == before


async def test_each_round_lists_tenants_anew(stage: Acted, first: Ownership) -> None:
    (project,) = first.projects.values()
    await add_tenant(stage, "other", CLEO)
    await beat(first)
    assert {tenant.slug for tenant in project.tenants.values()} == {"acme", "other"}
    await stage.tools.database.run("UPDATE syncer.tenant SET state = 'paused' WHERE slug = 'acme'")
    await beat(first)
    assert {tenant.slug for tenant in project.tenants.values()} == {"other"}


async def test_a_tenant_paused_between_handing_out_and_looking_is_not_looked_at(stage: Acted, first: Ownership) -> None:
    (project,) = first.projects.values()
    due = slots(project)
    await stage.tools.database.run("UPDATE syncer.tenant SET state = 'paused'")
    await beat(first)
    assert await sweep.sweep(stage.tools, project, due) == []
