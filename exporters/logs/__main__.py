"""``python -m sla_kit.exporters.logs`` is ``sla-kit exporter logs``."""

from sla_kit.exporters.logs import EXPORTER
from sla_kit.exporters.sidecar.running import main

if __name__ == "__main__":
    main(EXPORTER)
