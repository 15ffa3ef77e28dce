"""Probes: whether this process lives, and whether it can do its work, for whoever starts and stops it.

Source: Kubernetes documentation, "Configure Liveness, Readiness and Startup Probes".
"""

import asyncio
import time

from aiohttp import web

from syncer.model.errors import StoreUnavailable
from syncer.run.listening import answer
from syncer.store.database import Database

_PATIENCE_SECONDS = 2.0
# Whoever asks more often is told the same again.
_KEPT_SECONDS = 0.5


class Probes:
    """`GET /live` and `GET /ready`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answered_at = float("-inf")
        self._asking = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.get("/live", self._live), web.get("/ready", self._ready)]

    async def _live(self, _request: web.Request) -> web.Response:
        """200 as long as the loop turns. Postgres is no part of it: to start anew would bring it back no sooner."""
        return answer({"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        """200 while Postgres answers; 503 else, for nothing that is sent here would be kept."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._asking:
                if time.monotonic() - self._answered_at >= _KEPT_SECONDS:
                    await self._database.run("SELECT")
                    self._answered_at = time.monotonic()
        except TimeoutError:
            raise StoreUnavailable("Postgres has not answered a probe.") from None
        return answer({"ready": True})
