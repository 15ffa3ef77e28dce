"""Who starts and stops this process is told the truth: whether it can do its work, over real HTTP."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg

from syncer.run.bells import Bells
from syncer.run.listening import Address
from syncer.run.metrics import PATH as METRICS
from syncer.run.ownership import Ownership, Pace
from syncer.run.probes import LIVE, READY
from syncer.run.receiver import PATH, Receiver
from tests.cli.process import started
from tests.run.worker import SECONDS, until, variables
from tests.sync.stage import Acted

ANYWHERE = Address("127.0.0.1", 0)
LISTENING = {"SYNCER_LISTEN": str(ANYWHERE)}


async def asked(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, json.loads(await response.read())


async def said(url: str) -> str:
    """What it says of why it is not ready; empty while it is."""
    status, content = await asked(f"{url}{READY}")
    assert (status == 200) == (content == {"ready": True})
    return str(content.get("detail", ""))


def answers(url: str, sentence: str) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return sentence in await said(url) if sentence else await said(url) == ""

    return holds


@asynccontextmanager
async def probed(stage: Acted, bells: Bells, ownership: Ownership | None = None) -> AsyncIterator[str]:
    """A receiver that is probed; gives its URL."""
    receiver = Receiver(stage.tools)
    receiver.probes.watch(bells, ownership)
    async with receiver.listening(ANYWHERE) as address:
        yield f"http://{address}"


async def test_whoever_drains_is_not_ready_and_still_lives(stage: Acted) -> None:
    bells = Bells()
    async with probed(stage, bells) as url:
        assert await said(url) == ""
        bells.ring()
        assert "is ending" in await said(url)
        assert (await asked(f"{url}{LIVE}"))[0] == 200


async def test_a_worker_is_ready_once_it_can_hold_a_lease(stage: Acted) -> None:
    ownership = Ownership(stage.tools, Pace(lease_seconds=60, cycle_seconds=60, beat_seconds=5))
    async with probed(stage, Bells(), ownership) as url:
        assert "can hold none" in await said(url)
        await ownership.beat()
        assert await said(url) == ""


async def test_a_worker_that_beats_no_more_is_not_ready_and_still_lives(stage: Acted) -> None:
    ownership = Ownership(stage.tools, Pace(lease_seconds=0.1, cycle_seconds=60, beat_seconds=5))
    async with probed(stage, Bells(), ownership) as url:
        await ownership.beat()
        await until(answers(url, "can hold none"))
        assert (await asked(f"{url}{LIVE}"))[0] == 200


async def test_a_lost_database_is_told(stage: Acted) -> None:
    async with probed(stage, Bells()) as url:
        stage.tools.database._pool.terminate()
        assert "database is away" in await said(url)
        assert (await asked(f"{url}{LIVE}"))[0] == 200


async def test_a_worker_answers_probes_and_takes_no_calls(stage: Acted) -> None:
    with started("work", **variables(stage) | LISTENING) as process:
        url = await where(process)
        await until(answers(url, ""))
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}{PATH}", json={}) as told,
            session.get(f"{url}{METRICS}") as metrics,
        ):
            assert (told.status, metrics.status) == (404, 200)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, SECONDS) == 0


async def where(process: subprocess.Popen[str]) -> str:
    """The URL at which a worker answers probes, as it says itself."""
    assert process.stderr is not None
    while line := await asyncio.to_thread(process.stderr.readline):
        if "answering probes" in line:
            return str(json.loads(line)["where"])
    raise AssertionError("It has ended.")


async def test_a_worker_whose_leases_run_out_while_postgres_answers_says_so(stage: Acted) -> None:
    settings = variables(stage) | LISTENING | {"SYNCER_LEASE_SECONDS": "2"}
    with started("work", **settings) as process:
        url = await where(process)
        await until(answers(url, ""))
        connection = await asyncpg.connect(stage.dsn)
        async with connection.transaction():
            await connection.execute("LOCK TABLE syncer.lease")
            await until(answers(url, "can hold none"))
        await until(answers(url, ""))
        await connection.close()


async def test_a_worker_in_the_midst_of_draining_says_so(stage: Acted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        google = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        settings = variables(stage) | LISTENING | {"SYNCER_GOOGLE_API_ROOT": google}
        with started("work", **settings) as process:
            url = await where(process)
            async with asyncio.timeout(SECONDS):
                # A look is under way, and gets no answer.
                connection, _ = await asyncio.get_running_loop().sock_accept(silent)
            process.send_signal(signal.SIGTERM)
            await until(answers(url, "is ending"))
            connection.close()
