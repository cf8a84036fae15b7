"""What was told of a job, read back by other code than ours: prometheus-client's parser."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

#: The samples of one job: by the metric's name, and by the value of the label that it has beside ``job_name``, if any.
Told = dict[str | tuple[str, str], float]


def told(text: str, name: str) -> Told:
    """The samples that an exposition has of a job."""
    found: Told = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("job_name") != name:
                continue
            more = sample.labels.get("kind", sample.labels.get("reason"))
            found[sample.name if more is None else (sample.name, more)] = sample.value
    return found


def told_in(folder: Path, name: str) -> Told:
    """The samples of a job in the files that node_exporter would read."""
    return {key: value for file in sorted(folder.glob("*.prom")) for key, value in told(file.read_text(), name).items()}


def fetched(url: str) -> str:
    """What is there."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read()).decode()
