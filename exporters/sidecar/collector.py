"""What reads one source: a `Collector`, how often it does so, and how it says that it can't."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from prometheus_client.metrics_core import Metric

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError, SlaKitError

#: Why a collection failed, as the label ``kind`` of the errors' counter has it. ``connect``: nobody answers there.
#: ``timeout``: the answer took too long. ``auth``: the source won't have us, or not for this. ``query``: it can't do
#: what was asked. ``data``: it answered what can't be published. ``internal``: a mistake of ours.
Kind = Literal["connect", "timeout", "auth", "query", "data", "internal"]


class CollectError(SlaKitError):
    """A source could not be read; ``kind`` says why in one word."""

    def __init__(self, kind: Kind, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.kind: Kind = kind


def read_secret(secret: Secret) -> str:
    """A secret that a source is to be shown. Raises `CollectError` (``auth``) where it is not there."""
    try:
        return secret.read()
    except SecretError as error:
        raise without_secret(error) from None


def without_secret(error: SecretError) -> CollectError:
    """What a collection fails with for want of a secret."""
    return CollectError("auth", error.message, place=error.place, remedy=error.remedy)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a collector runs (begin to begin) and how long it may take, in seconds.

    Each wait is longer or shorter by up to ``jitter_ratio`` of the interval, by chance, so that many exporters do not
    ask one source at the same moment.
    """

    interval_seconds: float = 30.0
    timeout_seconds: float = 10.0
    jitter_ratio: float = 0.1


class Collector(Protocol):
    """Reads one source. A failing one takes nothing from the others; what must go on apart is a collector apart."""

    @property
    def name(self) -> str:
        """The value of the label ``collector``: no two of an exporter share it."""
        ...

    @property
    def schedule(self) -> Schedule:
        """How often, and how long."""
        ...

    def collect(self, deadline: float) -> Iterable[Metric]:
        """The metrics as they are now, those of one name in one `Metric`; runs in a thread of its own.

        Whatever waits must give up at ``deadline`` (of `time.monotonic`): the framework lets go of the values then, but
        can't end a thread. Raises `CollectError`; what it has given out before does not count.
        """
        ...

    def close(self) -> None:
        """Lets go of connections; called when no collection runs."""
        ...


@runtime_checkable
class Capped(Protocol):
    """A collector that says itself how many series one of its metrics may have."""

    @property
    def max_series(self) -> int:
        """Stands in for the configuration's ``max_series``."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A collector that keeps something over its runs, such as what it has counted."""

    def rehearsing(self) -> Collector:
        """One that tells the same and keeps nothing of it, for a dry run."""
        ...
