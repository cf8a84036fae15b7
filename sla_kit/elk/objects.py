"""What a cluster of Elasticsearch is told for a catalogue, object by object, in the order in which it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sla_kit.catalogue.model import Catalogue
from sla_kit.elk import ingest_pipeline, names
from sla_kit.elk.mapping import mapping

Body = dict[str, Any]
Part = Literal["lifecycle", "pipeline", "templates"]
PARTS: tuple[Part, ...] = ("lifecycle", "pipeline", "templates")
#: Before the templates that Elasticsearch brings for ``logs-*-*``, whose priority is 100.
PRIORITY = 200
#: After so long, or so large, a data stream goes on in a new index.
_ROLLOVER_SECONDS = 86400.0
_ROLLOVER_SIZE = "50gb"


@dataclass(frozen=True, slots=True)
class ClusterObject:
    """One object: what it is called, the ``path`` of the API it lives at, its ``file`` among the generated ones, the
    ``module`` of Elasticsearch without which a cluster does not have it, and of what its body says which others must be
    there before (``needs``, by kind)."""

    kind: str
    name: str
    part: Part
    path: str
    file: str
    body: Body
    module: str = ""
    needs: str = ""


def objects(catalogue: Catalogue) -> tuple[ClusterObject, ...]:
    """Everything that is applied, each after what it names."""
    stream = names.stream_name(catalogue)
    redaction, grouping = f"{stream}-redaction", f"{stream}-grouping"

    def pipeline(name: str, file: str, body: Body, needs: str = "") -> ClusterObject:
        path = f"/_ingest/pipeline/{name}"
        return ClusterObject("ingest pipeline", name, "pipeline", path, file, body, "ingest-common", needs)

    def component(suffix: str, body: Body, part: Part = "templates", needs: str = "") -> ClusterObject:
        name = f"{stream}@{suffix}"
        path, file = f"/_component_template/{name}", f"component-{suffix}.json"
        return ClusterObject("component template", name, part, path, file, {"template": body}, needs=needs)

    policy = ClusterObject(
        kind="lifecycle policy",
        name=stream,
        part="lifecycle",
        path=f"/_ilm/policy/{stream}",
        file="lifecycle.json",
        body=lifecycle_policy(names.retention_seconds(catalogue)),
        module="x-pack-ilm",
    )
    return (
        policy,
        pipeline(redaction, "ingest-pipeline-redaction.json", ingest_pipeline.redaction(catalogue)),
        pipeline(grouping, "ingest-pipeline-grouping.json", ingest_pipeline.grouping(catalogue)),
        pipeline(
            stream,
            "ingest-pipeline.json",
            ingest_pipeline.parsing(catalogue, redaction, grouping),
            needs="ingest pipeline",
        ),
        component("settings", {"settings": settings()}),
        component("mappings", {"mappings": mapping(catalogue.logs.fields)}),
        component("pipeline", {"settings": {"index.default_pipeline": stream}}, "pipeline", "ingest pipeline"),
        component("lifecycle", {"settings": {"index.lifecycle.name": stream}}, "lifecycle", "lifecycle policy"),
        component("retention", {"lifecycle": data_stream_lifecycle(names.retention_seconds(catalogue))}),
        index_template(stream),
    )


def settings() -> Body:
    """Settings of each index of the stream: what is malformed is left out of the index and kept in the document, fields
    beyond the limit likewise, so that no document is refused for one field."""
    return {
        "index.number_of_shards": "1",
        "index.auto_expand_replicas": "0-1",
        "index.refresh_interval": "5s",
        "index.mapping.ignore_malformed": "true",
        "index.mapping.total_fields.limit": "1000",
        "index.mapping.total_fields.ignore_dynamic_beyond_limit": "true",
    }


def lifecycle_policy(kept_seconds: float) -> Body:
    """Index lifecycle management: a new index each day (sooner, where documents are kept for less than ten), and each
    is deleted when its youngest document has been kept for so long."""
    age = names.time_units(min(_ROLLOVER_SECONDS, max(3600.0, kept_seconds / 10)))
    rollover = {"max_age": age, "max_primary_shard_size": _ROLLOVER_SIZE}
    delete = {"delete": {"delete_searchable_snapshot": True}}
    return {
        "policy": {
            "phases": {
                "hot": {"min_age": "0ms", "actions": {"rollover": rollover, "set_priority": {"priority": 100}}},
                "delete": {"min_age": names.time_units(kept_seconds), "actions": delete},
            }
        }
    }


def data_stream_lifecycle(kept_seconds: float) -> Body:
    """The same by the data stream's own lifecycle, for clusters without lifecycle management; where both are there, the
    policy is what counts (``index.lifecycle.prefer_ilm``)."""
    return {"enabled": True, "data_retention": names.time_units(kept_seconds)}


def index_template(stream: str) -> ClusterObject:
    """The template of the data stream. Components may be missing: those of modules that a cluster lacks, and the one
    that is left to people, ``@custom``, which is laid over the others."""
    own = [f"{stream}@{each}" for each in ("settings", "mappings", "pipeline", "lifecycle", "retention", "custom")]
    body = {
        "index_patterns": [stream],
        "data_stream": {},
        "composed_of": own,
        "ignore_missing_component_templates": [f"{stream}@{each}" for each in ("pipeline", "lifecycle", "custom")],
        "priority": PRIORITY,
        "_meta": {"managed_by": "sla-kit"},
    }
    return ClusterObject(
        "index template", stream, "templates", f"/_index_template/{stream}", "index-template.json", body
    )
