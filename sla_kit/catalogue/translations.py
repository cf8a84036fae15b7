"""Translations of the report that stand beside a catalogue: gettext's ``.po`` files, one a language.

They are read by Babel, which the light install leaves out; then only their being there is checked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from sla_kit.errors import Mistake

if TYPE_CHECKING:
    from babel.messages import Catalog, Message

#: A comment, nothing, a text, or a keyword and its text.
_LINE = re.compile(r'\s*(#.*|((msg(id|id_plural|str|ctxt)(\[\d+\])?\s*)?"(\\.|[^"\\])*"\s*)?)')
_NO_PLURALS = "Plural-Forms: nplurals=2; plural=(n != 1);"


def file_of(folder: Path, code: str) -> Path | None:
    """The file of a language in a folder: ``pt_BR.po``, else ``pt.po``; None where neither is there."""
    code = code.replace("-", "_")
    for name in dict.fromkeys((code, code.partition("_")[0])):
        if (folder / f"{name}.po").is_file():
            return folder / f"{name}.po"
    return None


def mistakes_in(path: Path, name: str) -> list[Mistake]:
    """The mistakes of a ``.po`` file, which they call ``name``; none where Babel is not installed to read it."""
    if find_spec("babel") is None:
        return []
    return read(path, name)[1]


def read(path: Path, name: str) -> tuple[Catalog | None, list[Mistake]]:
    """The messages of a ``.po`` file, None where it can't be read at all, and all mistakes in it."""
    from babel import UnknownLocaleError
    from babel.messages.pofile import PoFileError, read_po

    try:
        text = path.read_text(encoding="utf-8-sig")
        for number, line in enumerate(text.splitlines(), 1):
            if not _LINE.fullmatch(line):
                return None, [Mistake(name, number, 1, "is no line of a .po file", 'such as msgstr "…"')]
        # The language of its name gives the rule of plurals where the header has none.
        catalog = read_po(io.StringIO(text), locale=path.stem, abort_invalid=True, ignore_obsolete=True)
    except PoFileError as error:
        return None, [Mistake(name, error.lineno + 1, 1, re.sub(r" on \d+$", "", str(error.args[0])))]
    except UnicodeDecodeError as error:
        return None, [Mistake(name, 1, 1, f"is not UTF-8: {error.reason}", "write it in UTF-8")]
    except (OSError, ValueError, LookupError, UnknownLocaleError) as error:
        return None, [Mistake(name, 0, 0, f"can't be read: {error}")]
    return catalog, list(_mistakes(catalog, name))


def _mistakes(catalog: Catalog, name: str) -> Iterator[Mistake]:
    wrong_rule = _plural_rule(catalog)
    if wrong_rule:
        yield Mistake(name, 1, 1, wrong_rule, f"such as {_NO_PLURALS}")
    for message in catalog:
        if message.id and not message.fuzzy:
            for text, hint in _wrong(message, 0 if wrong_rule else catalog.num_plurals):
                yield Mistake(name, message.lineno or 0, 1, text, hint)


def _plural_rule(catalog: Catalog) -> str:
    """What is wrong with the header's rule of plurals."""
    from gettext import c2py

    try:
        rule = c2py(catalog.plural_expr)
        forms = {rule(number) for number in range(200)}
    except (ValueError, ZeroDivisionError, RecursionError) as error:
        return f"the header's plural rule {catalog.plural_expr!r} can't be used: {error}"
    if not forms <= set(range(catalog.num_plurals)):
        return f"the header's plural rule gives form {max(forms)} of {catalog.num_plurals} (counted from 0)"
    return ""


def _wrong(message: Message, plurals: int) -> Iterator[tuple[str, str]]:
    """What is wrong with one message's translation, and a hint; ``plurals`` 0 where their number is not known."""
    originals, texts = _forms(message.id), _forms(message.string)
    if len(originals) > 1:
        if not any(texts):
            return
        if plurals and (len(texts) != plurals or not all(texts)):
            given = sum(bool(text) for text in texts)
            yield f"{given} of {plurals} plural forms of {originals[0]!r} are translated", "give all msgstr[…] a text"
    wanted = {field for original in originals for field in _places(original)}
    for text in filter(None, texts):
        try:
            there = set(_places(text))
        except ValueError as error:
            yield f"the translation of {originals[0]!r} is no message: {error}", "a place is written {name}"
            continue
        if unknown := sorted(there - wanted):
            known = ", ".join(f"{{{field}}}" for field in sorted(wanted)) or "none"
            yield f"the translation of {originals[0]!r} has the unknown place {{{unknown[0]}}}", f"its places: {known}"
        elif len(originals) == 1 and (lost := sorted(wanted - there)):
            yield f"the translation of {originals[0]!r} leaves out {{{lost[0]}}}", "each place holds a figure or a name"


def _forms(string: object) -> tuple[str, ...]:
    return tuple(str(form or "") for form in string) if isinstance(string, list | tuple) else (str(string or ""),)


def _places(text: str) -> list[str]:
    """The names in braces; `ValueError` for braces that hold more than a name or don't close."""
    found = []
    for _, field, spec, conversion in Formatter().parse(text):
        if field is None:
            continue
        if not field.isidentifier() or spec or conversion:
            raise ValueError(f"{{{field}}} is no place")
        found.append(field)
    return found
