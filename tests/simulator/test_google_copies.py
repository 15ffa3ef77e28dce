"""Guests' copies: they follow the organizer's, and answers go the other way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import ANA, BO, CLEO, ROOM, Stage, a_stage, events

GUESTS = [{"email": BO}, {"email": CLEO}, {"email": "stranger@example.org"}]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def copy_of(stage: Stage, event: Any, user: str = BO) -> Any:
    """The event as it stands on a guest's own calendar."""
    return (await stage.call("GET", events(user, event["id"]), user=user)).body


async def test_guests_have_copies_that_say_whose_they_are(stage: Stage) -> None:
    event = await stage.insert_with_conference(attendees=GUESTS)
    copy = await copy_of(stage, event)
    assert copy["iCalUID"] == event["iCalUID"]
    assert copy["etag"] != event["etag"]
    assert copy["organizer"] == {"email": ANA}
    assert [row.get("self") for row in copy["attendees"]] == [True, None, None]
    assert copy["conferenceData"] == event["conferenceData"]


async def test_the_organizers_edit_reaches_every_copy_and_its_feed(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    token = await stage.sync_token(BO, user=BO)
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Renamed"})
    assert [row["summary"] for row in await stage.changes(token, BO, user=BO)] == ["Renamed"]


async def test_a_guest_may_not_change_what_all_share(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    for change in ({"summary": "Mine"}, {"attendees": [{"email": BO}]}, {"extendedProperties": {"shared": {"a": "b"}}}):
        reply = await stage.call("PATCH", events(BO, event["id"]), change, user=BO)
        assert (reply.status, reply.reason) == (403, "forbiddenForNonOrganizer")


async def test_a_guest_may_change_it_when_the_organizer_lets_guests(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS, guestsCanModify=True)
    reply = await stage.call("PATCH", events(BO, event["id"]), {"summary": "Ours"}, user=BO)
    assert (reply.status, reply.body["summary"]) == (200, "Ours")
    assert (await stage.call("GET", events(ANA, event["id"]))).body["summary"] == "Ours"


async def test_a_guests_own_colour_stays_theirs(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    await stage.call("PATCH", events(BO, event["id"]), {"colorId": "3"}, user=BO)
    unmoved = (await stage.call("GET", events(ANA, event["id"]))).body
    assert unmoved["etag"] == event["etag"]
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Renamed"})
    copy = await copy_of(stage, event)
    assert (copy["colorId"], copy["summary"]) == ("3", "Renamed")


@pytest.mark.parametrize("is_alone", [True, False])
async def test_an_answer_moves_the_organizers_etag_and_everyones_copy(stage: Stage, is_alone: bool) -> None:
    event = await stage.insert(attendees=GUESTS)
    own = {"email": BO, "responseStatus": "accepted"}
    change = {"attendeesOmitted": True, "attendees": [own]} if is_alone else {"attendees": [own, *GUESTS[1:]]}
    assert (await stage.call("PATCH", events(BO, event["id"]), change, user=BO)).status == 200
    after = (await stage.call("GET", events(ANA, event["id"]))).body
    assert [row["responseStatus"] for row in after["attendees"]] == ["accepted", "needsAction", "needsAction"]
    assert after["etag"] != event["etag"]
    assert (await copy_of(stage, event, CLEO))["attendees"][0]["responseStatus"] == "accepted"


async def test_the_organizers_deletion_cancels_the_copies(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    await stage.call("DELETE", events(ANA, event["id"]))
    assert (await copy_of(stage, event)).keys() == {"kind", "etag", "id", "status"}
    await stage.call("PATCH", events(ANA, event["id"]), {"status": "confirmed"})
    assert (await copy_of(stage, event))["summary"] == "Review"


async def test_a_deletion_that_tells_nobody_leaves_the_copies(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    await stage.call("DELETE", events(ANA, event["id"]), sendUpdates="none")
    assert (await copy_of(stage, event))["status"] == "confirmed"


async def test_a_guest_who_deletes_declines(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    await stage.call("DELETE", events(BO, event["id"]), user=BO)
    after = (await stage.call("GET", events(ANA, event["id"]))).body
    assert (after["status"], after["attendees"][0]["responseStatus"]) == ("confirmed", "declined")
    assert (await copy_of(stage, event))["status"] == "cancelled"
    await stage.call("PATCH", events(ANA, event["id"]), {"summary": "Renamed"})
    assert (await copy_of(stage, event))["status"] == "cancelled"


async def test_a_guest_who_is_no_longer_invited_loses_the_copy(stage: Stage) -> None:
    event = await stage.insert(attendees=GUESTS)
    await stage.call("PATCH", events(ANA, event["id"]), {"attendees": [{"email": CLEO}]})
    assert (await copy_of(stage, event))["status"] == "cancelled"
    assert (await copy_of(stage, event, CLEO))["status"] == "confirmed"


async def test_a_called_off_instance_is_called_off_for_guests_too(stage: Stage) -> None:
    master = await stage.insert(attendees=GUESTS, recurrence=["RRULE:FREQ=WEEKLY"])
    token = await stage.sync_token(BO, user=BO)
    await stage.call("DELETE", events(ANA, f"{master['id']}_20261208T090000Z"))
    (row,) = await stage.changes(token, BO, user=BO)
    assert (row["status"], row["recurringEventId"]) == ("cancelled", master["id"])


async def test_a_guest_may_decline_one_instance(stage: Stage) -> None:
    master = await stage.insert(attendees=GUESTS, recurrence=["RRULE:FREQ=WEEKLY"])
    instance_id = f"{master['id']}_20261208T090000Z"
    change = {"attendeesOmitted": True, "attendees": [{"email": BO, "responseStatus": "declined"}]}
    assert (await stage.call("PATCH", events(BO, instance_id), change, user=BO)).status == 200
    exception = (await stage.call("GET", events(ANA, instance_id))).body
    assert exception["attendees"][0]["responseStatus"] == "declined"
    assert (await stage.call("GET", events(ANA, master["id"]))).body["etag"] == master["etag"]


async def test_after_a_move_guests_follow_the_new_organizer(stage: Stage) -> None:
    event = await stage.insert(attendees=[*GUESTS, {"email": ANA}])
    reply = await stage.call("POST", events(ANA, event["id"]) + "/move", destination=ROOM)
    assert (reply.body["status"], reply.body["organizer"]["email"]) == ("confirmed", ROOM)
    await stage.call("PATCH", events(ROOM, event["id"]), {"summary": "Renamed"})
    for user in (ANA, BO):
        copy = await copy_of(stage, event, user)
        assert (copy["summary"], copy["organizer"]) == ("Renamed", {"email": ROOM, "displayName": "Room"})


async def test_a_guests_copy_cannot_be_moved(stage: Stage) -> None:
    event = await stage.insert(attendees=[{"email": ANA}], user=ANA, calendar=ROOM)
    reply = await stage.call("POST", events(ANA, event["id"]) + "/move", destination=ROOM)
    assert (reply.status, reply.reason) == (403, "forbiddenForNonOrganizer")
