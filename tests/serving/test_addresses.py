"""Addresses to listen on."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.serving.addresses import Address, is_loopback, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:9117", "127.0.0.1", 9117, True),
        ("127.8.8.8:1", "127.8.8.8", 1, True),
        (":9117", "", 9117, False),
        ("0.0.0.0:9117", "0.0.0.0", 9117, False),
        ("[::1]:9117", "::1", 9117, True),
        ("[::]:9117", "::", 9117, False),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80, False),
        ("localhost:0", "localhost", 0, True),
        ("exporter.example:65535", "exporter.example", 65535, False),
    ],
)
def test_addresses_as_people_write_them(text: str, host: str, port: int, loopback: bool) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "9117", "localhost", ":", ":-1", ":65536", "host:http", "::1:9117", "[::1]", "[1.2.3.4]:80", "[]:80",
     "http://host:80", "a b:80", "user@host:80", ":９１１７", "[::g]:80"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


def test_an_ipv4_peer_of_a_socket_of_both_kinds_is_who_it_is() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("::ffff:10.0.0.1")
    assert not is_loopback("not an address")


@settings(deadline=None, derandomize=True)
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 65_535))
def test_every_ip_address_reads_back(host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    address = Address(str(host), port)
    assert parse_address(str(address)) == address
    assert is_loopback(str(host)) == bool((getattr(host, "ipv4_mapped", None) or host).is_loopback)
