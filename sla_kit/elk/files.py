"""The ELK configuration as files: what a catalogue makes below ``logs/``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sla_kit.catalogue.logs import Logs
from sla_kit.catalogue.model import LOG_KINDS, Catalogue
from sla_kit.elk import fluentd, kibana, rsyslog
from sla_kit.elk.lines import shipping
from sla_kit.elk.objects import objects
from sla_kit.generate.files import Output


def outputs(catalogue: Catalogue, *, files: str = "") -> tuple[Output, ...]:
    """The files, in the order of their paths. ``files`` is where the logs are that shippers read, with ``{service}``
    for a service's name."""
    return tuple(sorted(_outputs(catalogue, files), key=lambda output: output.path))


def are_wanted(catalogue: Catalogue) -> bool:
    """Whether a catalogue says anything of logs: a source that holds them, a setting, an indicator on documents."""
    return (
        catalogue.logs != Logs()
        or any(server.holds_logs for server in catalogue.sources)
        or any(isinstance(catalogue.sli(service, slo), LOG_KINDS) for service, slo in catalogue.slos())
    )


def _outputs(catalogue: Catalogue, files: str) -> Iterator[Output]:
    where = shipping(catalogue, files=files)
    for each in objects(catalogue):
        yield Output(f"logs/elasticsearch/{each.file}", _json(each.body))
    yield Output("logs/fluentd/fluent.conf", fluentd.configuration(catalogue, where))
    yield Output("logs/rsyslog/sla-kit.conf", rsyslog.configuration(catalogue, where))
    yield Output("logs/kibana/saved-objects.ndjson", kibana.saved_objects(catalogue))


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
