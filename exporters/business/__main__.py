"""``python -m sla_kit.exporters.business`` is ``sla-kit exporter business``."""

from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.sidecar.running import main

if __name__ == "__main__":
    main(EXPORTER)
