"""`sla-kit backtest`: alerts on history."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.options import TimeType
from sla_kit.cli.progress import progress_bar

if TYPE_CHECKING:
    from sla_kit.backtest.results import Backtest
    from sla_kit.catalogue.model import Catalogue


class _Duration(click.ParamType):  # type: ignore[type-arg]  # it can't be subscripted before click 8.2
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from sla_kit.configuration.quantities import parse_duration

        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}: write 30s, 5m or 1h", param, ctx)


class _Interval(_Duration):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = super().convert(value, param, ctx)
        if seconds < 1:
            self.fail(f"{value!r} is under a second: write 15s, 1m or more", param, ctx)
        return seconds


class _Least(click.ParamType):  # type: ignore[type-arg]
    """recall=0.9, precision=80%."""

    name = "least"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        from sla_kit.configuration.quantities import parse_ratio

        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if name.strip() not in ("recall", "precision") or not equals:
            self.fail(f"{value!r}: write recall=90% or precision=80%", param, ctx)
        try:
            return name.strip(), parse_ratio(text)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


@click.command()
@click.option(
    "-r",
    "--rules",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Rule files, folders of them, or PrometheusRule manifests; may be repeated. Default: those that follow from "
    "the catalogue.",
)
@click.option(
    "-c", "--catalogue", type=click.Path(), help="The catalogue: rules, outages and error budgets. Default: sla.yml "
    "where no --rules are given.",
)  # fmt: skip
@click.option("-e", "--environment", metavar="NAME", help="Use the catalogue's overlay for this environment.")
@click.option(
    "-s",
    "--source",
    required=True,
    envvar="SLA_KIT_SOURCE",
    show_envvar=True,
    metavar="URL|PATH",
    help="Where the history is: http(s)://… a Prometheus API, or a path (.om, .om.gz, .parquet, a folder).",
)
@click.option(
    "--at", type=TimeType(), metavar="TIME",
    help="The moment to look back from: RFC 3339 or seconds. Default: now, or the end of a recorded history.",
)  # fmt: skip
@click.option(
    "-w", "--window", default="30d", show_default=True, metavar="W",
    help="7d, 30d, 12h; week, month, last-week, …; 2026-W38, 2026-09; or START/END.",
)  # fmt: skip
@click.option(
    "--interval", type=_Interval(), metavar="T",
    help="How often groups without an interval are evaluated. Default: the catalogue's evaluation_interval, or 1m.",
)  # fmt: skip
@click.option(
    "-i", "--incidents", multiple=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Known incidents, in YAML, JSON or CSV: start, end, and name, service, slo, alerts where known.",
)  # fmt: skip
@click.option(
    "--outages/--no-outages", default=None,
    help="Count the outages that the catalogue's SLOs show as incidents. Default: where there are no --incidents.",
)  # fmt: skip
@click.option(
    "--tolerance", type=_Duration(), default="5m", show_default=True, metavar="T",
    help="By how much a firing may miss an incident and still agree with it.",
)  # fmt: skip
@click.option(
    "--flap-within", type=_Duration(), default="15m", show_default=True, metavar="T",
    help="An alert that fires again so soon after it was resolved is flapping.",
)  # fmt: skip
@click.option(
    "--short", type=_Duration(), default="5m", show_default=True, metavar="T", help="What fires for less is short."
)
@click.option(
    "--page-severity", multiple=True, default=("critical", "page"), show_default=True, metavar="NAME",
    help="The values of the label severity that call somebody.",
)  # fmt: skip
@click.option(
    "--group-by", default="alertname,service,cluster,namespace", show_default=True, metavar="LABELS",
    help="Alerts that are equal in these call once together.",
)  # fmt: skip
@click.option(
    "--compare", multiple=True, metavar="OTHER",
    help="Also replay these and show them beside the rules: rule files, another catalogue, or env:NAME, another "
    "environment of the catalogue.",
)  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="ALERT.KEY=VALUE",
    help="Also replay the rules with another threshold, for or keep_firing_for, and show it beside them; commas join "
    "several into one.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["auto", "server", "prometheus", "builtin"]), default="auto", show_default=True,
    help="Who evaluates: the live server, a Prometheus of our own over a recorded history or samples fetched from the "
    "server, or sla-kit's own PromQL, which knows less.",
)  # fmt: skip
@click.option(
    "--prometheus", default="", metavar="PROGRAM", envvar="SLA_KIT_PROMETHEUS_PROGRAM", show_envvar=True,
    help="The program prometheus (promtool beside it). Default: the one on the PATH.",
)  # fmt: skip
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), default="backtest", show_default=True,
    help="The folder to write backtest.html and backtest.json into.",
)  # fmt: skip
@click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path),
    help="The folder that keeps what was evaluated; a run that was killed goes on there. Default: .state in --out.",
)  # fmt: skip
@click.option(
    "--fail-under", "least", multiple=True, type=_Least(), metavar="recall=X",
    help="Leave with 1 where recall or precision of all alerts is less; may be repeated.",
)  # fmt: skip
@click.option("--max-pages-per-week", type=float, metavar="N", help="Leave with 1 where more pages a week are sent.")
def backtest(
    rules: tuple[str, ...],
    catalogue: str | None,
    environment: str | None,
    source: str,
    at: float | None,
    window: str,
    interval: float | None,
    incidents: tuple[Path, ...],
    outages: bool | None,
    tolerance: float,
    flap_within: float,
    short: float,
    page_severity: tuple[str, ...],
    group_by: str,
    compare: tuple[str, ...],
    settings: tuple[str, ...],
    engine: str,
    prometheus: str,
    out: Path,
    state: Path | None,
    least: tuple[tuple[str, float], ...],
    max_pages_per_week: float | None,
) -> None:
    """Replays alerts on history and tells how they would have served: how often each would have fired and called
    somebody, how much it flaps, and against known incidents how many it finds, how soon, and how much error budget
    was gone by then.

    The rules are those of the catalogue, or anyone's rule files. Incidents are those of --incidents and of the
    catalogue's calendar, or else the outages that its SLOs show. A run that is killed goes on where it was when it is
    called again.

    Leaves with 0; with 1 where --fail-under or --max-pages-per-week is not met; with 2 where it can't be told.

    \b
    Examples:
      sla-kit backtest -c sla.yml --source http://localhost:9090 --window 30d
      sla-kit backtest --rules rules/ --source history.om.gz --incidents incidents.yml
      sla-kit backtest -r rules.yml -s history --set HighErrors.threshold=1% --set HighErrors.threshold=5%
      sla-kit backtest -c sla.yml -s http://localhost:9090 --fail-under recall=90% --max-pages-per-week 2
    """
    from rich.console import Console

    from sla_kit import load
    from sla_kit.backtest.as_html import html
    from sla_kit.backtest.as_json import json
    from sla_kit.backtest.as_text import print_backtest
    from sla_kit.backtest.labelled import read_incidents
    from sla_kit.backtest.running import INTERVAL, Settings
    from sla_kit.backtest.running import backtest as replayed
    from sla_kit.backtest.scoring import Manner
    from sla_kit.backtest.sets import catalogue_rules, file_rules, other_rules, set_otherwise
    from sla_kit.errors import CatalogueError

    path = catalogue if catalogue is not None or rules else "sla.yml"
    try:
        loaded = load(path, environment) if path is not None else None
    except CatalogueError as error:
        error.exit_code = 2  # 1 says that alerts serve badly
        raise
    written = _written_at(at)
    if rules:
        given = file_rules(rules)
    else:
        assert loaded is not None
        given = catalogue_rules(loaded, written)
    known = [incident for one in incidents for incident in read_incidents(one)]
    sets = [given]
    sets += [other_rules(other, path, written) for other in compare]
    sets += [set_otherwise(given, text, None if rules else loaded, written) for text in settings]
    every = interval or (loaded.monitoring.evaluation_interval if loaded is not None and not rules else INTERVAL)
    manner = Manner(
        tolerance=tolerance,
        flap_within=flap_within,
        short=short,
        page_severities=tuple(name.lower() for name in page_severity),
        group_by=tuple(name.strip() for name in group_by.split(",") if name.strip()),
    )
    chosen = Settings(
        interval=max(1, round(every)),
        engine=engine,  # type: ignore[arg-type]  # click lets no other through
        prometheus=prometheus,
        timezone=_timezone(loaded),
        outages=outages,
        manner=manner,
    )
    with progress_bar("replaying") as progress:
        found = replayed(
            source,
            sets,
            window=window,
            at=at,
            incidents=known,
            catalogue=loaded,
            settings=chosen,
            state=state or out / ".state",
            keep_scratch=state is not None,
            progress=progress,
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "backtest.json").write_text(json(found), encoding="utf-8")
    (out / "backtest.html").write_text(html(found), encoding="utf-8")
    print_backtest(found, Console())
    click.echo(str(out / "backtest.html"))
    missed, untold = _missed(found, least, max_pages_per_week)
    for text in (*missed, *untold):
        click.echo(f"sla-kit: {text}", err=True)
    if missed or untold:
        sys.exit(1 if missed else 2)


def _written_at(at: float | None) -> float:
    """When the rules are written: what is planned for later is not in them yet."""
    return at if at is not None else datetime.now().astimezone().timestamp()


def _timezone(catalogue: Catalogue | None) -> str:
    return catalogue.timezone if catalogue is not None else "UTC"


def _missed(found: Backtest, least: tuple[tuple[str, float], ...], most: float | None) -> tuple[list[str], list[str]]:
    """What of the demands is not met, and what can't be told."""
    first = found.variants[0]
    missed, untold = [], []
    for name, wanted in least:
        value = None if first.overall is None else getattr(first.overall, name)
        if value is None:
            lack = "firings" if name == "precision" and found.incidents else "incidents"
            untold.append(f"{name} can't be told: there were no {lack}")
        elif value < wanted:
            missed.append(f"{name} is {value:.1%}, under {wanted:.1%}")
    if most is not None and first.pages_per_week > most:
        missed.append(f"{first.pages_per_week:.1f} pages a week, over {most:g}")
    return missed, untold
