"""`sla-kit exporter`: one command an exporter, of which only the one that is called is loaded."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sla_kit.exporters.sidecar.exporter import Exporter

#: Those that come with sla-kit, each in a package of its name; other distributions add theirs as entry points.
_OWN = ("backup", "business", "logs", "slo")
_GROUP = "sla_kit.exporters"


class _Exporters(click.Group):
    """Its commands are the exporters that are installed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_OWN, *entry_points(group=_GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        exporter = _loaded(cmd_name)
        if exporter is None:
            return None
        from sla_kit.exporters.sidecar.running import command

        return command(exporter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with what there is where the name is none of it."""
        from sla_kit.configuration.places import nearest

        names = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in names:
            raise click.UsageError(f"there is no exporter {args[0]!r} ({nearest(args[0], names)})", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its summary; one that lacks a library does not keep the others from being shown."""
        with formatter.section("Exporters"):
            formatter.write_dl([(name, _summary(name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Names need nothing loaded, and nobody expects a key that completes a word to run much."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=_Exporters, invoke_without_command=True)
@click.pass_context
def exporter(ctx: click.Context) -> None:
    """Serves metrics beside an application: collects in the background, answers scrapes from memory.

    \b
      sla-kit exporter                                     which there are
      sla-kit exporter business --example > business.yml   a configuration to begin with
      sla-kit exporter business --config business.yml --check
      sla-kit exporter business --config business.yml --dry-run
      sla-kit exporter business --config business.yml
    """
    if ctx.invoked_subcommand is None:
        names = exporter.list_commands(ctx)
        width = max(len(name) for name in names)
        for name in names:
            click.echo(f"{name:{width}}  {_summary(name)}")


def _loaded(name: str) -> Exporter | None:
    """The exporter of a name, None where there is none."""
    if name in _OWN:
        found: Exporter = import_module(f"{_GROUP}.{name}").EXPORTER
        return found
    for entry in entry_points(group=_GROUP, name=name):
        loaded: Exporter = entry.load()
        return loaded
    return None


def _summary(name: str) -> str:
    try:
        found = _loaded(name)
    except ImportError as error:
        return f"can't be loaded: no Python package {error.name!r} (pip install 'sla-kit[exporters]')"
    except Exception as error:  # another distribution's
        return f"can't be loaded: {type(error).__name__}: {error}"
    return found.summary if found else ""
