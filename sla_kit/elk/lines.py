"""Where logs are, where a record of them begins, and to which cluster they go: what both shippers are told."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sla_kit.catalogue.model import Catalogue

#: What a record's first line begins with: JSON, a date, an address before an access log's date, a level. Every other
#: line goes on with the record before, as those of a stack trace do. POSIX, Ruby and Python read it alike.
FIRST_LINE = (
    r"^([{\[]|<[0-9]+>|[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}|[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}|[^ ]+ [^ ]+ [^ ]+ \[[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:"
    r"|(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|CRIT|ALERT|FATAL|PANIC)[^A-Za-z0-9])"
)
FILES = "/var/log/{service}/*.log"
#: A record longer than this is cut by the shipper, in bytes.
LONGEST_RECORD = 256 * 1024


@dataclass(frozen=True, slots=True)
class Shipping:
    """Where files of logs are (``files``: a path in which ``{service}`` stands for the service's name, with wildcards
    in its last part), where a shipper keeps its state and its buffer (``spool``), and the cluster that is written to
    (``scheme``, ``host``, ``port``, ``path``; credentials are never among these)."""

    files: str = FILES
    spool: str = ""
    scheme: str = "http"
    host: str = "localhost"
    port: int = 9200
    path: str = ""

    @property
    def url(self) -> str:
        """The cluster's address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def pattern(self, service: str) -> str:
        """The files of one service."""
        return self.files.replace("{service}", service)


def shipping(catalogue: Catalogue, *, files: str = "", spool: str = "") -> Shipping:
    """How logs are shipped to the catalogue's cluster: the source that ``logs.source`` names, or the first that holds
    logs; one on this machine where none is named with an address."""
    holding = [server for server in catalogue.sources if server.holds_logs and server.url]
    wanted = [server for server in holding if server.name == catalogue.logs.source] or holding
    address = wanted[0].url.removeprefix("elasticsearch+") if wanted else ""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Shipping(files=files or FILES, spool=spool)
    return Shipping(
        files=files or FILES,
        spool=spool,
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        path=parts.path.rstrip("/"),
    )
