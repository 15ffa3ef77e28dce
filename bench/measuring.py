"""Rounds: every client and every row of ours once, one after another, and again."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import figures, rows, runs
from bench.canned.serving import Canned, canned
from bench.figures import Read
from bench.ours import stage
from bench.ours.stage import Postgres, World
from bench.ours.worker import Place
from bench.rows import Ours, Peer, Size

_FEW = 100


@dataclass(slots=True)
class Bench:
    """The canned Google, a Postgres and a folder of credentials. left_out: what is not on this machine, and why."""

    google: Canned
    postgres: Postgres
    folder: Path
    size: Size
    only: Collection[str] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def is_wanted(self, name: str) -> bool:
        """It is to be measured."""
        return not self.only or name in self.only

    async def ceiling(self) -> list[dict[str, Any]]:
        """What the canned Google itself can do, by the thinnest clients."""
        measured = []
        for peer, how in ((rows.SINGLE, "one by one"), (rows.FLOOR, "in batches of 50")):
            self.google.set(looks="quiet", is_silent=False)
            before = self.google.told()
            read = await self._look(peer)
            after = self.google.told()
            server_us = (after["cpu_seconds"] - before["cpu_seconds"]) / after["looks"] * 1e6
            per_s = read["units"] / read["wall_seconds"]
            measured.append({"name": peer.name, "how": how, "per_s": round(per_s), "server_us": round(server_us, 2)})
        return measured

    async def round(self, *, is_first: bool) -> dict[str, Read]:
        """Everything once, by name. is_first: with what is measured but once."""
        read: dict[str, Read] = {}
        for ours in rows.OURS:
            if self.is_wanted(ours.name) and (is_first or not ours.is_memory):
                read[ours.name] = await self.serve(ours)
                _say(ours.name)
        for peer in rows.PEERS:
            if self.is_wanted(peer.name) and peer.name not in self.left_out:
                await self._try(peer, read)
        return read

    async def _try(self, peer: Peer, read: dict[str, Read]) -> None:
        try:
            self.google.set(looks="quiet", is_silent=False)
            read[peer.name] = await self._look(peer)
            _say(f"{peer.name} {figures.cost_us(read[peer.name]):.1f} µs")
        except runs.NotHereError as error:
            self.left_out[peer.name] = str(error)

    async def _look(self, peer: Peer) -> dict[str, Any]:
        return await asyncio.to_thread(runs.peer, peer.module, self.size.of(peer.count, least=50), self.google)

    async def serve(self, ours: Ours) -> dict[str, Any]:
        """One row of ours, in a database of its own."""
        world = rows.scaled(ours.world, self.size)
        if not ours.is_memory:
            return await self._serve(ours, world)
        few = await self._serve(ours, World(_FEW))
        many = await self._serve(ours, world)
        return {name: many[name] - few[name] for name in ("bytes", "calendars")} | {"fixed_bytes": few["bytes"]}

    async def _serve(self, ours: Ours, world: World) -> dict[str, Any]:
        self.google.set(**{"looks": "quiet", "is_silent": False, **ours.state})
        dsn = await self.postgres.filled(world, self.google.secret)
        place = Place(dsn, self.google.secret, self.google.plain, str(self.folder), self.postgres.pid)
        command = [sys.executable, "-m", "bench.ours", ours.row, str(world.calendars), str(self.size.seconds)]
        return await asyncio.to_thread(runs.run, command, self.google, place.variables())


def _say(what: str) -> None:
    print(f"  measured: {what}", file=sys.stderr)


@asynccontextmanager
async def opened(size: Size, only: Collection[str] = ()) -> AsyncIterator[Bench]:
    """A bench for as long as the block lasts. Of the main thread only, for Postgres ends with the thread it is of."""
    with tempfile.TemporaryDirectory(prefix="syncer-bench-") as name, canned(Path(name)) as google:
        stage.write_credentials(Path(name), google.secret)
        async with stage.postgres() as postgres:
            yield Bench(google, postgres, Path(name), size, only)
