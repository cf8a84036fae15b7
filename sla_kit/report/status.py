"""`sla-kit status`: the objectives as a table in the terminal, and as a small document for pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sla_kit.report import formats
from sla_kit.report.alerts import Alert, nearest
from sla_kit.report.content import headline
from sla_kit.report.document import to_document
from sla_kit.report.formats import number
from sla_kit.report.rows import worst_first

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, SloResult

_STYLES = {True: "green", False: "bold red", None: "yellow"}
_MARKS = {True: "✓", False: "✗", None: "?"}
_PLAIN_MARKS = {True: "+", False: "x", None: "?"}
_ASCII = str.maketrans({formats.MINUS: "-", formats.UNKNOWN: "-", "×": "x"})
#: Findings by which a figure says something else than it seems to; the report has all of them.
_MISDECLARED = ("unknown-label", "disagreement")
_BAR = 10
#: Under this width the objective and the burn rate give way, under the second the bar too.
_NARROW, _VERY_NARROW = 100, 66


def render_status(evaluation: Evaluation, console: Console) -> None:
    """Prints one row an SLO, worst first, and the verdict in a sentence under it.

    The table fits the console: narrow ones lose the objective, the burn rate and the bar before they lose a figure.
    Colour is never alone: every verdict is a word.
    """
    wide, bars = console.width >= _NARROW, console.width >= _VERY_NARROW
    fancy = (console.encoding or "").lower().startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if fancy else box.ASCII2, pad_edge=False, expand=False)
    for title in ("Service", "SLO") if wide else ("SLO",):
        table.add_column(title, overflow="fold", min_width=8)
    table.add_column("SLI", justify="right", no_wrap=True)
    if wide:
        table.add_column("Objective", justify="right", no_wrap=True)
    table.add_column("Budget left", justify="left" if bars else "right", no_wrap=True)
    if wide:
        table.add_column("Burn rate", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=not bars, overflow="fold", min_width=12)
    for slo in worst_first(evaluation.slos):
        name = [slo.service, slo.slo] if wide else [f"{slo.service}/{slo.slo}"]
        cells: list[Text] = [Text(_printable(part)) for part in name]
        cells.append(Text(formats.percent(slo.figure.sli, slo.objective)))
        if wide:
            cells.append(Text(formats.objective_percent(slo.objective)))
        cells.append(_budget(slo, bars, fancy))
        if wide:
            cells.append(_burning(slo))
        cells.append(_verdict(slo, fancy, bars))
        table.add_row(*(cells if fancy else map(_in_ascii, cells)))
    console.print(table)
    for slo in evaluation.slos:
        for finding in slo.findings:
            if finding.kind in _MISDECLARED:
                console.print(Text(_printable(f"{slo.service}/{slo.slo}: {finding.message}"), style="yellow"))
    window = evaluation.window
    days = formats.span(window.start, window.end, evaluation.timezone)
    console.print(Text(headline(evaluation), style=_STYLES[evaluation.met]))
    console.print(f"[dim]{escape(f'{window.name}: {days} ({evaluation.timezone})')}[/dim]", highlight=False)


def status_document(evaluation: Evaluation) -> dict[str, Any]:
    """What ``sla-kit status --json`` prints: the verdict, and of each SLO the figures of report.json that a pipeline
    gates on, with the burn rate of the alert that is nearest to firing."""
    document = to_document(evaluation)
    kept = ("service", "slo", "objective", "sli", "good", "bad", "total", "coverage", "met", "reason")
    return {
        **{name: document[name] for name in ("version", "catalogue", "environment", "source", "at", "window", "met")},
        "headline": headline(evaluation),
        "slos": [
            {
                **{name: told[name] for name in kept},
                "own_window": told["own_window"],
                "budget_left_ratio": told["own"]["budget"]["left_ratio"],
                "burn_rate": _alert_document(nearest(slo)),
                "action": told["action"],
            }
            for told, slo in zip(document["slos"], evaluation.slos, strict=True)
        ],
    }


def _alert_document(alert: Alert | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    return {
        "window_seconds": int(alert.windows[0].window_seconds),
        "rate": number(alert.windows[0].rate),
        "threshold": number(alert.threshold),
        "severity": alert.severity,
        "fires": alert.fires,
    }


def _budget(slo: SloResult, bars: bool, fancy: bool) -> Text:
    left = slo.own.budget.left_ratio
    text = formats.share(left)
    style = "" if left is None else "bold red" if left < 0 else "yellow" if left < 0.25 else "green"
    if not bars or left is None:
        return Text(text, style=style if left is not None else "dim")
    # Never full unless nothing is spent, never empty while something is left.
    full = max(int(min(left, 1.0) * _BAR), 1) if left > 0 else 0
    filled, empty = ("█", "░") if fancy else ("#", ".")
    return Text.assemble((filled * full, style), (empty * (_BAR - full), "dim"), (f" {text}", style))


def _burning(slo: SloResult) -> Text:
    alert = nearest(slo)
    if alert is None:
        return Text(formats.UNKNOWN, style="dim")
    longest = alert.windows[0]
    text = f"{formats.rate(longest.rate)} over {formats.duration(longest.window_seconds)}"
    return Text(text, style="bold red" if alert.fires else "")


def _in_ascii(cell: Text) -> Text:
    """The same cell for a terminal that knows no more than ASCII, where a lost minus sign would be a false figure."""
    plain = cell.copy()
    plain.plain = cell.plain.translate(_ASCII)
    return plain


def _printable(text: str) -> str:
    """Text without control characters, which would steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _verdict(slo: SloResult, fancy: bool, reasons: bool) -> Text:
    met = slo.figure.met
    marks = _MARKS if fancy else _PLAIN_MARKS
    text = Text(f"{marks[met]} {formats.verdict(met)}", style=_STYLES[met])
    if reasons and slo.figure.reason:
        text.append(f"\n{_printable(slo.figure.reason)}", style="dim")
    return text
