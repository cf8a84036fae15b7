"""What `sla-kit drill` does beside drilling: marks a scratch server, and counts rows where backups are made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

#: With what the command leaves: every drill went well, one failed, one could not be begun.
SUCCEEDED, FAILED, NOT_BEGUN = 0, 1, 2


@contextmanager
def not_begun() -> Iterator[None]:
    """What goes wrong here keeps a drill from beginning."""
    from sla_kit.errors import SlaKitError

    try:
        yield
    except SlaKitError as error:
        click.echo(f"sla-kit: {error}", err=True)
        sys.exit(NOT_BEGUN)


def needs(feature: str, *modules: str, extra: str = "backup") -> None:
    """Raises `MissingExtraError` before anything is begun, so that what is not installed is no drill that failed."""
    from importlib.util import find_spec

    from sla_kit.errors import MissingExtraError

    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(feature, module, extra)


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
    from sla_kit.exporters.drill.sessions import connect, one_server, said_by

    with not_begun():
        needs("marking a server", "psycopg")
    with not_begun(), connect(one_server(url)) as connection:
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
    from sla_kit.exporters.drill.sessions import connect, said_by, spelled

    needs("counting rows", "psycopg")
    with connect(spelled(url)) as connection, progress_bar("counting") as progress:
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
