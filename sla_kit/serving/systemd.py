"""Tells systemd how it goes, for units of ``Type=notify`` (sd_notify(3)); nothing where nobody wants to know."""

from __future__ import annotations

import contextlib
import os
import socket
import time


def notify(*states: str) -> None:
    """Sends ``READY=1``, ``STOPPING=1``, ``STATUS=…`` to the socket that NOTIFY_SOCKET names."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        out.sendto("\n".join(states).encode(), address)


def notify_reloading() -> None:
    """Says that the configuration is read again; ``READY=1`` must follow."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
