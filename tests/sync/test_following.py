"""A change in a calendar reaches its meeting, whatever people do to the event."""

import json
from datetime import timedelta

from tests.simulator.google_stage import ANA, BO, CLEO, ROOM
from tests.sync.stage import GRACE, Acted, Booked, add_tenant, meet

LATER = "2099-12-03T10:30:00Z"


async def test_a_new_event_names_its_meeting(stage: Acted) -> None:
    booked = await stage.book("Review")
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["title"], meeting["start"], meeting["organizer"]) == ("Review", "2099-12-02T10:00:00+00:00", ANA)


async def test_a_renamed_event_renames_its_meeting(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_an_event_moved_in_time_moves_its_meeting(stage: Acted, booked: Booked) -> None:
    times = {"start": {"dateTime": "2099-12-03T15:00:00Z"}, "end": {"dateTime": "2099-12-03T16:00:00Z"}}
    await stage.edit(booked, **times)
    await stage.follow()
    assert (await stage.meeting(booked))["start"] == "2099-12-03T15:00:00+00:00"


async def test_many_edits_between_two_looks_are_one_call_with_the_last_state(stage: Acted, booked: Booked) -> None:
    before = await stage.outside()
    for title in ("One", "Two", "Three"):
        await stage.edit(booked, summary=title)
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Three"
    assert await stage.outside() == before + 1


async def test_what_has_followed_is_left_alone(stage: Acted, booked: Booked) -> None:
    before = await stage.outside(), len(await stage.rows("history"))
    for _ in range(3):
        await stage.follow()
    assert (await stage.outside(), len(await stage.rows("history"))) == before


async def test_a_move_seen_at_its_source_first_keeps_the_meeting(stage: Acted, booked: Booked) -> None:
    moved = await stage.move(booked, ROOM)
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    await stage.push()
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.push(await stage.look(ROOM, BO))
    await stage.edit(moved, summary="Moved")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Moved"


async def test_a_move_seen_at_its_destination_first_keeps_the_meeting(stage: Acted, booked: Booked) -> None:
    moved = await stage.move(booked, ROOM)
    await stage.push(await stage.look(ROOM))
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    await stage.edit(moved, summary="Moved")
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["title"], meeting["state"]) == ("Moved", "live")


async def test_a_deleted_event_deletes_its_meeting_after_the_grace_only(stage: Acted, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.pass_time(GRACE - timedelta(seconds=5))
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.pass_time(timedelta(seconds=10))
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"
    assert (await stage.conference(booked))["state"] == "deleted"


async def test_a_conference_swapped_away_loses_its_meeting_after_the_grace_only(stage: Acted, booked: Booked) -> None:
    await stage.swap(booked, meet())
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "deleted"


async def test_an_event_that_is_undeleted_within_the_grace_keeps_its_meeting(stage: Acted, booked: Booked) -> None:
    await stage.delete(booked)
    await stage.follow()
    await stage.edit(booked, status="confirmed", summary="Back")
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["state"], meeting["title"]) == ("live", "Back")


async def test_a_duplicate_does_not_take_over(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked)
    await stage.follow()
    await stage.edit(copy, summary="Of the copy")
    await stage.follow()
    assert (await stage.meeting(booked))["title"] == "Standup"


async def test_a_duplicate_drives_when_the_original_goes(stage: Acted, booked: Booked) -> None:
    await stage.duplicate(booked, calendar=BO)
    await stage.follow()
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["state"], meeting["title"]) == ("live", "A copy")


async def test_a_guests_copy_never_acts(stage: Acted) -> None:
    await add_tenant(stage, "other", CLEO)
    booked = await stage.book(attendees=[{"email": CLEO}, {"email": ANA}])
    await stage.follow()
    before = await stage.outside()
    copy = Booked(CLEO, booked.event_id, booked.meeting_id)
    await stage.edit(copy, colorId="5")
    await stage.delete(copy)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    assert (await stage.meeting(booked))["state"] == "live"
    assert await stage.conference(booked, "other") is None
    assert await stage.outside() == before


async def test_a_second_tenant_with_the_same_meeting_only_watches(stage: Acted, booked: Booked) -> None:
    await add_tenant(stage, "other", CLEO)
    copy = await stage.duplicate(booked, calendar=CLEO)
    await stage.follow()
    await stage.edit(copy, summary="Not theirs")
    await stage.delete(copy)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["state"], meeting["title"]) == ("live", "Standup")
    assert (await stage.conference(booked, "other"))["state"] == "watched"


async def test_a_meeting_whose_owner_has_left_goes_to_the_tenant_that_still_has_an_event(
    stage: Acted, booked: Booked
) -> None:
    await add_tenant(stage, "other", CLEO)
    copy = await stage.duplicate(booked, calendar=CLEO)
    await stage.follow()
    await stage.delete(booked)
    await stage.follow()
    await stage.edit(copy, summary="Theirs now")
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    await stage.follow()
    meeting = await stage.meeting(booked)
    assert (meeting["state"], meeting["title"]) == ("live", "Theirs now")
    assert (await stage.conference(booked))["state"] == "watched"


async def test_every_change_outside_is_in_the_history(stage: Acted, booked: Booked) -> None:
    await stage.edit(booked, summary="Renamed")
    await stage.follow()
    await stage.change_meeting(booked, passcode="777")
    await stage.read_back()
    await stage.delete(booked)
    await stage.follow()
    await stage.pass_time(GRACE * 2)
    await stage.follow()
    told = [kind for kind in await stage.told() if kind in ("updated", "wrote_back", "deleted")]
    assert told == ["updated", "updated", "wrote_back", "deleted"]


async def test_history_tells_what_changed_and_when_it_was_moved_and_no_text(stage: Acted, booked: Booked) -> None:
    await stage.follow()
    await stage.edit(booked, summary="Secret", start={"dateTime": "2099-12-03T10:00:00Z"}, end={"dateTime": LATER})
    await stage.follow()
    changed = [json.loads(row["detail"]) for row in await stage.rows("history") if row["kind"] == "changed"]
    updated = [json.loads(row["detail"]) for row in await stage.rows("history") if row["kind"] == "updated"]
    assert [one["changed"] for one in changed] == [["title", "starts", "ends"]]
    assert (changed[0]["started"]["at"], changed[0]["starts"]["at"]) == ("2099-12-02T10:00:00Z", "2099-12-03T10:00:00Z")
    assert (changed[0]["seen_by"], changed[0]["page"]) == ("sweep", 1)
    assert updated[-1]["is_join_url_new"] is False
    assert "Secret" not in str(changed + updated)


async def test_history_says_how_a_deletion_was_seen(stage: Acted, booked: Booked) -> None:
    copy = await stage.duplicate(booked)
    await stage.follow()
    await stage.delete(copy)
    await stage.follow()
    await stage.delete(booked)
    await stage.google.control("POST", "forget", {"before": None})
    await stage.follow()
    await stage.follow()
    seen = [json.loads(row["detail"])["seen_by"] for row in await stage.rows("history") if row["kind"] == "unlinked"]
    assert seen == ["sweep", "full read"]
