"""What Google tells is kept once it is answered; whatever else comes gets one answer and changes nothing."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest

from syncer.run.listening import Limits
from syncer.run.notifications import PATH
from syncer.run.receiver import Receiver
from tests.cli.process import started
from tests.run.killed import TOKEN, Sender, marks, open_channels, unkept
from tests.run.test_receiver import address_of
from tests.run.told import ANYWHERE
from tests.run.worker import SECONDS, variables
from tests.sync.stage import Acted


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SECONDS)) as made:
        yield made


@pytest.fixture
async def google(stage: Acted, session: aiohttp.ClientSession) -> AsyncIterator[Sender]:
    """Sends to a receiver that knows a channel for each of the stage's calendars."""
    receiver = Receiver(stage.tools)
    async with receiver.listening(ANYWHERE) as address:
        assert address is not None
        yield Sender(address, session, await open_channels(stage), receiver)


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


async def test_a_receiver_that_is_killed_after_any_answer_has_kept_what_it_answered(
    stage: Acted, session: aiohttp.ClientSession
) -> None:
    assert await unkept(stage, session, ROUNDS) == []


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
