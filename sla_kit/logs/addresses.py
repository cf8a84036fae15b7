"""What e-mail addresses look like, those with international names (RFC 6531, RFC 5890) and those of URLs among them, in
the syntax that Python's ``re`` and Java's ``Pattern`` share."""

from __future__ import annotations

#: Letters and marks of scripts that put spaces between words (Latin, Greek, Cyrillic, Hebrew, Arabic, Indian ones …),
#: and what stands for a byte that was no UTF-8.
_SPACED = r"\u00aa\u00b5\u00b7\u00ba\u00c0-\u0dff\u10a0-\u177f\u1800-\u1fff\ufffd"
#: Of scripts that don't (Thai, Khmer, Chinese, Japanese …), or where an ending is written at once (Korean).
_UNSPACED = (
    r"\u0e00-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3021-\ud7ff\uf900-\ufaff\uff10-\uff19\uff21-\uff3a"
    r"\uff41-\uff5a\uff66-\uffdc"
    "\U00020000-\U0003ffff"
)
#: A byte of a character beyond ASCII as URLs have it.
_BYTE = "%[89A-Fa-f][0-9A-Fa-f]"
_LABEL = rf"[0-9A-Za-z{_SPACED}{_UNSPACED}-]{{0,63}}"
#: The last part ends with its script: what follows at once in another one is no part of the address.
_LAST = rf"(?:[Xx][Nn]--[0-9A-Za-z-]{{1,59}}|[A-Za-z\u00c0-\u024f]{{2,24}}|(?:[{_SPACED}{_UNSPACED}]|{_BYTE}){{2,24}})"
_DOMAIN = rf"(?:(?!\.){_LABEL}(?:{_BYTE}{_LABEL}){{0,21}}\.){{1,8}}{_LAST}"

EMAIL = rf"[0-9A-Za-z._%+{_SPACED}-]{{1,64}}(?:@|%40){_DOMAIN}"
#: Where words are not apart, what stands before the @ is all taken for the name, as far as one may reach (64 bytes);
#: but not before a name in ASCII, which is one of its own.
EMAIL_UNSPACED = rf"[{_UNSPACED}]{{1,21}}[0-9._-]{{0,20}}(?:@|%40){_DOMAIN}"
#: In a URL, where the @ is often written so, a name does not reach over other signs that are.
EMAIL_OF_URL = (
    rf"(?:[0-9A-Za-z._+{_SPACED}{_UNSPACED}-]|{_BYTE})[0-9A-Za-z._+{_SPACED}{_UNSPACED}-]{{0,63}}"
    rf"(?:{_BYTE}[0-9A-Za-z._+{_SPACED}{_UNSPACED}-]{{0,63}}){{0,21}}%40{_DOMAIN}"
)
