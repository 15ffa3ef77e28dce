"""A provider is called as often as it grants, and what has no room waits by its row, with a reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from syncer.store import overview
from syncer.store.tenants import TenantChange, set_tenant
from syncer.sync.calling import Calling
from tests.sync.stage import Acted, Booked, list_anew

SPENT = "updating the meeting: what the provider grants, 1 update a day, is used up for now"


async def grant(stage: Acted, *limits: str) -> None:
    """What the operator says that the provider grants."""
    await set_tenant(stage.tools.database, "acme", TenantChange(provider_limits=limits))
    await list_anew(stage.tools, stage.project)


async def another_worker(stage: Acted) -> None:
    """One that knows only what is written down."""
    stage.tools = replace(stage.tools, calling=Calling(stage.tools.database))
    await stage.restart()


@pytest.fixture
async def spent(stage: Acted, booked: Booked) -> Booked:
    """A meeting that another change of was to be told of, after the provider's only update of the day."""
    await grant(stage, "1/day/updates")
    for title in ("Planning", "Moved"):
        await stage.edit(booked, summary=title)
        await stage.follow()
    return booked


async def test_what_has_no_room_waits_and_says_why(stage: Acted, spent: Booked) -> None:
    row = await stage.conference(spent)
    assert (row["reason"], row["failures"], row["is_in_doubt"]) == (SPENT, 0, False)
    assert row["wanted_version"] > row["applied_version"]
    assert row["next_try_at"] is not None
    assert (await stage.meeting(spent))["title"] == "Planning"


async def test_it_is_told_once_however_often_it_finds_no_room(stage: Acted, spent: Booked) -> None:
    for _ in range(3):
        await stage.pass_time(timedelta(hours=1))
        await stage.follow()
    row = await stage.conference(spent)
    assert (row["reason"], row["failures"]) == (SPENT, 0)
    assert (await stage.told()).count("waits") == 1


async def test_it_is_made_so_once_there_is_room(stage: Acted, spent: Booked) -> None:
    await stage.pass_time(timedelta(days=1, hours=1))
    await another_worker(stage)
    await stage.follow()
    assert (await stage.meeting(spent))["title"] == "Moved"
    assert (await stage.conference(spent))["reason"] is None


async def test_a_new_worker_counts_what_the_one_before_it_has_called(stage: Acted, spent: Booked) -> None:
    calls = len(await stage.calls("update"))
    await stage.tools.database.run("UPDATE syncer.conference SET next_try_at = NULL")
    await another_worker(stage)
    await stage.follow()
    assert len(await stage.calls("update")) == calls
    assert (await stage.conference(spent))["reason"] == SPENT


async def test_a_limit_that_is_raised_makes_room(stage: Acted, spent: Booked) -> None:
    await grant(stage, "5/day/updates")
    await stage.pass_time(timedelta(minutes=30))
    await stage.follow()
    assert (await stage.meeting(spent))["title"] == "Moved"


async def test_each_organizer_has_a_limit_of_their_own(stage: Acted) -> None:
    await grant(stage, "1/day/organizer")
    booked = [await stage.book("One"), await stage.book("Two")]
    await stage.follow()
    waits = [(await stage.conference(one))["reason"] for one in booked]
    assert sorted(reason is None for reason in waits) == [False, True]
    assert await stage.tools.database.value("SELECT bool_and(scope !~ '@') FROM syncer.provider_spend")


async def test_the_standing_of_a_meeting_that_waits_can_be_told(stage: Acted, spent: Booked) -> None:
    found = await overview.conference(stage.tools.database, "acme", spent.meeting_id)
    assert (found.reason, found.failures) == (SPENT, 0)
    assert found.next_try_at is not None


async def test_a_meeting_that_could_only_not_be_read_stays_as_wanted(stage: Acted, booked: Booked) -> None:
    await stage.follow()
    await grant(stage, "1/day")
    await stage.tools.database.run(
        "INSERT INTO syncer.provider_spend (account_id, scope, slot, seconds, calls) "
        "SELECT account_id, 'day', extract(epoch FROM syncer.clock()) / 1440 + 2, 86400, 1 FROM syncer.provider_account"
    )
    await stage.pass_time(timedelta(hours=6))
    await stage.read_back()
    row = await stage.conference(booked)
    assert (row["reason"], row["failures"]) == (None, 0)
    assert row["next_try_at"] is not None
