"""Asks an exporter whether it lives, for a container without curl: ``python -m sla_kit.exporters.healthcheck [URL]``.

Without a URL that of ``SLA_KIT_HEALTHCHECK_URL``, or the business exporter's here. Exits with 0 where it answers 200, 1
where it doesn't, 2 where the URL is none.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from urllib.parse import urlsplit

_DEFAULT = "http://127.0.0.1:9117/healthz"
_SECONDS = 3.0


def main(arguments: Sequence[str]) -> int:
    """Asks, says why not on standard error, and returns the exit code."""
    url = next(iter(arguments), "") or os.environ.get("SLA_KIT_HEALTHCHECK_URL", "") or _DEFAULT
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        right = False
    if not right or len(arguments) > 1:
        print(f"usage: python -m sla_kit.exporters.healthcheck [URL]; the URL such as {_DEFAULT}", file=sys.stderr)
        return 2
    reason = problem(url)
    if reason:
        print(f"{url}: {reason}", file=sys.stderr)
    return int(bool(reason))


def problem(url: str) -> str:
    """Why the address does not answer with 200; empty where it does."""
    # No proxy stands between a container and itself; an exporter's own certificate names others than the loopback
    # address, which nobody else can answer at.
    context = ssl.create_default_context()
    if _is_loopback(urlsplit(url).hostname or ""):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            return "" if answer.status == 200 else f"it answers {answer.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answers {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    except Exception as error:  # what answers may speak anything
        return f"it does not speak HTTP ({type(error).__name__})"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
