"""No URL of a tenant's gets inside: what it leads to is checked where it is dialled. Nothing here is dialled at all."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import orjson
import pytest
from aiohttp.connector import AddrInfoType

from syncer.clients import addresses
from syncer.clients.google.credential import GOOGLE_TOKEN_URI, parse
from syncer.clients.http import Http, Limits, NeverSent
from syncer.clients.secret import Secret
from syncer.model.errors import OperatorError, OutsideError, Refused
from tests.clients.inward import ALLOWED, NAMES, REFUSED, STILL_REFUSED

LIMITS = Limits(deadline_seconds=5, body_bytes=1024)


@dataclass
class Dialled:
    """The addresses for which a socket would have been made. turns: answers of the resolver, one a question."""

    addresses: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    turns: dict[str, list[list[str]]] = field(default_factory=dict)

    def resolve(self, host: str, port: int | None) -> list[Any]:
        """As getaddrinfo does: names by the table, and any spelling of a number that inet_aton takes."""
        self.asked.append(host)
        name = host.rstrip(".").lower()
        if name in self.turns:
            found = self.turns[name].pop(0)
        elif name in NAMES:
            found = NAMES[name]
        else:
            try:
                found = [socket.inet_ntoa(socket.inet_aton(host))]
            except OSError:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return [_info(one, port or 0) for one in found]


def _info(address: str, port: int) -> tuple[object, ...]:
    if ip_address(address).version == 6:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> Dialled:
    """The guard as it is, but where it would make a socket that is only written down."""
    seen, real = Dialled(), addresses.guard

    def guard(*opened: Any, **more: Any) -> Any:
        make = real(*opened, **more)

        def made(info: AddrInfoType) -> socket.socket:
            make(info).close()
            seen.addresses.append(str(info[4][0]))
            raise ConnectionRefusedError

        return made

    monkeypatch.setattr(addresses, "guard", guard)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: seen.resolve(host, port))
    return seen


async def call(url: str, *, is_opened: bool = False) -> OutsideError:
    """What comes of a call; it always fails."""
    networks = (ip_network("10.1.0.0/16"),) if is_opened else ()
    async with Http(private_networks=networks) as http:
        with pytest.raises(OutsideError) as caught:
            await http.send_to_tenant("POST", url, headers={}, body=b"", limits=LIMITS)
        return caught.value


def test_there_are_enough_of_them() -> None:
    assert len(set(REFUSED)) >= 140
    assert len(set(ALLOWED)) >= 10


@pytest.mark.parametrize("url", REFUSED)
async def test_a_url_that_leads_inside_is_not_dialled(dialled: Dialled, url: str) -> None:
    error = await call(url)
    assert dialled.addresses == []
    # A name that nobody knows is no refusal of ours; all others are.
    assert isinstance(error, Refused) or (isinstance(error, NeverSent) and "its name is not known" in str(error))


@pytest.mark.parametrize("url", STILL_REFUSED)
async def test_what_the_operator_did_not_open_stays_shut(dialled: Dialled, url: str) -> None:
    assert isinstance(await call(url, is_opened=True), Refused)
    assert dialled.addresses == []


@pytest.mark.parametrize(("url", "is_opened", "address"), ALLOWED)
async def test_a_url_that_leads_outside_is_dialled(
    dialled: Dialled, url: str, *, is_opened: bool, address: str
) -> None:
    """The control of the two above."""
    assert isinstance(await call(url, is_opened=is_opened), NeverSent)
    assert set(dialled.addresses) == {address}


@pytest.mark.parametrize(
    "found",
    [
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["::1", "93.184.216.34"],
        ["fd00:ec2::254", "169.254.169.254", "93.184.216.34"],
        ["93.184.216.34", "::ffff:10.0.0.1"],
    ],
)
async def test_of_a_mixed_name_only_the_public_address_is_dialled(dialled: Dialled, found: list[str]) -> None:
    dialled.turns["mixed.example.org"] = [found]
    await call("https://mixed.example.org/")
    assert set(dialled.addresses) == {"93.184.216.34"}


@pytest.mark.parametrize("second", ["127.0.0.1", "169.254.169.254", "::1", "10.0.0.1"])
async def test_a_name_that_is_bound_anew_after_the_check_leads_nowhere(dialled: Dialled, second: str) -> None:
    """What is checked is what is dialled: there is no second question whose answer could be another."""
    dialled.turns["rebound.example.org"] = [["93.184.216.34"], [second], [second]]
    await call("https://rebound.example.org/")
    assert (dialled.addresses, dialled.asked) == (["93.184.216.34"], ["rebound.example.org"])
    await call("https://rebound.example.org/")
    assert dialled.addresses == ["93.184.216.34"]


@pytest.mark.parametrize(
    "url", [*REFUSED, "https://hooks.example.org/token", GOOGLE_TOKEN_URI + "?", " " + GOOGLE_TOKEN_URI]
)
def test_no_credential_sends_its_secrets_elsewhere(url: str) -> None:
    """The other URL that tenants send: a credential file's token_uri."""
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "canary", "refresh_token": "canary"}
    with pytest.raises(OperatorError, match="names a token_uri that is not allowed") as caught:
        parse("file:a", Secret(orjson.dumps({**user, "token_uri": url}).decode()), token_uris=(GOOGLE_TOKEN_URI,))
    assert "canary" not in str(caught.value)
