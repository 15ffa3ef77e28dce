"""Listening: an HTTP server whose callers can take only so much of us, and refusals that say what was wrong."""

import asyncio
import errno
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import orjson
import structlog
from aiohttp import ClientError, web

from syncer.model.errors import OperatorError, StoreError

log = structlog.get_logger()
_AGAIN_SECONDS = "2"
# What is being answered may take so long to end when the others are shut out.
CLOSING_SECONDS = 1.0
_NO_REQUEST = (
    "It is no HTTP request, or one of its lines and headers is longer, or there are more of them, than is taken."
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. port: 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Self | None:
        """From `HOST:PORT`, with brackets around an IPv6 address; None for `off`."""
        host, _, port = text.rpartition(":")
        return None if text == "off" else cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take: connections at once, requests with a body at once (others wait, for one that is sent away
    comes again and costs more), seconds for one request from its first byte of body to its answer, seconds until a new
    connection has said what it wants, bytes of all kinds of header and body.
    """

    connections: int = 1024
    requests: int = 256
    request_seconds: float = 10.0
    silence_seconds: float = 10.0
    line_bytes: int = 4096
    headers: int = 64
    body_bytes: int = 64 * 1024


class Refusal(Exception):
    """A request that is answered with a problem, in words for whoever sent it. Source of the form: RFC 9457.

    at: where in the body it is wrong, as a JSON pointer (RFC 6901).
    """

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, at: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.at = at


def answer(content: Any, *, status: int = 200) -> web.Response:
    """An answer with a JSON body."""
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


@asynccontextmanager
async def listening(
    routes: list[web.RouteDef], address: Address, limits: Limits | None = None
) -> AsyncIterator[Address]:
    """Answers these routes for as long as the block lasts; gives the address with the port that it has.

    Raises OperatorError when the address cannot be had.
    """
    chosen = limits or Limits()
    gate = _Gate(chosen)
    application = web.Application(middlewares=[gate.pass_through], client_max_size=chosen.body_bytes)
    application.add_routes(routes)
    runner = web.AppRunner(application, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        server = await _bound(_Door(runner, gate, chosen), address)
        try:
            yield Address(address.host, server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _bound(door: "_Door", address: Address) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(door, address.host, address.port, backlog=512)
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if is_taken else f"it cannot be had ({type(error).__name__})"
    raise OperatorError(
        f"Cannot listen on {address}: {why}; set SYNCER_LISTEN to another HOST:PORT, or to off to take no calls."
    )


class _Gate:
    """What every request passes: the limits, and the one guard that makes an answer of whatever goes wrong.

    silent: connections that have not said yet what they want.
    """

    def __init__(self, limits: Limits) -> None:
        self.silent: set[asyncio.BaseProtocol] = set()
        self._limits = limits
        self._places = asyncio.Semaphore(limits.requests)
        self._is_store_failing = False

    @web.middleware
    async def pass_through(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """The answer of whoever the request is for, or a problem."""
        self.silent.discard(request.protocol)
        if not request.body_exists:
            return await self._guarded(request, handler)
        async with self._places:
            return await self._guarded(request, handler)

    async def _guarded(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                answered = await handler(request)
            self._tell_store()
        except Refusal as refusal:
            answered = _problem(refusal.status, refusal.detail, refusal.headers, refusal.at)
        except web.HTTPException as error:
            allowed = error.headers.get("Allow")
            answered = _problem(error.status, f"{error.reason}.", {"Allow": allowed} if allowed else {})
        except (ClientError, ConnectionError):
            answered = _problem(400, "The body broke off.", {"Connection": "close"})
        except TimeoutError:
            answered = self._too_late(request)
        except StoreError as error:
            self._tell_store(error)
            answered = _problem(503, "The database is away; send it again.", {"Retry-After": _AGAIN_SECONDS})
        except Exception as error:  # noqa: BLE001
            # Type and place and no more, for an error's text may hold what was sent.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error("a call failed unexpectedly", error=type(error).__name__, where=f"{frame.name}:{frame.lineno}")
            answered = _problem(500, "Something went wrong here; send it again later.", {})
        return answered

    def _too_late(self, request: web.Request) -> web.Response:
        if request.body_exists and not request.content.is_eof():
            return _problem(408, "The body took too long to come.", {"Connection": "close"})
        return _problem(503, "It took too long here; send it again.", {"Retry-After": _AGAIN_SECONDS})

    def _tell_store(self, error: StoreError | None = None) -> None:
        if error is not None and not self._is_store_failing:
            log.error("receiver fails", reason=str(error))
        elif error is None and self._is_store_failing:
            log.info("receiver recovered")
        self._is_store_failing = error is not None


class _Door:
    """Makes the protocol of each new connection, lets in so many, and shows out who says nothing."""

    def __init__(self, runner: web.AppRunner, gate: _Gate, limits: Limits) -> None:
        self._runner = runner
        self._gate = gate
        self._limits = limits

    def __call__(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._limits.connections:
            return _Closed()
        protocol = _Conversation(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as web.AppRunner passes it: none is written
            keepalive_timeout=15.0,
            max_line_size=self._limits.line_bytes,
            max_field_size=self._limits.line_bytes,
            max_headers=self._limits.headers,
            lingering_time=1.0,
            # What is signed is what came over the wire; and nobody inflates anything here.
            auto_decompress=False,
        )
        self._gate.silent.add(protocol)
        asyncio.get_running_loop().call_later(self._limits.silence_seconds, self._show_out, protocol)
        return protocol

    def _show_out(self, protocol: web.RequestHandler) -> None:
        if protocol in self._gate.silent:
            self._gate.silent.discard(protocol)
            protocol.force_close()


class _Conversation(web.RequestHandler):
    """One connection. What cannot be read as a request is answered with a problem too, and told to nobody else."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no request; anything else passed the gate, which has told of it."""
        if status != HTTPStatus.BAD_REQUEST or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        return _problem(400, _NO_REQUEST, {"Connection": "close"})


class _Closed(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _problem(status: int, detail: str, headers: dict[str, str], at: str | None = None) -> web.Response:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if at is not None:
        content["pointer"] = at
    return web.Response(
        body=orjson.dumps(content), status=status, headers=headers, content_type="application/problem+json"
    )
