"""Real servers for tests and benchmarks: started on free loopback ports, with data folders of their own.

Each is a context manager that enters once the server answers and stops it however the block ends:

    with prometheus("3", openmetrics=tmp_path / "history.om") as server:
        requests.get(server.url + "/api/v1/query", params={"query": "up"})

- ``prometheus(version, config=…, data=…, openmetrics=…, flags=…, web_config=…, tls=…)``: "2" is the distribution's;
  "3" is what ``.ci/tools`` built, or ``SLA_KIT_PROMETHEUS3`` names (a program); parametrise by
  ``prometheus_versions()``. Samples of an OpenMetrics file are there from the start, whatever their age.
- ``victoria_metrics(openmetrics=…, data=…, flags=…)``
- ``alertmanager(config=…, data=…, flags=…)``
- ``postgresql(settings, follows=…)``: ``server.database(name)`` makes an empty database and tells its URL; one that
  follows another is its replica, as is a ``redis(*settings, follows=…)``
- ``elasticsearch(data=…, port=…, settings=…)``: one node, from the jars that ``.ci/elasticsearch`` fetched; the fixture
  ``elastic`` is one that the whole run shares, ``index`` a name in it for one test
- ``node_exporter``, ``postgres_exporter``, ``redis_exporter``, ``blackbox_exporter``, ``elasticsearch_exporter``,
  ``process_exporter``, ``pushgateway``: most as the distribution packages them and as people run them today

Programs to run are paths: ``promtool("2")`` and ``promtool("3")``, ``tool("amtool")``, ``tool("pint")``, and
``tool("sloth")``, which only a benchmark needs.

A program that is missing fails the test and names the package to install; nothing is skipped. Without ``data`` the
folder is a temporary one. ``server.log`` is the server's own output, for a test that wants to read it.
"""

from tests.servers.elasticsearch import Elasticsearch, elasticsearch
from tests.servers.exporters import (
    Edition,
    Exporter,
    blackbox_exporter,
    elasticsearch_exporter,
    node_exporter,
    postgres_exporter,
    process_exporter,
    pushgateway,
    redis_exporter,
)
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
from tests.servers.redis import Redis, redis
from tests.servers.tools import tool
from tests.servers.victoria import VictoriaMetrics, victoria_metrics

__all__ = [
    "Alertmanager",
    "Edition",
    "Elasticsearch",
    "Exporter",
    "Postgresql",
    "Prometheus",
    "Redis",
    "Server",
    "VictoriaMetrics",
    "alertmanager",
    "binary",
    "blackbox_exporter",
    "elasticsearch",
    "elasticsearch_exporter",
    "free_port",
    "node_exporter",
    "postgres_exporter",
    "postgresql",
    "process_exporter",
    "prometheus",
    "prometheus_program",
    "prometheus_versions",
    "promtool",
    "pushgateway",
    "redis",
    "redis_exporter",
    "running",
    "tool",
    "victoria_metrics",
]
