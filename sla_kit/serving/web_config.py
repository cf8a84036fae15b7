"""The web-config file of Prometheus's exporters: TLS, headers, and who may ask.

The format is exporter-toolkit's (docs/web-configuration.md there). What can't be done here as it says is a mistake
rather than something that is let go: this file is about safety.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sla_kit.configuration.decode import decode
from sla_kit.configuration.nodes import Mapping, is_null, parse, read_text
from sla_kit.configuration.places import Findings, nearest
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Value
from sla_kit.errors import ConfigurationError, Mistake

_BCRYPT = re.compile(r"\$2[aby]?\$(\d\d)\$[./A-Za-z0-9]{53}")
#: A hash of a higher cost takes many seconds each time, for whoever asks.
_COSTS = range(4, 17)
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")
_CLIENTS = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert")
#: Go's names of the suites of TLS 1.2 that are safe, and OpenSSL's.
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
#: TLS 1.3 has these and no choice: here as in Go.
_SUITES_OF_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
#: Response headers that may be set, and what the value of one may be.
_HEADERS = {
    "Content-Security-Policy": "",
    "Strict-Transport-Security": "",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "(?i:deny|sameorigin)",
    "X-XSS-Protection": "",
}
_UNSUPPORTED = {
    "tls_server_config.cert": "write the certificate to a file and name it in cert_file",
    "tls_server_config.key": "write the key to a file and name it in key_file",
    "tls_server_config.client_ca": "write the certificate to a file and name it in client_ca_file",
    "tls_server_config.client_allowed_sans": "have a CA of their own sign the clients' certificates",
    "tls_server_config.curve_preferences": "leave it out: the library's own order is used",
    "rate_limit": "leave it out: scrapes are answered from memory, and connections are bounded",
}


class TlsServerConfig(Value, frozen=True, kw_only=True):
    """The certificate of the server, and which ones clients must have. Files are relative to this file's folder."""

    cert_file: str = ""
    key_file: str = ""
    client_auth_type: str = ""
    client_ca_file: str = ""
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: list[str] = []  # noqa: RUF012  # msgspec makes a new one each time
    prefer_server_cipher_suites: bool = True


class HttpServerConfig(Value, frozen=True, kw_only=True):
    """``http2`` is accepted and changes nothing: HTTP/1.1 is spoken, which every scraper speaks."""

    http2: bool = True
    headers: dict[str, str] = {}  # noqa: RUF012


class WebConfigFile(Value, frozen=True, kw_only=True):
    """What the file says."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: dict[str, str] = {}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How the web server is reached: ``tls`` is None for plain HTTP, ``users`` are bcrypt hashes by name, ``headers``
    go with every answer, ``files`` are those whose change means to read it all again."""

    tls: ssl.SSLContext | None = None
    client_certificates: Literal["none", "optional", "required"] = "none"
    users: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    files: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        return f"WebConfig(tls={self.tls is not None}, users={len(self.users)})"


def read_web_config(path: Path) -> WebConfig:
    """Reads a web-config file with the certificates that it names. Raises `ConfigurationError`.

    An empty file asks for nothing, as it does elsewhere.
    """
    name = str(path)
    text, mistakes = read_text(path, name, "web_config, or --web-config, names it")
    if text is None:
        raise ConfigurationError(mistakes)
    if not any(line.split("#")[0].strip() for line in text.splitlines()):
        return WebConfig(files=(path,))
    root, mistakes = parse(text, name)
    if root is not None and not isinstance(root, Mapping):
        mistakes = [*mistakes, root.place.mistake("a web configuration is a mapping")]
    if not isinstance(root, Mapping):
        raise ConfigurationError(mistakes)
    said, root = _supported(root)
    found, places, wrong = decode(root, WebConfigFile, "the web configuration")
    findings = Findings(places)
    _check_users(found.basic_auth_users, findings)
    _check_headers(found.http_server_config.headers, findings)
    server = found.tls_server_config
    tls, verify, files = None, ssl.CERT_NONE, []
    if server is not None:
        _check_tls(server, findings)
        verify = _CLIENTS.get(server.client_auth_type, ssl.CERT_NONE)
        files = [path.parent / each for each in (server.cert_file, server.key_file, server.client_ca_file) if each]
        if not (said or wrong or findings.mistakes):
            tls = _context(server, verify, path.parent, findings)
    mistakes = [*mistakes, *said, *wrong, *findings.mistakes]
    if mistakes:
        raise ConfigurationError(sorted(set(mistakes)))
    return WebConfig(
        tls,
        "none" if verify == ssl.CERT_NONE else "required" if verify == ssl.CERT_REQUIRED else "optional",
        tuple(sorted(found.basic_auth_users.items())),
        tuple(found.http_server_config.headers.items()),
        (path, *files),
    )


def _supported(root: Mapping) -> tuple[list[Mistake], Mapping]:
    """What is asked for and can't be had, and the rest; no mistake quotes what may be a password."""
    mistakes: list[Mistake] = []
    entries = dict(root.entries)
    users = root.get("basic_auth_users")
    if users is not None and not isinstance(users, Mapping):
        if not is_null(users):
            mistakes.append(users.place.mistake("basic_auth_users must be a mapping of names to bcrypt hashes"))
        del entries["basic_auth_users"]
    for key, (place, node) in root.entries.items():
        if is_null(node):  # as Go reads it: nothing is said
            entries.pop(key, None)
        if key in _UNSUPPORTED:
            mistakes.append(place.mistake(f"{key} is not supported", _UNSUPPORTED[key]))
            del entries[key]
        elif key == "tls_server_config" and isinstance(node, Mapping):
            kept = dict(node.entries)
            for inner, (where, _) in node.entries.items():
                if f"{key}.{inner}" in _UNSUPPORTED:
                    mistakes.append(where.mistake(f"{inner} is not supported", _UNSUPPORTED[f"{key}.{inner}"]))
                    del kept[inner]
            entries[key] = (place, Mapping(node.place, kept, node.hint))
    return mistakes, Mapping(root.place, entries, root.hint)


def _check_users(users: dict[str, str], findings: Findings) -> None:
    for name, secret in users.items():
        path = ("basic_auth_users", name)
        hashed = _BCRYPT.fullmatch(secret)
        if not hashed:
            findings.say(path, f"the password of {name!r} is no bcrypt hash", "htpasswd -nBC 10 NAME makes one")
        elif int(hashed[1]) not in _COSTS:
            findings.say(path, f"the hash of {name!r} has a cost of {int(hashed[1])}", "4 to 16; 10 is usual")
        if ":" in name or not name:
            findings.say(path, f"{name!r} can't be the name of a user", "a name without a colon")


def _check_headers(headers: dict[str, str], findings: Findings) -> None:
    for name, value in headers.items():
        path = ("http_server_config", "headers", name)
        known = {each.lower(): pattern for each, pattern in _HEADERS.items()}
        if name.lower() not in known:
            findings.say(path, f"the header {name} can't be set", nearest(name, _HEADERS))
        elif not value.isprintable() or not value.isascii():
            findings.say(path, f"the value of {name} has characters that no header may have")
        elif known[name.lower()] and not re.fullmatch(known[name.lower()], value):
            findings.say(
                path,
                f"{name} can't be {value!r}",
                "nosniff" if "nosniff" in known[name.lower()] else "deny or sameorigin",
            )


def _check_tls(said: TlsServerConfig, findings: Findings) -> None:
    """What needs no file to be told."""
    top: Part = ("tls_server_config",)
    for key, value in (("cert_file", said.cert_file), ("key_file", said.key_file)):
        if not value:
            findings.say(top, f"tls_server_config has no {key}")
    kind = said.client_auth_type
    if kind in _UNVERIFIED:
        findings.say(
            (*top, "client_auth_type"),
            f"{kind} is not supported",
            "nobody would verify the certificate: RequireAndVerifyClientCert does",
        )
    elif kind not in _CLIENTS:
        findings.say(
            (*top, "client_auth_type"),
            f"unknown client_auth_type {kind!r}",
            nearest(kind, [each for each in _CLIENTS if each]),
        )
    elif _CLIENTS[kind] != ssl.CERT_NONE and not said.client_ca_file:
        findings.say(
            (*top, "client_auth_type"), f"{kind} needs client_ca_file", "which CA signs the clients' certificates"
        )
    elif _CLIENTS[kind] == ssl.CERT_NONE and said.client_ca_file:
        findings.say(
            (*top, "client_ca_file"),
            "nobody is asked for a certificate",
            "client_auth_type: RequireAndVerifyClientCert",
        )
    for key, version in (("min_version", said.min_version), ("max_version", said.max_version)):
        if version in _OLD_VERSIONS:
            findings.say((*top, key), f"{version} is not supported: it is not safe", "TLS12 or TLS13")
        elif version not in _VERSIONS:
            findings.say((*top, key), f"unknown {key} {version!r}", "TLS12 or TLS13")
    if (said.min_version, said.max_version) == ("TLS13", "TLS12"):
        findings.say((*top, "max_version"), "is lower than min_version")
    for index, suite in enumerate(said.cipher_suites):
        if suite not in _SUITES and suite not in _SUITES_OF_13:
            findings.say(
                (*top, "cipher_suites", index), f"unknown or unsafe cipher suite {suite!r}", nearest(suite, _SUITES)
            )
    if said.cipher_suites and said.min_version == "TLS12" and set(said.cipher_suites) <= set(_SUITES_OF_13):
        findings.say(
            (*top, "cipher_suites"),
            "has none of TLS 1.2",
            "min_version: TLS13, or add one such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        )


def _context(said: TlsServerConfig, verify: ssl.VerifyMode, folder: Path, findings: Findings) -> ssl.SSLContext | None:
    """The context of what was found good; None after saying what its files lack."""
    top: Part = ("tls_server_config",)
    for key in ("cert_file", "key_file", "client_ca_file"):
        file = getattr(said, key)
        if file:
            _, wrong = read_text(folder / file, file)
            for mistake in wrong:
                findings.say((*top, key), f"{file} {mistake.message}")
    if findings.mistakes:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[said.min_version], _VERSIONS[said.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if said.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if suites := [_SUITES[each] for each in said.cipher_suites if each in _SUITES]:
        context.set_ciphers(":".join(suites))
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of ours, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(folder / said.cert_file, folder / said.key_file, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError) as error:
        reason = getattr(error, "reason", None) or ""
        if reason == "KEY_VALUES_MISMATCH":
            findings.say((*top, "key_file"), f"{said.key_file} is not the key of the certificate {said.cert_file}")
        elif "PRIVATE KEY" not in (folder / said.key_file).read_text():
            findings.say((*top, "key_file"), f"{said.key_file} holds no private key in PEM form")
        elif "ENCRYPTED" in (folder / said.key_file).read_text():
            findings.say(
                (*top, "key_file"), f"{said.key_file} is encrypted", "openssl pkey -in KEY -out PLAIN decrypts it"
            )
        else:
            findings.say(
                (*top, "cert_file"),
                f"{said.cert_file} and its key can't be used ({reason or 'no PEM'})",
                "a certificate in PEM form, followed by those that signed it",
            )
        return None
    context.verify_mode = verify
    if verify != ssl.CERT_NONE:
        try:
            context.load_verify_locations(folder / said.client_ca_file)
        except (ssl.SSLError, OSError):
            findings.say((*top, "client_ca_file"), f"{said.client_ca_file} holds no certificate in PEM form")
            return None
    return context
