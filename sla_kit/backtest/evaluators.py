"""Who evaluates the expressions: the live server itself, a Prometheus of our own over what was recorded or is fetched,
or sla-kit.

An `Engine` hands out, for one set of rules, something that can be asked, and says which recordings are in the history
by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sla_kit.backtest.asking import Answer, Asker, Failed
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.local import INSTALL, Programs, find_programs
from sla_kit.backtest.resolving import Recordings
from sla_kit.backtest.rule_files import RuleSet
from sla_kit.errors import SlaKitError, SourceError
from sla_kit.sources import Progress
from sla_kit.sources.connection import Connection, connect, secrets_of
from sla_kit.sources.settings import Address, Settings
from sla_kit.timeline import Grid

EngineName = Literal["auto", "server", "prometheus", "builtin"]


class Evaluator(Protocol):
    """Something that can be asked for expressions."""

    def refusal(self, expression: str) -> str:
        """Why an expression can't be evaluated, "" where it can."""
        ...

    def walk(self, expression: str, grid: Grid) -> Iterator[Answer | Failed]:
        """The expression at the ends of the grid's buckets, in pieces in order of time."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one set of rules needs: its recordings, each alert's expression with the time at which it is first asked
    (epoch seconds), and until when."""

    recordings: Recordings
    expressions: tuple[tuple[str, float], ...]
    end: int


class Engine(Protocol):
    """A way of evaluating rules on one history. ``identity`` tells its answers from those of others."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def source(self) -> str:
        """The history's address without secrets."""
        ...

    @property
    def connections(self) -> int: ...

    def span(self) -> tuple[int, int] | None:
        """The first and last time with data, epoch seconds, where that is known."""
        ...

    def reach(self, names: Sequence[str], start: int, end: int) -> int:
        """From when on there are samples in a stretch of time, as far as can be told; ``names`` are metrics that rules
        read."""
        ...

    def checking(self) -> AbstractContextManager[Evaluator]:
        """Something that tells at no great cost what is no PromQL."""
        ...

    def recorded(self, recordings: Recordings, expressions: Sequence[str]) -> frozenset[str]:
        """Which recordings are written into the history before it is asked, instead of being put in."""
        ...

    def prepared(
        self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress
    ) -> AbstractContextManager[Evaluator]:
        """An evaluator for one set of rules, out of all that will be asked for."""
        ...

    def missing(self, names: Sequence[str], start: int, end: int) -> set[str]:
        """Which of some metrics there are none of in a stretch of time, as far as can be told."""
        ...

    def close(self) -> None:
        """Lets go of connections and files."""
        ...


class LiveServer:
    """A Prometheus API that evaluates everything itself."""

    name = "server"
    connections = 4

    def __init__(self, address: str) -> None:
        settings = Settings.from_environment(os.environ)
        parsed = Address.parse(address)
        client = connect(parsed, settings)
        connection = Connection(client, parsed, settings.timeout_seconds, secrets_of(client, parsed, settings))
        self.connection = connection
        self.timeout_seconds = settings.timeout_seconds
        self.source = connection.name
        self.identity = digest("server", address, sorted(settings.headers))
        self._asker = Asker(connection, settings.timeout_seconds)

    def span(self) -> tuple[int, int] | None:
        """None: no API says cheaply how far back a server remembers."""
        return None

    def reach(self, names: Sequence[str], start: int, end: int) -> int:
        """When ``up`` or one of the metrics first is there: what a server has forgotten would seem to be missing."""
        step, looked = max(60, (end - start) // 100), ["up", *names]
        try:
            seen = self._seen(looked, start, end, step)
            found = min(seen.values(), default=start)
            if "up" not in seen or found == start:
                return start
            while step > 60:
                low, step = max(start, found - step), max(60, step // 100)
                found = min(self._seen(looked, low, found, step).values(), default=found)
        except SourceError:  # what goes wrong here goes wrong again where it matters, and is told there
            return start
        return found

    def checking(self) -> AbstractContextManager[Evaluator]:
        """The server."""
        return nullcontext(self._asker)

    def recorded(self, recordings: Recordings, expressions: Sequence[str]) -> frozenset[str]:
        """None: nothing is written into somebody else's server."""
        return frozenset()

    def prepared(
        self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress
    ) -> AbstractContextManager[Evaluator]:
        """The server."""
        return nullcontext(self._asker)

    def missing(self, names: Sequence[str], start: int, end: int) -> set[str]:
        """Metrics that none of a hundred looks finds."""
        plain = _plain(names)
        try:
            return set(plain) - self._seen(plain, start, end, max(60, (end - start) // 100)).keys() if plain else set()
        except SourceError:
            return set()

    def found(self, names: Iterable[str], start: int, end: int) -> frozenset[str]:
        """Metrics that at least one of a hundred looks finds; there may be more."""
        plain = _plain(sorted(names))
        try:
            return frozenset(self._seen(plain, start, end, max(60, (end - start) // 100))) if plain else frozenset()
        except SourceError:
            return frozenset()

    def _seen(self, names: Sequence[str], start: int, end: int, step: int) -> dict[str, int]:
        """The metrics that are there at one of some looks, each with the time of the first."""
        first = start // step * step
        pattern = "|".join(_plain(names))
        answer = self._asker.ask(
            f'count by (__name__) ({{__name__=~"{pattern}"}})', Grid(first - step, step, -(-(end - first) // step) + 1)
        )
        ends = answer.grid.ends.tolist()
        return {
            labels.get("__name__", ""): max(start, next(at for at, there in zip(ends, row, strict=True) if there))
            for labels, row in zip(answer.labels, answer.present.tolist(), strict=True)
            if any(row)
        }

    def close(self) -> None:
        """Closes the connections."""
        self._asker.close()


def _plain(names: Sequence[str]) -> list[str]:
    """The names that need no quotes."""
    return [name for name in dict.fromkeys(names) if name.replace(":", "_").isidentifier()]


@contextmanager
def open_engine(
    address: str, wanted: EngineName, state: State, prometheus: str = "", rules: Sequence[RuleSet] = ()
) -> Iterator[Engine]:
    """The engine for a history.

    For an address it is the server there, unless a Prometheus of our own is ``wanted``, or any of the ``rules`` reads
    ranges of what others record and its programs are at hand. For a path it is a Prometheus of our own where there are
    programs, else sla-kit's own PromQL. Raises `SlaKitError` where what is ``wanted`` can't be had.
    """
    live = address.startswith(("http://", "https://"))
    if wanted == "builtin" and live:
        raise SlaKitError(
            "--engine builtin evaluates recorded histories, not a server's",
            remedy="leave --engine out: the server evaluates the rules, or a Prometheus of our own",
        )
    engine = _live(address, wanted, state, prometheus, rules) if live else _recorded(address, wanted, state, prometheus)
    try:
        yield engine
    finally:
        engine.close()


def _live(address: str, wanted: EngineName, state: State, prometheus: str, rules: Sequence[RuleSet]) -> Engine:
    from sla_kit.backtest.fetched import FetchedHistory, worth_fetching

    programs = None
    if wanted == "prometheus" or (wanted == "auto" and worth_fetching(rules)):
        programs = _programs(wanted, prometheus)
    server = LiveServer(address)
    return server if programs is None else FetchedHistory(server, programs, state)


def _recorded(address: str, wanted: EngineName, state: State, prometheus: str) -> Engine:
    from sla_kit.backtest.recorded import RecordedHistory

    if "://" in address and not address.startswith("file://"):
        raise SourceError(
            "a backtest needs a Prometheus or a recorded history",
            place=address.split("://", 1)[0] + "://…",
            remedy="give http(s)://…, or the path of a recording (.om, .om.gz, .parquet or a folder)",
        )
    path = Path(address.removeprefix("file://"))
    if not path.exists():
        raise SourceError("no such file or folder", place=str(path), remedy="check the path given to --source")
    if wanted == "server":
        raise SlaKitError("--engine server needs a server", remedy="give --source http://host:9090")
    return RecordedHistory(path, None if wanted == "builtin" else _programs(wanted, prometheus), state)


def _programs(wanted: EngineName, prometheus: str) -> Programs | None:
    """The programs of a Prometheus; None where they are not here and need not be."""
    programs = find_programs(prometheus)
    if wanted == "prometheus" and programs is None:
        raise SlaKitError("there is no Prometheus on this machine", remedy=INSTALL)
    return programs
