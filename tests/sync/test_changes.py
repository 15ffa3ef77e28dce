"""What a vendor tells of is read back: soon, for sure, and without ever deleting anything."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from syncer.store import changes
from syncer.store.changes import Told
from syncer.sync import push
from syncer.sync.changes import Changes
from syncer.sync.push import Push
from tests.simulator.google_stage import CLEO
from tests.sync.stage import GRACE, Acted, Booked, add_tenant

NOBODY: tuple[tuple[int, int], ...] = ()


async def tell(stage: Acted, *meeting_ids: str) -> frozenset[str]:
    """A vendor's word about meetings of the only account; gives those that are known."""
    account_id = await stage.tools.database.value("SELECT account_id FROM syncer.provider_account")
    (known,) = await changes.mark(stage.tools.database, [Told(account_id, meeting_ids)])
    return known


async def due(stage: Acted, told: Changes, busy: Iterable[tuple[int, int]] = NOBODY) -> list[Push]:
    """What is to be read now."""
    return await told.due(stage.project.tenants, busy=set(busy))


async def look(stage: Acted, told: Changes) -> int:
    """Reads what is to be read and makes it so; gives how many were read."""
    pushes = await due(stage, told)
    for one in pushes:
        await push.push(stage.tools, stage.project, one)
    await stage.push()
    return len(pushes)


async def marks(stage: Acted) -> int:
    return len(await stage.rows("changed_there"))


@pytest.fixture
def told(stage: Acted) -> Changes:
    return Changes(stage.tools)


async def test_a_told_change_is_repaired_and_written_back(stage: Acted, told: Changes, booked: Booked) -> None:
    await stage.change_meeting(booked, title="By the vendor's user", passcode="777")
    assert await tell(stage, booked.meeting_id) == {booked.meeting_id}
    assert await look(stage, told) == 1
    assert (await stage.meeting(booked))["title"] == "Standup"
    assert "777" in str(await stage.event(booked))
    assert (await look(stage, told), await marks(stage)) == (0, 0)


async def test_a_telling_without_a_change_writes_nothing_outside(stage: Acted, told: Changes, booked: Booked) -> None:
    before = await stage.outside()
    await tell(stage, booked.meeting_id)
    assert await look(stage, told) == 1
    assert (await stage.outside(), await due(stage, told), await marks(stage)) == (before, [], 0)


async def test_a_mark_outlives_a_crash(stage: Acted, booked: Booked) -> None:
    await tell(stage, booked.meeting_id)
    assert len(await due(stage, Changes(stage.tools))) == 1
    assert len(await due(stage, Changes(stage.tools))) == 1
    assert await marks(stage) == 1


async def test_a_change_told_while_the_meeting_is_read_is_read_after_it(
    stage: Acted, told: Changes, booked: Booked
) -> None:
    await tell(stage, booked.meeting_id)
    (first,) = await due(stage, told)
    await push.push(stage.tools, stage.project, first)
    await tell(stage, booked.meeting_id)
    assert await look(stage, told) == 1
    assert await due(stage, told) == []


async def test_a_meeting_that_is_pushed_right_now_is_read_after_that(
    stage: Acted, told: Changes, booked: Booked
) -> None:
    await tell(stage, booked.meeting_id)
    row = await stage.conference(booked)
    assert await due(stage, told, [(row["tenant_id"], row["conference_id"])]) == []
    assert await look(stage, told) == 1


async def test_a_reading_that_fails_is_tried_again_when_it_may(stage: Acted, told: Changes, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"server_error": 1})
    await tell(stage, booked.meeting_id)
    assert (await look(stage, told), await due(stage, told), await marks(stage)) == (1, [], 1)
    await stage.pass_time(timedelta(hours=1))
    assert await look(stage, told) == 1
    assert (await due(stage, told), await marks(stage)) == ([], 0)


async def test_a_touched_meeting_is_pushed_first_and_read_then(stage: Acted, told: Changes, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    touched = await stage.look(*stage.ids)
    await tell(stage, booked.meeting_id)
    assert await due(stage, told) == []
    await stage.push(touched)
    assert await look(stage, told) == 1


async def test_telling_deletes_nothing(stage: Acted, told: Changes, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    await tell(stage, booked.meeting_id)
    assert (await look(stage, told), await marks(stage)) == (0, 1)
    row = await stage.conference(booked)
    assert (row["state"], await stage.calls("delete")) == ("leaving", [])
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    await look(stage, told)
    await look(stage, told)
    assert ((await stage.conference(booked))["state"], await marks(stage)) == ("deleted", 0)


async def test_a_told_meeting_whose_links_are_lost_is_let_go_and_not_deleted(
    stage: Acted, told: Changes, booked: Booked
) -> None:
    await stage.tools.database.run("DELETE FROM syncer.link")
    await tell(stage, booked.meeting_id)
    await look(stage, told)
    assert ((await stage.conference(booked))["state"], await stage.calls("delete")) == ("detached", [])
    assert (await due(stage, told), await marks(stage)) == ([], 0)


async def test_a_told_deletion_at_the_vendor_is_noted(stage: Acted, told: Changes, booked: Booked) -> None:
    assert (await stage.vendor.rest("DELETE", f"meetings/{booked.meeting_id}")).status == 204
    await tell(stage, booked.meeting_id)
    assert await look(stage, told) == 1
    assert (await stage.conference(booked))["state"] == "gone"
    await tell(stage, booked.meeting_id)
    assert await look(stage, told) == 1
    assert (await due(stage, told), await marks(stage)) == ([], 0)


async def test_a_replaced_meeting_is_known_by_its_new_id(stage: Acted, told: Changes, booked: Booked) -> None:
    await stage.tools.database.run(
        """UPDATE syncer.conference SET meeting = jsonb_set(meeting, '{meeting_id}', '"777"')"""
    )
    assert await tell(stage, "777", "778") == {"777"}
    assert len(await due(stage, told)) == 1


async def test_whichever_tenant_of_an_account_is_told_of_its_owner_reads(
    stage: Acted, told: Changes, booked: Booked
) -> None:
    await add_tenant(stage, "other", CLEO)
    await stage.insert(await stage.meeting(booked), CLEO, summary="Theirs")
    await stage.follow()
    await tell(stage, booked.meeting_id)
    owner = (await stage.conference(booked))["tenant_id"]
    assert [one.tenant_id for one in await due(stage, told)] == [owner]


async def test_another_account_knows_nothing_of_the_meeting(stage: Acted, booked: Booked) -> None:
    (known,) = await changes.mark(stage.tools.database, [Told(4711, (booked.meeting_id,))])
    assert (known, await marks(stage)) == (frozenset(), 0)
