"""A provider that is slow, fails, forgets or loses its answer: all comes right, and nothing is done twice."""

from datetime import timedelta

import pytest

from syncer.model.errors import FencedOut
from tests.sync.stage import GRACE, Acted, Booked, list_anew

LATER = timedelta(minutes=10)


@pytest.mark.parametrize("fault", ["server_error", "too_many", "lost_answer"])
async def test_a_call_that_fails_comes_right_when_due(stage: Acted, booked: Booked, fault: str) -> None:
    await stage.vendor.set_faults(next={fault: 2})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    for _ in range(3):
        await stage.pass_time(LATER)
        await stage.follow()
    row = await stage.conference(booked)
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert (row["is_in_doubt"], row["failures"], row["applied_version"]) == (False, 0, row["wanted_version"])


async def test_a_call_that_fails_waits_for_its_time(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"too_many": 1})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    before = len(await stage.calls("update"))
    await stage.follow()
    assert len(await stage.calls("update")) == before
    assert (await stage.conference(booked))["reason"] is not None


async def test_a_lost_answer_is_read_back_and_not_done_twice(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"lost_answer": 1})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    assert (await stage.conference(booked))["is_in_doubt"]
    await stage.pass_time(LATER)
    await stage.follow()
    done = [call for call in await stage.calls("update") if call["applied"] and call["holds"]["title"] == "Renamed"]
    assert len(done) == 1
    assert not (await stage.conference(booked))["is_in_doubt"]


async def test_a_deletion_whose_answer_was_lost_is_done_once(stage: Acted, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    await stage.vendor.set_faults(next={"lost_answer": 1})
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    await stage.pass_time(LATER)
    await stage.follow()
    assert (await stage.conference(booked))["state"] == "deleted"
    assert len([call for call in await stage.calls("delete") if call["applied"]]) == 1


async def test_one_failing_meeting_holds_up_no_other(stage: Acted, booked: Booked) -> None:
    other = await stage.book("Other")
    await stage.edit(booked, summary="Renamed")
    await stage.vendor.set_faults(next={"server_error": 1})
    await stage.follow()
    titles = {(await stage.meeting(booked))["title"], (await stage.meeting(other))["title"]}
    assert len(titles & {"Renamed", "Other"}) == 1


async def test_a_meeting_that_is_gone_is_said_to_be_gone(stage: Acted, booked: Booked) -> None:
    await stage.vendor.rest("DELETE", f"meetings/{booked.meeting_id}")
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    row = await stage.conference(booked)
    assert (row["state"], row["reason"]) == ("gone", "the provider has no such meeting")
    assert "gone" in await stage.told()


async def test_a_stale_revision_is_passed_and_pushed_above(stage: Acted, booked: Booked) -> None:
    await stage.tools.database.run("UPDATE syncer.conference SET wanted_version = 50")
    await stage.follow()
    await stage.edit(booked, summary="Fiftieth")
    await stage.follow()
    await stage.tools.database.run("UPDATE syncer.conference SET wanted_version = 3, applied_version = 3")
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert (await stage.meeting(booked))["revision"] > 51


async def test_a_title_changed_at_the_provider_is_brought_back(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, title="By the vendor's user")
    await stage.read_back()
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_title_brought_back_under_an_edit_ends_as_the_event_says(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, title="By the vendor's user")
    await stage.edit(booked, summary="By a user")
    touched = await stage.look(*stage.ids)
    await stage.read_back()
    await stage.push(touched)
    assert (await stage.meeting(booked))["title"] == "By a user"


async def test_a_doubt_outlives_the_time_without_an_event(stage: Acted, booked: Booked) -> None:
    await stage.vendor.set_faults(next={"lost_answer": 1})
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    await stage.delete(booked)
    await stage.follow()
    await stage.edit(booked, status="confirmed", summary="Standup")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_call_under_a_lost_lease_leaves_a_doubt_for_the_next_owner(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    touched = await stage.look(*stage.ids)
    old = stage.project
    await stage.restart()
    with pytest.raises(FencedOut):
        await _push_as(stage, old, touched)
    assert (await stage.conference(booked))["is_in_doubt"]
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"
    assert not (await stage.conference(booked))["is_in_doubt"]


async def test_after_the_lease_nothing_is_sent(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    touched = await stage.look(*stage.ids)
    before = await stage.outside()
    stage.project.tenure.end()
    with pytest.raises(FencedOut):
        await stage.push(touched)
    assert await stage.outside() == before


async def test_a_broken_credential_keeps_a_deletion_waiting(stage: Acted, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    await _break_credentials(stage)
    await stage.pass_time(GRACE * 2)
    await stage.push()
    row = await stage.conference(booked)
    assert (row["state"], row["failures"], row["next_try_at"] is None) == ("leaving", 1, False)


async def test_a_broken_credential_keeps_a_write_back_waiting(stage: Acted, booked: Booked) -> None:
    await _break_credentials(stage)
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    row = await stage.conference(booked)
    assert (row["failures"], row["next_try_at"] is None) == (1, False)


async def _break_credentials(stage: Acted) -> None:
    await stage.tools.database.run("UPDATE syncer.calendar SET credential = 'file:missing.json'")
    await list_anew(stage.tools, stage.project)


async def _push_as(stage: Acted, project: object, touched: set[int]) -> None:
    new, stage.project = stage.project, project  # type: ignore[assignment]
    try:
        await stage.push(touched)
    finally:
        stage.project = new
