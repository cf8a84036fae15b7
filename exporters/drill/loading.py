"""Drills out of the backup exporter's configuration: each target's plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sla_kit.exporters.backup.configuration import BackupConfiguration
from sla_kit.exporters.backup.rules import rules
from sla_kit.exporters.drill.configuration import Drill, ledger_of
from sla_kit.exporters.drill.errors import NotBegunError
from sla_kit.exporters.drill.running import Plan
from sla_kit.exporters.sidecar.configuration import read_configuration


def read(path: Path) -> BackupConfiguration:
    """The configuration in a file, with all that is wrong with it. Raises `ConfigurationError`."""
    return read_configuration(path, BackupConfiguration, rules)


def drill_of(configuration: BackupConfiguration, path: Path) -> Drill:
    """What a configuration says of drills. Raises `NotBegunError` where it says nothing."""
    if configuration.drill is None:
        raise NotBegunError(
            "the configuration declares no drills",
            place=str(path),
            remedy="add a part such as drill: {targets: {shop: {objective: 1h}}}",
        )
    return configuration.drill


def plans(
    configuration: BackupConfiguration,
    path: Path,
    targets: Sequence[str] = (),
    *,
    at: float | None = None,
    ledger: str = "",
    keep_scratch: bool = False,
) -> list[Plan]:
    """The plans of the named targets, of all where none is named. Raises `NotBegunError` for a name that is none."""
    drill = drill_of(configuration, path)
    for name in targets:
        if name not in drill.targets:
            known = ", ".join(drill.targets)
            raise NotBegunError(f"no drill of {name!r} is declared", place=str(path), remedy=f"one of {known}")
    kept = ledger_of(drill, path.parent, ledger)
    return [
        Plan(
            target=name,
            restore=drill.targets[name],
            dumps=next(dumps for dumps in configuration.dumps if name in dumps.targets),
            drill=drill,
            base=path.parent,
            at=at,
            keep_scratch=keep_scratch,
            ledger=kept,
        )
        for name in targets or drill.targets
    ]
