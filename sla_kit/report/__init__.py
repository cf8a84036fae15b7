"""The report: writers beside each other over one `Evaluation`, which know neither where it came from nor each other.

`write` makes files, `render` text. Each format is a module with ``render(evaluation) -> str``; what a format needs
beyond the light install is imported only when it is asked for.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.errors import MissingExtraError, SlaKitError
from sla_kit.report.language import ENGLISH, Language, speaking

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

#: The formats by name, which is also the ending of the file, and the module that writes each.
FORMATS = {
    "html": "sla_kit.report.as_html",
    "md": "sla_kit.report.as_markdown",
    "json": "sla_kit.report.as_json",
    "csv": "sla_kit.report.as_csv",
}
#: The formats that programs read: the same in every language.
PLAIN = ("json", "csv")
_ALSO = {"markdown": "md", "htm": "html"}


def render(evaluation: Evaluation, format: str, *, language: Language = ENGLISH) -> str:
    """The report in one format, as text, in a language (`sla_kit.report.translations.open_language`).

    Raises `SlaKitError` for an unknown format, `MissingExtraError` where the format's libraries are not installed.
    """
    name = _known(format)
    try:
        with speaking(ENGLISH if name in PLAIN else language):
            text: str = import_module(FORMATS[name]).render(evaluation)
    except ModuleNotFoundError as error:
        missing = (error.name or "?").partition(".")[0]
        if missing == "sla_kit":
            raise
        raise MissingExtraError(f"the {name} report", missing, "report") from error
    return text


def write(
    evaluation: Evaluation, out: Path, formats: Sequence[str] = tuple(FORMATS), *, language: Language = ENGLISH
) -> list[Path]:
    """Writes ``report.<format>`` for each format into the folder ``out``, which is made where it is missing.

    Everything is rendered before anything is written, and each file is put in place in one step: a reader never sees
    half a report. Returns the files in the order of ``formats``. Raises `SlaKitError` where the folder can't be
    written, and what `render` raises.
    """
    names = list(dict.fromkeys(_known(format) for format in formats))
    texts = {name: render(evaluation, name, language=language) for name in names}
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SlaKitError(
            f"the folder for the report can't be made: {error.strerror}",
            place=str(out),
            remedy="name a folder that you may write to with --out",
        ) from error
    return [_put(out / f"report.{name}", text) for name, text in texts.items()]


def _known(format: str) -> str:
    name = format.lower().lstrip(".")
    name = _ALSO.get(name, name)
    if name not in FORMATS:
        raise SlaKitError(f"no report format {format!r}", remedy=f"use one of {', '.join(FORMATS)}")
    return name


def _put(path: Path, text: str) -> Path:
    """Writes beside the target and renames, so that the file is the old one or the whole new one at every instant."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        # Opened plainly and not by tempfile, whose files only the owner may read.
        with beside.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SlaKitError(
            f"the report can't be written: {error.strerror}",
            place=str(path),
            remedy="check the folder's permissions and the free space, or name another folder with --out",
        ) from error
    return path
