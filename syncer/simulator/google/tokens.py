"""The text of sync and page tokens: opaque to callers, sealed so that a made-up one is told apart."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

import orjson

from syncer.simulator.google.world import World

SEAL_BYTES = 8


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A place in a calendar's change log.

    position: number of the last change the holder has seen. fingerprint: of the query it came from.
    issued_at: simulated seconds since 1970.
    """

    calendar_id: str
    position: int
    fingerprint: str
    acl_epoch: int
    issued_at: float = 0


@dataclass(frozen=True, slots=True)
class PageToken:
    """Where the next page of one listing begins.

    mode: "full" (offset counts entries in the order of their making), "delta" (offset is the last change
    number given), "ordered" (offset counts sorted entries). ceiling: the newest change when the first page was
    made, from which the final sync token is made. fingerprint: of the whole query.
    """

    calendar_id: str
    mode: str
    offset: int
    ceiling: int
    fingerprint: str


def sealed(world: World, token: SyncToken | PageToken) -> str:
    """The token as text."""
    if isinstance(token, SyncToken):
        fields = ["s", token.calendar_id, token.position, token.fingerprint, token.acl_epoch, token.issued_at]
    else:
        fields = ["p", token.calendar_id, token.mode, token.offset, token.ceiling, token.fingerprint]
    text = orjson.dumps(fields)
    return base64.urlsafe_b64encode(_seal(world, text) + text).decode()


def opened_sync(world: World, text: str) -> SyncToken | None:
    """The sync token that a text holds, or None when it holds none of ours."""
    match _opened(world, text):
        case ["s", str(calendar_id), int(position), str(fingerprint), int(epoch), float(issued_at) | int(issued_at)]:
            return SyncToken(calendar_id, position, fingerprint, epoch, issued_at)
        case _:
            return None


def opened_page(world: World, text: str) -> PageToken | None:
    """The page token that a text holds, or None when it holds none of ours."""
    match _opened(world, text):
        case ["p", str(calendar_id), str(mode), int(offset), int(ceiling), str(fingerprint)]:
            return PageToken(calendar_id, mode, offset, ceiling, fingerprint)
        case _:
            return None


def _opened(world: World, text: str) -> object:
    try:
        blob = base64.urlsafe_b64decode(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return None
    seal, inside = blob[:SEAL_BYTES], blob[SEAL_BYTES:]
    return orjson.loads(inside) if hmac.compare_digest(seal, _seal(world, inside)) else None


def _seal(world: World, text: bytes) -> bytes:
    return hmac.digest(f"{world.seed}:tokens".encode(), text, hashlib.sha256)[:SEAL_BYTES]
