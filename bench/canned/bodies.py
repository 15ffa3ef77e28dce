"""The answers' bodies, made once for each mask of fields that is asked for.

Source of the shapes: Calendar API, Events resource and events.list; of the mask: "Performance tips", partial response.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from bench.canned import names

PAGE_SIZE = 2500
_CONFERENCE_EACH = 25
_ADDRESS, _NUMBER, _REVISION = "c7654321@example.org", "7654321", "1234567890"
_SPEAKS = (
    ("2099-12-02T09:00:00+01:00", "2099-12-02T09:45:00+01:00"),
    ("2099-12-03T14:00:00+01:00", "2099-12-03T15:00:00+01:00"),
)


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies under one mask. changed and page hold a calendar's number and a revision to be filled in."""

    envelope: dict[str, Any]
    changed: tuple[bytes, ...]
    page: bytes

    def quiet(self, token: str) -> bytes:
        """Nothing has changed since the sync token."""
        return orjson.dumps(
            {name: token if name == "nextSyncToken" else value for name, value in self.envelope.items()}
        )

    def changes(self, digits: bytes, revision: bytes) -> bytes:
        """Three events of a calendar, one with a meeting, all as of this revision (ten digits)."""
        return digits.join(self.changed).replace(_REVISION.encode(), revision)

    def whole(self, digits: bytes) -> bytes:
        """A page of PAGE_SIZE events, a meeting on one of 25, and the sync token."""
        return self.page.replace(_NUMBER.encode(), digits)


def made(mask: str) -> Bodies:
    """The bodies for a mask of fields as it stands in a URL; empty for all fields."""
    asked = unquote(mask)
    fields = _parsed(asked) if asked else None
    listed = [_meeting_event(), *(_plain_event(f"plain{place}", place) for place in range(2))]
    changed = orjson.dumps(_masked(_envelope(listed), fields))
    whole = [
        _page_meeting(place) if place % _CONFERENCE_EACH == 0 else _plain_event(f"page{place:05d}", place)
        for place in range(PAGE_SIZE)
    ]
    return Bodies(
        envelope=_masked(_envelope([]), fields),
        changed=tuple(changed.split(_NUMBER.encode())),
        page=orjson.dumps(_masked(_envelope(whole), fields)),
    )


def event(number: int, revision: str) -> dict[str, Any]:
    """The event with the meeting of one calendar, all fields."""
    text = orjson.dumps(_meeting_event()).decode()
    filled: dict[str, Any] = orjson.loads(
        text.replace(_NUMBER, f"{number:0{names.DIGITS}d}").replace(_REVISION, revision)
    )
    return filled


def _envelope(events: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "calendar#events",
        "etag": '"p33k9f2m1o2nqe0o"',
        "summary": _ADDRESS if events else "ana@example.org",
        "description": "",
        "updated": "2026-11-13T03:00:00.000Z",
        "timeZone": "Europe/Paris",
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 10}],
        "nextSyncToken": f"CPj{_REVISION}_5EDEPj{_REVISION}_5EDGAUg",
        "items": events,
    }


def _meeting_event() -> dict[str, Any]:
    number = _NUMBER
    return _plain_event("", 0) | {
        "id": f"meeting{number}",
        "iCalUID": f"meeting{number}@google.com",
        "summary": f"Design review {_REVISION}",
        "conferenceData": _conference(f"8{number}"),
    }


def _page_meeting(place: int) -> dict[str, Any]:
    name = f"page{place:05d}"
    return _plain_event(name, place) | {"conferenceData": _conference(f"9{place:05d}{_NUMBER}")}


def _conference(meeting: str) -> dict[str, Any]:
    return {
        "entryPoints": [
            {
                "entryPointType": "video",
                "uri": f"https://vendor.test/j/{meeting}",
                "label": f"vendor.test/j/{meeting}",
                "meetingCode": meeting,
                "passcode": "553311",
            }
        ],
        "conferenceSolution": {
            "key": {"type": "addOn"},
            "name": "Example Meeting",
            "iconUri": "https://vendor.test/icon.png",
        },
        "conferenceId": meeting,
        "signature": "ADR1tZ0example/signature+of+the+add-on",
        "parameters": {"addOnParameters": {"parameters": {"meetingId": meeting, "madeBy": "u-17"}}},
    }


def _plain_event(name: str, place: int) -> dict[str, Any]:
    starts, ends = _SPEAKS[place % len(_SPEAKS)]
    return {
        "kind": "calendar#event",
        "etag": f'"{_REVISION}"',
        "id": name,
        "status": "confirmed",
        "htmlLink": "https://www.google.com/calendar/event?eid=NmsxdjdtMHQ1ZDJxOXMzaGd1OGY0bjByYmEgYW5hQGV4YW1wbGUub3Jn",
        "created": "2026-11-10T08:02:11.000Z",
        "updated": "2026-11-12T14:36:12.839Z",
        "summary": f"Planning the spring {_REVISION}",
        "description": "What is done, what comes next, and who does it. Notes are in the usual place.",
        "creator": {"email": _ADDRESS, "self": True},
        "organizer": {"email": _ADDRESS, "self": True},
        "start": {"dateTime": starts, "timeZone": "Europe/Paris"},
        "end": {"dateTime": ends, "timeZone": "Europe/Paris"},
        "iCalUID": f"{name}@google.com",
        "sequence": 1,
        "attendees": [
            {"email": _ADDRESS, "organizer": True, "self": True, "responseStatus": "accepted"},
            {"email": "bo@example.org", "displayName": "Bo", "responseStatus": "needsAction"},
            {"email": "cleo@example.org", "displayName": "Cleo", "responseStatus": "tentative"},
        ],
        "reminders": {"useDefault": True},
        "eventType": "default",
    }


Mask = dict[str, "Mask"]


def _parsed(text: str) -> Mask:
    """`a,b(c,d/e)` as {a: {}, b: {c: {}, d: {e: {}}}}. An empty mapping means all that is below."""
    whole: Mask = {}
    open_masks, here, last = [whole], whole, whole
    for sign in _signs(text):
        if sign in ("(", "/"):
            here = last
            if sign == "(":
                open_masks.append(here)
        elif sign in (")", ","):
            if sign == ")":
                open_masks.pop()
            here = open_masks[-1]
        else:
            last = here.setdefault(sign, {})
    return whole


def _signs(text: str) -> Iterator[str]:
    return (found.group() for found in re.finditer(r"[(),/]|[^(),/\s]+", text))


def _masked(value: Any, mask: Mask | None) -> Any:
    if not mask or "*" in mask:
        return value
    if isinstance(value, list):
        return [_masked(one, mask) for one in value]
    if isinstance(value, dict):
        return {name: _masked(value[name], mask[name]) for name in value if name in mask}
    return value
