"""Servers on loopback, keys made for the run, and aioresponses for odd replies."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aioresponses.core
import pytest
from aiohttp import ClientResponse, web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncer.clients.http import Http
from syncer.clients.references import References

Serve = Callable[[Any], Any]


class _AnsweredResponse(ClientResponse):
    """aioresponses 0.7.9 does not know a parameter that aiohttp 3.14 wants (its issue 289)."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        named.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*positional, **named)


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.core.aioresponses]:
    """Canned replies for every URL outside of loopback."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _AnsweredResponse)
    with aioresponses.core.aioresponses(passthrough=["http://127.0.0.1"]) as replies:
        yield replies


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """Connections as in production, with loopback opened to tenants' URLs."""
    async with Http(private_networks=(ip_network("127.0.0.0/8"),)) as made:
        yield made


@pytest.fixture
async def closed_http() -> AsyncIterator[Http]:
    """Connections of an installation whose operator opened nothing."""
    async with Http() as made:
        yield made


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves one function for every path, on a port of its own; gives the root URL."""
    async with AsyncExitStack() as exits:

        async def start(answer: Any) -> str:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            exits.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}/"

        yield start


@pytest.fixture
def references(tmp_path: Path) -> References:
    """Files below `tmp_path/credentials`, variables that begin with TEST_."""
    (tmp_path / "credentials").mkdir()
    return References(folder=tmp_path / "credentials", env_prefix="TEST_", environ={"TEST_KEY": "text", "HOME": "x"})


@pytest.fixture
def put(tmp_path: Path, references: References) -> Callable[[str, Any], str]:
    """Puts a credential into the folder; gives its reference."""

    def write(name: str, content: Any) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "credentials" / name).write_text(text)
        return f"file:{name}"

    return write


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def service_account(rsa_key: rsa.RSAPrivateKey) -> Callable[[str], dict[str, str]]:
    """A key file as Google makes it, with a token endpoint of the test's."""
    private_key = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def made(token_uri: str) -> dict[str, str]:
        return {
            "type": "service_account",
            "project_id": "example",
            "private_key_id": "k1",
            "private_key": private_key,
            "client_email": "syncer@example.test",
            "client_id": "1",
            "token_uri": token_uri,
        }

    return made
