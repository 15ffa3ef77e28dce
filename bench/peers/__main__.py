"""Runs one peer: `python -m bench.peers NAME COUNT ROOT`. Prints what it cost, as one line of JSON."""

import asyncio
import importlib
import json
import sys
import time
from types import ModuleType

import uvloop

from bench import machine

_WARM_UP = 10


async def main(peer: ModuleType, count: int, root: str) -> None:
    """Looks at some calendars unmeasured, then at so many."""
    async with peer.opened(root) as look:
        await look(range(max(count // _WARM_UP, 1)))
        began, began_cpu = time.perf_counter(), machine.cpu_seconds()
        done = await look(range(count))
        cpu, wall = machine.cpu_seconds() - began_cpu, time.perf_counter() - began
    print(json.dumps({"units": done, "cpu_seconds": cpu, "wall_seconds": wall}))


if __name__ == "__main__":
    chosen = importlib.import_module(f"bench.peers.{sys.argv[1]}")
    (uvloop.run if chosen.IS_ON_UVLOOP else asyncio.run)(main(chosen, int(sys.argv[2]), sys.argv[3]))
