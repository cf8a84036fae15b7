"""Where a server listens: ``host:port`` as people write it, and who is on the same machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A host, empty for every address of the machine, and a port; port 0 is one that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or is_loopback(self.host)


def parse_address(text: str) -> Address:
    """The address that ``127.0.0.1:9117``, ``[::1]:9117``, ``name:9117`` or ``:9117`` means; ``ValueError`` says why
    it is none."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        raise ValueError("has no port")
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("has a port that is none: 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError("has brackets, which are for IPv6 addresses")
        ipaddress.IPv6Address(host.partition("%")[0])
    elif ":" in host:
        raise ValueError("needs brackets around its IPv6 address")
    elif any(character.isspace() or character in "/@[]" for character in host):
        raise ValueError("is no host and port")
    return Address(host, int(port))


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an IP address is this machine's own, also one of IPv4 that is written as IPv6's."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
