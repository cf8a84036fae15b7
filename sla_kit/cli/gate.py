"""`sla-kit gate`: whether a change may be released now, for pipelines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.options import catalogue_options, ledger_option, source_options
from sla_kit.cli.progress import progress_bar
from sla_kit.errors import CatalogueError, SourceError

if TYPE_CHECKING:
    from sla_kit.engine.gate import GateDecision, Hold
    from sla_kit.engine.results import Evaluation

_EXIT_CODES = {"go": 0, "stop": 1, "unknown": 2}
#: The report's window, of which nothing is asked: each budget is that of its SLO's own window.
_WINDOW = "1h"


@click.command()
@catalogue_options
@source_options(None)
@ledger_option
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="Only the promises of this service; may be repeated. Default: all.",
)
@click.option(
    "--change",
    default="",
    metavar="KIND",
    help="What kind of change this is, such as security: one that a step exempts passes its freeze.",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["fail", "pass"]),
    default="fail",
    show_default=True,
    help="What to do where nobody can tell, as without data: leave with 2, or with 0.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the decision with its details as JSON.")
def gate(
    catalogue: str,
    environment: str | None,
    source: tuple[str, ...] | None,
    at: float | None,
    ledger: str | None,
    services: tuple[str, ...],
    change: str,
    on_unknown: str,
    as_json: bool,
) -> None:
    """Tells whether a change may be released by the catalogue's error-budget policy: one sentence, and an exit code.

    \b
    0  go
    1  stop: a step of the policy that freezes is reached, and does not exempt this kind of change
    2  it can't be told: no data, no answer, a mistake in the catalogue (--on-unknown pass lets the first two go)

    A step freezes where it says so: `effects: [freeze]`, with `exempt: [security]` for the changes that pass.

    \b
    Examples:
      sla-kit gate -c sla.yml --source http://localhost:9090 --service api && ./deploy.sh
      sla-kit gate -c sla.yml --source http://localhost:9090 --change security
    \b
    In a GitHub workflow, before the step that deploys:
      - name: Error budget
        run: sla-kit gate -c sla.yml --service api --change "${{ inputs.kind }}"
        env: {SLA_KIT_SOURCE: "https://prometheus.example.com"}
    """
    from sla_kit import evaluate, load
    from sla_kit.engine.gate import decide, undecided

    passing = on_unknown == "pass"
    try:
        loaded = load(catalogue, environment)
    except CatalogueError as error:  # whose own code would say stop
        click.echo(f"sla-kit: {error}", err=True)
        sys.exit(_EXIT_CODES["unknown"])
    evaluation = None
    try:
        with progress_bar("reading") as progress:
            evaluation = evaluate(loaded, source, _WINDOW, at, progress, services, ledger=ledger)
        decision = decide(evaluation.slos, loaded.timezone, change, pass_unknown=passing)
    except SourceError as error:
        if not (source or ledger or any(server.url for server in loaded.sources)):
            raise  # nothing was asked, so nothing can be unknown
        click.echo(f"sla-kit: {error}", err=True)
        decision = undecided(error.message, pass_unknown=passing)
    if as_json:
        click.echo(json.dumps(_document(decision, evaluation, change), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(decision.sentence)
    sys.exit(_EXIT_CODES[decision.verdict])


def _document(decision: GateDecision, evaluation: Evaluation | None, change: str) -> dict[str, Any]:
    from sla_kit.report.formats import number, rfc3339

    return {
        "version": 1,
        "decision": decision.verdict,
        "exit_code": _EXIT_CODES[decision.verdict],
        "sentence": decision.sentence,
        "change": change,
        "catalogue": evaluation.catalogue if evaluation else None,
        "environment": evaluation.environment if evaluation else None,
        "at": rfc3339(evaluation.at) if evaluation else None,
        "holds": [_hold(hold) for hold in decision.holds],
        "untold": [_hold(hold) for hold in decision.untold],
        "slos": [
            {
                "service": slo.service,
                "slo": slo.slo,
                "own_window": slo.own_window.name,
                "budget_left_ratio": number(slo.own.budget.left_ratio),
                "action": slo.action,
                "effects": list(slo.policy.effects) if slo.policy else [],
            }
            for slo in (evaluation.slos if evaluation else ())
        ],
    }


def _hold(hold: Hold) -> dict[str, Any]:
    from sla_kit.report.formats import number, rfc3339

    return {
        "service": hold.slo.service,
        "slo": hold.slo.slo,
        "owner": hold.slo.owner,
        "budget_left_ratio": number(hold.slo.own.budget.left_ratio),
        "step": {
            "left": number(hold.step.left),
            "incident": number(hold.step.incident),
            "action": hold.step.action,
            "effects": list(hold.step.effects),
            "to": list(hold.step.to),
            "exempt": list(hold.step.exempt),
        },
        "because": hold.step.because,
        "frees_at": rfc3339(hold.step.frees_at),
    }
