"""Endpoints that behave as badly as they can, over raw sockets on loopback."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GONE = (ConnectionError, RuntimeError)


@asynccontextmanager
async def behaving(behaviour: Behaviour) -> AsyncIterator[str]:
    """A server of that behaviour; gives its root URL."""
    busy: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            with suppress(*GONE, asyncio.IncompleteReadError, asyncio.CancelledError):
                await behaviour(reader, writer)
        finally:
            busy.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def _asked(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def says(*parts: bytes, stays: bool = False) -> Behaviour:
    """Answers each request of a connection so; then closes it, or stays silent."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if stays:
            await reader.read()

    return behave


def endless(head: bytes, part: bytes, *, pause_seconds: float = 0.0) -> Behaviour:
    """Goes on and on."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(head)
        never = asyncio.Event()
        while True:
            writer.write(part)
            await writer.drain()
            if pause_seconds:
                with suppress(TimeoutError):
                    await asyncio.wait_for(never.wait(), pause_seconds)

    return behave


async def _resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _asked(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await writer.drain()
    handle = writer.get_extra_info("socket")
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _closes(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """At once."""


def _bomb() -> bytes:
    """256 MiB of zeros as gzip, of which 256 kB are sent."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(squeeze.compress(bytes(1 << 20)) for _ in range(256)), squeeze.flush()])


def _ok(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"", body])


def _sized(body: bytes, *headers: bytes) -> bytes:
    return _ok(b"Content-Length: %d" % len(body), *headers, body=body)


_CHUNKED = b"Transfer-Encoding: chunked"
_GZIP = b"Content-Encoding: gzip"

# What must fail, whatever it is called by then.
BEHAVIOURS: dict[str, Behaviour] = {
    "takes the connection and says nothing": _silent,
    "closes at once": _closes,
    "one byte of the status line at a time": endless(b"", b"H", pause_seconds=0.05),
    "one byte of a header at a time": endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", pause_seconds=0.05),
    "one byte of the body at a time": endless(_ok(b"Content-Length: 100000"), b"a", pause_seconds=0.05),
    "one chunk of one byte at a time": endless(_ok(_CHUNKED), b"1\r\na\r\n", pause_seconds=0.05),
    "a body without an end": endless(_ok(), b"a" * 65536),
    "chunks without an end": endless(_ok(_CHUNKED), b"10000\r\n" + b"a" * 65536 + b"\r\n"),
    "a chunk extension without an end": endless(_ok(_CHUNKED, body=b"1;"), b"a" * 65536),
    "headers without an end": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 8192),
    "one header without an end": endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65536),
    "a header's name without an end": endless(b"HTTP/1.1 200 OK\r\n", b"a" * 65536),
    "trailers without an end": endless(_ok(_CHUNKED, body=b"1\r\na\r\n0\r\n"), b"X-A: 1\r\n" * 1000),
    "a status line without an end": endless(b"HTTP/1.1 200 ", b"a" * 65536),
    "100 Continue without an end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "103 Early Hints without an end": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "102 Processing, slowly": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", pause_seconds=0.05),
    "a gzip bomb": says(_ok(_GZIP), _bomb()),
    "gzip within gzip": says(_sized(gzip.compress(gzip.compress(b"{}")), b"Content-Encoding: gzip, gzip")),
    "deflate": says(_sized(zlib.compress(b"{}"), b"Content-Encoding: deflate")),
    "an unknown encoding": says(_sized(b"{}", b"Content-Encoding: zstd")),
    "gzip that ends early": says(_sized(gzip.compress(b"a" * 1000)[:-9], _GZIP)),
    "gzip of nothing like it": says(_sized(b"canary" * 10, _GZIP)),
    "resets in the middle": _resets,
    "less than it promised": says(_ok(b"Content-Length: 100", body=b"abc")),
    "a negative length": says(_ok(b"Content-Length: -1", body=b"abc")),
    "two lengths": says(_ok(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd")),
    "a length that is no number": says(_ok(b"Content-Length: 0x3", body=b"abc")),
    "an endless length": says(_ok(b"Content-Length: 99999999999999999999", body=b"abc")),
    "a length and chunks": says(_ok(b"Content-Length: 3", _CHUNKED, body=b"1\r\na\r\n0\r\n\r\n")),
    "a chunk size that is none": says(_ok(_CHUNKED, body=b"zz\r\na\r\n0\r\n\r\n")),
    "a chunk size beyond all": says(_ok(_CHUNKED, body=b"fffffffffffffffffff\r\na\r\n")),
    "a negative chunk size": says(_ok(_CHUNKED, body=b"-1\r\na\r\n0\r\n\r\n")),
    "another protocol": says(b"SSH-2.0-nonsense\r\n"),
    "another version": says(b"HTTP/9.9 200 OK\r\n\r\n"),
    "HTTP/2 without being asked": says(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
    "a status beyond three digits": says(b"HTTP/1.1 99999 OK\r\n\r\n"),
    "a status that is no number": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a NUL in a header": says(_ok(b"X-A: a\x00b", b"Content-Length: 0")),
    "a header without a name": says(_ok(b": a", b"Content-Length: 0")),
    "switches protocols": says(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", stays=True
    ),
    "redirects to itself": says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "redirects to nowhere": says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    "redirects to a file": says(b"HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
    "not modified": says(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
}
