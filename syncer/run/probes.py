"""Probes: whether this process lives, and whether it can do its work, for whoever starts and stops it.

Source: Kubernetes documentation, "Configure Liveness, Readiness and Startup Probes".
"""

import asyncio
import time

from aiohttp import web

from syncer.model.errors import StoreUnavailable
from syncer.run.bells import Bells
from syncer.run.listening import Refusal, answer
from syncer.run.ownership import Ownership
from syncer.store.database import Database

LIVE = "/live"
READY = "/ready"
# A probe that waits less long hangs up before it is told.
PATIENCE_SECONDS = 2.0
# Whoever asks more often is told the same again.
_KEPT_SECONDS = 0.5


class Probes:
    """`GET /live` and `GET /ready`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bells: Bells | None = None
        self._ownership: Ownership | None = None
        self._answered_at = float("-inf")
        self._asking = asyncio.Lock()

    def watch(self, bells: Bells, ownership: Ownership | None = None) -> None:
        """Says also when this process is ending, and of a worker, when it can hold no lease."""
        self._bells, self._ownership = bells, ownership

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.get(LIVE, self._live), web.get(READY, self._ready)]

    async def _live(self, _request: web.Request) -> web.Response:
        """200 as long as the loop turns, also while it drains.

        Postgres is no part of it, nor are leases: to start anew would bring them back no sooner.
        """
        return answer({"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        """200 while it can do its work. 503 while it drains, while no lease can be had, and while Postgres is away:
        what is sent here would not be kept.
        """
        if self._bells is not None and self._bells.stop.is_set():
            raise Refusal(503, "This process is ending; it begins nothing new.")
        if self._ownership is not None and self._ownership.is_stale:
            raise Refusal(503, "This worker has had no lease renewed for so long that it can hold none.")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._asking:
                if time.monotonic() - self._answered_at >= _KEPT_SECONDS:
                    await self._database.run("SELECT")
                    self._answered_at = time.monotonic()
        except TimeoutError:
            raise StoreUnavailable("Postgres has not answered a probe.") from None
        return answer({"ready": True})
