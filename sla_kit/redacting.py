"""Takes out of a text what looks like a secret, and every secret that this process has read."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from urllib.parse import quote

REDACTED = "***"
#: So many secrets are remembered: a file of secrets may be replaced as often as it likes.
_REMEMBERED = 200
#: A shorter one is taken out only where it is a word of its own: the rest of the text must stay readable.
_SHORT = 6

#: Each begins at a word that is written out and looks no further than it must: what is logged may be long and hostile.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A password may hold an @ or a / of its own.
    (re.compile(r"(?i)(://[^\s/:@'\"]{0,200}):[^\s/'\"]{0,500}@"), rf"\1:{REDACTED}@"),
    (
        re.compile(r"(?i)(://[^\s/:@'\"]{0,200}):[^\s'\"@]{0,500}@(?=[\w.\[-]{1,253}(?:[:/?\s'\"]|$))"),
        rf"\1:{REDACTED}@",
    ),
    (re.compile(r"(?i)\b((?:basic|bearer|digest|negotiate)\s{1,3})[\w+/=~.:-]{6,}"), rf"\1{REDACTED}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), REDACTED),
    (re.compile(r"\$2[aby]?\$\d\d\$[./A-Za-z0-9]{53}"), REDACTED),
)
_PAIR = re.compile(
    r"""(?isx)
    ((?: passw(?:or)?d | passphrase | \bpass\b | pwd | secret | token | api[_-]?key | access[_-]?key | private[_-]?key
       | account[_-]?key | credential | authorization | signature | \bsig\b )
     [\w.-]{0,40} \\{0,2} ["']? \s{0,3} )
    ([=:] \s{0,3})
    # A quotation without an end goes to the end of the text: nothing is looked through twice.
    ( (?P<quote>\\{0,2}["']) (?:(?!(?P=quote))(?:\\.|[^\\]))*+ (?:(?P=quote)|\\?\Z)
    | (?:(?:basic|bearer)\s)?[^\s,;&"')}\]]+ )"""
)
_known: OrderedDict[str, None] = OrderedDict()
_lock = Lock()


def remember_secret(secret: str) -> None:
    """From now on ``secret`` is taken out of every text, in whichever form it is usually written."""
    with _lock:
        for form in {secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1]}:
            if form.strip():
                _known[form] = None
                _known.move_to_end(form)
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)


def redacted(text: str) -> str:
    """The text without its secrets."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        if len(secret) >= _SHORT:
            text = text.replace(secret, REDACTED)
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", REDACTED, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _PAIR.sub(_without_value, text)


def _without_value(pair: re.Match[str]) -> str:
    name, separator, value, _ = pair.groups()
    if separator.startswith(":") and separator != ":":
        # Prose, as of a file of secrets and what is wrong with it: "/run/secrets/password: a secret can't be read".
        before, after = pair.string[max(0, pair.start() - 80) : pair.start()], pair.string[pair.end() : pair.end() + 2]
        if re.search(r"/[\w.-]*$", before) or (re.fullmatch("[a-z]+", value) and re.fullmatch(" [a-z]", after)):
            return pair.group()
    return f"{name}{separator}{REDACTED}"
