"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class TimeType(click.ParamType):  # type: ignore[type-arg]  # it can't be subscripted before click 8.2
    """A moment: RFC 3339 with its zone, or seconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return float(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-09-28T00:00:00Z or seconds since the epoch", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone: add Z or an offset such as +02:00", param, ctx)
        return moment.timestamp()


def catalogue_options(command: Command) -> Command:
    """``-c`` and ``--environment``."""
    environment = click.option(
        "-e", "--environment", metavar="NAME", help="Use the catalogue's overlay for this environment."
    )
    path = click.option(
        "-c",
        "--catalogue",
        type=click.Path(),
        default="sla.yml",
        show_default=True,
        help="The catalogue: a YAML file, or a folder of them.",
    )
    return path(environment(command))


def ledger_option(command: Command) -> Command:
    """``--ledger``."""
    option = click.option(
        "-l",
        "--ledger",
        envvar="SLA_KIT_LEDGER",
        show_envvar=True,
        metavar="PATH|URL",
        help="Keep what was read in this ledger and read only what it lacks: a file, or postgresql://user@host/name. "
        "Without a source the ledger is read alone.",
    )
    return option(command)


def tell_option(what: str) -> Callable[[Command], Command]:
    """``--tell``: the router that is told, or its outbox."""

    def add(command: Command) -> Command:
        option = click.option(
            "--tell",
            metavar="URL|OUTBOX",
            help=f"Tell the router {what}: http(s)://… where it listens (SLA_KIT_ROUTER_TOKEN is sent along), or its "
            "outbox, a path or postgresql://….",
        )
        return option(command)

    return add


def router_and_outbox(address: str) -> tuple[str, str]:
    """The router, or its outbox, that ``--tell`` names; the other one is empty."""
    return (address, "") if address.startswith(("http://", "https://")) else ("", address)


def source_option(command: Command) -> Command:
    """``--source``."""
    option = click.option(
        "-s",
        "--source",
        multiple=True,
        callback=lambda context, option, given: given or None,
        envvar="SLA_KIT_SOURCE",
        show_envvar=True,
        metavar="URL|PATH",
        help="Where the history is: http(s)://… a Prometheus API, a path (.om, .om.gz, .parquet, a folder), or "
        "elasticsearch+http(s)://… the logs. One of metrics and one of logs may be given together; NAME=URL, which may "
        "be repeated, is one of the sources that the catalogue names. Default: those.",
    )
    return option(command)


def source_options(default_window: str | None) -> Callable[[Command], Command]:
    """``--source``, ``--at`` and ``--window``, the last only where it has a default."""

    def add(command: Command) -> Command:
        at = click.option(
            "--at",
            type=TimeType(),
            metavar="TIME",
            help="The moment to look back from: RFC 3339 or seconds. Default: now, or the end of a recorded history.",
        )
        if default_window is None:
            return source_option(at(command))
        window = click.option(
            "-w",
            "--window",
            default=default_window,
            show_default=True,
            metavar="W",
            help="7d, 30d, 12h; week, month, quarter, year (so far); last-week, last-month, …; 2026-W38, 2026-09, "
            "2026-Q3; or START/END.",
        )
        return source_option(at(window(command)))

    return add
