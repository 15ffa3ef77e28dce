"""An event shows what its meeting is, and no user's edit is lost for it."""

import json
from datetime import UTC, datetime, time, timedelta

from syncer.model.budget import Lane, Limits
from syncer.rules import block
from tests.simulator.google_stage import ANA, BO
from tests.sync.stage import Acted, Booked


async def test_a_passcode_changed_at_the_provider_reaches_the_event(stage: Acted, booked: Booked) -> None:
    meeting = await stage.change_meeting(booked, passcode="777", new_join_url=True)
    await stage.read_back()
    description = (await stage.event(booked))["description"]
    assert f"Join: {meeting['join_url']}" in description
    assert "Passcode: 777" in description
    assert "wrote_back" in await stage.told()


async def test_a_block_is_not_taken_for_a_users_text(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, description="Bring cake.")
    await stage.change_meeting(booked, passcode="777")
    await stage.follow()
    await stage.read_back()
    await stage.follow()
    assert (await stage.event(booked))["description"].startswith("Bring cake.\n\n-----")
    assert (await stage.meeting(booked))["description"] == "Bring cake."


async def test_our_own_patch_starts_no_loop(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    before = await stage.outside(), len(await stage.rows("history"))
    for _ in range(3):
        await stage.follow()
    await stage.read_back()
    assert (await stage.outside(), len(await stage.rows("history"))) == before


async def test_every_event_of_a_meeting_shows_it(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked, calendar=BO)
    await stage.follow()
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    for event in (booked, copy):
        assert "Passcode: 777" in (await stage.event(event))["description"]


async def test_the_rung_that_worked_is_taken_first_the_next_time(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    before = len(await stage.requests("PATCH"))
    await stage.change_meeting(booked, passcode="888")
    await stage.read_back()
    assert len(await stage.requests("PATCH")) == before + 1
    assert "Passcode: 888" in (await stage.event(booked))["description"]


async def test_a_way_that_google_refuses_does_not_use_up_the_requests_for_the_next(
    stage: Acted, booked: Booked
) -> None:
    # One patch and no second: what is refused at the first must not be all that is ever tried.
    limits, spending = Limits(per_user_minute=24), stage.project.spending
    spending.reserve(spending.spent(stage.tools.clock().date(), 5.0), limits)
    stage.tools = stage.project.tools(stage.tools, Lane.URGENT)
    await stage.change_meeting(booked, passcode="777")
    for _ in range(5):
        await stage.read_back()
        await stage.pass_time(timedelta(minutes=2))
    assert "Passcode: 777" in (await stage.event(booked))["description"]


async def test_an_event_touched_before_the_patch_is_decided_again(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, attendees=[{"email": ANA}, {"email": BO}])
    await stage.follow()
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"touch_before_patch": 2})
    await stage.read_back()
    event = await stage.event(booked)
    assert "Passcode: 777" in event["description"]
    assert {row["responseStatus"] for row in event["attendees"]} & {"accepted", "tentative"}
    assert [row["status"] for row in await stage.requests("PATCH")].count(412) == 2


async def test_an_event_that_always_changes_is_left_for_later(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"touch_before_patch": 5})
    await stage.read_back()
    assert [row["status"] for row in await stage.requests("PATCH")] == [412] * 5
    assert (await stage.conference(booked))["next_try_at"] is not None
    await stage.pass_time(timedelta(minutes=1))
    await stage.follow()
    assert "Passcode: 777" in (await stage.event(booked))["description"]


async def test_an_edit_that_was_not_pulled_yet_is_kept_and_still_reaches_the_meeting(
    stage: Acted, booked: Booked
) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.edit(booked, summary="By a user", description="Theirs.", location="Room 5")
    await stage.read_back()
    event = await stage.event(booked)
    assert (event["summary"], event["location"]) == ("By a user", "Room 5")
    assert event["description"].startswith("Theirs.\n")
    assert (await stage.meeting(booked))["title"] == "Standup"
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["title"], meeting["description"]) == ("By a user", "Theirs.")


async def test_an_edit_between_a_pull_and_its_patch_still_reaches_the_meeting(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, attendees=[{"email": BO}])
    touched = await stage.look(*stage.ids)
    await stage.edit(booked, summary="By a user")
    await stage.change_meeting(booked, passcode="777")
    await stage.push(touched)
    assert (await stage.event(booked))["summary"] == "By a user"
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "By a user"
    assert "Passcode: 777" in (await stage.event(booked))["description"]


async def test_an_event_whose_conference_was_swapped_meanwhile_is_not_written_to(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.swap(booked, None)
    await stage.read_back()
    assert "description" not in await stage.event(booked)


async def test_an_event_deleted_meanwhile_is_not_written_to(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.delete(booked)
    await stage.read_back()
    assert "description" not in await stage.event(booked)


async def test_a_write_back_that_google_fails_is_done_when_due(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"server_error": 1})
    await stage.read_back()
    assert "description" not in await stage.event(booked)
    await stage.pass_time(timedelta(minutes=1))
    await stage.push()
    assert "Passcode: 777" in (await stage.event(booked))["description"]


async def test_trouble_with_one_event_does_not_stop_the_others(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked, calendar=BO)
    await stage.follow()
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"server_error": 1})
    await stage.read_back()
    shown = [(await stage.event(event)).get("description", "") for event in (booked, copy)]
    assert sorted("Passcode: 777" in text for text in shown) == [False, True]


async def test_somebody_who_takes_the_block_away_again_and_again_wins(stage: Acted, booked: Booked) -> None:
    # A day's cap is counted by dates: all of it in one, whenever the test runs.
    midnight = datetime.combine(stage.tools.clock().date(), time.min, UTC) + timedelta(days=1)
    await stage.pass_time(midnight - stage.tools.clock() + timedelta(hours=1))
    await stage.change_meeting(booked, passcode="777")
    for _ in range(8):
        await stage.read_back()
        await stage.edit(booked, description=None)
        await stage.follow()
    written = [row for row in await stage.rows("history") if row["kind"] == "wrote_back"]
    assert len(written) == 5


async def test_the_block_says_what_the_meeting_says(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    meeting = await stage.meeting(booked)
    _, shown = block.split((await stage.event(booked))["description"])
    assert shown is not None
    assert [line.partition(": ")[2] for line in shown.splitlines()] == [
        meeting["join_url"],
        "777",
        *meeting["dial_in"],
    ]


async def test_a_write_back_whose_answer_was_lost_is_told_and_done_once(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"lost_answer": 1})
    await stage.read_back()
    await stage.follow()
    assert "Passcode: 777" in (await stage.event(booked))["description"]
    (told,) = [json.loads(row["detail"]) for row in await stage.rows("history") if row["kind"] == "wrote_back"]
    assert told["found"] == "by reading back"
    sent = await stage.requests("PATCH")
    assert [row["status"] for row in sent].count(200) == 1


async def test_a_write_back_that_did_not_arrive_is_done_later(stage: Acted, booked: Booked) -> None:
    await stage.change_meeting(booked, passcode="777")
    await stage.set_google_faults(next={"server_error": 1})
    await stage.read_back()
    await stage.pass_time(timedelta(minutes=1))
    await stage.push()
    assert (await stage.told()).count("wrote_back") == 1
    assert "Passcode: 777" in (await stage.event(booked))["description"]


async def test_a_way_that_a_tenants_events_do_not_take_is_not_tried_with_each_of_them(stage: Acted) -> None:
    several = [await stage.book(f"Standup {number}") for number in range(6)]
    await stage.follow()
    for one in several:
        await stage.change_meeting(one, passcode="777")
        await stage.read_back()
    shown = [(await stage.event(one))["description"] for one in several]
    assert all("Passcode: 777" in text for text in shown)
    assert len(await stage.requests("PATCH")) == 3 * 2 + 3
