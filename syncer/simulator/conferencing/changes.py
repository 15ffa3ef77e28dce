"""The way back: tells whoever asked for it that the vendor's own users changed meetings; calls get lost and doubled."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from standardwebhooks import Webhook

from syncer.simulator.conferencing.diary import Diary, Note
from syncer.simulator.conferencing.faults import Chance, Times
from syncer.simulator.conferencing.meetings import rfc3339
from syncer.simulator.conferencing.vendor import Account
from syncer.simulator.conferencing.wire import encode

_ATTEMPTS = 8
_FIRST_PAUSE_SECONDS = 0.1
_TIMEOUT = ClientTimeout(total=10)


class Mishap(StrEnum):
    """What can happen to a call on its way."""

    LOST = "lost"
    DOUBLED = "doubled"


class Mishaps(msgspec.Struct, forbid_unknown_fields=True):
    """What happens to calls: by chance, and to the next ones for sure."""

    chance: dict[Mishap, Chance] = {}
    next: dict[Mishap, Times] = {}

    def __post_init__(self) -> None:
        """Refuse chances that cannot be."""
        if sum(self.chance.values()) > 1:
            raise ValueError("the chances together are greater than 1")


class Teller:
    """Sends `conference.changed` calls, signed with the account's secret, and again until somebody takes them."""

    def __init__(self, diary: Diary, seed: int) -> None:
        self.mishaps = Mishaps()
        self._diary = diary
        self._random = random.Random(seed)
        self._happened = dict.fromkeys(Mishap, 0)
        self._session: ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def open(self, _: web.Application) -> AsyncIterator[None]:
        """Can send for as long as its application is served."""
        async with ClientSession(timeout=_TIMEOUT, trust_env=False) as self._session:
            yield
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._session = None

    def tell(self, account: Account, meeting_id: str) -> None:
        """Sends that a meeting changed, if the account has somebody to tell; the answer is not waited for."""
        if account.changes_url is None:
            return
        mishap = self._draw()
        if mishap is not None:
            self._happened[mishap] += 1
        if mishap is Mishap.LOST:
            self._diary.write(Note(account.slug, "changes", "tell", None, meeting_id))
            return
        message_id = f"msg_{self._random.randbytes(12).hex()}"
        for _ in range(2 if mishap is Mishap.DOUBLED else 1):
            task = asyncio.get_running_loop().create_task(self._send(account, meeting_id, message_id))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def as_json(self) -> dict[str, Any]:
        """What is set, and how often each kind happened."""
        set_ = msgspec.to_builtins(self.mishaps)
        return {**set_, "happened": {mishap.value: times for mishap, times in self._happened.items()}}

    async def _send(self, account: Account, meeting_id: str, message_id: str) -> None:
        for attempt in range(_ATTEMPTS):
            status = await self._post(account, meeting_id, message_id)
            self._diary.write(Note(account.slug, "changes", "tell", status, meeting_id))
            if status is not None and status < 300:
                return
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)

    async def _post(self, account: Account, meeting_id: str, message_id: str) -> int | None:
        session, url, now = self._session, account.changes_url, datetime.now(UTC)
        if session is None or url is None:
            return None
        body = encode(
            {
                "type": "conference.changed",
                "timestamp": rfc3339(now),
                "data": {"tenant": account.changes_tenant, "conferences": [{"id": meeting_id}]},
            }
        )
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(account.webhook_secret).sign(message_id, now, body.decode()),
        }
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        except (ClientError, OSError, TimeoutError):
            return None

    def _draw(self) -> Mishap | None:
        for mishap, times in self.mishaps.next.items():
            if times > 0:
                self.mishaps.next[mishap] = times - 1
                return mishap
        drawn = self._random.random()
        for mishap, chance in self.mishaps.chance.items():
            if drawn < chance:
                return mishap
            drawn -= chance
        return None


TELLER: web.AppKey[Teller] = web.AppKey("teller", Teller)


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to tell of an account's changes, and as which tenant of theirs; no URL tells nobody."""

    url: Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://[^\s]+\Z")] | None
    tenant: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] | None = None
