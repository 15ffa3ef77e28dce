"""Receivers that are killed, one after another, each right after it told Google that a message was taken."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from tests.run import killed
from tests.run.worker import leave
from tests.sync.stage import a_stage


async def play(dsn: str, kills: int) -> list[str]:
    """Kill so many on a database of its own; gives a sentence for each that lost what it had answered."""
    with TemporaryDirectory(prefix="syncer-chaos-") as folder:
        async with a_stage(dsn, Path(folder)) as stage, aiohttp.ClientSession() as session:
            await leave(stage)
            return await killed.unkept(stage, session, kills)
