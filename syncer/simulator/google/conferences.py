"""Decides what a write of conferenceData does, and signs what the server takes.

Facts: Calendar API, "Create events", on conference data, and its reference. That a plain client cannot write
an add-on's conference (400), and that data without key.type are dropped with a 200, was seen by others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from typing import Any

import orjson

from syncer.simulator.google import refusals, shapes
from syncer.simulator.google.times import Json
from syncer.simulator.google.world import World

ONCE_ONLY = ("video", "sip", "more")
TEXT_LIMITS = {"uri": 1300, "label": 512} | dict.fromkeys(
    ("meetingCode", "accessCode", "passcode", "password", "pin"), 128
)
DEAD_TYPES = ("eventHangout", "eventNamedHangout")


def written(world: World, before: Json | None, incoming: Any, add_on: str | None) -> Json | None:
    """The event's conferenceData after a write with conferenceDataVersion=1; None when it has none then.

    before: as stored, signature included. incoming: the body's value, null included. add_on: the name of the
    solution when the add-on itself writes, else None.
    Raises Refusal for what Google refuses.
    """
    if incoming is None:
        return None
    if not isinstance(incoming, dict):
        raise invalid_conference()
    if is_signed(world, incoming):
        return incoming
    try:
        incoming = shapes.fitted(shapes.CONFERENCE, incoming)
    except shapes.Unfit:
        raise invalid_conference() from None
    if incoming.get("createRequest"):
        return _created(world, before, incoming["createRequest"])
    if add_on is not None:
        return _from_add_on(world, incoming, add_on)
    return _from_client(world, before, incoming)


def invalid_conference() -> refusals.Refusal:
    """Google's answer to conference data that it does not take."""
    return refusals.invalid("Invalid conference data")


def key_type(conference: Any) -> str | None:
    """The type of a conference's solution: "addOn", "hangoutsMeet", …; None when it names none."""
    solution = conference.get("conferenceSolution") if isinstance(conference, dict) else None
    key = solution.get("key") if isinstance(solution, dict) else None
    value = key.get("type") if isinstance(key, dict) else None
    return value if isinstance(value, str) and value else None


def meet_link(conference: Any) -> str | None:
    """The address for `hangoutLink`: the video entry point of a Meet conference, else None."""
    if key_type(conference) != "hangoutsMeet":
        return None
    points = conference.get("entryPoints")
    uris = [point.get("uri") for point in points if isinstance(point, dict)] if isinstance(points, list) else []
    return uris[0] if uris else None


def signed(world: World, conference: Json) -> Json:
    """The conference with the server's signature over all its other fields."""
    return {**_unsigned(conference), "signature": _signature(world, conference)}


def is_signed(world: World, conference: Json) -> bool:
    """Whether this is, field for field, something the server once signed."""
    signature = conference.get("signature")
    return isinstance(signature, str) and signature == _signature(world, conference)


def _unsigned(conference: Json) -> Json:
    return {name: value for name, value in conference.items() if name != "signature"}


def _signature(world: World, conference: Json) -> str:
    text = orjson.dumps(_unsigned(conference), option=orjson.OPT_SORT_KEYS)
    solution_id = str(conference.get("conferenceId", ""))
    mac = hmac.digest(f"{world.seed}:signature".encode(), text, hashlib.sha256)
    # The first part binds to the conference, so that an old signature under new data can be told from a made-up one.
    own = hmac.digest(f"{world.seed}:conference".encode(), solution_id.encode(), hashlib.sha256)
    return "ADR1" + base64.urlsafe_b64encode(own[:9] + mac[:18]).decode()


def _from_client(world: World, before: Json | None, incoming: Json) -> Json | None:
    kind = key_type(incoming)
    if kind is None:
        return before
    if kind not in ("addOn", "hangoutsMeet"):
        raise refusals.invalid("Invalid conference type value.")
    signature = incoming.get("signature")
    if not isinstance(signature, str):
        raise invalid_conference()
    is_of_this_conference = signature[:16] == _signature(world, incoming)[:16]
    if is_of_this_conference and world.chance.random() < 0.5:
        return before
    raise invalid_conference()


def _from_add_on(world: World, incoming: Json, solution_name: str) -> Json:
    if key_type(incoming) != "addOn":
        raise invalid_conference()
    check_entry_points(incoming.get("entryPoints"))
    solution = {"name": solution_name, **incoming["conferenceSolution"]}
    return signed(world, {**incoming, "conferenceSolution": solution})


def check_entry_points(points: Any) -> None:
    """Refuse entry points that break the documented rules on their number, kinds and lengths."""
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        raise invalid_conference()
    kinds = Counter(str(point.get("entryPointType")) for point in points)
    if not kinds.keys() <= {"video", "phone", "sip", "more"} or kinds.keys() == {"more"}:
        raise invalid_conference()
    if any(kinds[kind] > 1 for kind in ONCE_ONLY) or not all(isinstance(point.get("uri"), str) for point in points):
        raise invalid_conference()
    for point in points:
        if any(len(str(point.get(name, ""))) > limit for name, limit in TEXT_LIMITS.items()):
            raise invalid_conference()


def _created(world: World, before: Json | None, request: Any) -> Json | None:
    if not isinstance(request, dict) or not isinstance(request.get("requestId"), str):
        raise invalid_conference()
    earlier = before.get("createRequest") if before else None
    if isinstance(earlier, dict) and earlier.get("requestId") == request["requestId"]:
        return before
    solution_key = request.get("conferenceSolutionKey")
    kind = solution_key.get("type") if isinstance(solution_key, dict) else "hangoutsMeet"
    if kind != "hangoutsMeet":
        raise refusals.invalid("Invalid conference type value.")
    return signed(world, _meet(world.new_meet_code(), request["requestId"]))


def _meet(code: str, request_id: str) -> Json:
    return {
        "createRequest": {
            "requestId": request_id,
            "conferenceSolutionKey": {"type": "hangoutsMeet"},
            "status": {"statusCode": "success"},
        },
        "entryPoints": [
            {
                "entryPointType": "video",
                "uri": f"https://meet.google.com/{code}",
                "label": f"meet.google.com/{code}",
            }
        ],
        "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
        "conferenceId": code,
    }
