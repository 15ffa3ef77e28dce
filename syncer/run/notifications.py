"""Notifications: Google's messages that a calendar has changed. Each is answered once its mark is committed.

A message is believed if its channel is ours and it carries the channel's secret; it means *look*, and nothing else of
it is read. Any other gets one and the same answer, whatever was wrong with it, and Google does not repeat it then.
Source: Calendar API, "Push notifications".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import structlog
from aiohttp import web

from syncer.model.errors import StoreError, StoreUnavailable
from syncer.run.listening import Refusal
from syncer.store import notified
from syncer.store.database import Database
from syncer.store.notified import Known
from syncer.together import Together

log = structlog.get_logger()
PATH = "/notifications/google"
_MESSAGES_A_STATEMENT = 256
_CHANNEL_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What we give is 43 characters long.
_LONGEST_TOKEN = 64
_RESOURCE_ID = re.compile(r"[\x21-\x7e]{1,512}")
_NO_CHANNEL = "There is no such channel."


@dataclass(slots=True)
class Counts:
    """Messages since the start. known: marked. unknown: of no channel that is ours and open, or without its secret."""

    known: int = 0
    unknown: int = 0


class _Message(NamedTuple):
    """What a message says, and no more of it. digest: of its token."""

    channel_id: UUID
    digest: bytes
    resource_id: str | None


class Notifications:
    """Takes Google's messages, and marks the calendars that they tell of; those that come together in one go."""

    def __init__(self, database: Database) -> None:
        self.counts = Counts()
        self._database = database
        self._mark = Together(self._mark_all, broken_off=_broken_off, most=_MESSAGES_A_STATEMENT)

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.post(PATH, self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        """`POST /notifications/google`: 204 once the mark is committed."""
        message = _message(request.headers)
        if message is None or not await self._mark(message):
            self.counts.unknown += 1
            raise Refusal(404, _NO_CHANNEL)
        self.counts.known += 1
        return web.Response(status=204)

    async def _mark_all(self, messages: Sequence[_Message]) -> list[bool]:
        """Which of these messages are believed; their calendars are marked then."""
        known = await notified.known(self._database, {message.channel_id for message in messages})
        believed = [known[one.channel_id] if _is_believed(known.get(one.channel_id), one) else None for one in messages]
        marked = await notified.mark(self._database, [channel for channel in believed if channel is not None])
        await notified.name_resources(
            self._database,
            {
                one.channel_id: one.resource_id
                for one, channel in zip(messages, believed, strict=True)
                if channel is not None and channel.is_unnamed and one.resource_id is not None
            },
        )
        return [channel is not None and channel.key in marked for channel in believed]


def _message(headers: Mapping[str, str]) -> _Message | None:
    """What the headers say; None where they cannot be of a channel of ours."""
    channel_id, token = headers.get("X-Goog-Channel-ID", ""), headers.get("X-Goog-Channel-Token", "")
    if not _CHANNEL_ID.fullmatch(channel_id) or not 0 < len(token) <= _LONGEST_TOKEN:
        return None
    resource_id = headers.get("X-Goog-Resource-ID", "")
    return _Message(
        channel_id=UUID(channel_id),
        digest=hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest(),
        resource_id=resource_id if _RESOURCE_ID.fullmatch(resource_id) else None,
    )


def _is_believed(channel: Known | None, message: _Message) -> bool:
    expected = channel.secret_hash if channel is not None else bytes(len(message.digest))
    # Always compared: what is not known takes as long.
    is_right = hmac.compare_digest(expected, message.digest)
    return is_right and channel is not None and channel.is_live


def _broken_off() -> StoreError:
    return StoreUnavailable("The call that several marks went with was broken off.")
