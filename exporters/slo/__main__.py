"""Runs the exporter of promises: ``python -m sla_kit.exporters.slo --config FILE``."""

from sla_kit.exporters.sidecar.running import main
from sla_kit.exporters.slo import EXPORTER

if __name__ == "__main__":
    main(EXPORTER)
