"""What a web server says of a request, as the fields of the Elastic Common Schema."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import tzinfo
from functools import lru_cache

from sla_kit.logs import times

#: A document whose fields have dotted names; it is nested only when it is written.
Flat = dict[str, object]
_REQUEST = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S+)(?: +HTTP/(\d(?:\.\d)?))?\Z")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://([^/?#]*)(.*)\Z", re.DOTALL)
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}")
_NS = 1_000_000_000
_FIRST_ERROR = 500
_FIRST_FAILURE = 400
_LONGEST_IP, _MOST_DIGITS = 45, 18

#: Fields that are taken as they are: nginx's name, ours.
_PLAIN = {
    "remote_user": "user.name",
    "http_referer": "http.request.referrer",
    "http_user_agent": "user_agent.original",
    "request_id": "http.request.id",
    "req_id": "http.request.id",
    "http_x_request_id": "http.request.id",
    "scheme": "url.scheme",
    "http_host": "url.domain",
    "host": "url.domain",
    "server_name": "server.address",
    "hostname": "host.name",
    "ssl_protocol": "tls.version",
    "ssl_cipher": "tls.cipher",
}
_NUMBERS = {
    "body_bytes_sent": "http.response.body.bytes",
    "bytes_sent": "http.response.bytes",
    "request_length": "http.request.bytes",
    "server_port": "server.port",
    "remote_port": "source.port",
    "pid": "process.pid",
}
#: How long a request took: the seconds that one of its unit is.
_DURATIONS = {"request_time": 1.0, "time_us": 1e-6, "time_taken_ms": 1e-3}
_USED = frozenset({
    "-", "request", "status", "time_local", "time_iso8601", "msec", "time_s", "time_ms", "remote_addr",
    "http_x_forwarded_for", "request_method", "request_uri", "uri", "args", "query_string", "query_with_mark",
    "server_protocol", "upstream_response_time", "http_traceparent",
    *_PLAIN, *_NUMBERS, *_DURATIONS,
})  # fmt: skip


def time_of(fields: Mapping[str, str], zone: tzinfo) -> int | None:
    """When the request was answered, in milliseconds; None where that can't be read."""
    for name in ("msec", "time_iso8601", "time_local", "time_ms", "time_s"):
        if name in fields:
            return times.from_text(fields[name], zone)
    return None


def event(fields: Mapping[str, str]) -> Flat:
    """The document of a request, without its time. What it has no field for goes to ``labels``."""
    found: Flat = {"event.kind": "event", "event.category": "web"}
    for name, value in fields.items():
        if name in _PLAIN:
            found.setdefault(_PLAIN[name], value)
        elif name in _NUMBERS and _whole(value):
            found[_NUMBERS[name]] = int(value)
        elif name in _DURATIONS:
            seconds = _seconds(value)
            if seconds is not None:
                found["event.duration"] = round(seconds * _DURATIONS[name] * _NS)
        elif name not in _USED:
            found[f"labels.{name}"] = value
    _add_request(found, fields)
    _add_addresses(found, fields)
    if "upstream_response_time" in fields:
        upstream = [_seconds(part) for part in re.split(r"[,:]", fields["upstream_response_time"])]
        if any(part is not None for part in upstream):
            found["upstream.duration"] = round(sum(part or 0.0 for part in upstream) * _NS)
    trace = fields.get("http_traceparent", "").split("-")
    if len(trace) == 4 and len(trace[1]) == 32:
        found["trace.id"] = trace[1]
    status = fields.get("status", "")
    if _whole(status):
        add_outcome(found, int(status))
    return found


def add_outcome(document: Flat, status: int) -> None:
    """What a status means: its level, whether the request was answered well, and what kind of error it is."""
    document["http.response.status_code"] = status
    document.setdefault("event.outcome", "failure" if status >= _FIRST_FAILURE else "success")
    document.setdefault("log.level", "error" if status >= _FIRST_ERROR else "info")
    if status >= _FIRST_ERROR and "error.type" not in document:
        document["error.type"] = f"HTTP {status}"
        path = document.get("url.path")
        method = document.get("http.request.method", "")
        document.setdefault("error.message", f"{method} {path}".strip() if path else str(document.get("message", "")))


def add_url(document: Flat, target: str) -> None:
    """A request's target in its parts (RFC 9112, 3.2: a path, an absolute URL, ``host:port`` of CONNECT or ``*``)."""
    document["url.original"] = target
    absolute = _ABSOLUTE.match(target)
    if absolute:
        document["url.scheme"], domain, target = absolute.group(1).lower(), absolute.group(2), absolute.group(3)
        if domain:
            document["url.domain"] = domain.rpartition("@")[2]
    path, mark, query = target.partition("#")[0].partition("?")
    document["url.path"] = path or "/"
    if mark and query:
        document["url.query"] = query


def _add_request(document: Flat, fields: Mapping[str, str]) -> None:
    line = fields.get("request", "")
    parsed = _REQUEST.match(line)
    if parsed:
        method, target, version = parsed.groups()
    else:
        # No request of HTTP, such as the first bytes of TLS: it is kept as the message alone.
        method, target = fields.get("request_method", ""), fields.get("request_uri") or fields.get("uri", "")
        version = fields.get("server_protocol", "").removeprefix("HTTP/")
        query = fields.get("args") or fields.get("query_string") or fields.get("query_with_mark", "").lstrip("?")
        if query and "?" not in target:
            target = f"{target}?{query}"
    if method:
        document["http.request.method"] = method
    if version:
        document["http.version"] = version
    if target:
        add_url(document, target)
    document["message"] = line or " ".join(part for part in (method, target) if part)


def _add_addresses(document: Flat, fields: Mapping[str, str]) -> None:
    peer = fields.get("remote_addr", "")
    if peer:
        document["source.address"] = peer
        if is_ip(peer):
            document["source.ip"] = peer
    forwarded = fields.get("http_x_forwarded_for", "").split(",")[0].strip()
    if forwarded and is_ip(forwarded):
        document["client.ip"] = forwarded


def is_ip(text: str) -> bool:
    """Whether a text is an address of IPv4 or IPv6 that Elasticsearch takes for one."""
    return len(text) <= _LONGEST_IP and _is_ip(text)


@lru_cache(maxsize=8192)
def _is_ip(text: str) -> bool:
    if _IPV4.fullmatch(text):  # five times as fast
        return True
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


@lru_cache(maxsize=8192)
def anonymised(address: str) -> str:
    """An IP address without what tells single people apart: the last 8 bits of IPv4, the last 80 of IPv6."""
    parsed = ipaddress.ip_address(address)
    kept = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{kept}", strict=False).network_address)


def _whole(text: str) -> bool:
    """Whether a text is a whole number that Elasticsearch's ``long`` holds: not "²", which Python calls a digit."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None
