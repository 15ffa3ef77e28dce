"""What random worlds have found, and what came up while looking for it: each once, by the shortest way to it."""

from datetime import timedelta

from tests.simulator.google_stage import BO
from tests.sync.stage import GRACE, Acted, Booked, list_anew


async def test_a_copy_that_is_undeleted_within_the_grace_keeps_the_meeting_though_looks_are_late(
    stage: Acted, booked: Booked
) -> None:
    copy = await stage.duplicate(booked, calendar=BO)
    await stage.follow()
    await stage.delete(copy)
    await stage.delete(booked)
    await stage.follow()
    await stage.follow()
    await stage.edit(copy, status="confirmed", summary="Back")
    await stage.pass_time(GRACE + timedelta(seconds=10))
    await stage.push()
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Back"


async def test_a_worker_that_does_not_know_a_tenants_calendars_yet_decides_nothing_of_its_meetings(
    stage: Acted, booked: Booked
) -> None:
    await stage.follow()
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE + timedelta(seconds=10))

    await stage.restart(is_listed=False)
    await stage.push()
    assert (await stage.conference(booked))["state"] == "leaving"

    await list_anew(stage.tools, stage.project)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"
