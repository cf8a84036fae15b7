"""report.html: one self-contained page for people, on a desk, a phone or paper; it loads nothing and runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sla_kit.report import plots
from sla_kit.report.blocks import Block, Cell, Plots
from sla_kit.report.content import page
from sla_kit.report.language import _, language
from sla_kit.report.rows import slo_name

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation


#: A figure and the short word after it, which is its unit or its name.
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|pp|ms|s|min|h|d)(?!\w))")


def render(evaluation: Evaluation) -> str:
    """The whole page."""
    spoken = language().conventions
    return _template().render(
        page=page(evaluation),
        tag=spoken.tag,
        direction=spoken.direction,
        pictures=partial(_pictures, names=(f"plot-{index}" for index in count())),
    )


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
        filled=_filled,
        is_time=lambda cell: isinstance(cell.value, str),
        _=_,
    )
    return environment.get_template("report.html.j2")


def joined(text: str) -> str:
    """Text in which a number and its unit stay on one line."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)


def _pictures(block: Block, names: Iterator[str]) -> list[tuple[str, Markup]]:
    """Each plot's caption and SVG (markup that `plots` has escaped), whose ids begin with the next of ``names``."""
    assert isinstance(block, Plots)
    drawn = []
    for slo in block.slos:
        name = next(names)
        svg = (
            plots.heat(slo, block.timezone, name) if block.kind == "heat" else plots.burndown(slo, block.timezone, name)
        )
        drawn.append((slo_name(slo), Markup(svg)))  # noqa: S704
    return drawn


def _filled(cell: Cell) -> str:
    """How wide a bar is filled, in percent."""
    return f"{min(max(cell.bar or 0.0, 0.0), 1.0) * 100:.1f}"
