"""The index or data stream that documents are loaded into: whether it is there, and making it where that is wanted."""

from __future__ import annotations

import re
from typing import Literal

from elasticsearch import Elasticsearch

from sla_kit.catalogue.logs import LogFields
from sla_kit.elastic import Cluster, ClusterError
from sla_kit.errors import SlaKitError
from sla_kit.logs import mapping
from sla_kit.logs.documents import renamed

Create = Literal["", "index", "stream"]
_STREAM = re.compile(r"[a-z][a-z0-9_.]*-[^-\s][^-\s]*-[^-\s]+\Z")
#: Above the templates that come with Elasticsearch (100 to 200), which may claim ``logs-*-*``.
_PRIORITY = 250


class TargetError(SlaKitError):
    """Documents can't be loaded into what was named."""


def prepare(cluster: Cluster, name: str, create: Create = "", fields: LogFields | None = None) -> str:
    """Sees to it that documents find their index, with fields of the right types. Answers the name of the data stream
    if that is what it is (so that documents say it, too), otherwise nothing.

    Raises `TargetError` for an index that is not there where none may be made, and `ClusterError`.
    """
    if any(mark in name for mark in "*,<> "):
        raise TargetError("documents go to one index", place=name, remedy="name an index or a data stream, no pattern")
    found = _existing(cluster, name)
    if found is not None:
        streams = {str(each["data_stream"]) for each in found.values() if "data_stream" in each}
        return name if name in streams and is_stream_name(name) else ""
    if create == "index":
        _make_index(cluster, name, fields or LogFields())
        return ""
    if create == "stream":
        _make_stream(cluster, name, fields or LogFields())
        return name if is_stream_name(name) else ""
    if _template_maps(cluster, name):
        return name if is_stream_name(name) else ""
    raise TargetError(
        "there is no such index or data stream, and no template for it",
        place=f"{cluster.name} {name}",
        remedy="--create index, --create stream, or sla-kit logs apply",
    )


def is_stream_name(name: str) -> bool:
    """Whether a name is that of a data stream by its scheme: type, dataset and namespace with hyphens between."""
    return bool(_STREAM.match(name))


def _existing(cluster: Cluster, name: str) -> dict[str, dict[str, object]] | None:
    def ask(client: Elasticsearch) -> object:
        return client.indices.get(index=name, filter_path="*.data_stream,*.settings.index.uuid")

    try:
        found = cluster.ask(f"look for {name}", ask)
    except ClusterError as error:
        if error.status == 404:
            return None
        raise
    return dict(found)


def _template_maps(cluster: Cluster, name: str) -> bool:
    try:
        found = cluster.ask(
            f"look for a template of {name}", lambda client: client.indices.simulate_index_template(name=name)
        )
    except ClusterError as error:
        if error.kind in ("connect", "timeout"):
            raise
        return False
    return bool(((found.get("template") or {}).get("mappings") or {}).get("properties"))


def _mappings(fields: LogFields) -> dict[str, object]:
    types = {str(name): kind for name, kind in renamed({**mapping.FIELDS}, fields).items()}
    return mapping.mappings({name: str(kind) for name, kind in types.items()})


def _make_index(cluster: Cluster, name: str, fields: LogFields) -> None:
    try:
        cluster.ask(
            f"make the index {name}", lambda client: client.indices.create(index=name, mappings=_mappings(fields))
        )
    except ClusterError as error:
        if error.reason != "resource_already_exists_exception":  # somebody else has made it meanwhile
            raise


def _make_stream(cluster: Cluster, name: str, fields: LogFields) -> None:
    cluster.ask(
        f"make a template for {name}",
        lambda client: client.indices.put_index_template(
            name=f"{name}-sla-kit",
            index_patterns=[name],
            data_stream={},
            priority=_PRIORITY,
            template={"mappings": _mappings(fields)},
        ),
    )
