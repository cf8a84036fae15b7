"""report.png: the report at a glance, for a chat: 1200 × 675 pixels that still can be read at a third of that.

The verdict, the promises, the SLOs whose budgets are worst, and how many incidents there were; the same evaluation
gives the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle

from sla_kit.report import formats
from sla_kit.report.blocks import Tone, tone_of
from sla_kit.report.content import about, headline
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import slo_name, worst_first

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sla_kit.engine.results import Evaluation, PromiseResult, SloResult

WIDTH, HEIGHT, _DPI = 1200, 675, 100
_EDGE, _GAP = 48, 44
_ROWS = 5
#: Where the rows begin, how far apart they are, and where the last line stands; pixels from the top.
_TOP, _PITCH, _FOOT = 220, 73, 644

_INK, _MUTED, _LINE, _FACE, _BAR = "#16202b", "#52606d", "#dbe1e8", "#ffffff", "#1f6fb2"
_TONES: dict[Tone, str] = {"": _MUTED, "met": "#1a6b4b", "missed": "#b3261e", "unknown": "#7a5200"}
#: What is tried, in this order, for letters that DejaVu Sans lacks.
_OTHER_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR", "Source Han Sans",
    "WenQuanYi Zen Hei", "IPAGothic", "Droid Sans Fallback", "Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS", "Unifont",
)  # fmt: skip


def render(evaluation: Evaluation) -> bytes:
    """The picture as PNG."""
    with matplotlib.rc_context({"font.family": _fonts(), "path.simplify": True}), _quiet():
        sheet = _Sheet()
        bottom = _head(sheet, evaluation)
        sheet.line(bottom + 16)
        promises = worst_promises(evaluation.promises)
        right = _EDGE
        if promises:
            width = (WIDTH - 2 * _EDGE - _GAP) * 0.44
            _promises(sheet, promises, len(evaluation.promises), _EDGE, width)
            right = _EDGE + round(width) + _GAP
        _objectives(sheet, evaluation.slos, right)
        _foot(sheet, evaluation)
        return sheet.png(title=f"{about(evaluation)}: {evaluation.window.name}", description=headline(evaluation))


def worst_promises(promises: Sequence[PromiseResult]) -> list[PromiseResult]:
    """The missed ones, then those that can't be told, then the met ones."""
    return sorted(promises, key=lambda promise: {False: 0, None: 1, True: 2}[promise.met])


def _head(sheet: _Sheet, evaluation: Evaluation) -> int:
    tone = tone_of(evaluation.met)
    sheet.icon(tone, _EDGE + 26, 62, 26)
    lines = sheet.wrapped(headline(evaluation), WIDTH - 2 * _EDGE - 72, 42, lines=2, bold=True)
    for place, line in enumerate(lines):
        sheet.text(line, _EDGE + 72, 62 + 50 * place, 42, bold=True, colour=_TONES[tone])
    below = 62 + 50 * len(lines)
    window = evaluation.window
    days = formats.span(window.start, window.end, evaluation.timezone)
    name = sheet.cut(about(evaluation), 24, 460, bold=True)
    sheet.text(name, _EDGE + 72, below, 24, bold=True)
    start = _EDGE + 72 + sheet.width(name, 24, bold=True) + 22
    sheet.text(sheet.cut(f"{window.name}: {days}", 24, WIDTH - _EDGE - start), start, below, 24, colour=_MUTED)
    return below + 12


def _promises(sheet: _Sheet, promises: Sequence[PromiseResult], number: int, left: float, width: float) -> None:
    _title(sheet, _("Promises"), left, min(len(promises), _ROWS), number)
    for place, promise in enumerate(promises[:_ROWS]):
        y = _TOP + 50 + place * _PITCH
        tone = tone_of(promise.met)
        sheet.icon(tone, left + 19, y + 6, 19)
        sheet.text(sheet.cut(promise.title or promise.name, 27, width - 54, bold=True), left + 54, y - 8, 27, bold=True)
        verdict = formats.verdict(promise.met)
        sheet.text(verdict, left + 54, y + 25, 24, bold=True, colour=_TONES[tone])
        start = left + 54 + sheet.width(verdict, 24, bold=True) + 16
        sheet.text(sheet.cut(promise.target, 22, left + width - start), start, y + 25, 22, colour=_MUTED)


def _objectives(sheet: _Sheet, slos: Sequence[SloResult], left: float) -> None:
    if not slos:
        return
    right, bar = WIDTH - _EDGE, 150
    _title(sheet, _("Objectives"), left, min(len(slos), _ROWS), len(slos))
    sheet.text(_("Budget left"), right, _TOP, 22, colour=_MUTED, align="right")
    for place, slo in enumerate(worst_first(slos)[:_ROWS]):
        y = _TOP + 50 + place * _PITCH
        tone = tone_of(slo.figure.met)
        sheet.icon(tone, left + 19, y + 6, 19)
        room = right - bar - 24 - (left + 54)
        sheet.text(sheet.cut(slo_name(slo), 27, room, bold=True), left + 54, y - 8, 27, bold=True)
        verdict = formats.verdict(slo.figure.met)
        sheet.text(verdict, left + 54, y + 25, 24, bold=True, colour=_TONES[tone])
        start = left + 54 + sheet.width(verdict, 24, bold=True) + 16
        figures = _(
            "{sli} of {objective}",
            sli=formats.percent(slo.figure.sli, slo.objective),
            objective=formats.objective_percent(slo.objective),
        )
        sheet.text(sheet.cut(figures, 22, left + 54 + room - start), start, y + 25, 22, colour=_MUTED)
        share = slo.own.budget.left_ratio
        debt = share is not None and share < 0
        sheet.text(
            formats.share(share), right, y - 8, 26, bold=True, align="right", colour=_TONES["missed"] if debt else _INK
        )
        if share is not None:
            sheet.bar(right - bar, y + 18, bar, 14, share)


def _title(sheet: _Sheet, text: str, left: float, shown: int, number: int) -> None:
    sheet.text(text, left, _TOP, 24, bold=True)
    if shown < number:
        of = _("the {shown} worst of {all}", shown=formats.count(shown), all=formats.count(number))
        sheet.text(of, left + sheet.width(text, 24, bold=True) + 16, _TOP, 22, colour=_MUTED)


def _foot(sheet: _Sheet, evaluation: Evaluation) -> None:
    incidents = evaluation.incidents
    lasting = sum(incident.recovered is None for incident in incidents)
    if not incidents:
        text = _("No incident")
    else:
        text = ngettext("{count} incident", "{count} incidents", len(incidents), count=formats.count(len(incidents)))
    sheet.line(_FOOT - 26)
    sheet.text(text, _EDGE, _FOOT + 2, 26, bold=True)
    if lasting:
        more = ngettext("{count} still going on", "{count} still going on", lasting, count=formats.count(lasting))
        start = _EDGE + sheet.width(text, 26, bold=True) + 18
        sheet.icon("missed", start + 13, _FOOT + 2, 13)
        sheet.text(more, start + 36, _FOOT + 2, 26, colour=_TONES["missed"], bold=True)
    when = f"{formats.moment(evaluation.at, evaluation.timezone)} ({evaluation.timezone})"
    sheet.text(when, WIDTH - _EDGE, _FOOT + 2, 20, colour=_MUTED, align="right")


class _Sheet:
    """A drawing surface in pixels from the top left."""

    def __init__(self) -> None:
        # No pyplot: its registry of figures is global, and would keep every picture alive.
        self._figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=_FACE)
        FigureCanvasAgg(self._figure)
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, WIDTH)
        self._axes.set_ylim(HEIGHT, 0)

    def text(
        self,
        text: str,
        x: float,
        y: float,
        size: int,
        *,
        bold: bool = False,
        colour: str = _INK,
        align: Literal["left", "right"] = "left",
    ) -> None:
        """Text whose middle is at that height; ``size`` in pixels."""
        self._axes.text(
            x, y, text, fontsize=size * 72 / _DPI, fontweight="bold" if bold else "normal", color=colour, ha=align,
            va="center_baseline", parse_math=False,
        )  # fmt: skip

    def width(self, text: str, size: int, *, bold: bool = False) -> float:
        """How wide a text is, in pixels."""
        drawn = self._axes.text(
            0, 0, text, fontsize=size * 72 / _DPI, fontweight="bold" if bold else "normal", parse_math=False
        )
        width = float(drawn.get_window_extent().width)
        drawn.remove()
        return width

    def cut(self, text: str, size: int, room: float, *, bold: bool = False) -> str:
        """The text, or as much of it as there is room for with an ellipsis."""
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        if self.width(text[:200], size, bold=bold) <= room and len(text) <= 200:
            return text
        low, high = 0, min(len(text), 200)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(text[:middle].rstrip() + "…", size, bold=bold) <= room:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…"

    def wrapped(self, text: str, room: float, size: int, *, lines: int, bold: bool = False) -> list[str]:
        """The text in at most so many lines, broken between words; what has no room ends in an ellipsis."""
        words, found = text.split(), list[str]()
        while words and len(found) < lines - 1:
            taken = 1
            while taken < len(words) and self.width(" ".join(words[: taken + 1]), size, bold=bold) <= room:
                taken += 1
            found.append(" ".join(words[:taken]))
            words = words[taken:]
        if words:
            found.append(" ".join(words))
        return [self.cut(line, size, room, bold=bold) for line in found]

    def icon(self, tone: Tone, x: float, y: float, radius: float) -> None:
        """A disc with a tick, an octagon with a cross, or a ring with a question mark, whatever colours one sees."""
        colour, thick = _TONES[tone], radius * 0.24 * 72 / _DPI
        stroke: dict[str, Any] = {"linewidth": thick, "solid_capstyle": "round", "solid_joinstyle": "round"}
        if tone == "met":
            self._axes.add_patch(Circle((x, y), radius, color=colour, lw=0))
            across, down = (-0.46, -0.1, 0.46), (0.04, 0.38, -0.34)
            self._axes.plot([x + radius * a for a in across], [y + radius * d for d in down], color=_FACE, **stroke)
        elif tone == "missed":
            cut = 0.42
            corners = [(-cut, -1), (cut, -1), (1, -cut), (1, cut), (cut, 1), (-cut, 1), (-1, cut), (-1, -cut)]
            self._axes.add_patch(Polygon([(x + a * radius, y + d * radius) for a, d in corners], color=colour, lw=0))
            for a in (-1, 1):
                ends = [x - 0.38 * radius, x + 0.38 * radius], [y - a * 0.38 * radius, y + a * 0.38 * radius]
                self._axes.plot(*ends, color=_FACE, **stroke)
        else:
            self._axes.add_patch(Circle((x, y), radius * 0.88, fill=False, edgecolor=colour, lw=thick))
            self._axes.text(
                x, y, "?", fontsize=radius * 1.25 * 72 / _DPI, fontweight="bold", color=colour, ha="center",
                va="center_baseline",
            )  # fmt: skip

    def bar(self, x: float, y: float, width: float, height: float, share: float) -> None:
        """How much of a budget is left; one that is overspent is hatched."""
        style = f"round,pad=0,rounding_size={height / 2}"
        frame = FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=_LINE, edgecolor="none")
        self._axes.add_patch(frame)
        if share < 0:
            debt = FancyBboxPatch(
                (x, y), width, height, boxstyle=style, facecolor=_FACE, edgecolor=_TONES["missed"], hatch="////", lw=1.5
            )
            self._axes.add_patch(debt)
            return
        filled = Rectangle((x, y), width * min(share, 1.0), height, facecolor=_BAR, lw=0)
        self._axes.add_patch(filled)
        filled.set_clip_path(frame)

    def line(self, y: float) -> None:
        """A rule from edge to edge."""
        self._axes.plot([_EDGE, WIDTH - _EDGE], [y, y], color=_LINE, linewidth=1.5)

    def png(self, **about: str) -> bytes:
        """The picture's file."""
        out = io.BytesIO()
        metadata: dict[str, str | None] = {"Software": None, "Title": about["title"]}
        self._figure.savefig(out, format="png", dpi=_DPI, metadata={**metadata, "Description": about["description"]})
        return out.getvalue()


@cache
def _fonts() -> list[str]:
    there = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _OTHER_FONTS if name in there)]


@contextmanager
def _quiet() -> Iterator[None]:
    """A letter that no font of the machine has is a box, and needs no warning for every text that holds it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield
