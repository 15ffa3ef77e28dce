"""Serves a simulator on a local port for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

SHUTDOWN_SECONDS = 1.0


@asynccontextmanager
async def serving(application: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The root URL, ending in a slash, under which the application answers inside the block.

    port: 0 takes a free one.
    Raises OSError when the address cannot be bound.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound_port = runner.addresses[0][1]
        yield f"http://{host}:{bound_port}/"
    finally:
        await runner.cleanup()
