"""`python -m tests.exporters.sidecar.told`."""

import os

from sla_kit.exporters.sidecar import serving
from sla_kit.exporters.sidecar.running import main
from sla_kit.serving import listening
from tests.exporters.sidecar.told import EXPORTER

if patience := os.environ.get("TOLD_PATIENCE_SECONDS"):  # how long its end may wait for who is being answered
    listening._DRAIN_SECONDS = int(patience)
    serving._END_SECONDS = 2.0 * int(patience)

main(EXPORTER)
