"""What a vendor's add-on puts on a calendar event for a meeting; knows no HTTP."""

from typing import Any
from urllib.parse import urlsplit


def with_conference(event: dict[str, Any], meeting: dict[str, Any], *, solution: str) -> dict[str, Any]:
    """A copy of the event that carries the meeting instead of whatever conference it had.

    event: a Google Event resource. meeting: as the conferencing simulator's REST face shows it.
    solution: the add-on's name, which becomes the conference solution's name.
    """
    kept = {name: value for name, value in event.items() if name != "hangoutLink"}
    return kept | {"conferenceData": conference_of(meeting, solution=solution)}


def conference_of(meeting: dict[str, Any], *, solution: str) -> dict[str, Any]:
    """The conferenceData block of a meeting, still unsigned.

    Source: Calendar API, Events resource, conferenceData; one video entry, any number of phone entries.
    """
    phones = [_phone(number) for number in meeting["dial_in"]]
    return {
        "conferenceSolution": {"key": {"type": "addOn"}, "name": solution},
        "conferenceId": meeting["id"],
        "entryPoints": [_video(meeting), *phones],
    }


def _video(meeting: dict[str, Any]) -> dict[str, Any]:
    url = urlsplit(meeting["join_url"])
    entry = {
        "entryPointType": "video",
        "uri": meeting["join_url"],
        "label": url.netloc + url.path,
        "meetingCode": meeting["id"],
    }
    return entry | ({"passcode": meeting["passcode"]} if meeting["passcode"] else {})


def _phone(number: str) -> dict[str, Any]:
    dialled = "".join(sign for sign in number if sign.isdigit() or sign in "+,;*#")
    return {"entryPointType": "phone", "uri": f"tel:{dialled}", "label": number}
