"""report.html: one self-contained page for people, on a desk, a phone or paper; it loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sla_kit.report import plots
from sla_kit.report.blocks import Block, Fold, Page, Plots, Table
from sla_kit.report.content import page
from sla_kit.report.language import _, language
from sla_kit.report.markup import Marker, joined, symbols
from sla_kit.report.rows import slo_name

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation


#: How much of what is folded on a screen is printed.
_MOST_ROWS, _MOST_BLOCKS = 40, 6


def render(evaluation: Evaluation) -> str:
    """The whole page."""
    return html(page(evaluation))


def html(page: Page, paper: Paper | None = None) -> str:
    """A page as HTML; for ``paper`` with what a printed sheet needs, and its pictures in colours of their own."""
    spoken = language().conventions
    palette = None if paper is None else paper.palette
    marker = Marker(palette)
    return _template().render(
        page=page,
        icon=marker.icon,
        content=marker.content,
        rows=marker.rows,
        paper=paper,
        tag=spoken.tag,
        direction=spoken.direction,
        pictures=partial(_pictures, names=(f"plot-{index}" for index in count()), palette=palette),
    )


@dataclass(frozen=True)
class Paper:
    """A printed report: the sheet's ``size`` as CSS has it, who wrote it and when (RFC 3339), the ``@font-face`` rules
    it takes, and the colours behind the page's names for them."""

    size: str
    author: str
    created: str
    faces: Markup
    palette: Mapping[str, str]


@cache
def _template() -> Template:
    # Everything is escaped: names, reasons and notes come from files and servers.
    environment = Environment(
        loader=PackageLoader("sla_kit.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["joined"] = joined
    environment.globals.update(
        kind=lambda block: type(block).__name__.lower(),
        heat_legend=plots.heat_legend,
        fits=_fits,
        symbols=symbols,
        _=_,
    )
    return environment.get_template("report.html.j2")


def _pictures(block: Block, names: Iterator[str], palette: Mapping[str, str] | None) -> list[tuple[str, Markup]]:
    """Each plot's caption and SVG (markup that `plots` has escaped), whose ids begin with the next of ``names``."""
    assert isinstance(block, Plots)
    draw = plots.heat if block.kind == "heat" else plots.burndown
    return [(slo_name(slo), Markup(draw(slo, block.timezone, next(names), palette))) for slo in block.slos]  # noqa: S704


def _fits(fold: Fold) -> bool:
    """Whether what is folded on a screen is little enough to be printed; folded pictures are the quiet ones."""
    if len(fold.blocks) > _MOST_BLOCKS or any(isinstance(block, Plots) for block in fold.blocks):
        return False
    return all(
        _fits(block) if isinstance(block, Fold) else not isinstance(block, Table) or len(block.rows) <= _MOST_ROWS
        for block in fold.blocks
    )
