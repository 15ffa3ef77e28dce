"""Single looks, as thin as Python allows: what a client without batches could cost at best."""

import asyncio
from contextlib import asynccontextmanager

import msgspec

from bench.peers import looks, thin
from bench.peers.looks import WrongAnswerError

IS_ON_UVLOOP = True
_CONNECTIONS = 8


class _Page(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] = []
    next_sync_token: str | None = None


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """A few connections, each with one look at a time."""
    decoder = msgspec.json.Decoder(_Page)
    async with thin.connected(root, _CONNECTIONS) as connections:

        async def some(connection: thin.Connection, numbers: range) -> int:
            for number in numbers:
                page = decoder.decode(await connection.call(_request(number)))
                if page.items or not page.next_sync_token:
                    raise WrongAnswerError("A look was not answered with a quiet page that has a sync token.")
            return len(numbers)

        async def look(numbers: range) -> int:
            shares = [numbers[first::_CONNECTIONS] for first in range(_CONNECTIONS)]
            runs = (some(connection, share) for connection, share in zip(connections, shares, strict=True))
            return sum(await asyncio.gather(*runs))

        yield look


def _request(number: int) -> bytes:
    return (
        f"GET {looks.path(number)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {looks.token(number)}\r\n\r\n"
    ).encode()
