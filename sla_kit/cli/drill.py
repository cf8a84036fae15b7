"""`sla-kit drill`: restores backups for practice, shows past drills, marks scratch servers, records counts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.options import TimeType

if TYPE_CHECKING:
    from sla_kit.exporters.drill.evidence import Evidence, Record
    from sla_kit.exporters.drill.running import Plan

_SUCCEEDED, _FAILED, _NOT_BEGUN = 0, 1, 2


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

    with _not_begun():
        configuration = read(config)
        planned = plans(configuration, config, targets, at=at, ledger=ledger, keep_scratch=keep_scratch)
    if listing:
        with _not_begun():
            if planned[0].ledger:
                _needs("evidence in a ledger", "numpy", "sqlalchemy", "alembic", extra="ledger")
        sys.exit(_list(planned, targets, as_json))
    if dry_run:
        _rehearse(planned, as_json)
        return
    with _not_begun():
        _needs("a restore drill", "psycopg")
        if any(plan.ledger for plan in planned):
            _needs("evidence in a ledger", "numpy", "sqlalchemy", "alembic", extra="ledger")
    if not sys.stderr.isatty():  # people read what the command prints
        from sla_kit.exporters.sidecar.logs import configure

        configure(configuration.log)
    if schedule is not None and (at is not None or keep_scratch or as_json):
        raise click.UsageError("--schedule goes with none of --at, --keep-scratch and --json")
    if schedule is not None:
        _by_schedule(config, planned, schedule)
        return
    from sla_kit.exporters.drill.errors import StoppedError

    code, done = _SUCCEEDED, []
    for plan in planned:
        try:
            evidence, failure = _run(plan)
        except StoppedError as stopped:
            click.echo(f"sla-kit: the drill of {plan.target} was {stopped}; all that it made was taken away", err=True)
            sys.exit(_FAILED)
        done.append(evidence)
        if not as_json:
            _show(evidence)
        if evidence.outcome != "succeeded":
            begun = failure is None or failure.exit_code == _FAILED
            code = max(code, _FAILED if begun else _NOT_BEGUN)
        if isinstance(failure, SlaKitError) and as_json:
            click.echo(f"sla-kit: {failure}", err=True)
    if as_json:
        click.echo(json.dumps([_document(one) for one in done], indent=2, ensure_ascii=False))
    sys.exit(code)


@click.command("mark-scratch")
@click.argument("url", metavar="URL")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Even though there are databases on it.")
@click.option("--remove", is_flag=True, help="Take the mark away instead.")
def mark_scratch(url: str, yes: bool, force: bool, remove: bool) -> None:
    """Marks the PostgreSQL at URL as one that drills may restore into.

    Only drills' own databases are ever made and dropped there; but a server that holds anything of worth should not
    serve for trials. A server with databases is refused unless --force. The password comes from PGPASSWORD or
    ~/.pgpass.
    """
    from sla_kit.exporters.drill.marker import mark, others, place_of, unmark
    from sla_kit.exporters.drill.sessions import one_server, said_by

    with _not_begun():
        _needs("marking a server", "psycopg")
    with _not_begun(), _session(one_server(url)) as connection:
        import psycopg

        place = place_of(connection)
        try:
            found = others(connection)
            if remove:
                unmark(connection)
                click.echo(f"{place} is no longer marked as scratch.")
                return
            if found and not force:
                named = ", ".join(found[:8]) + (", …" if len(found) > 8 else "")
                from sla_kit.exporters.drill.errors import NotBegunError

                raise NotBegunError(
                    f"there are databases on this server ({named}): it is not marked",
                    place=place,
                    remedy="give a server of its own; --force marks it all the same",
                )
            if not yes:
                click.confirm(f"Mark {place} as scratch, so that drills may restore into it?", abort=True)
            mark(connection)
        except psycopg.Error as error:
            from sla_kit.exporters.drill.errors import NotBegunError

            raise NotBegunError(
                f"the server can't be marked: {said_by(error)}", place=place, remedy="do it as the database's owner"
            ) from None
    click.echo(f"{place} is marked as scratch.")


@click.command("record", context_settings={"ignore_unknown_options": True})
@click.argument("url", metavar="URL")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the counts are written: the backup's name with .counts.json added.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
def record(url: str, out: Path, command: tuple[str, ...]) -> None:
    """Counts the rows of all tables at URL and sums their content, for drills to compare with what they restore.

    FILE lies beside the backup, and beside each copy of it, under its name with .counts.json added. With a COMMAND,
    that runs on the same snapshot of the data, whose name stands for {snapshot}; the counts are then exactly those of
    the dump:

    \b
      sla-kit drill record postgresql://db/shop -o shop.dump.counts.json -- \\
        pg_dump --snapshot={snapshot} --format=custom --file=shop.dump postgresql://db/shop
    """
    import msgspec

    from sla_kit.cli.progress import progress_bar
    from sla_kit.errors import SlaKitError
    from sla_kit.exporters.drill.counting import record as count_all
    from sla_kit.exporters.drill.keeping import now_text, write_atomically
    from sla_kit.exporters.drill.sessions import said_by, spelled

    _needs("counting rows", "psycopg")
    with _session(spelled(url)) as connection, progress_bar("counting") as progress:
        import psycopg

        try:
            counts = count_all(connection, now_text(), command, progress)
        except psycopg.Error as error:
            raise SlaKitError(f"the rows can't be counted: {said_by(error)}") from None
        except OSError as error:
            raise SlaKitError(f"{command[0]} can't be run: {error.strerror}") from None
    write_atomically(out, msgspec.json.format(msgspec.json.encode(counts)) + b"\n")
    rows = sum(one.rows for one in counts.tables.values())
    click.echo(f"{rows} rows of {len(counts.tables)} tables recorded in {out}")


_ACTS: dict[str, click.Command] = {"mark-scratch": mark_scratch, "record": record}


def _needs(feature: str, *modules: str, extra: str = "backup") -> None:
    """Raises `MissingExtraError` before anything is begun, so that what is not installed is no drill that failed."""
    from importlib.util import find_spec

    from sla_kit.errors import MissingExtraError

    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(feature, module, extra)


@contextmanager
def _session(parameters: Mapping[str, str]) -> Iterator[Any]:
    """A session, with no word of a password in errors."""
    from sla_kit.exporters.drill.sessions import connect

    with connect(parameters) as connection:
        yield connection


@contextmanager
def _not_begun() -> Iterator[None]:
    """What goes wrong here keeps a drill from beginning."""
    from sla_kit.errors import SlaKitError

    try:
        yield
    except SlaKitError as error:
        click.echo(f"sla-kit: {error}", err=True)
        sys.exit(_NOT_BEGUN)


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
                "taken_at": _time(chosen.taken_at),
                "checks": len(plan.restore.checks),
                "scratch": "given" if plan.drill.scratch.url else "own",
            }
        )
        if not as_json:
            click.echo(
                f"{plan.target}: would restore {chosen.name} of {chosen.store.place}, made {_time(chosen.taken_at)}, "
                f"{chosen.size_bytes} bytes"
            )
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _list(planned: list[Plan], targets: tuple[str, ...], as_json: bool) -> int:
    from rich.console import Console
    from rich.table import Table

    from sla_kit.exporters.drill.configuration import beside
    from sla_kit.exporters.drill.evidence import broken_link
    from sla_kit.exporters.drill.keeping import kept_records
    from sla_kit.exporters.drill.results import end_missing, read_results

    plan = planned[0]
    records = kept_records(ledger=plan.ledger, file=beside(plan.base, plan.drill.evidence))
    broken = broken_link(records)
    results = read_results(beside(plan.base, plan.drill.results))
    cut = not plan.ledger and end_missing(results, plan.drill.evidence, records)
    shown = [one for one in records if not targets or one.evidence.get("target") in targets]
    if as_json:
        document = {"unaltered": broken is None and not cut, "drills": [_listed(one) for one in shown]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
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
                _time(float(said.get("begun_at", 0.0))),
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
        return _FAILED
    if cut:
        click.echo(
            f"sla-kit: the newest evidence was taken away: {plan.drill.results} knows of more drills\n"
            "  try: bring the file back; where it was put away on purpose, take `newest` out of that",
            err=True,
        )
        return _FAILED
    return _SUCCEEDED


def _listed(record: Record) -> dict[str, Any]:
    return {"number": record.number, "made_at": record.made_at, "digest": record.digest, **record.evidence}


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
            click.echo(f"{target}: next drill by {_time(next_due(timetable, target, time.time()))}", err=True)
        await ending.wait()
        await service.stop()

    asyncio.run(stay())


def _show(evidence: Evidence) -> None:
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


def _document(evidence: Evidence) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(evidence)
    return found


def _time(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
