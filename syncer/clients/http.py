"""The one place that speaks HTTP to other people's servers.

Every call has a deadline and a limit on what is read; no redirect is followed; nothing is taken from the environment
(no proxy, no .netrc); no cookie is kept. A foreign error is translated here and leaves neither as cause nor as context:
aiohttp's own hold the request's headers, the bearer token among them, and show them in their repr.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import aiohttp
import msgspec
from yarl import URL

from syncer.clients import addresses
from syncer.clients.secret import Secret
from syncer.durations import Durations
from syncer.model.calendar import Value
from syncer.model.errors import OutsideError, Refused, Unreachable, Unreadable

# Google compresses only for a User-Agent that says so. Source: Calendar API, "Performance tips", gzip.
USER_AGENT = "syncer/0.1 (gzip)"

Headers = Mapping[str, str | Secret]

# What msgspec raises for bytes that are not the JSON wanted; the last one for
# nesting, of which anybody can send plenty.
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_SENDABLE = re.compile(r"[\t\x20-\x7e]*")
_UNCALLABLE = re.compile(r"[\x00-\x20\x7f]")
# RuntimeError: what uvloop says of a connection that went away in the middle.
_FOREIGN = (aiohttp.ClientError, OSError, RuntimeError, TimeoutError, UnicodeError, zlib.error)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost: seconds for connecting, sending and reading together, and bytes after decompression."""

    deadline_seconds: float
    body_bytes: int


class Answer(Value, frozen=True):
    """What a server said. Header names are lower-case; of repeated headers the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Call(NamedTuple):
    method: str
    target: URL
    headers: Headers
    body: bytes | None
    limits: Limits

    @property
    def host(self) -> str:
        return self.target.host or "no host"


class NeverSent(Unreachable):
    """Unreachable before the request was on its way: whatever it asked for was not done."""


class TooLarge(Unreadable):
    """The answer has more bytes than the call allows."""


class Http:
    """Pooled connections, made once per process: `async with Http() as http`.

    is_compressed: ask for gzip; off where the network is the machine's own. connections: at most so many per door.
    private_networks: ranges that tenants' URLs may lead to, by the operator's word; plain http goes nowhere else.
    durations, tenants_durations: of exchanges with the operator's addresses, and with those that tenants chose.
    """

    def __init__(
        self,
        *,
        is_compressed: bool = True,
        connections: int = 100,
        private_networks: tuple[addresses.Network, ...] = (),
    ) -> None:
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "gzip" if is_compressed else "identity",
        }
        self.durations, self.tenants_durations = Durations(), Durations()
        self._connections = connections
        self._private_networks = private_networks
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        opened = self._private_networks
        doors = {
            "own": None,
            "https": addresses.guard(opened, is_public_allowed=True),
            "http": addresses.guard(opened, is_public_allowed=False),
        }
        for name, socket_factory in doors.items():
            connector = aiohttp.TCPConnector(limit=self._connections, socket_factory=socket_factory)
            self._sessions[name] = await self._exits.enter_async_context(self._session(connector))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
        self._sessions.clear()

    async def send(self, method: str, url: str, *, headers: Headers, body: bytes | None, limits: Limits) -> Answer:
        """Sends to an address of the operator's choosing: Google, or an emulator of it.

        url: ready, percent-encoded. headers: values may be secrets. The answer may have any status but 3xx.
        Raises NeverSent, Unreachable, Unreadable, Refused (a redirect, or a request that cannot be sent).
        """
        target = _parsed(url, is_encoded=True)
        return await self._send("own", _Call(method, target, headers, body, limits))

    async def send_to_tenant(
        self, method: str, url: str, *, headers: Headers, body: bytes | None, limits: Limits
    ) -> Answer:
        """Sends to a URL that a tenant chose: as `send`, but only to public addresses and to opened ranges.

        Raises Refused also for an address, scheme or host name that is not open to tenants.
        """
        target = _parsed(url, is_encoded=False)
        self._check_tenants_url(target)
        return await self._send(target.scheme, _Call(method, target, headers, body, limits))

    def _check_tenants_url(self, target: URL) -> None:
        host = target.host or "no host"
        if target.user is not None or target.password is not None:
            raise Refused(host, 0, "a URL with a user name or password in it is not called")
        refusal = addresses.why_refused(target.scheme, host, self._private_networks)
        if refusal is not None:
            raise Refused(host, 0, refusal)

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            auto_decompress=False,  # aiohttp inflates before it can be capped; `_body` does both at once
        )

    async def _send(self, door: str, call: _Call) -> Answer:
        headers = {name: _revealed(value) for name, value in call.headers.items()}
        if not _SENDABLE.fullmatch("".join((*headers, *headers.values()))):
            raise Refused(call.host, 0, "a header holds characters that cannot be sent")
        began = time.monotonic()
        try:
            async with asyncio.timeout(call.limits.deadline_seconds):
                return await self._exchange(self._sessions[door], call, headers)
        except OutsideError as error:
            failure = error.with_traceback(None)
        except _FOREIGN as error:
            failure = _translated(call.host, error)
        finally:
            (self.durations if door == "own" else self.tenants_durations).note(time.monotonic() - began)
        # Outside of the `except`, so that the foreign error is not even kept as context.
        raise failure

    async def _exchange(self, session: aiohttp.ClientSession, call: _Call, headers: Mapping[str, str]) -> Answer:
        async with session.request(
            call.method, call.target, headers=headers, data=call.body, allow_redirects=False
        ) as response:
            return await _answer(response, call.limits.body_bytes)


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


@lru_cache(1024)
def _parsed(url: str, *, is_encoded: bool) -> URL:
    try:
        target = URL(url, encoded=is_encoded)
    except ValueError:
        target = URL()
    is_whole = target.scheme in ("http", "https") and bool(target.host)
    # yarl drops a line break in silence; and an encoded URL goes out as it is.
    if not is_whole or _UNCALLABLE.search(url) or not str(target).isascii():
        raise Refused(target.host or "no host", 0, "the URL is not a whole http or https URL")
    return target


async def _answer(response: aiohttp.ClientResponse, limit_bytes: int) -> Answer:
    host = response.url.host or "no host"
    if response.status < 200:
        response.close()  # whatever is spoken there now is not HTTP
        raise Unreadable(host, response.status, "and wants to speak another protocol")
    if 300 <= response.status < 400:
        raise Refused(host, response.status, "with a redirect; redirects are not followed")
    body = await _body(response, host, limit_bytes)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, body)


async def _body(response: aiohttp.ClientResponse, host: str, limit_bytes: int) -> bytes:
    """Reads and inflates in chunks, never holding more than the limit and one chunk."""
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding not in ("gzip", "identity", ""):
        raise Unreadable(host, response.status, "in an encoding that was not asked for")
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if coding == "gzip" else None
    whole = bytearray()
    async for chunk in response.content.iter_any():
        whole += stream.decompress(chunk, limit_bytes - len(whole) + 1) if stream else chunk
        if len(whole) > limit_bytes:
            raise TooLarge(host, response.status, f"with more than {limit_bytes} bytes")
        if stream and stream.unused_data:
            raise Unreadable(host, response.status, "with something behind its compressed end")
    if stream and not stream.eof and whole:
        raise Unreadable(host, response.status, "with a compressed body that ends early")
    return bytes(whole)


def _translated(host: str, error: Exception) -> OutsideError:
    """One line per case, the particular ones first: OSError is at the root of half of aiohttp's tree."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return NeverSent(host, 0, "its certificate does not prove who it is")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NeverSent(host, 0, "its name is not known")
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return NeverSent(host, 0, "no encrypted connection came about")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _not_connected(host, error.os_error)
    if isinstance(error, TimeoutError):
        return Unreachable(host, 0, "no whole answer within the deadline")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Unreachable(host, 0, "the answer was cut off")
    if isinstance(error, aiohttp.InvalidURL | UnicodeError):
        return Refused(host, 0, "the URL cannot be called")
    if isinstance(error, aiohttp.ClientResponseError):
        return Unreadable(host, 0, "the answer is not HTTP")
    if isinstance(error, zlib.error):
        return Unreadable(host, 0, "the answer's compression is broken")
    return Unreachable(host, 0, "the connection was cut")


def _not_connected(host: str, error: OSError) -> OutsideError:
    if isinstance(error, addresses.AddressRefused):
        return Refused(
            host, 0, "leads to an address that is not open to tenants' URLs; SYNCER_PRIVATE_NETWORKS opens some"
        )
    return NeverSent(host, 0, "no connection")
