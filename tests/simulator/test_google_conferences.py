"""What a write of conferenceData does, for the add-on and for everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.google_stage import ADD_ON, ANA, BO, END, START, Reply, Stage, a_stage, conference, events

MEET = {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}
VIDEO = conference()["entryPoints"][0]
MORE = {"entryPointType": "more", "uri": "https://meet.example.org/more"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as made:
        yield made


async def write(stage: Stage, event: Any, value: Any, **more: Any) -> Reply:
    """A patch of nothing but conferenceData, by a plain client that knows it."""
    query = {"conferenceDataVersion": 1, **more}
    return await stage.call("PATCH", events(ANA, event["id"]), {"conferenceData": value}, **query)


async def test_the_add_on_writes_and_the_server_signs(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    stored = event["conferenceData"]
    assert stored.pop("signature")
    assert stored == conference()
    event = (await write(stage, event, conference("82222222222"), headers=ADD_ON)).body
    assert event["conferenceData"]["conferenceId"] == "82222222222"


@pytest.mark.parametrize("version", [{}, {"conferenceDataVersion": 0}])
async def test_without_the_version_conference_data_are_ignored(stage: Stage, version: dict[str, Any]) -> None:
    event = await stage.insert_with_conference()
    for value in (None, conference("82222222222"), MEET):
        reply = await stage.call("PATCH", events(ANA, event["id"]), {"conferenceData": value}, **version)
        assert (reply.status, reply.body["conferenceData"]) == (200, event["conferenceData"])


async def test_a_new_add_on_block_from_a_plain_client_is_refused(stage: Stage) -> None:
    event = await stage.insert()
    made_up = conference(signature="ADR1madeup")
    for value in (conference(), made_up, "text"):
        reply = await write(stage, event, value)
        assert (reply.status, reply.reason) == (400, "invalid")
        assert reply.body["error"]["message"] == "Invalid conference data"


async def test_data_without_a_key_type_are_dropped_in_silence(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    reply = await write(stage, event, {"entryPoints": [MORE, VIDEO], "conferenceSolution": {"name": "Example"}})
    assert (reply.status, reply.body["conferenceData"]) == (200, event["conferenceData"])
    bare = await stage.insert()
    reply = await write(stage, bare, {"entryPoints": [VIDEO]})
    assert (reply.status, "conferenceData" in reply.body, reply.body["etag"]) == (200, False, bare["etag"])


async def test_a_verbatim_copy_is_taken_over(stage: Stage) -> None:
    signed = (await stage.insert_with_conference())["conferenceData"]
    body = {"start": START, "end": END, "conferenceData": signed}
    reply = await stage.call("POST", events(), body, conferenceDataVersion=1)
    assert (reply.status, reply.body["conferenceData"]) == (200, signed)


async def test_changed_entry_points_under_an_old_signature_are_refused_or_dropped(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    changed = {**event["conferenceData"], "entryPoints": [{**VIDEO, "uri": "https://meet.example.org/j/8?pwd=2"}]}
    replies = [await write(stage, event, changed) for _ in range(20)]
    assert {reply.status for reply in replies} == {200, 400}
    for reply in replies:
        assert reply.status == 400 or reply.body["conferenceData"] == event["conferenceData"]


async def test_null_removes_the_conference(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    reply = await write(stage, event, None)
    assert (reply.status, "conferenceData" in reply.body) == (200, False)


async def test_a_create_request_swaps_in_a_meet_link_once(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    swapped = (await write(stage, event, MEET)).body
    assert swapped["conferenceData"]["conferenceSolution"]["key"]["type"] == "hangoutsMeet"
    assert swapped["hangoutLink"] == swapped["conferenceData"]["entryPoints"][0]["uri"]
    again = (await write(stage, event, MEET)).body
    assert again["etag"] == swapped["etag"]
    back = (await write(stage, event, conference(), headers=ADD_ON)).body
    assert "hangoutLink" not in back


async def test_a_foreign_address_in_a_meet_entry_point_is_refused(stage: Stage) -> None:
    event = await stage.insert()
    meet = (await write(stage, event, MEET)).body["conferenceData"]
    del meet["createRequest"]
    meet["conferenceId"], meet["entryPoints"][0]["uri"] = "abc-defg-hij", "https://meet.example.org/j/1"
    assert (await write(stage, event, meet)).status == 400


@pytest.mark.parametrize("kind", ["eventHangout", "addOn", "unheard"])
async def test_a_create_request_of_another_type_is_refused(stage: Stage, kind: str) -> None:
    event = await stage.insert()
    request = {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": kind}}}
    reply = await write(stage, event, request)
    assert (reply.status, reply.body["error"]["message"]) == (400, "Invalid conference type value.")


@pytest.mark.parametrize(
    "points",
    [
        [],
        [MORE],
        [VIDEO, VIDEO],
        [{**VIDEO, "uri": "x" * 1301}],
        [{**VIDEO, "passcode": "1" * 129}],
        [{"entryPointType": ["video"], "uri": "x"}],
        "text",
    ],
)
async def test_even_the_add_on_keeps_the_rules_on_entry_points(stage: Stage, points: Any) -> None:
    event = await stage.insert()
    reply = await write(stage, event, conference(entryPoints=points), headers=ADD_ON)
    assert (reply.status, reply.reason) == (400, "invalid")


async def test_an_update_that_leaves_the_conference_out_keeps_it_only_without_the_version(stage: Stage) -> None:
    event = await stage.insert_with_conference()
    body = {"summary": "New", "start": START, "end": END}
    kept = (await stage.call("PUT", events(ANA, event["id"]), body)).body
    assert kept["conferenceData"] == event["conferenceData"]
    gone = (await stage.call("PUT", events(ANA, event["id"]), body, conferenceDataVersion=1)).body
    assert "conferenceData" not in gone


async def test_a_guest_cannot_swap_the_conference(stage: Stage) -> None:
    event = await stage.insert_with_conference(attendees=[{"email": BO}])
    body = {"conferenceData": MEET}
    reply = await stage.call("PATCH", events(BO, event["id"]), body, user=BO, conferenceDataVersion=1)
    assert (reply.status, reply.reason) == (403, "forbiddenForNonOrganizer")
