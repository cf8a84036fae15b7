"""The report: writers beside each other over one `Evaluation`, which know neither where it came from nor each other.

`write` makes files, `render` one of them as text or bytes. Each format is a module with ``render(evaluation)``; what a
format needs beyond the light install is imported only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sla_kit.errors import MissingExtraError, MissingLibraryError, SlaKitError
from sla_kit.replacing import replace_file
from sla_kit.report.language import ENGLISH, Language, speaking

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

#: The formats by name, which is also the ending of the file, and the module that writes each.
FORMATS = {
    "html": "sla_kit.report.as_html",
    "md": "sla_kit.report.as_markdown",
    "json": "sla_kit.report.as_json",
    "csv": "sla_kit.report.as_csv",
    "pdf": "sla_kit.report.as_pdf",
    "png": "sla_kit.report.as_png",
}
#: The formats that are text, and those of them that programs read: the same in every language.
TEXTS = ("html", "md", "json", "csv")
PLAIN = ("json", "csv")
#: A sheet of the PDF.
Paper = Literal["A4", "letter"]
_ALSO = {"markdown": "md", "htm": "html"}
_EXTRA_OF = {"weasyprint": "pdf"}


def render(evaluation: Evaluation, format: str, *, language: Language = ENGLISH) -> str:
    """The report in one format, as text, in a language (`sla_kit.report.translations.open_language`).

    Raises `SlaKitError` for a format that is unknown or no text, `MissingExtraError` where its libraries are not
    installed.
    """
    if _known(format) not in TEXTS:
        raise SlaKitError(f"{format} is no text", remedy="render_bytes gives its bytes")
    return render_bytes(evaluation, format, language=language).decode()


def render_bytes(evaluation: Evaluation, format: str, *, language: Language = ENGLISH, paper: Paper = "A4") -> bytes:
    """The report in one format, as the bytes of its file; ``paper`` is the sheet of the PDF.

    Raises `SlaKitError` for an unknown format, `MissingExtraError` or `MissingLibraryError` where what it needs is not
    installed.
    """
    name = _known(format)
    try:
        with speaking(ENGLISH if name in PLAIN else language):
            module = import_module(FORMATS[name])
            made: str | bytes = module.render(evaluation, paper) if name == "pdf" else module.render(evaluation)
    except ModuleNotFoundError as error:
        raise _missing(name, error) from error
    return made.encode() if isinstance(made, str) else made


def available() -> tuple[list[str], list[MissingExtraError | MissingLibraryError]]:
    """The formats that can be written here, and for each other one what it lacks and how to get it."""
    names, lacking = [], list[MissingExtraError | MissingLibraryError]()
    for name, module in FORMATS.items():
        try:
            check = getattr(import_module(module), "available", None)
            if check is not None:
                check()
        except ModuleNotFoundError as error:
            lacking.append(_missing(name, error))
        except MissingLibraryError as error:
            lacking.append(error)
        else:
            names.append(name)
    return names, lacking


def write(
    evaluation: Evaluation,
    out: Path,
    formats: Sequence[str] | None = None,
    *,
    language: Language = ENGLISH,
    paper: Paper = "A4",
    name: str = "report",
) -> list[Path]:
    """Writes ``report.<format>`` for each format (all that are `available` where None is named) into the folder
    ``out``, which is made where it is missing; ``name`` stands for "report".

    Everything is rendered before anything is written, and each file is put in place in one step: a reader never sees
    half a report. Returns the files in the order of ``formats``. Raises `SlaKitError` where the folder can't be
    written, and what `render_bytes` raises.
    """
    names = available()[0] if formats is None else list(dict.fromkeys(_known(format) for format in formats))
    made = {format: render_bytes(evaluation, format, language=language, paper=paper) for format in names}
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SlaKitError(
            f"the folder for the report can't be made: {error.strerror}",
            place=str(out),
            remedy="name a folder that you may write to with --out",
        ) from error
    return [put(out / f"{name}.{format}", content) for format, content in made.items()]


def put(path: Path, content: bytes) -> Path:
    """Writes beside the target and renames, so that the file is the old one or the whole new one at every instant.
    Raises `SlaKitError` where that can't be done."""
    try:
        replace_file(path, content)
    except OSError as error:
        raise SlaKitError(
            f"the report can't be written: {error.strerror}",
            place=str(path),
            remedy="check the folder's permissions and the free space, or name another folder with --out",
        ) from error
    return path


def _known(format: str) -> str:
    name = format.lower().lstrip(".")
    name = _ALSO.get(name, name)
    if name not in FORMATS:
        raise SlaKitError(f"no report format {format!r}", remedy=f"use one of {', '.join(FORMATS)}")
    return name


def _missing(name: str, error: ModuleNotFoundError) -> MissingExtraError:
    module = (error.name or "?").partition(".")[0]
    if module == "sla_kit":
        raise error
    return MissingExtraError(f"the {name} report", module, _EXTRA_OF.get(module, "report"))
