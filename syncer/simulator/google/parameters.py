"""Query parameters of the simulated API: which each method has, and how their values are read.

Source: Calendar API, discovery document `calendar:v3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncer.simulator.google import refusals, times

GLOBAL = frozenset(
    {
        "$.xgafv",
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
        "userIp",
    }
)
QUOTA_USER_CHARACTERS = 40
_SENT = frozenset({"sendNotifications", "sendUpdates"})
_READ = frozenset({"alwaysIncludeEmail", "maxAttendees", "timeZone"})
_WRITE = _SENT | {
    "alwaysIncludeEmail",
    "conferenceDataVersion",
    "eventLabelVersion",
    "maxAttendees",
    "supportsAttachments",
}
_PAGED = frozenset({"maxResults", "pageToken", "showDeleted", "syncToken"})
_LISTED = (
    _READ
    | _PAGED
    | {
        "eventTypes",
        "iCalUID",
        "orderBy",
        "privateExtendedProperty",
        "q",
        "sharedExtendedProperty",
        "showHiddenInvitations",
        "singleEvents",
        "timeMax",
        "timeMin",
        "updatedMin",
    }
)
BY_METHOD: dict[str, frozenset[str]] = {
    "events.list": _LISTED,
    "events.watch": _LISTED,
    "events.get": _READ,
    "events.instances": _READ | {"maxResults", "originalStart", "pageToken", "showDeleted", "timeMax", "timeMin"},
    "events.insert": _WRITE - {"alwaysIncludeEmail"},
    "events.patch": _WRITE,
    "events.update": _WRITE,
    "events.delete": _SENT,
    "events.move": _SENT | {"destination"},
    "calendarList.list": _PAGED | {"minAccessRole", "showHidden", "showOwnOrganizationOnly"},
    "acl.list": _PAGED,
    "acl.insert": frozenset({"sendNotifications"}),
}
SEND_UPDATES = ("", "all", "externalOnly", "none")


class Query:
    """The query parameters of one request, read by type; a value that does not fit is refused."""

    def __init__(self, values: Mapping[str, list[str]], method: str) -> None:
        """values: by name, in order. method: a name such as "events.list".

        Raises Refusal for a parameter that the method does not have.
        """
        self._values = values
        known = GLOBAL | BY_METHOD.get(method, frozenset())
        for name in values:
            if name not in known:
                raise refusals.unknown_parameter(name)
        if self.text("alt") not in ("", "json"):
            raise refusals.invalid("Invalid value for parameter alt.", parameter="alt")
        if len(self.text("quotaUser")) > QUOTA_USER_CHARACTERS:
            raise refusals.invalid("Invalid value for parameter quotaUser.", parameter="quotaUser")
        self.flag("prettyPrint")

    def has(self, name: str) -> bool:
        """Whether the parameter was given and is not empty."""
        return bool(self.text(name))

    def text(self, name: str) -> str:
        """Its last value, or an empty text."""
        return (self._values.get(name) or [""])[-1]

    def all(self, name: str) -> list[str]:
        """All its values, for parameters that may be repeated."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """A boolean parameter, false when it is absent."""
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            raise refusals.invalid(f"Invalid value for parameter {name}.", parameter=name)
        return value == "true"

    def count(self, name: str, least: int = 1) -> int | None:
        """A whole-number parameter, None when it is absent."""
        value = self.text(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) >= least):
            raise refusals.invalid(f"Invalid value for parameter {name}.", parameter=name)
        return int(value)

    def instant(self, name: str) -> datetime | None:
        """An RFC 3339 parameter with an offset, fractions of seconds dropped; None when it is absent."""
        if not self.has(name):
            return None
        at = times.instant(self.text(name))
        if at is None:
            raise refusals.Refusal(400, "badRequest", "Bad Request", where=f"parameter:{name}")
        return at.replace(microsecond=0)

    def zone(self) -> str:
        """The zone in which the answer is to be written, empty when none was asked for."""
        name = self.text("timeZone")
        if name and times.zone_named(name) is None:
            raise refusals.invalid("Invalid time zone.", parameter="timeZone")
        return name

    def send_updates(self) -> str:
        """Whom to tell: "", "all", "externalOnly" or "none"."""
        value = self.text("sendUpdates")
        if value not in SEND_UPDATES:
            raise refusals.invalid("Invalid value for parameter sendUpdates.", parameter="sendUpdates")
        return value

    def conference_version(self) -> int:
        """0 or 1: whether the caller knows conference data."""
        version = self.count("conferenceDataVersion", least=0) or 0
        if version > 1:
            raise refusals.invalid(
                "Invalid value for parameter conferenceDataVersion.", parameter="conferenceDataVersion"
            )
        return version
