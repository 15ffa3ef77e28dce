"""The shapes of what callers write into an event, below its fields: names they do not have are dropped.

Source: Calendar API, discovery document `calendar:v3`, schemas Event and ConferenceData.
"""

from __future__ import annotations

from typing import Any

Shape = type | frozenset[str] | list[Any] | dict[str, Any]
"""A type; a closed set of texts; [the shape of a list's rows]; fields by name, or {"*": the shape of any field}."""

INT32 = 2**31
_TEXTS: Shape = {"*": str}
_ANY: Shape = object
FIELDS: dict[str, Shape] = {
    "attachments": [dict.fromkeys(("fileId", "fileUrl", "iconLink", "mimeType", "title"), str)],
    "extendedProperties": {"private": _TEXTS, "shared": _TEXTS},
    "gadget": {
        "display": frozenset({"icon", "chip"}),
        "height": int,
        "iconLink": str,
        "link": str,
        "preferences": _TEXTS,
        "title": str,
        "type": str,
        "width": int,
    },
    "reminders": {"overrides": [{"method": frozenset({"email", "popup"}), "minutes": int}], "useDefault": bool},
    "sequence": int,
    "source": {"title": str, "url": str},
    "workingLocationProperties": {
        "customLocation": {"label": str},
        "homeOffice": _ANY,
        "officeLocation": dict.fromkeys(("buildingId", "deskId", "floorId", "floorSectionId", "label"), str),
        "type": frozenset({"homeOffice", "officeLocation", "customLocation"}),
    },
}
ATTENDEE: dict[str, Shape] = {
    "additionalGuests": int,
    "comment": str,
    "displayName": str,
    "email": str,
    "id": str,
    "optional": bool,
    "resource": bool,
    "responseStatus": str,
}
CONFERENCE: Shape = {
    "conferenceId": str,
    "conferenceSolution": {"iconUri": str, "key": {"type": str}, "name": str},
    "createRequest": {"conferenceSolutionKey": {"type": str}, "requestId": str},
    "entryPoints": [
        {
            **dict.fromkeys(("accessCode", "entryPointType", "label", "meetingCode", "passcode", "password"), str),
            **dict.fromkeys(("pin", "regionCode", "uri"), str),
            "entryPointFeatures": [str],
        }
    ],
    "notes": str,
    "parameters": {"addOnParameters": {"parameters": _TEXTS}},
    "signature": str,
}


class Unfit(Exception):
    """A value of a wrong type."""


def fitted(shape: Shape, value: Any, *, keeps_null: bool = False) -> Any:
    """The value with only the fields that its shape has.

    keeps_null: whether null stays, as what a patch removes a field by; in rows of lists it never does.
    Raises Unfit.
    """
    if isinstance(shape, dict):
        return _fields(shape, value, keeps_null=keeps_null)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise Unfit
        return [fitted(shape[0], row) for row in value]
    if isinstance(shape, frozenset):
        is_right = isinstance(value, str) and value in shape
    elif shape is int:
        is_right = isinstance(value, int) and not isinstance(value, bool) and -INT32 <= value < INT32
    else:
        is_right = isinstance(value, shape)
    if not is_right:
        raise Unfit
    return value


def _fields(shape: dict[str, Any], value: Any, *, keeps_null: bool) -> Any:
    if not isinstance(value, dict):
        raise Unfit
    found: dict[str, Any] = {}
    for name, part in value.items():
        below = shape.get(name, shape.get("*"))
        if part is None and below is not None and keeps_null:
            found[name] = None
        elif part is not None and below is not None:
            found[name] = fitted(below, part, keeps_null=keeps_null)
    return found
