"""Where the mail server is, whom it must be known by, and what this machine calls itself there."""

from __future__ import annotations

import re
import socket
import ssl
import time
from functools import lru_cache
from pathlib import Path

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.errors import SlaKitError
from sla_kit.serving.addresses import is_loopback, parse_address

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def host_of(settings: EmailSettings) -> tuple[str, int]:
    """Host and port, the usual one where none is said. Raises `SlaKitError`."""
    text = settings.host.strip()
    if not text:
        raise SlaKitError("no mail server is named", place="routing.email", remedy="set host: mail.example.com:587")
    try:
        if text.count(":") == 1 or (text.startswith("[") and "]:" in text):
            address = parse_address(text)
            return address.host, address.port
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        parsed = parse_address(f"[{bare}]:{_PORTS[settings.security]}" if ":" in bare else f"{bare}:1")
        return parsed.host, _PORTS[settings.security]
    except ValueError as error:
        raise SlaKitError(
            f"the mail server's name {error}", place="routing.email.host", remedy="write mail.example.com:587"
        ) from None


def is_local(host: str) -> bool:
    """Whether a server is on this machine."""
    return host == "localhost" or is_loopback(host)


def trusting(ca_file: str) -> ssl.SSLContext:
    """What is trusted, read again where the file is another, and once an hour."""
    changed_at = Path(ca_file).stat().st_mtime_ns if ca_file else 0
    return _context(ca_file, changed_at, int(time.monotonic() // 3600))


@lru_cache(maxsize=4)
def _context(ca_file: str, changed_at: int, hour: int) -> ssl.SSLContext:
    """Reading all public authorities takes longer than the rest of a mail."""
    return ssl.create_default_context(cafile=ca_file or None)


@lru_cache(maxsize=1)
def own_name() -> str:
    """What this machine calls itself to the server: its full name, else its address (RFC 5321, section 4.1.3)."""
    name = socket.getfqdn()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"
