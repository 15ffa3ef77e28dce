"""A sudden mass deletion waits for a person; what else happens goes on."""

from datetime import timedelta

import pytest

from syncer.model.calendar import Matcher, Policy
from syncer.store import tenants
from tests.simulator.google_stage import ANA, BO
from tests.sync.stage import GRACE, Acted, Booked, list_anew

FEW = Policy(
    matchers=(Matcher(solution_type="addOn"),),
    grace=GRACE,
    guard_calendar_count=2,
    guard_calendar_percent=30,
    guard_tenant_count=50,
)


@pytest.fixture
async def filled(stage: Acted) -> list[Booked]:
    """Six events on Ana's calendar; more than two deletions there at once are held."""
    await stage.tools.database.run("UPDATE syncer.tenant SET guard_calendar_count = $1", FEW.guard_calendar_count)
    await list_anew(stage.tools, stage.project)
    made = [await stage.book(f"Event {number}") for number in range(6)]
    await stage.follow()
    return made


async def clear(stage: Acted, booked: list[Booked]) -> None:
    """A person deletes all these at once, and the grace goes by."""
    for one in booked:
        await stage.delete(one)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()


async def states(stage: Acted, booked: list[Booked]) -> set[str]:
    return {(await stage.meeting(one))["state"] for one in booked}


async def test_clearing_a_calendar_deletes_nothing(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled)
    assert await states(stage, filled) == {"live"}
    assert {row["state"] for row in await stage.rows("conference")} == {"held"}
    await stage.pass_time(timedelta(days=30))
    await stage.follow()
    assert await states(stage, filled) == {"live"}


async def test_a_few_deletions_are_not_held(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled[:2])
    assert await states(stage, filled[:2]) == {"deleted"}


async def test_updates_go_on_beside_what_is_held(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled[:5])
    await stage.edit(filled[5], summary="Renamed")
    added = await stage.book("Added", calendar=BO)
    await stage.follow()
    assert (await stage.meeting(filled[5]))["title"] == "Renamed"
    assert (await stage.meeting(added))["title"] == "Added"


async def test_a_release_lets_through_what_was_held_there(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled)
    assert await tenants.release(stage.tools.database, "acme", BO) == 0
    assert await tenants.release(stage.tools.database, "acme", ANA) == 6
    await stage.follow()
    assert await states(stage, filled) == {"deleted"}
    assert (await stage.told()).count("released") == 6


async def test_a_held_meeting_whose_event_comes_back_lives_on(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled)
    await stage.edit(filled[0], status="confirmed", summary="Back")
    await stage.follow()
    await tenants.release(stage.tools.database, "acme", ANA)
    await stage.follow()
    meeting = await stage.meeting(filled[0])
    assert (meeting["state"], meeting["title"]) == ("live", "Back")
    assert await states(stage, filled[1:]) == {"deleted"}


async def test_a_release_is_for_once(stage: Acted, filled: list[Booked]) -> None:
    await clear(stage, filled)
    await tenants.release(stage.tools.database, "acme", ANA)
    await stage.follow()
    more = [await stage.book(f"More {number}") for number in range(6)]
    await stage.follow()
    await clear(stage, more)
    assert await states(stage, more) == {"live"}


async def test_deletions_one_by_one_within_the_hour_are_counted_together(stage: Acted, filled: list[Booked]) -> None:
    for one in filled[:3]:
        await clear(stage, [one])
    assert [(await stage.meeting(one))["state"] for one in filled[:3]] == ["deleted", "deleted", "live"]
