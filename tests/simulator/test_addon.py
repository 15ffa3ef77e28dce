"""The add-on puts the vendor's meeting on an event, in place of any other conference."""

from typing import Any

from syncer.simulator.addon import conference_of, with_conference
from tests.simulator.vendors import a_vendor

MEETING: dict[str, Any] = {
    "id": "81234567890",
    "join_url": "https://acme.meeting.test/j/81234567890?pwd=a1",
    "passcode": "553311",
    "dial_in": ["+1 202-555-0143", "+442079460143"],
}


def test_the_meeting_replaces_a_meet_link() -> None:
    meet = {"conferenceSolution": {"key": {"type": "hangoutsMeet"}}, "entryPoints": []}
    event = {"id": "e1", "summary": "S", "hangoutLink": "https://meet.google.com/a", "conferenceData": meet}
    changed = with_conference(event, MEETING, solution="Acme Meeting")
    assert changed == {"id": "e1", "summary": "S", "conferenceData": conference_of(MEETING, solution="Acme Meeting")}
    assert event["conferenceData"] is meet


def test_a_conference_names_the_meeting_and_the_ways_in() -> None:
    conference = conference_of(MEETING, solution="Acme Meeting")
    video, *phones = conference["entryPoints"]
    assert conference["conferenceId"] == "81234567890"
    assert conference["conferenceSolution"] == {"key": {"type": "addOn"}, "name": "Acme Meeting"}
    assert video == {
        "entryPointType": "video",
        "uri": MEETING["join_url"],
        "label": "acme.meeting.test/j/81234567890",
        "meetingCode": "81234567890",
        "passcode": "553311",
    }
    assert [phone["uri"] for phone in phones] == ["tel:+12025550143", "tel:+442079460143"]


def test_a_meeting_without_a_passcode_shows_none() -> None:
    conference = conference_of(MEETING | {"passcode": None}, solution="Acme Meeting")
    assert "passcode" not in conference["entryPoints"][0]


async def test_a_simulated_meeting_fits() -> None:
    async with a_vendor() as vendor:
        meeting = await vendor.new_meeting()
        conference = conference_of(meeting, solution="Acme Meeting")
        assert conference["conferenceId"] == meeting["id"]
        assert len(conference["entryPoints"]) == 1 + len(meeting["dial_in"])
