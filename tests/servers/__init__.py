"""Real servers for tests and benchmarks: started on free loopback ports, with data folders of their own.

Each is a context manager that enters once the server answers and stops it however the block ends:

    with prometheus("3", openmetrics=tmp_path / "history.om") as server:
        requests.get(server.url + "/api/v1/query", params={"query": "up"})

- ``prometheus(version, config=…, data=…, openmetrics=…, flags=…, web_config=…, tls=…)``: "2" is the distribution's;
  "3" is what ``.ci/tools`` built, or ``SLA_KIT_PROMETHEUS3`` names (a program); parametrise by
  ``prometheus_versions()``. Samples of an OpenMetrics file are there from the start, whatever their age.
- ``victoria_metrics(openmetrics=…, data=…, flags=…)``
- ``alertmanager(config=…, data=…, flags=…)``
- ``postgresql()``: ``server.database(name)`` makes an empty database and tells its URL

Programs to run are paths: ``promtool("2")`` and ``promtool("3")``, ``tool("amtool")``, ``tool("pint")``, and
``tool("sloth")``, which only a benchmark needs.

A program that is missing fails the test and names the package to install; nothing is skipped. Without ``data`` the
folder is a temporary one. ``server.log`` is the server's own output, for a test that wants to read it.
"""

from tests.servers.monitoring import (
    Alertmanager,
    Prometheus,
    alertmanager,
    prometheus,
    prometheus_program,
    prometheus_versions,
    promtool,
)
from tests.servers.postgresql import Postgresql, postgresql
from tests.servers.process import Server, binary, free_port, running
from tests.servers.tools import tool
from tests.servers.victoria import VictoriaMetrics, victoria_metrics

__all__ = [
    "Alertmanager",
    "Postgresql",
    "Prometheus",
    "Server",
    "VictoriaMetrics",
    "alertmanager",
    "binary",
    "free_port",
    "postgresql",
    "prometheus",
    "prometheus_program",
    "prometheus_versions",
    "promtool",
    "running",
    "tool",
    "victoria_metrics",
]
