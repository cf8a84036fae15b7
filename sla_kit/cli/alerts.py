"""`sla-kit alerts`: what alerts there are, what each looks at, and what a catalogue may set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from sla_kit.errors import SlaKitError

if TYPE_CHECKING:
    from sla_kit.alert_rules import Resolved
    from sla_kit.catalogue.model import Catalogue


class _AlertName(click.ParamType):  # type: ignore[type-arg]  # it can't be subscripted before click 8.2
    """The name of an alert, which a shell can complete."""

    name = "alert"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from sla_kit.alert_rules import areas

        names = (alert.name for area in areas() for alert in area.alerts)
        return [CompletionItem(name) for name in names if name.lower().startswith(incomplete.lower())]


_catalogue = click.option(
    "-c", "--catalogue", type=click.Path(), help="Show the alerts as this catalogue sets them. Default: as they come."
)
_environment = click.option(
    "-e", "--environment", metavar="NAME", help="Use the catalogue's overlay for this environment."
)


@click.group()
def alerts() -> None:
    """The alert rules of the whole stack: which there are, and what can be set.

    \b
      sla-kit alerts list                       all of them
      sla-kit alerts list postgresql redis      those of two areas
      sla-kit alerts show PostgresDown        its expression, thresholds and runbook

    What a catalogue sets stands under `monitoring: {rules: {…}}`; `sla-kit generate` writes the rules.
    """


@alerts.command("list")
@click.argument("areas", nargs=-1, metavar="[AREA]…")
@_catalogue
@_environment
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print them as tables in Markdown.")
def list_(
    areas: tuple[str, ...], catalogue: str | None, environment: str | None, as_json: bool, as_markdown: bool
) -> None:
    """The alerts of some areas, or of all: severity, how long until they fire, and their thresholds."""
    from sla_kit.alert_rules import AREAS, resolved
    from sla_kit.configuration.places import nearest

    for area in areas:
        if area not in AREAS:
            raise SlaKitError(f"there is no area {area!r}", remedy=nearest(area, AREAS))
    found = [
        each for each in resolved(_loaded(catalogue, environment)) if not areas or each.settings.area.name in areas
    ]
    if as_json:
        click.echo(json.dumps([_document(each) for each in found], indent=2, ensure_ascii=False))
        return
    if as_markdown:
        click.echo("\n".join(_markdown(found)))
        return
    area = ""
    for each in found:
        if each.settings.area.name != area:
            area = each.settings.area.name
            click.echo(f"\n{each.settings.area.title} ({area})")
        service = each.settings.scope.service
        name = each.alert.name + (f" [{service.name}]" if service else "")
        click.echo(f"  {name:<44} {each.settings.severity:<9} {_thresholds(each)}".rstrip())
    click.echo(f"\n{len(found)} alerts")


@alerts.command()
@click.argument("name", type=_AlertName())
@_catalogue
@_environment
def show(name: str, catalogue: str | None, environment: str | None) -> None:
    """One alert: its expression, what it says, its thresholds and its runbook."""
    from sla_kit.alert_rules import areas, resolved
    from sla_kit.alert_rules.runbook import source
    from sla_kit.configuration.places import nearest
    from sla_kit.configuration.quantities import format_duration

    loaded = _loaded(catalogue, environment)
    found = [each for each in resolved(loaded) if each.alert.name == name]
    if not found:
        names = [alert.name for area in areas() for alert in area.alerts]
        if name in names:
            raise SlaKitError(f"{name} is off here", remedy="look at monitoring in the catalogue, or leave out -c")
        raise SlaKitError(f"there is no alert {name!r}", remedy=nearest(name, names) or "sla-kit alerts list")
    for each in found:
        rule, settings = each.rules[0], each.settings
        whose = f", service {settings.scope.service.name}" if settings.scope.service else ""
        click.echo(click.style(f"{name}", bold=True) + f" ({settings.area.name}, {settings.severity}{whose})")
        click.echo(f"  {rule.annotations['description']}\n")
        for each_rule in each.rules:
            click.echo("\n".join(f"    {line}" for line in each_rule.expression.splitlines()) + "\n")
        click.echo(f"  for: {format_duration(rule.pending_seconds) if rule.pending_seconds else '0s'}")
        if rule.keep_firing_seconds:
            click.echo(f"  keep_firing_for: {format_duration(rule.keep_firing_seconds)}")
        for threshold, value in settings.thresholds.items():
            declared = settings.alert.thresholds[threshold]
            click.echo(f"  {threshold}: {_people(value, declared.unit)}  ({declared.meaning})")
        click.echo("")
    click.echo(source(found[0].settings.area.name, name, loaded.folder))


def _loaded(catalogue: str | None, environment: str | None) -> Catalogue:
    from sla_kit.catalogue import load
    from sla_kit.catalogue.model import Catalogue

    return load(catalogue, environment) if catalogue else Catalogue(name="default", services=[])


def _markdown(found: Sequence[Resolved]) -> Iterator[str]:
    """A table for each area."""
    from sla_kit.configuration.quantities import format_duration

    for area in dict.fromkeys(each.settings.area.name for each in found):
        inside = [each for each in found if each.settings.area.name == area]
        yield f"\n## {inside[0].settings.area.title}\n\n`{area}`\n"
        yield "| alert | severity | for | thresholds | says |\n| --- | --- | --- | --- | --- |"
        for each in inside:
            pending = format_duration(each.settings.pending) if each.settings.pending else "0s"
            says = " ".join(each.rules[0].annotations["summary"].split())
            cells = (f"`{each.alert.name}`", each.settings.severity, pending, _thresholds(each), f"`{says}`")
            yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _thresholds(each: Resolved) -> str:
    units = each.alert.thresholds
    return ", ".join(f"{name} {_people(value, units[name].unit)}" for name, value in each.settings.thresholds.items())


def _people(value: float, unit: Any) -> str:
    from sla_kit.alert_rules.expanding import people_text

    return people_text(value, unit)


def _document(each: Resolved) -> dict[str, Any]:
    settings = each.settings
    return {
        "name": each.alert.name,
        "area": settings.area.name,
        "service": settings.scope.service.name if settings.scope.service else None,
        "severity": settings.severity,
        "team": settings.team or None,
        "for_seconds": settings.pending,
        "keep_firing_for_seconds": settings.keep_firing_for,
        "thresholds": {
            name: {
                "value": value,
                "unit": each.alert.thresholds[name].unit,
                "meaning": each.alert.thresholds[name].meaning,
            }
            for name, value in settings.thresholds.items()
        },
        "expressions": [rule.expression for rule in each.rules],
    }
