"""Sends an answer over HTTP: compressed when asked for, and spoilt when a fault of the connection strikes."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

from aiohttp import web

from syncer.simulator.google.faces import Stage
from syncer.simulator.google.replies import SINGLE_HEADERS, Reply
from syncer.simulator.google.requests import Asked
from syncer.simulator.google.times import Json


class Exchange:
    """The way from a call to the connection that it came on."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def delay(self, asked: Asked) -> None:
        """Wait when the fault `slow` strikes."""
        if not asked.is_from_people and self._stage.faults.strikes("slow"):
            await asyncio.sleep(self._stage.world.switches.slow_seconds)

    async def send(
        self, request: web.Request, asked: Asked, reply: Reply, entries: Sequence[Json]
    ) -> web.StreamResponse:
        """Send the answer, or cut the connection before or in the middle of it.

        entries: the diary's, of what was done for this answer; a fault is noted in them.
        """
        headers, body = SINGLE_HEADERS | reply.headers(), reply.body
        if body and asked.takes_gzip:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        kind = None if asked.is_from_people else self._cut(body, entries)
        if kind is None:
            return web.Response(status=reply.status, body=body, headers=headers)
        return await _spoilt(request, web.StreamResponse(status=reply.status, headers=headers), kind, body)

    def _cut(self, body: bytes, entries: Sequence[Json]) -> str | None:
        """The fault that strikes this answer; a lost one is one of which something was done."""
        is_change = any(entry.get("change") or entry.get("channel_id") for entry in entries)
        for kind, applies in (("lost_answer", is_change), ("cut_body", bool(body))):
            if applies and self._stage.faults.strikes(kind):
                for entry in entries:
                    entry.setdefault("fault", kind)
                return kind
        return None


async def _spoilt(request: web.Request, response: web.StreamResponse, kind: str, body: bytes) -> web.StreamResponse:
    """Cut the connection before anything of the answer is out, or after half of its body."""
    if kind == "cut_body":
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        # Closing lets what was written go out first; aborting does not.
        request.transport.close() if kind == "cut_body" else request.transport.abort()
    return response
