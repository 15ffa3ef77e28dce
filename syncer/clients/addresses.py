"""Which addresses a tenant's URL may lead to, checked on the very address that is dialled.

A name is resolved once, and what the resolver gave is what is checked and dialled: no second look-up, no rebinding.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.connector import AddrInfoType

Network = IPv4Network | IPv6Network

# The special-purpose registries of IANA (IPv4 and IPv6), wider where a range leads back inside by translation, and
# two addresses that the registries do not know: Azure's host agent (168.63.129.16, a public address), and
# ::ffff:0:0:0/96, the IPv4-translated form (RFC 2765) beside the IPv4-mapped one.
# fmt: off
_REFUSED: tuple[Network, ...] = tuple(ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96",
    "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32",
    "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
))
# fmt: on
_INSIDE_NAMES = ("localhost", "kubernetes.default", "metadata.google.internal")
_INSIDE_ENDINGS = (".localhost", ".local", ".internal", ".svc")


class AddressRefused(OSError):
    """The address is not dialled. All have one text: aiohappyeyeballs keeps the type only of equal errors."""

    def __init__(self) -> None:
        super().__init__("the address is not open to tenants' URLs")


def is_refused(address: str) -> bool:
    """True for what is no IPv4 or IPv6 address (text, a zone id is allowed) of the public internet."""
    parsed = _parsed(address)
    return parsed is None or any(parsed in network for network in _REFUSED)


def is_opened(address: str, opened: Sequence[Network]) -> bool:
    """True when the operator opened a range with this address in it."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in opened)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """None for what only looks like an address, as `v1.fe80::1` of RFC 3986 does, which nothing here can dial."""
    try:
        return ip_address(address)
    except ValueError:
        return None


def is_inside_name(host: str) -> bool:
    """True for host names that only mean something inside a machine, a cluster or a cloud."""
    name = host.rstrip(".").lower()
    return name in _INSIDE_NAMES or name.endswith(_INSIDE_ENDINGS)


def why_refused(scheme: str, host: str, opened: Sequence[Network]) -> str | None:
    """Why a tenant's URL with this host is not called, as far as it shows before the name is looked up; else None."""
    if scheme == "http" and not opened:
        return "only https is called, except in SYNCER_PRIVATE_NETWORKS"
    if is_inside_name(host):
        return None if opened else "a name of the inner network is called only with SYNCER_PRIVATE_NETWORKS"
    if _parsed(host) is None:
        return None  # a name
    is_closed = (scheme == "http" or is_refused(host)) and not is_opened(host, opened)
    return "its address is not open to tenants' URLs, unless SYNCER_PRIVATE_NETWORKS opens it" if is_closed else None


def guard(opened: Sequence[Network], *, is_public_allowed: bool) -> Callable[[AddrInfoType], socket.socket]:
    """Gives a socket factory for aiohttp's connector that makes no socket for an address that is not allowed.

    opened: ranges of the operator's. is_public_allowed: public addresses are fine too, not only `opened`.
    """

    def make(address_info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = address_info
        host = str(address[0])
        is_public = is_public_allowed and not is_refused(host)
        if not is_public and not is_opened(host, opened):
            raise AddressRefused
        return socket.socket(family=family, type=kind, proto=protocol)

    return make
