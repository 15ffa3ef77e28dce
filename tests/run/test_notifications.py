"""What Google tells is kept once it is answered; whatever else comes gets one answer and changes nothing."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest

from syncer.run.listening import Address, Limits
from syncer.run.notifications import PATH
from syncer.run.receiver import Receiver
from tests.cli.process import environment, started
from tests.run.test_receiver import address_of
from tests.run.told import ANYWHERE
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


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SECONDS)) as made:
        yield made


async def open_channels(stage: Acted) -> dict[int, UUID]:
    """A channel for each calendar, all with one secret."""
    rows = await stage.tools.database.fetch(CHANNELS, hashlib.sha256(TOKEN.encode()).digest())
    return {row["calendar_id"]: row["channel_id"] for row in rows}


@pytest.fixture
async def google(stage: Acted, session: aiohttp.ClientSession) -> AsyncIterator[Sender]:
    """Sends to a receiver that knows a channel for each of the stage's calendars."""
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE) as address:
        assert address is not None
        yield Sender(address, session, await open_channels(stage), receiver)


async def marks(stage: Acted) -> dict[int, int]:
    return {row["calendar_id"]: row["mark"] for row in await stage.tools.database.fetch(MARKS)}


async def test_a_message_is_answered_once_its_mark_is_there(stage: Acted, google: Sender) -> None:
    calendar_id, channel_id = next(iter(google.channels.items()))
    assert await google.answered(channel_id) == (204, b"")
    assert list(await marks(stage)) == [calendar_id]


@pytest.mark.parametrize("state", ["sync", "exists", "not_exists", "something new"])
async def test_every_state_asks_for_a_look(stage: Acted, google: Sender, state: str) -> None:
    assert await google.send(**{"X-Goog-Resource-State": state}) == 204
    assert len(await marks(stage)) == 1


async def test_a_message_before_the_watch_was_answered_counts_and_names_what_is_watched(
    stage: Acted, google: Sender
) -> None:
    await stage.tools.database.run("UPDATE syncer.channel SET state = 'asked'")
    assert await google.send(**{"X-Goog-Resource-State": "sync"}) == 204
    sql = "SELECT resource_id FROM syncer.channel WHERE channel_id = $1"
    assert await stage.tools.database.value(sql, google.first) == "resource"


async def test_whatever_cannot_be_believed_gets_one_answer_and_writes_nothing(stage: Acted, google: Sender) -> None:
    over = list(google.channels.values())[1]
    await stage.tools.database.run("UPDATE syncer.channel SET expires_at = '2000-01-01' WHERE channel_id = $1", over)
    answers = [
        await google.answered(token=None),
        await google.answered(token="T" * 43),
        await google.answered(token=TOKEN[:-1]),
        await google.answered(token=TOKEN + "t"),
        await google.answered(token="t" * 300),
        await google.answered(uuid4()),
        await google.answered(over),
        await google.answered("my-own-channel"),
        await google.answered(str(google.first).upper()),
        await google.answered("x" * 3000),
        await google.answered("' OR 1=1 --"),
    ]
    async with google.session.post(google.url) as response:
        answers.append((response.status, await response.read()))
    assert set(answers) == {(404, answers[0][1])}
    assert json.loads(answers[0][1])["detail"] == "There is no such channel."
    assert await marks(stage) == {}
    assert google.receiver is not None
    assert (google.receiver.notifications.counts.known, google.receiver.notifications.counts.unknown) == (0, 12)


async def test_one_that_is_forged_keeps_no_other_from_being_marked(stage: Acted, google: Sender) -> None:
    forged = [google.send(google.first, "forged") for _ in range(20)] + [google.send(uuid4()) for _ in range(20)]
    statuses = await asyncio.gather(*forged, *(google.send(channel_id) for channel_id in google.channels.values()))
    assert statuses == [404] * 40 + [204] * len(google.channels)
    assert set(await marks(stage)) == set(google.channels)


async def test_a_channel_of_a_calendar_that_is_gone_is_none(stage: Acted, google: Sender) -> None:
    await stage.tools.database.run("DELETE FROM syncer.calendar")
    assert {await google.send(channel_id) for channel_id in google.channels.values()} == {404}


@pytest.mark.parametrize("size", [5_000, 100_000])
async def test_headers_that_are_too_large_are_refused_before_any_work(stage: Acted, google: Sender, size: int) -> None:
    reader, writer = await asyncio.open_connection(google.address.host, google.address.port)
    lines = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Goog-Channel-ID: {google.first}\r\nX-Goog-Channel-Token: {TOKEN}\r\n"
    writer.write(f"{lines}X-More: {'x' * size}\r\nContent-Length: 0\r\n\r\n".encode())
    async with asyncio.timeout(SECONDS):
        assert b" 400 " in await reader.readline()
    writer.close()
    assert await marks(stage) == {}


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: +0",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length : 0",
    ],
)
async def test_a_request_that_two_may_read_differently_is_none(stage: Acted, google: Sender, lines: str) -> None:
    reader, writer = await asyncio.open_connection(google.address.host, google.address.port)
    named = f"X-Goog-Channel-ID: {google.first}\r\nX-Goog-Channel-Token: {TOKEN}"
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{named}\r\n{lines}\r\n\r\n".encode())
    async with asyncio.timeout(SECONDS):
        assert b" 400 " in await reader.readline()
    writer.close()
    assert await marks(stage) == {}


async def test_a_burst_is_few_statements_and_all_of_it_is_answered(stage: Acted, google: Sender) -> None:
    statuses = await asyncio.gather(*(google.send() for _ in range(400)))
    assert set(statuses) == {204}
    # Each statement takes two numbers: one for the row that is in the way, one for its new mark.
    assert max((await marks(stage)).values()) < 400


async def test_nobody_is_sent_away_however_many_come(stage: Acted, session: aiohttp.ClientSession) -> None:
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE, Limits(requests=2)) as address:
        assert address is not None
        google = Sender(address, session, await open_channels(stage), receiver)
        calls = [session.post(f"http://{address}/v1/conferences/changes", data=b"{}") for _ in range(50)]
        statuses = await asyncio.gather(*(google.send() for _ in range(100)), *(_status(call) for call in calls))
    assert statuses == [204] * 100 + [401] * 50


async def _status(call: Any) -> int:
    async with call as response:
        return int(response.status)


async def test_without_its_database_a_message_is_to_come_again(
    stage: Acted, google: Sender, run_sql: Callable[[str], None]
) -> None:
    name = urlsplit(stage.dsn).path[1:]
    await asyncio.to_thread(run_sql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
    await asyncio.to_thread(run_sql, cut)
    assert [await google.send() for _ in range(3)] == [503] * 3
    assert await google.send("no channel of ours") == 404
    await asyncio.to_thread(run_sql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert await google.send() == 204


PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
ROUNDS = 100


@dataclass(frozen=True)
class Killed:
    """Receivers, one after another, each of them killed."""

    parent: "subprocess.Popen[str]"

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


async def test_a_receiver_that_is_killed_after_any_answer_has_kept_what_it_answered(
    stage: Acted, session: aiohttp.ClientSession
) -> None:
    channels = await open_channels(stage)
    several = list(channels.values())
    with killed(stage) as receivers:
        for number in range(ROUNDS):
            await stage.tools.database.run("DELETE FROM syncer.notified")
            process, address = await asyncio.to_thread(receivers.started)
            google, kept = Sender(address, session, channels), set[UUID]()

            async def tell(channel_id: UUID, google: Sender, kept: set[UUID], process: int) -> None:
                try:
                    if await google.send(channel_id) == 204:
                        kept.add(channel_id)
                        os.kill(process, signal.SIGKILL)
                except (aiohttp.ClientError, OSError):
                    return

            told = several[: 1 + number % len(several)]
            await asyncio.gather(*(tell(channel_id, google, kept, process) for channel_id in told))
            found = set(await marks(stage))
            assert kept
            assert {calendar_id for calendar_id, channel_id in channels.items() if channel_id in kept} <= found


async def test_a_receiver_needs_no_more_rights_than_the_page_says(
    stage: Acted, session: aiohttp.ClientSession, run_sql: Callable[[str], None]
) -> None:
    role, parts = "receiver_" + uuid4().hex[:8], urlsplit(stage.dsn)
    channels = await open_channels(stage)
    await stage.tools.database.run("UPDATE syncer.channel SET state = 'asked'")
    (grants,) = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    made = f"CREATE ROLE {role} LOGIN PASSWORD 'receiver';{grants.replace('TO receiver', f'TO {role}')}"
    for statement in filter(str.strip, made.split(";")):
        await stage.tools.database.run(statement)
    dsn = parts._replace(netloc=f"{role}:receiver@{parts.netloc.rpartition('@')[2]}").geturl()
    own = variables(stage) | {"SYNCER_LISTEN": "127.0.0.1:0", "SYNCER_DATABASE_URL": dsn}
    try:
        with started("receive", **own) as process:
            google = Sender(await asyncio.to_thread(address_of, process), session, channels)
            assert [await google.send(channel_id) for channel_id in channels.values()] == [204] * len(channels)
            assert await google.send(uuid4()) == 404
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, SECONDS) == 0
    finally:
        await stage.tools.database.run(f"DROP OWNED BY {role}")
        await asyncio.to_thread(run_sql, f"DROP ROLE {role}")
    assert set(await marks(stage)) == set(channels)
