"""report.pdf: the page on sheets of paper, typeset from the HTML by WeasyPrint; one evaluation gives one file.

WeasyPrint needs Pango from the system. The text's font comes with matplotlib (DejaVu Sans: Latin, Greek, Cyrillic) and
is embedded; other scripts take whatever fonts the machine has.
"""

from __future__ import annotations

import io
import logging
import re
from contextlib import redirect_stdout
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from sla_kit.errors import MissingLibraryError
from sla_kit.report.as_html import Paper, html
from sla_kit.report.content import about, page
from sla_kit.report.formats import rfc3339

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

Size = Literal["A4", "letter"]
SIZES: tuple[Size, ...] = ("A4", "letter")
_FACES = (("DejaVuSans.ttf", 400), ("DejaVuSans-Bold.ttf", 700))


def render(evaluation: Evaluation, size: Size = "A4") -> bytes:
    """The whole report on sheets of that size. Raises `MissingLibraryError` where Pango is not on the machine."""
    weasyprint = _weasyprint()
    created = rfc3339(evaluation.at)
    assert created is not None
    paper = Paper(size, about(evaluation), created, _faces(), _palette())
    document = weasyprint.HTML(
        string=html(page(evaluation), paper), base_url=None, url_fetcher=_fetcher(weasyprint), media_type="print"
    )
    made: bytes = document.write_pdf(pdf_tags=True, pdf_identifier=None)
    return made


def available() -> None:
    """Raises what `render` would raise where something is missing."""
    _weasyprint()


def _weasyprint() -> Any:
    # It warns of every CSS property for screens that it leaves out.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):  # where Pango is missing it prints how to install it on any system
            import weasyprint
    except OSError as error:  # its bindings look for the system's libraries as it is imported
        raise MissingLibraryError("the pdf report", "Pango", "libpango-1.0-0 libpangoft2-1.0-0") from error
    return weasyprint


@cache
def _fonts() -> Path:
    from matplotlib import get_data_path

    return Path(get_data_path()) / "fonts" / "ttf"


def _faces() -> Markup:
    rules = (
        f'@font-face {{ font-family: "sla-kit"; font-weight: {weight}; src: url({(_fonts() / name).as_uri()}); }}'
        for name, weight in _FACES
    )
    return Markup("\n".join(rules))  # noqa: S704  # nothing of a user's is in it


@cache
def _palette() -> dict[str, str]:
    """The colours of the light scheme by the names that report.css gives them."""
    style = (files("sla_kit.report") / "templates" / "report.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style.partition("@media")[0]))


def _fetcher(weasyprint: Any) -> Any:
    """What the page may load: its two fonts, and nothing that a name in it might point to."""
    allowed = {(_fonts() / name).as_uri() for name, _ in _FACES}

    class OnlyFonts(weasyprint.urls.URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
            if url not in allowed:
                raise ValueError(f"the report loads nothing: {url}")
            return super().fetch(url, headers)

    return OnlyFonts(allowed_protocols=["file"])
