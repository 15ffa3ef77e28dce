"""Tenants' URLs lead to the public internet and to what the operator opened, nowhere else."""

import socket
from ipaddress import ip_network

import pytest

from syncer.clients import addresses

REFUSED = [
    "0.0.0.0",  # noqa: S104  # refused, not bound
    "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "168.63.129.15", "172.32.0.1", "192.0.3.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    make = addresses.guard((), is_public_allowed=True)
    with pytest.raises(addresses.AddressRefused):
        make((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert not addresses.is_refused(address)
    make = addresses.guard((), is_public_allowed=True)
    make((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443))).close()


def test_only_the_opened_range_is_opened() -> None:
    make = addresses.guard((ip_network("10.1.0.0/16"),), is_public_allowed=False)
    make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.1.2.3", 80))).close()
    for address in ("10.2.0.1", "::ffff:10.1.2.3", "8.8.8.8"):
        with pytest.raises(addresses.AddressRefused):
            make((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 80)))


@pytest.mark.parametrize(
    ("host", "is_inside"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("kubernetes.default", True),
        ("vendor.default.svc", True),
        ("vendor.default.svc.cluster.local", True),
        ("metadata.google.internal", True),
        ("hooks.example.org", False),
        ("internal.example.org", False),
    ],
)
def test_names_of_the_inner_network_are_known(host: str, *, is_inside: bool) -> None:
    assert addresses.is_inside_name(host) is is_inside
