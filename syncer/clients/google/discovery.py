"""The facts of Google's discovery document that we call by, so that start-up needs no network.

Source: Google API discovery, `calendar:v3`, revision 20261030: ids, paths, methods and
the query parameters that we send.
"""

from typing import Any

from yarl import URL

GOOGLE_ROOT = "https://www.googleapis.com/"


def document(api_root: str) -> dict[str, Any]:
    """A discovery document for events.list, get and patch.

    api_root: `https://www.googleapis.com/` or an emulator's; a missing last slash is added.
    A new one each time: aiogoogle writes into the document that it is given.
    """
    root = api_root.rstrip("/") + "/"
    return {
        "kind": "discovery#restDescription",
        "id": "calendar:v3",
        "name": "calendar",
        "version": "v3",
        "revision": "20261030",
        "rootUrl": root,
        "servicePath": "calendar/v3/",
        "batchPath": "batch/calendar/v3",
        "parameters": {
            "prettyPrint": _query("boolean"),
            "quotaUser": _query("string"),
            "fields": _query("string"),
        },
        "schemas": {},
        "resources": {"events": {"methods": {"list": _list(), "get": _get(), "patch": _patch()}}},
    }


def _list() -> dict[str, Any]:
    return {
        "id": "calendar.events.list",
        "path": "calendars/{calendarId}/events",
        "httpMethod": "GET",
        "parameterOrder": ["calendarId"],
        "parameters": {
            "calendarId": _path(),
            "maxResults": _query("integer"),
            "pageToken": _query("string"),
            "singleEvents": _query("boolean"),
            "syncToken": _query("string"),
            "timeMin": _query("string"),
        },
    }


def _get() -> dict[str, Any]:
    return {
        "id": "calendar.events.get",
        "path": "calendars/{calendarId}/events/{eventId}",
        "httpMethod": "GET",
        "parameterOrder": ["calendarId", "eventId"],
        "parameters": {"calendarId": _path(), "eventId": _path()},
    }


def _patch() -> dict[str, Any]:
    return {
        "id": "calendar.events.patch",
        "path": "calendars/{calendarId}/events/{eventId}",
        "httpMethod": "PATCH",
        "parameterOrder": ["calendarId", "eventId"],
        "parameters": {
            "calendarId": _path(),
            "eventId": _path(),
            "conferenceDataVersion": _query("integer"),
            "sendUpdates": _query("string"),
        },
    }


def _path() -> dict[str, Any]:
    return {"type": "string", "location": "path", "required": True}


def _query(kind: str) -> dict[str, Any]:
    return {"type": kind, "location": "query"}


def host(api_root: str) -> str:
    """The host of an API root, for messages."""
    return URL(api_root).host or "no host"
