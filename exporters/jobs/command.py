"""A command as a job, for cron and its like: its exit code is recorded and passed on, and so are signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from sla_kit.errors import SlaKitError
from sla_kit.exporters.jobs.destinations import DIRECTORY, URL
from sla_kit.exporters.jobs.running import job

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
#: What a terminal sends to all of its programs, the command among them.
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
#: What shells exit with where there is no such command, or none that may be run.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@click.command(
    name="python -m sla_kit.exporters.jobs",
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["-h", "--help"],
    },
)
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--expected-every", metavar="DURATION", help="How far apart its successes are at most, such as 1d.")
@click.option("--expected-within", metavar="DURATION", help="How long it takes at most, such as 30m.")
@click.option("--pushgateway", metavar="URL", help=f"Push there instead of to ${URL}.")
@click.option("--textfile", metavar="FOLDER", help=f"Write there instead of to ${DIRECTORY}.")
@click.option("--strict", is_flag=True, help="Don't run the command where nothing says where its metrics go.")
def main(
    name: str,
    command: Sequence[str],
    expected_every: str | None,
    expected_within: str | None,
    pushgateway: str | None,
    textfile: str | None,
    strict: bool,
) -> None:
    """Runs a COMMAND as the job NAME, and tells Prometheus how it went.

    Exits as the command does: with its code, or with 128 + n where signal n ended it.
    """
    for variable, value in ((URL, pushgateway), (DIRECTORY, textfile)):
        if pushgateway or textfile:
            os.environ.pop(variable, None)
        if value:
            os.environ[variable] = value
    command = command[1:] if command[0] == "--" else command
    try:
        code = run(name, command, expected_every=expected_every, expected_within=expected_within, strict=strict)
    except SlaKitError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    sys.exit(code)


def run(
    name: str,
    command: Sequence[str],
    *,
    expected_every: str | None = None,
    expected_within: str | None = None,
    strict: bool = False,
) -> int:
    """Runs the command as a job, and returns what to exit with. Raises `SlaKitError` before it has run."""
    declared = job(name, expected_every=expected_every, expected_within=expected_within, strict=strict)
    with _Signals().passed_on() as signals, declared as this:
        code, reason = signals.outcome(command)
        this.exited(code, reason)
    return code


class _Signals:
    """Passes signals on to the command; those that come before it is there reach it as it begins."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    @contextmanager
    def passed_on(self) -> Iterator[_Signals]:
        """Has signals passed on until the block ends."""
        # What is ignored stays so, as nohup wants it: a command inherits that, but no handler.
        wanted = [each for each in _PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN]
        before = {each: signal.signal(each, self._come) for each in wanted}
        try:
            yield self
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def outcome(self, command: Sequence[str]) -> tuple[int, str]:
        """What the command ends with, and in a word where that is no exit code of its own."""
        try:
            self._process = subprocess.Popen(list(command))  # noqa: S603  # running it is what was asked for
        except FileNotFoundError:
            print(f"{Path(command[0]).name}: command not found", file=sys.stderr)
            return _NOT_FOUND, "command not found"
        except OSError as error:
            print(f"{Path(command[0]).name}: {error.strerror}", file=sys.stderr)
            return _NOT_EXECUTABLE, "command not executable"
        for number in self._early:
            self._process.send_signal(number)
        code = self._process.wait()
        if code >= 0:
            return code, ""
        return 128 - code, signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"

    def _come(self, number: int, frame: FrameType | None) -> None:
        if number in _OF_THE_TERMINAL and sys.stdin is not None and sys.stdin.isatty():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)
