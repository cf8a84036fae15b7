"""File descriptors: as many as the system grants, the standard ones always there, some kept for others than clients."""

from __future__ import annotations

import contextlib
import os
import resource

#: More helps nobody, and some systems grant a thousand million.
_MOST = 65_536
#: Of those that there are, clients may have so large a share; the rest is for sources, files and libraries.
_SHARE_OF_CLIENTS = 0.5


def fill_standard() -> None:
    """Opens nothing in the place of standard input, output and error where whoever began this process closed them:
    else a database or a socket would get their numbers, and what a library says to standard error would go there."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.dup(null)
    os.close(null)


def raise_limit() -> None:
    """Takes as many as may be had without asking anybody, as programs in Go do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def for_clients(most: int) -> int:
    """How many clients' connections there may be, up to ``most``."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, int(soft * _SHARE_OF_CLIENTS)))
