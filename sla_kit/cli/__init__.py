"""The command line: wires the library's functions together and knows nothing else.

Exit codes: 0 done (for `status`: every promise met, for `gate`: go), 1 mistakes in the catalogue (for `status`: a
promise missed, for `gate`: stop), 2 it can't be told or could not be done. Each command lives in a module of its own
and is loaded when it is called.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from sla_kit.cli.terminal import visible
from sla_kit.errors import MissingExtraError, SlaKitError

_COMMANDS = {
    "backtest": "sla_kit.cli.backtest:backtest",
    "alerts": "sla_kit.cli.alerts:alerts",
    "check": "sla_kit.cli.catalogue:check",
    "compare": "sla_kit.cli.compare:compare",
    "completion": "sla_kit.cli.completion:completion",
    "dashboards": "sla_kit.cli.dashboards:dashboards",
    "demo": "sla_kit.cli.demo:demo",
    "drill": "sla_kit.cli.drill:drill",
    "errors": "sla_kit.cli.errors:errors",
    "exporter": "sla_kit.cli.exporter:exporter",
    "forecast": "sla_kit.cli.forecast:forecast",
    "gate": "sla_kit.cli.gate:gate",
    "generate": "sla_kit.cli.generate:generate",
    "ledger": "sla_kit.cli.ledger:ledger",
    "export": "sla_kit.cli.interchange:export",
    "import": "sla_kit.cli.interchange:import_",
    "logs": "sla_kit.cli.logs:logs",
    "outbox": "sla_kit.cli.outbox:outbox",
    "preview": "sla_kit.cli.dashboards:preview",
    "report": "sla_kit.cli.report:report",
    "route": "sla_kit.cli.route:route",
    "schema": "sla_kit.cli.catalogue:schema",
    "silence": "sla_kit.cli.silence:silence",
    "simulate": "sla_kit.cli.simulate:simulate",
    "status": "sla_kit.cli.status:status",
}
#: The extra that brings each library which the light install leaves out.
_EXTRA_OF = {
    "bcrypt": "exporters",
    "boto3": "backup",
    "botocore": "backup",
    "elastic_transport": "elasticsearch",
    "elasticsearch": "elasticsearch",
    "grafanalib": "dashboards",
    "pagerduty": "pagerduty",
    "pdpyras": "pagerduty-legacy",
    "psycopg": "postgresql",
    "pyrage": "backup",
    "pyarrow": "parquet",
    "redis": "exporters",
    "slack_sdk": "slack",
    "starlette": "exporters",
    "uvicorn": "exporters",
    "alembic": "ledger",
    "sqlalchemy": "ledger",
}
#: What these commands lack comes with an extra of their own.
_EXTRA_FOR = {
    "errors": "elasticsearch,ledger",
    "logs": "elasticsearch",
    "outbox": "router",
    "route": "router",
    "silence": "router",
}


class _LazyGroup(click.Group):
    """Loads a command's module only when it is needed, and turns errors into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        _tell_of_retries()
        try:
            return super().invoke(ctx)
        except SlaKitError as error:
            fail(error)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in ("", "sla_kit"):
                raise
            extra = _EXTRA_FOR.get(ctx.invoked_subcommand or "") or _EXTRA_OF.get(missing, "report")
            fail(MissingExtraError("this command", missing, extra))


class _RetryNotice(logging.Handler):
    """A line for a person who waits, where a library would log a record."""

    def emit(self, record: logging.LogRecord) -> None:
        wait = getattr(record, "stamina.wait_for", None)
        if wait is not None and sys.stderr.isatty():
            click.echo(f"sla-kit: no answer; trying again in {wait:.1f} s", err=True)


def _tell_of_retries() -> None:
    logger = logging.getLogger("stamina")
    if not any(isinstance(handler, _RetryNotice) for handler in logger.handlers):
        logger.addHandler(_RetryNotice())
        logger.propagate = False
    if find_spec("structlog") and find_spec("stamina"):  # which would then write to standard output instead
        from stamina import instrumentation

        instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])


# What is left when a command ends goes with the process; it need not be looked through for cycles before.
atexit.register(gc.freeze)


def fail(error: SlaKitError) -> None:
    """Prints an error to standard error and leaves with its exit code."""
    click.echo(visible(f"sla-kit: {error}"), err=True)
    sys.exit(error.exit_code)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sla-kit", prog_name="sla-kit")
def main() -> None:
    """Promises declared once: checked, measured, proved and reported.

    \b
    Start here:
      sla-kit demo --out demo-report             a weekly report from a simulated month, no server needed
      sla-kit check -c examples/astralfield      every mistake in a catalogue, with file and line
      sla-kit status -c sla.yml --source http://localhost:9090
      sla-kit report -c sla.yml --source http://localhost:9090 --window last-week --out report
      sla-kit generate -c sla.yml --out build    rules, their tests, configuration and runbooks
      sla-kit route test alert.json -c sla.yml   who would be told of an alert, and why
    """
