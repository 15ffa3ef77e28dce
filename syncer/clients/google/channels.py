"""Channels: how Google is asked to tell of a calendar and to stop that, and what it answers. Knows bodies, no network.

Source: Calendar API, "Push notifications"; reference, Events: watch and Channels: stop.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import orjson

from syncer.clients.google.batch import Call, Whose
from syncer.clients.http import BAD_JSON
from syncer.clients.secret import Secret

_DONE = frozenset({200, 204})
_LONGEST_ID = 512


class Ask(NamedTuple):
    """A channel to ask for. token: sent along with each message. seconds: how long it is to last."""

    channel_id: str
    address: str
    token: Secret
    seconds: int


class Granted(NamedTuple):
    """A channel that is open. resource_id: what it watches, in Google's words. expires_at: aware UTC."""

    resource_id: str
    expires_at: datetime


class _Channel(msgspec.Struct):
    resourceId: str  # noqa: N815 (Google's)
    expiration: int | str


_CHANNEL = msgspec.json.Decoder(_Channel)


def watch_call(place: str, user: str, whose: Whose, ask: Ask) -> Call:
    """The request for a channel. place: the calendar's part of the path. user: whom it counts for."""
    body = {
        "id": ask.channel_id,
        "type": "web_hook",
        "address": ask.address,
        "token": ask.token.reveal(),
        "params": {"ttl": str(ask.seconds)},
    }
    path = f"calendar/v3/calendars/{place}/events/watch?quotaUser={user}&prettyPrint=false"
    return Call("POST", path, whose, body=orjson.dumps(body), is_alone=True, user=user)


def stop_call(channel_id: str, resource_id: str, whose: Whose) -> Call:
    """The request to stop a channel."""
    body = orjson.dumps({"id": channel_id, "resourceId": resource_id})
    return Call("POST", "calendar/v3/channels/stop?prettyPrint=false", whose, body=body, is_alone=True)


def is_done(status: int) -> bool:
    """A stop was answered by nothing at all, which is how it is said that it is done."""
    return status in _DONE


def granted(body: bytes) -> Granted | None:
    """The channel that an answer tells of; None when it tells of none."""
    try:
        channel = _CHANNEL.decode(body)
        expires_at = datetime.fromtimestamp(int(channel.expiration) / 1000, UTC)
    except (*BAD_JSON, ValueError, OverflowError, OSError):
        return None
    return Granted(channel.resourceId, expires_at) if 0 < len(channel.resourceId) <= _LONGEST_ID else None
