"""Whole workers, in this process and in processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syncer import app
from syncer.run.bells import Bells
from syncer.run.supervisor import Supervisor
from syncer.store import leases
from tests.sync.stage import Acted, Booked

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker under way, and its bells."""

    bells: Bells
    task: asyncio.Task[None]
    supervisor: Supervisor

    async def ended(self) -> None:
        """It has ended well."""
        async with asyncio.timeout(SECONDS):
            await self.task


@asynccontextmanager
async def a_worker(stage: Acted, **settings: Any) -> AsyncIterator[Worker]:
    """A worker over the stage's own tools, ended with the block."""
    chosen = stage.settings.model_copy(update=settings)
    bells = Bells()
    async with asyncio.TaskGroup() as group:
        supervisor = app.supervisor_of(chosen, stage.tools)
        worker = Worker(bells, group.create_task(supervisor.run(bells)), supervisor)
        try:
            yield worker
        finally:
            bells.stop.set()
            bells.cancel.set()


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = SECONDS) -> None:
    """Waits until it holds; fails when that takes too long."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It has not come about.")


async def until_titled(stage: Acted, booked: Booked, title: str, *, seconds: float = SECONDS) -> None:
    """Waits until a meeting is called so."""

    async def holds() -> bool:
        return bool((await stage.meeting(booked))["title"] == title)

    await until(holds, seconds=seconds)


async def until_row(stage: Acted, sql: str) -> None:
    """Waits until a statement gives true."""

    async def holds() -> bool:
        return bool(await stage.tools.database.value(sql))

    await until(holds)


async def leave(stage: Acted) -> None:
    """The stage's own worker gives its lease back."""
    stage.project.tenure.end()
    await leases.release(stage.tools.database, stage.project.lease.owner)


def variables(stage: Acted) -> dict[str, str]:
    """The stage's settings as a process of its own takes them."""
    chosen = stage.settings
    return {
        "SYNCER_DATABASE_URL": stage.dsn,
        "SYNCER_GOOGLE_API_ROOT": chosen.google_api_root,
        "SYNCER_TOKEN_URIS": ",".join(chosen.token_uris),
        "SYNCER_CREDENTIALS_FOLDER": str(chosen.credentials_folder),
        "SYNCER_PRIVATE_NETWORKS": "127.0.0.0/8",
        "SYNCER_CYCLE_SECONDS": "0.2",
        "SYNCER_RELIST_SECONDS": "0.2",
        "SYNCER_RESCUE_SECONDS": "0.1",
        "SYNCER_LEASE_SECONDS": "4",
        "SYNCER_LISTEN": "off",
    }
