"""The notification channels that callers opened: who may open and stop them, and how long they live.

Facts: Calendar API, "Push notifications", and its references of `events.watch` and `channels.stop`. The texts of the
refusals are as seen by others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from yarl import URL

from syncer.simulator.clock import SimulatedClock
from syncer.simulator.google import refusals
from syncer.simulator.google.grants import Access
from syncer.simulator.google.notifying import WEEK_SECONDS, Notifying
from syncer.simulator.google.times import Json, is_countable

ID_CHARACTERS, TOKEN_CHARACTERS = 64, 256
LARGEST_GAP = 300_000
TYPES = ("web_hook", "webhook")
ID = re.compile(r"[A-Za-z0-9\-_+/=]+")
PRINTABLE = re.compile(r"[\x20-\x7e]*")
WHOLE = re.compile(r"-?\d{1,18}")
RESOURCES = "https://www.googleapis.com/calendar/v3/calendars/"


@dataclass(frozen=True, slots=True)
class Opener:
    """Who opened a channel. client: the OAuth client, or the service account's address."""

    project: str
    subject: str
    client: str
    is_account: bool

    @classmethod
    def of(cls, access: Access) -> Opener:
        """Whoever holds this access token."""
        return cls(access.project, access.subject, access.client_id or access.charged, not access.client_id)

    def may_stop(self, theirs: Opener) -> bool:
        """A user's channel: the same user by the same client; a service account's: any user by that account."""
        return self.client == theirs.client and (theirs.is_account or self.subject == theirs.subject)


@dataclass(slots=True, eq=False)
class Channel:
    """One channel, itself and no other whatever its fields. expires_at: by the simulated clock.

    chance: decides what happens to its messages; the same for the same calendar and place among its channels, whatever
    its id. left_after_stop: messages that it still brings, stops_left: stops that still succeed, once it is stopped.
    """

    id: str
    opener: Opener
    calendar_id: str
    resource_id: str
    address: URL
    token: str
    expires_at: datetime
    chance: random.Random
    number: int = 0
    is_stopped: bool = False
    is_silent: bool = False
    left_after_stop: int = 0
    stops_left: int = 0

    @property
    def resource_uri(self) -> str:
        """The address of what is watched, as Google writes it."""
        return f"{RESOURCES}{quote(self.calendar_id, safe='')}/events?alt=json"

    def state(self, now: datetime) -> str:
        """It is "live", "stopped" or "expired"."""
        return "expired" if self.expires_at <= now else "stopped" if self.is_stopped else "live"

    def answer(self) -> Json:
        """The `api#channel` that answers its opening."""
        told = {"kind": "api#channel", "id": self.id, "resourceId": self.resource_id, "resourceUri": self.resource_uri}
        expiration = str(round(self.expires_at.timestamp() * 1000))
        return told | ({"token": self.token} if self.token else {}) | {"expiration": expiration}

    def next_number(self) -> int:
        """The number of a new message: 1 for the first, then greater ones with gaps."""
        gap = 1 + int(self.chance.random() * LARGEST_GAP)
        self.number += gap if self.number else 1
        return self.number


@dataclass(slots=True)
class Channels:
    """All channels of all projects, those that are over too. settings: as they are now."""

    clock: SimulatedClock
    seed: int
    settings: Notifying = field(default_factory=Notifying)
    _by_id: dict[tuple[str, str], Channel] = field(default_factory=dict)
    _by_calendar: dict[str, list[Channel]] = field(default_factory=lambda: defaultdict(list))

    def open(self, calendar_id: str, opener: Opener, body: Json) -> Channel:
        """A new channel to a calendar's events, as a Channel resource asks for it. Raises Refusal."""
        now = self.clock.now()
        if calendar_id in self.settings.unwatchable:
            raise refusals.push_not_supported()
        channel_id, address = _id(body), _address(body, is_https_only=self.settings.https_only)
        if body.get("type") not in TYPES:
            raise refusals.invalid("Invalid value for field type.")
        token, expires_at = _token(body), self._expires_at(body, now)
        self._check_unique(opener.project, channel_id, now)
        place = f"{self.seed}:channels:{calendar_id}"
        known = self._by_calendar[calendar_id]
        resource_id = base64.urlsafe_b64encode(hmac.digest(place.encode(), b"events", hashlib.sha256)[:20]).decode()
        chance = random.Random(f"{place}:{len(known)}")
        channel = Channel(channel_id, opener, calendar_id, resource_id.rstrip("="), address, token, expires_at, chance)
        self._by_id[opener.project, channel_id] = channel
        known.append(channel)
        return channel

    def stop(self, opener: Opener, body: Json) -> Channel:
        """Stop a channel, as a Channel resource names it. Raises Refusal 404 when there is none that the caller may."""
        channel_id, resource_id = _text(body, "id"), _text(body, "resourceId")
        channel = self._by_id.get((opener.project, channel_id))
        is_this = channel is not None and channel.resource_id == resource_id
        if channel is None or not is_this or not opener.may_stop(channel.opener):
            raise refusals.channel_not_found(channel_id, opener.project)
        if (channel.is_stopped and channel.stops_left == 0) or channel.expires_at <= self.clock.now():
            raise refusals.channel_not_found(channel_id, opener.project)
        if channel.is_stopped:
            channel.stops_left -= 1
        else:
            channel.is_stopped = True
            channel.left_after_stop, channel.stops_left = self.settings.after_stop, self.settings.repeated_stops
        return channel

    def told_of(self, calendar_id: str) -> list[Channel]:
        """The channels to which a change of this calendar is told now, in the order of their opening."""
        now = self.clock.now()
        return [
            channel
            for channel in self._by_calendar.get(calendar_id, ())
            if channel.state(now) == "live" or (channel.state(now) == "stopped" and channel.left_after_stop > 0)
        ]

    def is_silent(self, channel: Channel) -> bool:
        """Whether its messages go nowhere, though it lives."""
        return channel.is_silent or channel.id in self.settings.silent

    def counts(self) -> dict[str, int]:
        """How many there are by state, and how many were opened."""
        now = self.clock.now()
        states = [channel.state(now) for channel in self._by_id.values()]
        opened = sum(len(channels) for channels in self._by_calendar.values())
        return {"opened": opened} | {name: states.count(name) for name in ("live", "stopped", "expired")}

    def as_json(self) -> list[Json]:
        """All channels in the order of their opening; their tokens are not shown."""
        now = self.clock.now()
        return [
            {
                "id": channel.id,
                "project": channel.opener.project,
                "calendar_id": channel.calendar_id,
                "subject": channel.opener.subject,
                "client": channel.opener.client,
                "address": str(channel.address),
                "resource_id": channel.resource_id,
                "expires_at": channel.expires_at.isoformat().replace("+00:00", "Z"),
                "state": channel.state(now),
                "silent": self.is_silent(channel),
                "last_number": channel.number,
            }
            for channel in self._by_id.values()
        ]

    def _check_unique(self, project: str, channel_id: str, now: datetime) -> None:
        known = self._by_id.get((project, channel_id))
        if known is not None and (known.state(now) == "live" or not self.settings.reusable_ids):
            raise refusals.channel_not_unique(channel_id)

    def _expires_at(self, body: Json, now: datetime) -> datetime:
        """The earliest of what is asked for and what is granted, in whole seconds unless it is the caller's word."""
        whole = now.replace(microsecond=0)
        wanted = [] if body.get("expiration") in (None, "") else [_instant(body["expiration"], now)]
        params = body.get("params") or {}
        if not isinstance(params, dict):
            raise refusals.invalid("Invalid value for field params.")
        if params.get("ttl") not in (None, ""):
            seconds = _number(params["ttl"])
            if seconds is None or seconds <= 0:
                raise refusals.invalid_ttl(params["ttl"])
            wanted.append(whole + timedelta(seconds=min(seconds, self.settings.longest_seconds)))
        granted = whole + timedelta(seconds=self.settings.longest_seconds)
        return min([*(wanted or [whole + timedelta(seconds=WEEK_SECONDS)]), granted])


def _id(body: Json) -> str:
    channel_id = _text(body, "id")
    if len(channel_id) > ID_CHARACTERS or not ID.fullmatch(channel_id):
        raise refusals.invalid("Invalid value for field id.")
    return channel_id


def _token(body: Json) -> str:
    token = body.get("token") or ""
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS or not PRINTABLE.fullmatch(token):
        raise refusals.invalid("Invalid value for field token.")
    return token


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise refusals.required(f"Missing required field: {name}.")
    if not isinstance(value, str):
        raise refusals.invalid(f"Invalid value for field {name}.")
    return value


def _address(body: Json, *, is_https_only: bool) -> URL:
    """Where messages go: none leaves this machine, and other addresses are refused in Google's words."""
    text = _text(body, "address")
    try:
        address = URL(text) if PRINTABLE.fullmatch(text) and " " not in text else URL()
    except ValueError:
        address = URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise refusals.invalid("Invalid value for field address.")
    if is_https_only and address.scheme != "https":
        raise refusals.webhook_not_https(text)
    if not _is_loopback(address.host):
        raise refusals.webhook_unauthorized(text)
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _instant(value: Any, now: datetime) -> datetime:
    """The instant that an `expiration` names, milliseconds since 1970."""
    millis = _number(value)
    if millis is None:
        raise refusals.invalid_ttl(value)
    seconds = millis / 1000 - now.timestamp()
    if seconds <= 0:
        raise refusals.invalid_ttl(int(seconds))
    try:
        at = datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise refusals.invalid_ttl(value) from None
    if not is_countable(at):
        raise refusals.invalid_ttl(value)
    return at


def _number(value: Any) -> int | None:
    """A whole number, as a number or as text; None when it is neither. Google's own client for Python writes 5.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 10**18 else None
    return int(value) if isinstance(value, str) and WHOLE.fullmatch(value) else None
