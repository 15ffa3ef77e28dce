"""A batch loop as thin as Python allows: our own floor. No deadline, no retry, no fallback, nothing written down.

Two connections, parts whose bytes are kept, answers cut at blank lines and decoded by msgspec.
"""

import asyncio
from contextlib import asynccontextmanager

import msgspec

from bench.peers import looks, thin

IS_ON_UVLOOP = True
PARTS = 50
_CONNECTIONS = 2
_BOUNDARY = b"batch_f100r"


class _Page(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] = []
    next_sync_token: str | None = None


@asynccontextmanager
async def opened(root: str) -> looks.Looks:
    """Two connections that share the batches between them."""
    parts: dict[int, bytes] = {}
    decoder = msgspec.json.Decoder(_Page)
    async with thin.connected(root, _CONNECTIONS) as connections:

        async def some(connection: thin.Connection, batches: list[range]) -> int:
            for batch in batches:
                body = b"".join([parts.get(number) or parts.setdefault(number, _part(number)) for number in batch])
                _check(await connection.call(_request(body)), batch, decoder)
            return sum(len(batch) for batch in batches)

        async def look(numbers: range) -> int:
            batches = [numbers[first : first + PARTS] for first in range(0, len(numbers), PARTS)]
            shares = [batches[first::_CONNECTIONS] for first in range(_CONNECTIONS)]
            runs = (some(connection, share) for connection, share in zip(connections, shares, strict=True))
            return sum(await asyncio.gather(*runs))

        yield look


def _part(number: int) -> bytes:
    return (
        f"--{_BOUNDARY.decode()}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n"
        f"GET {looks.path(number)} HTTP/1.1\r\nAuthorization: Bearer {looks.token(number)}\r\n\r\n\r\n"
    ).encode()


def _request(body: bytes) -> bytes:
    return (
        b"POST /batch/calendar/v3 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: multipart/mixed; boundary=%b\r\nContent-Length: %d\r\n\r\n%b--%b--\r\n"
        % (_BOUNDARY, len(body) + len(_BOUNDARY) + 6, body, _BOUNDARY)
    )


def _check(body: bytes, batch: range, decoder: "msgspec.json.Decoder[_Page]") -> None:
    """Each part has three pieces: its own head, the answer's head, and the page before the next part's head."""
    pieces = body.split(b"\r\n\r\n")
    for place, number in enumerate(batch):
        head, page = pieces[2 * place], pieces[2 * place + 2]
        if not head.endswith(b"<response-%d>" % number):
            raise looks.WrongAnswerError("A batch was answered about another calendar.")
        decoded = decoder.decode(page[: page.rfind(b"\r\n--")])
        if decoded.items or not decoded.next_sync_token:
            raise looks.WrongAnswerError("A look was not answered with a quiet page that has a sync token.")
