"""What HTTP promises: deadlines, caps, no redirects, no leaks, and no way in for tenants' URLs."""

import asyncio
import gzip
import socket
import ssl
import traceback
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
import uvloop
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from syncer.clients.http import Answer, Http, Limits, NeverSent
from syncer.clients.secret import Secret
from syncer.model.errors import OutsideError, Refused, Unreachable, Unreadable

LIMITS = Limits(deadline_seconds=5, body_bytes=1024 * 1024)
CANARY = "ya29.canary"


async def fetch(http: Http, url: str, *, limits: Limits = LIMITS) -> Answer:
    headers = {"Authorization": Secret(f"Bearer {CANARY}")}
    return await http.send("GET", url, headers=headers, body=None, limits=limits)


def said(error: BaseException) -> str:
    """All that an error says, its causes and contexts too, also those that a traceback leaves out."""
    shown = [*traceback.format_exception(error)]
    before: BaseException | None = error
    while before is not None:
        shown += [str(before), repr(before), repr(before.__dict__)]
        before = before.__cause__ or before.__context__
    return "\n".join(shown)


async def test_a_request_arrives_as_it_was_given(http: Http, serve: Any) -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(text=await request.text(), headers={"X-Kind": "echo"})

    root = await serve(answer)
    got = await http.send("POST", f"{root}a%2Fb?c=%2B", headers={"X-One": "1"}, body=b"text", limits=LIMITS)
    assert (got.status, got.body, got.headers["x-kind"]) == (200, b"text", "echo")
    assert seen[0].raw_path == "/a%2Fb?c=%2B"
    assert seen[0].headers["User-Agent"] == "syncer/0.1 (gzip)"
    assert seen[0].headers["Accept-Encoding"] == "gzip"
    assert seen[0].headers["X-One"] == "1"


async def test_gzip_is_read(http: Http, serve: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"text" * 1000), headers={"Content-Encoding": "gzip"})

    assert (await fetch(http, await serve(answer))).body == b"text" * 1000


async def test_a_gzip_bomb_is_cut_at_the_cap(http: Http, serve: Any) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    root = await serve(answer)
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="more than 1048576 bytes"):
            await fetch(http, root)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (bytes(1024 * 1024 + 1), "identity"),
        (gzip.compress(b"text" * 1000)[:-12], "gzip"),
        (gzip.compress(b"text") + b"more", "gzip"),
        (gzip.compress(b"text") + gzip.compress(b"text"), "gzip"),
        (b"no gzip at all", "gzip"),
        (b"text", "br"),
    ],
    ids=["too large", "cut gzip", "rest behind gzip", "two members", "no gzip", "brotli"],
)
async def test_a_body_that_is_not_as_agreed_is_unreadable(http: Http, serve: Any, body: bytes, coding: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": coding})

    with pytest.raises(Unreadable):
        await fetch(http, await serve(answer))


async def test_a_redirect_is_not_followed(http: Http, serve: Any) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        raise web.HTTPFound("/elsewhere")

    with pytest.raises(Refused) as caught:
        await fetch(http, await serve(answer))
    assert caught.value.status == 302
    assert paths == ["/"]


async def test_proxies_of_the_environment_are_not_used(http: Http, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="direct")

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "AIOGOOGLE_HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await fetch(http, await serve(answer))).body == b"direct"


async def test_cookies_are_not_kept(http: Http, serve: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        response = web.Response(text=str(len(request.cookies)))
        response.set_cookie("a", "b")
        return response

    root = await serve(answer)
    await fetch(http, root)
    assert (await fetch(http, root)).body == b"0"


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def cut_before(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.close()


async def cut_within(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    writer.close()


async def slow_within(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await reader.read()


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"SSH-2.0-nonsense\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("behaves", "expected"),
    [
        (silent, Unreachable),
        (slow_within, Unreachable),
        (cut_before, Unreachable),
        (cut_within, Unreachable),
        (no_http, Unreadable),
    ],
)
async def test_trouble_is_ours_and_holds_no_token(
    http: Http, behaves: Callable[..., Any], expected: type[OutsideError]
) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaves(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(expected) as caught:
            await fetch(http, f"http://127.0.0.1:{port}/", limits=Limits(0.3, 1000))
    assert not isinstance(caught.value, NeverSent)
    assert CANARY not in said(caught.value)
    assert caught.value.__context__ is None


def test_the_search_for_tokens_finds_one() -> None:
    """The control of the test above: an error that holds the token is found out, whatever its chain looks like."""

    def leak() -> None:
        try:
            int(CANARY)
        except ValueError:
            raise Unreachable("example.org", 0, "cut") from None

    with pytest.raises(Unreachable) as caught:
        leak()
    assert CANARY in said(caught.value)


async def test_no_connection_means_never_sent(http: Http) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        with pytest.raises(NeverSent):
            await fetch(http, f"http://127.0.0.1:{taken.getsockname()[1]}/")


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "http://", "/path", "http://[::1", "http://a.test/\nx"])
async def test_what_is_no_url_is_refused(http: Http, url: str) -> None:
    with pytest.raises(Refused):
        await fetch(http, url)
    with pytest.raises(Refused):
        await http.send_to_tenant("GET", url, headers={}, body=None, limits=LIMITS)


async def test_a_header_cannot_smuggle_another(http: Http, serve: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    root = await serve(answer)
    with pytest.raises(Refused):
        await http.send("GET", root, headers={"If-Match": '"1"\r\nX-More: 1'}, body=None, limits=LIMITS)


async def test_a_headers_name_cannot_smuggle_another(http: Http, serve: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    root = await serve(answer)
    with pytest.raises(Refused):
        await http.send("GET", root, headers={"X-One: 1\r\nX-More": "1"}, body=None, limits=LIMITS)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "127.0.0.1",
        "[::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "127.1",
        "168.63.129.16",
        "localhost",
        "kubernetes.default.svc",
        "metadata.google.internal",
        "user:word@example.org",
    ],
)
async def test_tenants_do_not_get_inside(closed_http: Http, host: str) -> None:
    with pytest.raises(Refused):
        await closed_http.send_to_tenant("POST", f"https://{host}/", headers={}, body=b"", limits=LIMITS)


async def test_the_metadata_address_is_refused_behind_a_host_name(
    closed_http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("169.254.169.254", "10.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: resolve(host, port))
    with pytest.raises(Refused, match="not open to tenants"):
        await closed_http.send_to_tenant("GET", "https://hooks.example.org/", headers={}, body=None, limits=LIMITS)
    assert asked == ["hooks.example.org"]


async def test_tenants_reach_an_opened_range_also_by_plain_http(http: Http, serve: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="inside")

    root = await serve(answer)
    got = await http.send_to_tenant("GET", root, headers={}, body=None, limits=LIMITS)
    assert got.body == b"inside"


async def test_plain_http_goes_to_opened_ranges_only(closed_http: Http, http: Http) -> None:
    for door, url in ((closed_http, "http://example.org/"), (http, "http://192.0.2.1/")):
        with pytest.raises(Refused):
            await door.send_to_tenant("GET", url, headers={}, body=None, limits=LIMITS)


async def test_a_tenants_redirect_into_the_inside_is_not_followed(http: Http, serve: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("http://169.254.169.254/latest/meta-data/")

    root = await serve(answer)
    with pytest.raises(Refused, match="redirects are not followed"):
        await http.send_to_tenant("GET", root, headers={}, body=None, limits=LIMITS)


async def test_cancelling_is_not_an_error_of_ours(http: Http) -> None:
    arrived = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        arrived.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        call = asyncio.create_task(fetch(http, f"http://127.0.0.1:{port}/"))
        async with asyncio.timeout(5):
            await arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory, rsa_key: rsa.RSAPrivateKey) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody vouches for."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(rsa_key, SHA256())
    )
    key = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(key + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


async def test_a_server_must_prove_who_it_is(http: Http, self_signed: ssl.SSLContext) -> None:
    server = await asyncio.start_server(silent, "127.0.0.1", 0, ssl=self_signed)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for send in (http.send, http.send_to_tenant):
            with pytest.raises(NeverSent, match="certificate"):
                await send("GET", url, headers={}, body=None, limits=LIMITS)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_inside_is_closed_on_both_event_loops(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def knock() -> list[type[BaseException]]:
        kinds: list[type[BaseException]] = []
        async with Http() as http:
            for host in ("0xa9fea9fe", "127.0.0.1", "[::1]"):
                try:
                    await http.send_to_tenant("GET", f"https://{host}/", headers={}, body=None, limits=LIMITS)
                except OutsideError as error:
                    kinds.append(type(error))
        return kinds

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(knock()) == [Refused] * 3
