"""`sla-kit drill`: restores backups for practice, once or by the clock."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.drill_results import document, list_kept, moment_text, show
from sla_kit.cli.drill_sources import FAILED, NOT_BEGUN, SUCCEEDED, mark_scratch, needs, not_begun, record
from sla_kit.cli.options import TimeType

if TYPE_CHECKING:
    from sla_kit.exporters.drill.evidence import Evidence
    from sla_kit.exporters.drill.running import Plan


class _Drill(click.Command):
    """A command of its own, and what its first word may name instead of a target."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        act = _ACTS.get(args[0]) if args else None
        if act is None:
            return super().make_context(info_name, args, parent, **extra)
        return act.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)


def _completed(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Targets that the configuration declares; as a first word what else the command does, too."""
    from sla_kit.errors import SlaKitError
    from sla_kit.exporters.drill.loading import read

    given = ctx.params.get("targets") or ()
    words = [] if given else list(_ACTS)
    try:
        declared = read(Path(ctx.params.get("config") or "backup.yml")).drill
    except SlaKitError:  # whoever presses a key learns of it when the command runs
        declared = None
    words += [name for name in (declared.targets if declared else ()) if name not in given]
    return [word for word in words if word.startswith(incomplete)]


@click.command(cls=_Drill)
@click.argument("targets", nargs=-1, metavar="[TARGET…]", shell_complete=_completed)
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default="backup.yml",
    show_default=True,
    help="The backup exporter's configuration, with a part `drill`.",
)
@click.option("--at", type=TimeType(), metavar="TIME", help="Restore the newest backup that was made by then.")
@click.option(
    "-l",
    "--ledger",
    envvar="SLA_KIT_LEDGER",
    show_envvar=True,
    metavar="PATH|URL",
    default="",
    help="Keep the evidence in this ledger instead of where the configuration says.",
)
@click.option("--list", "listing", is_flag=True, help="Show past drills, and whether their evidence is unaltered.")
@click.option("--dry-run", is_flag=True, help="Only say which backup would be restored.")
@click.option("--keep-scratch", is_flag=True, help="Leave what was restored there to look at it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--schedule",
    type=click.Choice(["declared", "daily", "weekly", "monthly"]),
    help="Stay and drill by a schedule: the declared one, or every week or so at its hour (03:00 UTC, on Sundays).",
)
def drill(
    targets: tuple[str, ...],
    config: Path,
    at: float | None,
    ledger: str,
    listing: bool,
    dry_run: bool,
    keep_scratch: bool,
    as_json: bool,
    schedule: str | None,
) -> None:
    """Restores the newest backup of each TARGET (of all, without one) into a scratch PostgreSQL, checks what came
    back, and keeps evidence of it.

    \b
      sla-kit drill -c backup.yml                  all targets
      sla-kit drill shop -c backup.yml --at 2026-11-20T00:00:00Z
      sla-kit drill -c backup.yml --list           past drills
      sla-kit drill mark-scratch URL               lets drills use this server; never one with data on it
      sla-kit drill record URL -o FILE             counts rows where the backup is made, to compare them later

    Leaves with 0 where every drill restored all in time and all checks held, 1 where one failed or was too slow, 2
    where one could not be begun.
    """
    from sla_kit.errors import SlaKitError
    from sla_kit.exporters.drill.loading import plans, read

    with not_begun():
        configuration = read(config)
        planned = plans(configuration, config, targets, at=at, ledger=ledger, keep_scratch=keep_scratch)
    if listing:
        with not_begun():
            if planned[0].ledger:
                needs("evidence in a ledger", "numpy", "sqlalchemy", "alembic", extra="ledger")
        sys.exit(list_kept(planned, targets, as_json))
    if dry_run:
        _rehearse(planned, as_json)
        return
    with not_begun():
        needs("a restore drill", "psycopg")
        if any(plan.ledger for plan in planned):
            needs("evidence in a ledger", "numpy", "sqlalchemy", "alembic", extra="ledger")
    if not sys.stderr.isatty():  # people read what the command prints
        from sla_kit.serving.logs import configure

        configure(configuration.log)
    if schedule is not None and (at is not None or keep_scratch or as_json):
        raise click.UsageError("--schedule goes with none of --at, --keep-scratch and --json")
    if schedule is not None:
        _by_schedule(config, planned, schedule)
        return
    from sla_kit.exporters.drill.errors import StoppedError

    code, done = SUCCEEDED, []
    for plan in planned:
        try:
            evidence, failure = _run(plan)
        except StoppedError as stopped:
            click.echo(f"sla-kit: the drill of {plan.target} was {stopped}; all that it made was taken away", err=True)
            sys.exit(FAILED)
        done.append(evidence)
        if not as_json:
            show(evidence)
        if evidence.outcome != "succeeded":
            begun = failure is None or failure.exit_code == FAILED
            code = max(code, FAILED if begun else NOT_BEGUN)
        if isinstance(failure, SlaKitError) and as_json:
            click.echo(f"sla-kit: {failure}", err=True)
    if as_json:
        click.echo(json.dumps([document(one) for one in done], indent=2, ensure_ascii=False))
    sys.exit(code)


_ACTS: dict[str, click.Command] = {"mark-scratch": mark_scratch, "record": record}


def _run(plan: Plan) -> tuple[Evidence, Any]:
    from rich.console import Console

    from sla_kit.exporters.drill.running import run

    console = Console(stderr=True)

    def waiting(process: str) -> None:
        who = f" (process {process})" if process else ""
        click.echo(f"sla-kit: another drill of {plan.target} is running{who}; waiting for its end", err=True)

    if not console.is_terminal:
        return run(plan, lambda step: None, waiting)
    with console.status(f"{plan.target}: begin") as status:
        begun = time.monotonic()

        def progress(step: str) -> None:
            if step:
                status.update(f"{plan.target}: {step} ({time.monotonic() - begun:.0f} s)")

        return run(plan, progress, waiting)


def _rehearse(planned: list[Plan], as_json: bool) -> None:
    from sla_kit.exporters.drill.running import rehearse

    found = []
    for plan in planned:
        chosen = rehearse(plan)
        found.append(
            {
                "target": plan.target,
                "place": chosen.store.place,
                "name": chosen.name,
                "size_bytes": chosen.size_bytes,
                "taken_at": moment_text(chosen.taken_at),
                "checks": len(plan.restore.checks),
                "scratch": "given" if plan.drill.scratch.url else "own",
            }
        )
        if not as_json:
            click.echo(
                f"{plan.target}: would restore {chosen.name} of {chosen.store.place}, "
                f"made {moment_text(chosen.taken_at)}, {chosen.size_bytes} bytes"
            )
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _by_schedule(config: Path, planned: list[Plan], every: str) -> None:
    """Stays, and runs drills in processes of their own as the exporter does."""
    import asyncio
    import signal

    import msgspec

    from sla_kit.exporters.drill.configuration import Timetable
    from sla_kit.exporters.drill.schedule import DrillService, next_due

    declared = planned[0].drill.schedule
    if every == "declared":
        if declared is None:
            raise click.UsageError("no schedule is declared: say --schedule weekly, or drill: {schedule: …}")
        timetable = declared
    else:
        timetable = msgspec.structs.replace(declared or Timetable(), every=every)
    chosen = {plan.target: plan.restore for plan in planned}
    declaration = msgspec.structs.replace(planned[0].drill, schedule=timetable, targets=chosen)
    service = DrillService(config, declaration, planned[0].ledger)

    async def stay() -> None:
        ending = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, ending.set)
        await service.start()
        for target in chosen:
            click.echo(f"{target}: next drill by {moment_text(next_due(timetable, target, time.time()))}", err=True)
        await ending.wait()
        await service.stop()

    asyncio.run(stay())
