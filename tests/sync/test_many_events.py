"""One meeting and many events: duplicates, copies, guests, organizers that change. One owner, one driver that stays."""

from typing import Any

import pytest

from syncer.model.conference import State
from tests.simulator.google_stage import ADD_ON, ANA, BO, CLEO, ROOM
from tests.sync import judged
from tests.sync.stage import GRACE, HIDDEN, TIMES, Acted, Booked, add_tenant, list_anew
from tests.sync.test_splits import FOURTH, RULE, SERIES, THIRD, instance, settle, split, timed


async def driver(stage: Acted, booked: Booked) -> tuple[int, str]:
    row = await stage.conference(booked)
    return row["driver_calendar_id"], row["driver_event_id"]


async def copied(stage: Acted, booked: Booked, calendar: str, **fields: Any) -> Booked:
    """Another tool copies an event: an entry of its own under the same iCalUID, conference and signature included."""
    event = await stage.event(booked)
    kept = {name: event[name] for name in ("summary", "start", "end", "iCalUID", "conferenceData", "recurrence")}
    path = f"calendars/{calendar}/events"
    reply = await stage.google.call("POST", path, {**kept, **fields}, user=calendar, conferenceDataVersion=1)
    assert reply.status == 200, reply.body
    return Booked(calendar, str(reply.body["id"]), booked.meeting_id)


@pytest.fixture
async def series(stage: Acted) -> Booked:
    """A weekly series with a meeting, followed."""
    booked = await stage.book(**SERIES)
    await stage.follow()
    return booked


async def test_a_series_that_another_tool_copied_is_driven_by_its_original(stage: Acted, series: Booked) -> None:
    copy = await copied(stage, series, BO, summary="A copy", start=timed(3), end=timed(3, 11))
    await stage.follow()
    before = await driver(stage, series)
    await stage.edit(copy, summary="Renamed copy", recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    await settle(stage)
    assert (await driver(stage, series), (await stage.meeting(series))["recurrence"]) == (before, [RULE])
    assert await judged.differences(stage, series) == []


async def test_a_copied_series_drives_when_its_original_goes_and_goes_on_driving(stage: Acted, series: Booked) -> None:
    copy = await copied(stage, series, BO, summary="A copy", start=timed(3), end=timed(3, 11))
    await stage.follow()
    await stage.delete(series)
    await settle(stage)
    assert (await stage.meeting(series))["title"] == "A copy"
    await stage.edit(series, status="confirmed")
    await settle(stage)
    assert await driver(stage, series) == (stage.ids[BO].calendar_id, copy.event_id)
    assert (await stage.meeting(series))["start"] == "2099-12-03T09:00:00+00:00"


async def test_a_duplicate_of_a_series_on_its_own_calendar_is_no_half_of_it(stage: Acted, series: Booked) -> None:
    meeting = await stage.meeting(series)
    await stage.insert(meeting, summary="Twin", **{**SERIES, "start": timed(4), "end": timed(4, 11)})
    await settle(stage)
    after = await stage.meeting(series)
    assert (after["title"], after["recurrence"], after.get("further", [])) == ("Standup", [RULE], [])


async def test_a_duplicate_of_a_later_half_does_not_take_its_place(stage: Acted, series: Booked) -> None:
    later = await split(stage, series)
    await settle(stage)
    half = await stage.event(later)
    twin = {name: half[name] for name in ("start", "end", "recurrence")}
    await stage.insert(await stage.meeting(series), summary="Twin", id="00duplicate", **twin)
    await stage.delete(await instance(stage, later, FOURTH))
    await settle(stage)
    assert await judged.differences(stage, series) == []


@pytest.mark.parametrize("tenant", ["acme", "other"])
async def test_guests_copies_of_a_series_change_nothing(stage: Acted, tenant: str) -> None:
    guest = BO if tenant == "acme" else CLEO
    if tenant == "other":
        await add_tenant(stage, "other", CLEO)
    series = await stage.book(**SERIES, attendees=[{"email": guest}])
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.follow()
    copy = Booked(guest, series.event_id, series.meeting_id)
    await stage.delete(await instance(stage, copy, FOURTH))
    await stage.delete(copy)
    await settle(stage)
    assert (await stage.meeting(series))["recurrence"] == [RULE]
    assert await judged.differences(stage, series) == []
    assert {row["calendar_id"] for row in await stage.rows("link")} == {stage.ids[ANA].calendar_id}


@pytest.mark.parametrize("fields", [{}, SERIES], ids=["an event", "a series"])
async def test_an_organizers_copy_seen_after_the_guests_makes_the_link(stage: Acted, fields: dict[str, Any]) -> None:
    booked = await stage.book(attendees=[{"email": BO}], **fields)
    await stage.push(await stage.look(BO))
    assert (await stage.rows("link"), await stage.rows("conference")) == ([], [])
    await stage.push(await stage.look(ANA))
    assert (await stage.meeting(booked))["title"] == "Standup"
    assert await driver(stage, booked) == (stage.ids[ANA].calendar_id, booked.event_id)


@pytest.mark.parametrize("fields", [{}, SERIES], ids=["an event", "a series"])
async def test_a_declined_invitation_is_no_deletion(stage: Acted, fields: dict[str, Any]) -> None:
    booked = await stage.book(attendees=[{"email": ANA}, {"email": BO}], **fields)
    await stage.follow()
    for who in (BO, ANA):
        rows = [{"email": who, "responseStatus": "declined"}]
        await stage.edit(Booked(who, booked.event_id, booked.meeting_id), attendees=rows, attendeesOmitted=True)
    await settle(stage)
    meeting = await stage.meeting(booked)
    assert (meeting["state"], meeting["attendee_count"]) == ("live", 2)


@pytest.mark.parametrize("first", [ANA, ROOM], ids=["source first", "destination first"])
async def test_the_organizer_of_a_series_changes_and_its_meeting_stays(
    stage: Acted, series: Booked, first: str
) -> None:
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.delete(await instance(stage, series, FOURTH))
    await stage.follow()
    moved = await stage.move(series, ROOM)
    await stage.push(await stage.look(first))
    await stage.pass_time(GRACE * 2)
    await stage.push()
    assert (await stage.meeting(series))["state"] == "live"
    await settle(stage)
    await stage.edit(moved, summary="Moved")
    await settle(stage)
    assert (await stage.meeting(series))["organizer"] == ROOM
    assert await judged.differences(stage, series) == []


async def test_a_series_moved_where_nobody_looks_goes_after_all_was_looked_at(stage: Acted, series: Booked) -> None:
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.follow()
    await stage.move_out_of_sight(series)
    await stage.push(await stage.look(ANA))
    await stage.pass_time(GRACE * 2)
    await stage.push(await stage.look(ANA, BO))
    assert (await stage.meeting(series))["state"] == "live"
    await settle(stage)
    assert (await stage.meeting(series))["state"] == "deleted"
    assert await stage.rows("link") == []


async def test_a_series_moved_where_nobody_looks_and_back_keeps_its_meeting(stage: Acted, series: Booked) -> None:
    await stage.delete(await instance(stage, series, FOURTH))
    await stage.google.control("POST", "calendars", {"id": HIDDEN, "owner": ANA})
    hidden = await stage.move(series, HIDDEN)
    await stage.push(await stage.look(ANA))
    path = f"calendars/{HIDDEN}/events/{hidden.event_id}/move"
    reply = await stage.google.call("POST", path, user=ANA, destination=ANA)
    assert reply.status == 200, reply.body
    await settle(stage)
    assert await judged.differences(stage, series) == []


# Gone and back.


async def test_a_series_that_is_undeleted_has_its_exceptions_and_exclusions_again(stage: Acted, series: Booked) -> None:
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.delete(await instance(stage, series, FOURTH))
    await stage.follow()
    await stage.delete(series)
    await stage.follow()
    await stage.edit(series, status="confirmed")
    await settle(stage)
    assert await judged.differences(stage, series) == []
    meeting = await stage.meeting(series)
    assert (len(meeting["overrides"]), len(meeting["recurrence"])) == (1, 2)


async def test_a_series_undeleted_while_we_were_away_is_as_it_was(stage: Acted, series: Booked) -> None:
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.follow()
    await stage.delete(series)
    await stage.edit(series, status="confirmed", summary="Back")
    await settle(stage)
    assert await judged.differences(stage, series) == []


@pytest.mark.parametrize("is_in_time", [True, False], ids=["in the grace", "after it"])
async def test_an_event_made_again_under_its_old_id_has_the_meeting_it_names(
    stage: Acted, booked: Booked, is_in_time: bool
) -> None:
    conference = (await stage.event(booked))["conferenceData"]
    await stage.delete(booked)
    await stage.follow()
    if not is_in_time:
        await settle(stage)
    body = {"summary": "Again", "conferenceData": conference, **TIMES}
    await stage.ask("PUT", booked, body, headers=ADD_ON, conferenceDataVersion=1)
    await settle(stage)
    if is_in_time:
        assert (await stage.meeting(booked))["title"] == "Again"
    else:
        row = await stage.conference(booked)
        assert (row["state"], row["reason"]) == (State.GONE.value, "the provider has no such meeting")


async def test_an_event_made_again_under_its_old_id_with_another_meeting_lets_the_first_go(
    stage: Acted, booked: Booked
) -> None:
    other = await stage.book("Other", calendar=BO)
    await stage.follow()
    await stage.delete(booked)
    conference = (await stage.event(other))["conferenceData"]
    body = {"summary": "Again", "conferenceData": conference, **TIMES}
    await stage.ask("PUT", booked, body, headers=ADD_ON, conferenceDataVersion=1)
    await settle(stage)
    assert [(await stage.meeting(one))["state"] for one in (booked, other)] == ["deleted", "live"]


async def test_deleted_while_nobody_looked_is_deleted_all_the_same(stage: Acted, series: Booked) -> None:
    await stage.edit(await instance(stage, series, THIRD), summary="Retro")
    await stage.follow()
    await stage.google.control("PUT", "faults", {"settings": {"tombstone_days": 7, "exceptions_vanish": True}})
    await stage.delete(series)
    await stage.pass_time(GRACE * 6 * 24 * 30)
    await stage.google.control("POST", "forget", {"before": None})
    await settle(stage)
    assert (await stage.meeting(series))["state"] == "deleted"
    assert await stage.rows("link") == []


async def test_a_calendar_shared_with_fewer_people_is_still_followed(stage: Acted, booked: Booked) -> None:
    """It goes from the list of calendars of whoever had it; ours is read by its owner's grant."""
    rule = {"role": "none", "scope": {"type": "user", "value": BO}}
    await stage.google.call("POST", f"calendars/{ANA}/acl", {**rule, "role": "reader"}, user=ANA)
    await stage.follow()
    reply = await stage.google.call("DELETE", f"calendars/{ANA}/acl/user:{BO}", user=ANA)
    assert reply.status in (200, 204), reply.body
    await stage.edit(booked, summary="Renamed")
    await settle(stage)
    assert (await stage.meeting(booked))["title"] == "Renamed"


async def test_a_calendar_that_nobody_lists_any_more_is_parked_and_loses_nothing(stage: Acted, series: Booked) -> None:
    """Its grant is another's, who had it in the list by sharing, and who loses it there and everywhere."""
    await stage.google.call(
        "POST", f"calendars/{ANA}/acl", {"role": "owner", "scope": {"type": "user", "value": BO}}, user=ANA
    )
    await stage.tools.database.run(
        "UPDATE syncer.calendar SET credential = $1 WHERE google_id = $2", f"file:{BO}.json", ANA
    )
    await list_anew(stage.tools, stage.project)
    await settle(stage)
    await stage.google.call("DELETE", f"calendars/{ANA}/acl/user:{BO}", user=ANA)
    await settle(stage)
    (row,) = [row for row in await stage.rows("calendar") if row["google_id"] == ANA]
    assert row["state"] == "parked"
    assert (await stage.meeting(series))["state"] == "live"
    assert len(await stage.rows("link")) == 1
