"""Where a job's metrics go: what the program says, else what the environment does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SlaKitError
from sla_kit.exporters.jobs.pushgateway import Pushgateway
from sla_kit.exporters.jobs.state import State
from sla_kit.exporters.jobs.textfile import Textfile

#: The variables of the environment that name a destination; the others say how the Pushgateway is asked.
URL, DIRECTORY = "SLA_KIT_PUSHGATEWAY_URL", "SLA_KIT_TEXTFILE_DIRECTORY"
_USERNAME, _PASSWORD, _BEARER, _CA = (
    f"SLA_KIT_PUSHGATEWAY_{each}" for each in ("USERNAME", "PASSWORD", "TOKEN", "CA_FILE")
)


class Destination(Protocol):
    """A place where the metrics of jobs are kept."""

    def update(self, name: str, change: Callable[[State | None], State], patience_seconds: float) -> None:
        """Brings a job's state up to date: ``change`` makes the new one of what is known (None: it can't be asked
        for) and may be called again. Takes no longer than so many seconds. Raises `SlaKitError`."""
        ...


def destinations(
    to: Destination | Sequence[Destination] | None, environment: Mapping[str, str] = os.environ
) -> tuple[Destination, ...]:
    """All places where metrics go. Raises `SlaKitError` where the environment says what can't be right."""
    if to is not None:
        return tuple(to) if isinstance(to, Sequence) else (to,)
    found: list[Destination] = []
    if environment.get(URL):
        found.append(_pushgateway(environment))
    if environment.get(DIRECTORY):
        found.append(Textfile(environment[DIRECTORY]))
    return tuple(found)


def _pushgateway(environment: Mapping[str, str]) -> Pushgateway:
    try:
        return Pushgateway(
            environment[URL],
            username=environment.get(_USERNAME, ""),
            password=_secret(environment, _PASSWORD),
            bearer=_secret(environment, _BEARER),
            ca=environment.get(_CA, ""),
        )
    except SlaKitError as error:
        raise SlaKitError(error.message, place=URL, remedy=error.remedy) from None


def _secret(environment: Mapping[str, str], name: str) -> Secret | None:
    """A secret that the variable holds, or the file that ``<variable>_FILE`` names."""
    file = environment.get(f"{name}_FILE", "")
    return Secret(file=file) if file else Secret(env=name) if environment.get(name) else None
