"""Formats of access logs, as nginx's ``log_format`` and Apache's ``LogFormat`` write them, compiled into parsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sla_kit.errors import SlaKitError

#: Formats known by name, the most particular first: the order in which they are tried on a log.
NAMED: dict[str, str] = {
    "ingress-nginx": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] '
    "$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id",
    "nginx-timed": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_time $upstream_response_time',
    "nginx-time": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_time',
    "nginx-main": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$http_x_forwarded_for"',
    "vhost-combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost-common": '%v %h %l %u %t "%r" %>s %b',
    "common": '%h %l %u %t "%r" %>s %b',
}
_WRITE = """write it as in nginx.conf ('$remote_addr - $remote_user [$time_local] "$request" $status') or as Apache's
LogFormat ('%h %l %u %t "%r" %>s %b')"""

#: What Apache's directives are called by nginx. A unit is the seconds that one stands for.
_APACHE = {
    "h": "remote_addr", "a": "remote_addr", "l": "-", "u": "remote_user", "t": "time_local", "r": "request",
    "s": "status", "b": "body_bytes_sent", "B": "body_bytes_sent", "O": "bytes_sent", "I": "request_length",
    "D": "time_us", "T": "request_time", "v": "server_name", "V": "server_name", "p": "server_port",
    "P": "pid", "m": "request_method", "U": "uri", "q": "query_with_mark", "H": "server_protocol", "k": "-",
    "X": "connection_status", "L": "request_id", "f": "filename", "A": "server_addr",
}  # fmt: skip
_APACHE_DIRECTIVE = re.compile(r"%(?:!?\d{3}(?:,\d{3})*)?[<>]?(?:\{([^}]*)\}(\^t[io]|[A-Za-z])|([A-Za-z%]))")
_NGINX_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")

_QUOTED = r'([^"\\]*(?:\\.[^"\\]*)*)'
#: The last quoted text of a line, where its writer left quotation marks as they were.
_LAST_QUOTED = r"(.*)"
_SECONDS_LIST = r"((?:-|\d+(?:\.\d+)?)(?: ?[,:] (?:-|\d+(?:\.\d+)?))*)"
_BARE = {
    "remote_user": r"(\S+(?: [^\s\[]+)*?)",
    "time_local": r"(\d{1,2}/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?)",
    "time_iso8601": r"(\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)",
    "status": r"(\d{3}|-)",
    "body_bytes_sent": r"(\d+|-)",
    "bytes_sent": r"(\d+|-)",
    "request_length": r"(\d+|-)",
    "request_time": r"(\d+(?:\.\d+)?|-)",
    "upstream_response_time": _SECONDS_LIST,
    "upstream_connect_time": _SECONDS_LIST,
    "upstream_header_time": _SECONDS_LIST,
    "upstream_response_length": _SECONDS_LIST,
    "upstream_status": _SECONDS_LIST,
    "upstream_addr": r"((?:-|[^\s,]+)(?: ?[,:] [^\s,]+)*)",
    "http_x_forwarded_for": r"([^\s,]+(?:, ?[^\s,]+)*)",
    "host": r"([^\s/]+)",
    "http_host": r"([^\s/]+)",
    "server_name": r"([^\s/:]+)",
    "request": r"(.*?)",
    "http_user_agent": r"(.*?)",
}
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([\"\\nrtbv]))")
_SHORT_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v"}


class LogFormatError(SlaKitError):
    """A format of log lines can't be understood."""


@dataclass(frozen=True, slots=True)
class AccessFormat:
    """A compiled format: the names of its fields, by nginx's words, and the expression that finds them in a line."""

    text: str
    names: tuple[str, ...]
    strict: re.Pattern[str]
    lenient: re.Pattern[str]
    short: re.Pattern[str]

    def match(self, line: str, *, short: bool = False) -> Mapping[str, str] | None:
        """The fields of a line by name, unescaped; None for a line of another form. Fields that hold ``-`` (nothing)
        are left out. With ``short`` the line may end within its last quotation, as some writers cut them."""
        found = self.short.match(line) if short else self.strict.match(line) or self.lenient.match(line)
        if found is None:
            return None
        fields = {}
        for name, value in zip(self.names, found.groups(), strict=not short):
            if value != "-" and value and name not in fields:
                fields[name] = unescaped(value) if "\\" in value else value
        return fields


def compile_format(text: str) -> AccessFormat:
    """The parser of a format: one of the names of `NAMED`, or written as in a web server's configuration.

    Raises `LogFormatError` for one without a time or without a status or request.
    """
    return _compiled(NAMED.get(text, text).strip())


@lru_cache(maxsize=32)
def _compiled(text: str) -> AccessFormat:
    nginx = bool(_NGINX_VARIABLE.search(text))
    if not nginx and not _APACHE_DIRECTIVE.search(text):
        known = ", ".join(sorted(NAMED))
        raise LogFormatError(
            f"{text!r} is no format of log lines", remedy=f"auto, json, text, {known}, or {' '.join(_WRITE.split())}"
        )
    # Apache's configuration writes quotation marks with a backslash.
    text = text if nginx else text.replace('\\"', '"')
    names: list[str] = []
    pieces: list[tuple[str, bool]] = []
    place = 0
    for found in (_NGINX_VARIABLE if nginx else _APACHE_DIRECTIVE).finditer(text):
        if not nginx and found.group(3) == "%":
            continue
        name = (found.group(1) or found.group(2)) if nginx else _apache_name(found)
        before, after = text[place : found.start()], text[found.end() :]
        clf = not nginx and name in ("time_local",)
        pieces.append((re.escape(before.replace("%%", "%") if not nginx else before) + (r"\[" if clf else ""), False))
        quoted = text[: found.start()].endswith('"') and after.startswith('"')
        pieces.append((_QUOTED, True) if quoted else (_bare(name, after), False))
        if clf:
            pieces.append((r"\]", False))
        names.append(name)
        place = found.end()
    pieces.append((re.escape(text[place:]) + r"\s*\Z", False))
    if not {"time_local", "time_iso8601", "msec", "time_s", "time_ms"} & set(names):
        raise LogFormatError(f"the format {text!r} has no time", remedy="log $time_iso8601, $msec, $time_local or %t")
    if not {"request", "status", "request_uri", "uri"} & set(names):
        raise LogFormatError(f"the format {text!r} has neither a request nor a status", remedy=" ".join(_WRITE.split()))
    strict = "".join(piece for piece, _ in pieces)
    last = max((index for index, (_, quoted) in enumerate(pieces) if quoted), default=-1)
    lenient = "".join(_LAST_QUOTED if index == last else piece for index, (piece, _) in enumerate(pieces))
    short = "".join(piece for piece, _ in pieces[:last]) + r'([^"]*)\Z' if last >= 0 else r"(?!)"
    return AccessFormat(text, tuple(names), re.compile(strict), re.compile(lenient), re.compile(short))


def _apache_name(found: re.Match[str]) -> str:
    argument, directive, plain = found.groups()
    if plain:
        return _APACHE.get(plain, f"apache_{plain}")
    name = (argument or "").lower().replace("-", "_")
    if directive == "i":
        return f"http_{name}"
    if directive == "T":
        return {"ms": "time_taken_ms", "us": "time_us"}.get(name, "request_time")
    if directive == "t":
        return {"sec": "time_s", "msec": "time_ms"}.get(name, "time_local")
    if directive in ("o", "e", "n", "C"):
        return "request_id" if name in ("x_request_id", "unique_id") else f"{name}"
    return _APACHE.get(directive, name)


def _bare(name: str, after: str) -> str:
    if name in _BARE and not (name == "time_local" and after[:1] not in ("]", " ", "")):
        return _BARE[name]
    if not after:
        return r"(.*)"
    if after[0] == "]":
        return r"([^\]]*)"
    if after[0] in "$%":
        return r"(\S+?)"
    return r"(\S+)" if after[0] == " " else rf"([^\s{re.escape(after[0])}]*)"


def unescaped(text: str) -> str:
    r"""A field without its writer's escapes: ``\"``, ``\\``, ``\n``, and ``\xHH``, several of which may make one
    character of UTF-8."""
    if "\\x" not in text:
        return _ESCAPE.sub(lambda found: _SHORT_ESCAPES.get(found.group(2), found.group(2)), text)

    def put(found: re.Match[str]) -> str:
        code = found.group(1)
        # Bytes pass through the string as surrogates, as the error handler "surrogateescape" has them.
        if code is None:
            return _SHORT_ESCAPES.get(found.group(2), found.group(2))
        byte = int(code, 16)
        return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)

    return _ESCAPE.sub(put, text).encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
