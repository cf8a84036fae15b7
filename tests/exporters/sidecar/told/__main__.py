"""`python -m tests.exporters.sidecar.told`."""

from sla_kit.exporters.sidecar.running import main
from tests.exporters.sidecar.told import EXPORTER

main(EXPORTER)
