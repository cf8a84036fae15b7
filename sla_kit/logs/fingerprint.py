"""Which errors are the same: a key of an error's type, its message without what changes from time to time, and the
top frames of its stack. The rules are data, so that an ingest pipeline can be made of them."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from sla_kit.logs.addresses import EMAIL, EMAIL_UNSPACED
from sla_kit.logs.frames import frames, steady_name

__all__ = [
    "LONGEST",
    "NORMALISATIONS",
    "REDACTIONS",
    "Fingerprint",
    "Rule",
    "fingerprint",
    "frames",
    "normalised",
    "redacted_message",
]

#: So many characters of a message are looked at; what comes after them does not tell errors apart.
LONGEST = 2000
_NAME = 200
#: A message that is shown is cut to so many characters.
_SHOWN = 10_000


class Rule(NamedTuple):
    """What matches ``pattern`` is replaced by ``replacement``. Patterns are written in the syntax that Python's ``re``
    and Java's ``Pattern`` share (ASCII classes, lookbehind of one length, nothing possessive), replacements are plain
    text; each takes time in proportion to the text, whatever the text is."""

    name: str
    pattern: str
    replacement: str


class Fingerprint(NamedTuple):
    """``key`` is 16 hexadecimal digits (for ``error.grouping_key``), ``name`` what people read (for
    ``error.grouping_name``): the type and the normalised message."""

    key: str
    name: str
    frames: tuple[str, ...]


#: Not within a word, and not beside what another rule has put there: no rule sees more after another than before it.
_BEFORE = r"(?<![0-9A-Za-z_<>])"
_AFTER = r"(?![0-9A-Za-z_<>])"
_END = r"(?![\s\S])"
_WORD = r"[^ \t\r\n,;&\"'<>)}\]]"
_PASSWORDS = ("password", "passwd", "passphrase")
_SECRETS = (
    *_PASSWORDS,
    *(
        "pwd",
        "secret",
        "token",
        "api_key",
        "api-key",
        "apikey",
        "access_key",
        "accesskey",
        "private_key",
        "account_key",
    ),
    *("credential", "signature"),
)


def _after(names: tuple[str, ...], mark: str) -> str:
    """A mark that stands behind one of the names. The mark comes first: most texts have none."""
    return f"{mark}(?:" + "|".join(f"(?<={name}{mark})" for name in names) + ")"


_SCHEME = r"(?:(?<=bearer[\s=:])|(?<=basic[\s=:])|(?<=digest[\s=:])|(?<=negotiate[\s=:])|(?<=apikey[\s=:]))"
_GAP = r"[ \t\r\n\f\x0b]{0,20}"
_PAIR = r"[^ \t\r\n=;,<>\"']{1,100}=[^ \t\r\n;,<>\"']{0,4000}"

#: What must be shown to nobody, in this order. The last one is only a suspicion (any number of that shape): Python
#: checks the digits as well (`redacted_message`), a pipeline that has these rules alone takes out more.
REDACTIONS: tuple[Rule, ...] = (
    Rule(
        "private key",
        rf"-----BEGIN [A-Z ]{{0,30}}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{{0,30}}PRIVATE KEY-----|{_END})",
        "<secret>",
    ),
    Rule("user of an address", r"(?<=://)[^ \t\r\n/?#:\"'<>@]{0,200}:[^ \t\r\n/\"'<>@]{0,200}@", "<secret>@"),
    Rule(
        "web token",
        r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{5,}\.[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]{0,4000})?",
        "<token>",
    ),
    Rule(
        "authorization",
        rf"(?i){_SCHEME}{_GAP}(?!auth|realm|token|credential|header|scheme|algorithm)[0-9A-Za-z+/=_.~:-]{{6,}}",
        "<token>",
    ),
    Rule(
        "key of a known form",
        r"(?<![0-9A-Za-z_-])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{30,255}|github_pat_[0-9A-Za-z_]{30,255}"
        r"|glpat-[0-9A-Za-z_-]{20,255}|xox[abeprs]-[0-9A-Za-z-]{10,255}|[prs]k_(?:live|test)_[0-9A-Za-z]{10,255}"
        r"|AIza[0-9A-Za-z_-]{35}|SG\.[0-9A-Za-z_-]{16,64}\.[0-9A-Za-z_-]{16,64}|npm_[0-9A-Za-z]{36}"
        r"|sk-[0-9A-Za-z_-]{20,255}|pypi-[0-9A-Za-z_-]{50,255})",
        "<token>",
    ),
    Rule("cookie", rf"(?i)(?<=cookie: ){_PAIR}(?:; ?{_PAIR}){{0,100}}", "<secret>"),
    Rule(
        "named in JSON",
        rf'(?i){_after(_SECRETS, chr(34))}{_GAP}:{_GAP}"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|\\?{_END})',
        '": "<secret>"',
    ),
    Rule("named", rf"(?i){_after(_SECRETS, '=')}(?:\"[^\"]*\"|'[^']*'|{_WORD}+)", "=<secret>"),
    Rule("password", rf"(?i){_after(_PASSWORDS, ':')}{_GAP}{_WORD}+", ": <secret>"),
    Rule(
        "named, with a number in it",
        rf"(?i){_after(_SECRETS, ':')}{_GAP}(?={_WORD}{{0,60}}[0-9]){_WORD}{{6,}}",
        ": <secret>",
    ),
    Rule("e-mail address where words are not apart", EMAIL_UNSPACED, "<email>"),
    Rule("e-mail address", EMAIL, "<email>"),
    Rule(
        "card number",
        r"(?<![0-9A-Za-z_<>.-])(?:[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}"
        r"|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5})(?![0-9A-Za-z_<>-])",
        "<card>",
    ),
)
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_SEGMENT = r"[^ \\/\"'`<>()\[\]{},;:|*?&!]{1,255}"
#: Numbers that say which error it is are kept: a status, an exit code, an errno, the number of an SQL error.
_TELLING = "".join(
    f"(?<!{before})"
    for before in (
        *("[Cc]ode ", "[Cc]ode: ", "[Cc]ode=", "[Ss]tatus ", "[Ss]tatus: ", "[Ss]tatus=", "HTTP ", "HTTP/"),
        *("HTTP/[0-9] ", r"HTTP/[0-9]\.[0-9] ", "[Ee]rrno ", "[Ee]rrno=", "[Ee]rror ", "ERROR ", "[Ss]ignal ", "ORA-"),
    )
)

#: What changes from one time to the next, in this order, after the redactions.
NORMALISATIONS: tuple[Rule, ...] = (
    Rule("length", rf"(?<=\A[\s\S]{{{LONGEST}}})[\s\S]+", ""),
    Rule("card number", "<card>", "<number>"),
    Rule("white space", r"[ \t\r\n\f\x0b]+", " "),
    Rule("margins", rf"\A | {_END}", ""),
    Rule("text in double quotes", r'"[^"]*"', "<text>"),
    Rule("text in backquotes", r"`[^`']*[`']", "<text>"),
    Rule("text in single quotes", r"(?<![0-9A-Za-z_>])'[^']*'(?![0-9A-Za-z_<])", "<text>"),
    Rule("text in typographic quotes", r"\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb", "<text>"),
    Rule("URL", rf"{_BEFORE}[A-Za-z][0-9A-Za-z+.-]{{1,20}}://[^ \"'`<>]+", "<url>"),
    Rule(
        "path",
        rf"(?<![0-9A-Za-z_<>)\]/.~\\-])(?:[A-Za-z]:[\\/]{{1,2}}|~?\.{{0,2}}/{{1,2}}|\\\\){_SEGMENT}"
        rf"(?:[\\/]{{1,2}}{_SEGMENT})*[\\/]{{0,2}}(?:\?[^ \"'`<>()]*)?",
        "<path>",
    ),
    Rule("UUID", r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}", "<uuid>"),
    Rule(
        "time",
        rf"(?<![0-9])[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ,]{_CLOCK})?(?: ?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}}))?"
        r"(?![0-9])",
        "<time>",
    ),
    Rule(
        "date with the name of its month",
        rf"{_BEFORE}(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},? )?(?:[0-9]{{1,2}}[ /-]{_MONTH}[ /-][0-9]{{4}}"
        rf"|{_MONTH} [0-9]{{1,2}}(?:,? [0-9]{{4}})?)(?:[ :]{_CLOCK})?(?: (?:GMT|UTC|[+-][0-9]{{4}}))?{_AFTER}",
        "<time>",
    ),
    Rule("time of day", rf"(?<![0-9:]){_CLOCK}(?![0-9:])", "<time>"),
    Rule("IPv4 address", r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?(?![0-9<]|\.[0-9<])", "<ip>"),
    Rule(
        "IPv6 address",
        r"(?<![0-9A-Za-z_<>:.])(?=[0-9A-Fa-f:]{0,39}[0-9])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}"
        r"(?:%[0-9A-Za-z]{1,15})?(?![0-9A-Za-z_<>:])",
        "<ip>",
    ),
    Rule(
        "name of a pod",
        rf"(?<=[0-9a-z])-[bcdfghjklmnpqrstvwxz2456789]{{8,10}}-[bcdfghjklmnpqrstvwxz2456789]{{5}}{_AFTER}",
        "-<pod>",
    ),
    Rule("identity of an object", rf"(?<=[0-9A-Za-z_$;])@[0-9a-f]{{4,8}}{_AFTER}", "@<number>"),
    Rule("hexadecimal number", r"0[xX][0-9A-Fa-f]+", "<number>"),
    Rule(
        "hexadecimal digits",
        rf"{_BEFORE}(?=[0-9]{{0,128}}[A-Fa-f])(?=[A-Fa-f]{{0,128}}[0-9])[0-9A-Fa-f]{{8,128}}{_AFTER}",
        "<number>",
    ),
    Rule(
        "identifier",
        rf"(?<![0-9A-Za-z<>])(?=[A-Za-z]{{0,100}}[0-9]{{1,100}}[A-Za-z]{{1,100}}[0-9])[0-9A-Za-z]{{10,255}}{_AFTER}",
        "<id>",
    ),
    Rule("long number", r"[0-9]{6,}(?:\.[0-9]+)?", "<number>"),
    Rule(
        "number",
        rf"(?=[0-9+-])(?<![0-9])(?<![0-9][.,])(?<![A-Z]){_TELLING}(?:(?<![0-9A-Za-z_<>)\].+-])[+-])?"
        r"[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+(?:[.,][0-9]+)*)?",
        "<number>",
    ),
    Rule("sign of a number", r"(?<![0-9A-Za-z_<>)\].+-])[+-](?=<number>)", ""),
    Rule("numbers in a row", r"<number>(?:[,;] ?<number>)+", "<number>"),
    Rule("texts in a row", r"<text>(?:[,;] ?<text>)+", "<text>"),
    Rule("UUIDs in a row", r"<uuid>(?:[,;] ?<uuid>)+", "<uuid>"),
)


def fingerprint(type: str, message: str, stack: str = "") -> Fingerprint:
    """The fingerprint of an error: the first 16 hexadecimal digits of the SHA-256 of its type, its normalised message
    and its top frames, each on a line of its own (UTF-8)."""
    kind, text, top = steady_name(type.strip()), normalised(message), frames(stack)
    key = hashlib.sha256("\n".join((kind, text, *top)).encode("utf-8", "replace")).hexdigest()[:16]
    name = f"{kind}: {text}" if kind and text else kind or text
    return Fingerprint(key, name if len(name) <= _NAME else name[: _NAME - 1] + "…", top)


def normalised(message: str) -> str:
    """The message without what changes from one time to the next: secrets, identifiers, numbers, addresses, paths and
    quoted text have placeholders such as ``<number>``. Normalising it again changes nothing."""
    text = _substituted(message[:LONGEST])
    # Placeholders may be longer than what they replace: the cut may then part what had been whole.
    while len(text) > LONGEST:
        text = _substituted(text[:LONGEST])
    return text


def redacted_message(text: str, longest: int = _SHOWN) -> str:
    """The text (a message or a stack, cut to ``longest`` characters) without e-mail addresses, tokens, passwords and
    card numbers (those whose last digit is right, ISO/IEC 7812-1 annex B)."""
    # A little more than is shown is looked at, so that the cut leaves no part of a secret behind.
    text = text[: longest + 5000]
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    text = _CARD.sub(lambda found: "<card>" if _luhn(found.group()) else found.group(), text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _substituted(text: str) -> str:
    for pattern, replacement in _ALL:
        text = pattern.sub(replacement, text)
    return text


def _luhn(text: str) -> bool:
    digits = [int(character) for character in text if character in "0123456789"]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


_REDACTIONS = [(re.compile(rule.pattern), rule.replacement) for rule in REDACTIONS[:-1]]
_CARD = re.compile(REDACTIONS[-1].pattern)
_ALL = [(re.compile(rule.pattern), rule.replacement) for rule in (*REDACTIONS, *NORMALISATIONS)]
