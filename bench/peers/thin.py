"""One connection to a server that answers in order, as thin as asyncio allows; for clients written by hand."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

_RECEIVED_BYTES = 2**20


class Connection(asyncio.BufferedProtocol):
    """One request at a time; the answer's body comes out of a future."""

    def __init__(self) -> None:
        self._received = bytearray(_RECEIVED_BYTES)
        self._filled = 0
        self._ends = -1
        self._body_starts = 0
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return memoryview(self._received)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._ends < 0:
            self._read_head()
        if 0 <= self._ends <= self._filled and self._answer is not None:
            body = bytes(memoryview(self._received)[self._body_starts : self._ends])
            self._filled, self._ends = 0, -1
            self._answer.set_result(body)

    def _read_head(self) -> None:
        head_ends = self._received.find(b"\r\n\r\n", 0, self._filled)
        if head_ends >= 0:
            said = self._received.find(b"Content-Length: ", 0, head_ends) + 16
            length = int(self._received[said : self._received.find(b"\r\n", said)])
            self._body_starts = head_ends + 4
            self._ends = self._body_starts + length

    async def call(self, request: bytes) -> bytes:
        """Sends one request; gives the answer's body."""
        assert self._transport is not None  # noqa: S101 (made by the loop before anything is sent)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@asynccontextmanager
async def connected(root: str, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to the server at a root."""
    address = urlsplit(root)
    context = ssl.create_default_context() if address.scheme == "https" else None
    host, port = address.hostname or "", address.port or 443
    loop, made = asyncio.get_running_loop(), [Connection() for _ in range(count)]
    try:
        for connection in made:
            await loop.create_connection(lambda one=connection: one, host, port, ssl=context)
        yield made
    finally:
        for connection in made:
            connection.close()
