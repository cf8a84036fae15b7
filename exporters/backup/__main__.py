"""Runs the exporter of backups: ``python -m sla_kit.exporters.backup --config FILE``."""

from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.sidecar.running import main

if __name__ == "__main__":
    main(EXPORTER)
