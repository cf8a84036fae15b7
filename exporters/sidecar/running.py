"""The command that every exporter is: `python -m sla_kit.exporters.NAME`, or `sla-kit exporter NAME`.

Exit codes: 0 done (also after SIGTERM), 1 mistakes in the configuration (with --dry-run: a collector failed), 2 it
could not be done, such as a port that is in use.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from sla_kit.errors import MissingExtraError, SlaKitError
from sla_kit.exporters.sidecar.exporter import Exporter
from sla_kit.exporters.sidecar.state import Asked, State, read_state
from sla_kit.serving import logs
from sla_kit.serving.descriptors import fill_standard
from sla_kit.serving.logs import Log


def main(exporter: Exporter, arguments: Sequence[str] | None = None) -> None:
    """Runs an exporter as the arguments of the process say, or those given; leaves with an exit code."""
    try:
        command(exporter).main(args=arguments, prog_name=f"python -m {_package(exporter)}")
    except SlaKitError as error:
        _fail(exporter, error)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "sla_kit"):
            raise
        extra = exporter.name if exporter.name in ("backup", "slo") else "exporters"
        _fail(exporter, MissingExtraError("this exporter", missing, extra))


def command(exporter: Exporter) -> click.Command:
    """The exporter as a command of click, which raises `SlaKitError`."""

    @click.command(
        exporter.name,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=_help(exporter),
        short_help=exporter.summary,
    )
    @click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="SLA_KIT_EXPORTER_CONFIG",
        show_envvar=True,
        help="What to collect (YAML); --example prints one.",
    )
    @click.option(
        "--listen",
        default="",
        metavar="HOST:PORT",
        help=f"Where to answer; :PORT is every address of the machine. Default: 127.0.0.1:{exporter.port}.",
    )
    @click.option(
        "--web-config",
        type=click.Path(dir_okay=False),
        default="",
        help="TLS and basic auth, in the format of Prometheus's exporters.",
    )
    @click.option("--log-format", type=click.Choice(["logfmt", "json"]), help="Default: logfmt.")
    @click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
    @click.option("--check", "task", flag_value="check", help="Only check the configuration, and say what would run.")
    @click.option("--dry-run", "task", flag_value="dry-run", help="Collect once and print what would be published.")
    @click.option("--example", "task", flag_value="example", help="Print a configuration to begin with.")
    def run(
        config: Path | None,
        listen: str,
        web_config: str,
        log_format: str | None,
        log_level: str | None,
        task: str | None,
    ) -> None:
        if task == "example":
            click.echo(_example(exporter), nl=False)
            return
        if config is None:
            raise click.UsageError("--config FILE is missing; --example prints one to begin with.")
        fill_standard()
        asked = Asked(config, listen, web_config, log_format or "", log_level or "")
        # What nobody expects may quote a secret: it is told by a log that takes it out.
        logs.configure(msgspec.structs.replace(Log(), **asked.log))
        try:
            _run(exporter, asked, task)
        except (SlaKitError, click.ClickException, ImportError):
            raise
        except Exception:
            logging.getLogger(__name__).critical("an unexpected error", exc_info=True)
            sys.exit(2)

    return run


def _fail(exporter: Exporter, error: SlaKitError) -> NoReturn:
    click.echo(f"{exporter.name}: {error}", err=True)
    sys.exit(error.exit_code)


def _run(exporter: Exporter, asked: Asked, task: str | None) -> None:
    if task is None:  # until both can be heeded in order
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a container would not be ended
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # would end the process
    state = read_state(exporter, asked)
    if task == "check":
        click.echo(_described(exporter, state), nl=False)
    elif task == "dry-run":
        _dry_run(exporter, asked, state)
    else:
        from sla_kit.exporters.sidecar.serving import serve

        serve(exporter, asked, state)


def _help(exporter: Exporter) -> str:
    summary = exporter.summary.rstrip(".")
    return f"""{summary[:1].upper()}{summary[1:]}.

    Serves /metrics, /healthz and /readyz until it is told to end. A change of its files, or SIGHUP, has them read
    again; where they are not good, what was before goes on.
    """


def _described(exporter: Exporter, state: State) -> str:
    """What would run, for a person."""
    web, loaded = state.web, state.loaded
    access = [f"{len(web.users)} users"] if web.users else []
    if web.client_certificates != "none":
        access.append(f"client certificates {web.client_certificates}")
    scheme = "https" if web.tls else "http"
    lines = [
        f"{exporter.name} would listen on {scheme}://{state.address}" + (f" ({', '.join(access)})" if access else ""),
        f"{len(loaded.collectors)} {'collector' if len(loaded.collectors) == 1 else 'collectors'}:",
    ]
    width = max((len(each.name) for each in loaded.collectors), default=0)
    for each in loaded.collectors:
        schedule = each.schedule
        times = f"every {schedule.interval_seconds:g} s, for at most {schedule.timeout_seconds:g} s"
        lines.append(f"  {each.name:{width}}  {times}")
    for route in loaded.routes:
        methods = ", ".join(sorted(getattr(route, "methods", None) or ()))
        lines.append(f"takes data at {getattr(route, 'path', '?')}" + (f" ({methods})" if methods else ""))
    return "\n".join(lines) + "\n"


def _dry_run(exporter: Exporter, asked: Asked, state: State) -> None:
    import asyncio

    from sla_kit.exporters.sidecar.collecting import Collecting
    from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
    from sla_kit.exporters.sidecar.store import Store
    from sla_kit.redacting import redacted
    from sla_kit.serving.leaving import leave

    # What failed is told at the end.
    logs.configure(state.log if asked.log_level else msgspec.structs.replace(state.log, level="error"))
    metrics = SelfMetrics(exporter.name)
    metrics.reloaded(True)
    store = Store(state.loaded.configuration.max_series, metrics)

    async def once() -> tuple[bytes, dict[str, SlaKitError]]:
        failures = await Collecting(store).once(state.loaded.collectors)
        return store.page(openmetrics=False, compressed=False), dict(failures)

    page, failures = asyncio.run(once())
    sys.stdout.buffer.write(page)
    for name, error in failures.items():
        click.echo(redacted(f"{exporter.name}: the collector {name} failed: {error}"), err=True)
    leave(1 if failures else 0)  # a collector may still hang


def _example(exporter: Exporter) -> str:
    from importlib.resources import files

    package = _package(exporter)
    try:
        return (files(package) / "example.yml").read_text()
    except OSError:
        raise SlaKitError(f"{package} brings no example.yml", remedy="see its documentation") from None


def _package(exporter: Exporter) -> str:
    """The package that an exporter is: where its ``load`` is from, or the one above that brings an example."""
    name: str = exporter.load.__module__
    module = sys.modules[name]
    return name if hasattr(module, "__path__") else name.rpartition(".")[0] or name
