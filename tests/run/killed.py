"""Receivers that are killed right after an answer, one after another, and whether what they answered was kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from syncer.run.listening import Address
from syncer.run.notifications import PATH
from syncer.run.receiver import Receiver
from tests.cli.process import environment
from tests.run.worker import SECONDS, variables
from tests.sync.stage import Acted

MARKS = "SELECT calendar_id, mark FROM syncer.notified ORDER BY calendar_id"
TOKEN = "t" * 43
CHANNELS = """
INSERT INTO syncer.channel (channel_id, tenant_id, calendar_id, secret_hash, address, credential, state, expires_at)
SELECT gen_random_uuid(), tenant_id, calendar_id, $1, 'https://sync.example.org/', 'file:x', 'open',
       syncer.clock() + interval '1 day'
FROM syncer.calendar
RETURNING channel_id, calendar_id
"""


@dataclass(frozen=True)
class Sender:
    """Google, as far as a receiver sees it. channels: channel ids by calendar id."""

    address: Address
    session: aiohttp.ClientSession
    channels: dict[int, UUID]
    receiver: Receiver | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}{PATH}"

    @property
    def first(self) -> UUID:
        return next(iter(self.channels.values()))

    async def send(self, channel_id: object = None, token: str | None = TOKEN, **more: str) -> int:
        """One message; gives the status of its answer."""
        return (await self.answered(channel_id, token, **more))[0]

    async def answered(self, channel_id: object = None, token: str | None = TOKEN, **more: str) -> tuple[int, bytes]:
        headers = {
            "X-Goog-Channel-ID": str(channel_id or self.first),
            "X-Goog-Message-Number": "7",
            "X-Goog-Resource-ID": "resource",
            "X-Goog-Resource-State": "exists",
            "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/x/events?alt=json",
            **more,
        }
        if token is not None:
            headers["X-Goog-Channel-Token"] = token
        async with self.session.post(self.url, headers=headers) as response:
            return response.status, await response.read()


async def open_channels(stage: Acted) -> dict[int, UUID]:
    """A channel for each calendar, all with one secret."""
    rows = await stage.tools.database.fetch(CHANNELS, hashlib.sha256(TOKEN.encode()).digest())
    return {row["calendar_id"]: row["channel_id"] for row in rows}


async def marks(stage: Acted) -> dict[int, int]:
    return {row["calendar_id"]: row["mark"] for row in await stage.tools.database.fetch(MARKS)}


@dataclass(frozen=True)
class Killed:
    """Receivers, one after another, each of them killed."""

    parent: subprocess.Popen[str]

    def started(self) -> tuple[int, Address]:
        """The id of the next one, and where it takes calls."""
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        assert self.parent.stderr is not None
        self.parent.stdin.write("\n")
        self.parent.stdin.flush()
        number = int(self.parent.stdout.readline())
        for line in self.parent.stderr:
            found = re.search(r"http://([\d.:]+)", line)
            address = Address.of(found[1]) if found else None
            if address is not None:
                return number, address
        raise AssertionError("It takes no calls.")


@contextmanager
def killed(stage: Acted) -> Iterator[Killed]:
    own = variables(stage) | {"SYNCER_LISTEN": "127.0.0.1:0"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.run.forked"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**own),
    ) as parent:
        yield Killed(parent)
        assert parent.stdin is not None
        parent.stdin.close()
        parent.wait(SECONDS)


async def unkept(stage: Acted, session: aiohttp.ClientSession, rounds: int) -> list[str]:
    """What receivers answered, and was not there once they were killed: a sentence for each round that lost something.

    Each is killed at the first of its answers to one or several messages. The next one starts meanwhile.
    """
    channels = await open_channels(stage)
    several, lost = list(channels.values()), list[str]()
    if not rounds:
        return lost
    with killed(stage) as receivers:
        process, address = receivers.started()
        for number in range(rounds):
            is_last = number == rounds - 1
            coming = None if is_last else asyncio.create_task(asyncio.to_thread(receivers.started))
            await stage.tools.database.run("DELETE FROM syncer.notified")
            told = several[: 1 + number % len(several)]
            kept = await _answered(Sender(address, session, channels), process, told)
            found = set(await marks(stage))
            missing = {calendar_id for calendar_id, channel_id in channels.items() if channel_id in kept} - found
            if missing or not kept:
                lost.append(f"round {number}: {len(kept)} of {len(told)} messages answered, {len(missing)} lost")
            if coming is not None:
                process, address = await coming
    return lost


async def _answered(google: Sender, process: int, told: list[UUID]) -> set[UUID]:
    """Those that it answered before it was killed, at the first answer."""
    kept = set[UUID]()

    async def tell(channel_id: UUID) -> None:
        try:
            if await google.send(channel_id) == 204:
                kept.add(channel_id)
                os.kill(process, signal.SIGKILL)
        except (aiohttp.ClientError, OSError):
            return

    await asyncio.gather(*(tell(channel_id) for channel_id in told))
    return kept
