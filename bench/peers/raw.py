"""aiohttp, orjson and uvloop by hand, fifty at once: what a careful team writes without a library."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import orjson
from yarl import URL

from bench.peers import looks

IS_ON_UVLOOP = True


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """One session, one pool."""
    connector = aiohttp.TCPConnector(limit=looks.AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(number: int) -> None:
            url = URL(root[:-1] + looks.path(number), encoded=True)
            headers = {"Authorization": f"Bearer {looks.token(number)}"}
            async with session.get(url, headers=headers) as response:
                looks.check(orjson.loads(await response.read()))

        async def some(numbers: list[int]) -> int:
            for number in numbers:
                await one(number)
            return len(numbers)

        async def look(numbers: range) -> int:
            shares = [list(numbers[first :: looks.AT_ONCE]) for first in range(looks.AT_ONCE)]
            return sum(await asyncio.gather(*(some(share) for share in shares)))

        yield look
