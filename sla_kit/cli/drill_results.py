"""What `sla-kit drill` prints: a drill that was, and those that are kept."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.drill_sources import FAILED, SUCCEEDED

if TYPE_CHECKING:
    from sla_kit.exporters.drill.evidence import Evidence, Record
    from sla_kit.exporters.drill.running import Plan


def show(evidence: Evidence) -> None:
    """Prints what came of a drill."""
    backup = evidence.backup
    what = f" {backup.name} of {backup.place}" if backup is not None else ""
    words = {"succeeded": "restored and checked", "slow": "restored, but TOO SLOW", "failed": "FAILED"}
    click.echo(f"{evidence.target}: {words[evidence.outcome]}{what} in {evidence.duration_seconds:.1f} s")
    if evidence.steps:
        click.echo("  " + ", ".join(f"{step.name} {step.seconds:.1f} s" for step in evidence.steps))
    for check in evidence.checks:
        name = " ".join(filter(None, (check.kind, check.name)))
        more = "" if check.outcome == "held" else f" (expected: {check.expected})"
        click.echo(f"  {name}: {check.outcome}: {check.found}{more}")
    if evidence.left_out:
        click.echo("  left out: " + ", ".join(f"{count} of {what}" for what, count in evidence.left_out.items()))
    if evidence.outcome != "succeeded" and sys.stderr.isatty():  # where it is none, the log says so
        step = f" at {evidence.failed_step}" if evidence.failed_step else ""
        click.echo(f"sla-kit: the drill of {evidence.target} {evidence.outcome}{step}: {evidence.reason}", err=True)


def document(evidence: Evidence) -> dict[str, Any]:
    """A drill as JSON has it."""
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(evidence)
    return found


def list_kept(planned: list[Plan], targets: tuple[str, ...], as_json: bool) -> int:
    """Prints past drills, and whether their evidence is unaltered; returns what to leave with."""
    from rich.console import Console
    from rich.table import Table

    from sla_kit.chaining import broken_link
    from sla_kit.exporters.drill.configuration import beside
    from sla_kit.exporters.drill.keeping import kept_records
    from sla_kit.exporters.drill.results import end_missing, read_results

    plan = planned[0]
    records = kept_records(ledger=plan.ledger, file=beside(plan.base, plan.drill.evidence))
    broken = broken_link(records)
    results = read_results(beside(plan.base, plan.drill.results))
    cut = not plan.ledger and end_missing(results, plan.drill.evidence, records)
    shown = [one for one in records if not targets or one.evidence.get("target") in targets]
    if as_json:
        kept = {"unaltered": broken is None and not cut, "drills": [_listed(one) for one in shown]}
        click.echo(json.dumps(kept, indent=2, ensure_ascii=False))
    elif not shown:
        click.echo("There was no drill yet.")
    else:
        table = Table()
        for title in ("number", "begun", "target", "outcome", "took", "rows", "backup", "why"):
            table.add_column(title, overflow="fold")
        for one in shown:
            said = one.evidence
            backup = said.get("backup") or {}
            table.add_row(
                str(one.number),
                moment_text(float(said.get("begun_at", 0.0))),
                str(said.get("target", "")),
                str(said.get("outcome", "")),
                f"{float(said.get('duration_seconds', 0.0)):.1f} s",
                str(said.get("rows_verified", "")),
                str(backup.get("name", "")),
                str(said.get("reason", "")).splitlines()[0] if said.get("reason") else "",
            )
        Console().print(table)
    if broken is not None:
        click.echo(f"sla-kit: the evidence of drill {broken.number}, or one before it, was altered", err=True)
        return FAILED
    if cut:
        click.echo(
            f"sla-kit: the newest evidence was taken away: {plan.drill.results} knows of more drills\n"
            "  try: bring the file back; where it was put away on purpose, take `newest` out of that",
            err=True,
        )
        return FAILED
    return SUCCEEDED


def moment_text(moment: float) -> str:
    """A moment in UTC, to the second."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _listed(record: Record) -> dict[str, Any]:
    return {"number": record.number, "made_at": record.made_at, "digest": record.digest, **record.evidence}
