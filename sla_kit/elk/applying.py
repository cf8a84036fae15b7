"""Brings a cluster to what a catalogue wants of it: looks, tells the difference, writes, and reads back.

Nothing is ever deleted. What a cluster has no module for is left out and told; an object that needs such a one is left
out with it, so that the templates never name what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote

from elasticsearch import Elasticsearch

from sla_kit.catalogue.model import Catalogue
from sla_kit.elastic import Cluster, ClusterError
from sla_kit.elk import names
from sla_kit.elk.comparing import Change, changes, covers, mapping_changes, settings_changes
from sla_kit.elk.ingest_pipeline import processors_of
from sla_kit.elk.objects import PRIORITY, ClusterObject, Part, objects

State = Literal["equal", "new", "different", "skipped", "applied", "lacking", "left out", "failed", "not done"]
#: States after which a cluster is not as the catalogue wants it.
WRONG: tuple[State, ...] = ("lacking", "left out", "failed", "not done")
_HEADERS = {"accept": "application/json", "content-type": "application/json"}
#: How Elasticsearch says that it has no module for what it is asked.
_LACKS = (
    "no handler found for uri",
    "no processor type exists with name",
    "unknown setting [index.lifecycle",
    "no handler for type",
    "incorrect http method for uri",
    "method not allowed",
    "the mapper type [",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One object of the cluster, how it is (``state``), what differs, and in ``note`` why it is not as it should be."""

    what: ClusterObject
    state: State
    changes: tuple[Change, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """The data stream as it is. ``missing`` are fields that its index can be given, ``fixed`` what stays as it is until
    the stream goes on in a new index."""

    name: str
    write_index: str = ""
    missing: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether it has an index; the first document makes one."""
        return bool(self.write_index)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cluster stands to a catalogue: each object in the order of being applied, the stream, and ``warnings``
    about templates of others that are in the way."""

    steps: tuple[Step, ...]
    stream: Stream
    warnings: tuple[str, ...] = ()
    done: tuple[str, ...] = field(default=())

    @property
    def equal(self) -> bool:
        """Whether nothing is to be done that could be."""
        return not self.stream.missing and not any(step.state in ("new", "different") for step in self.steps)

    @property
    def wrong(self) -> bool:
        """Whether the cluster is not, and with this run will not be, as the catalogue wants it."""
        return bool(self.warnings) or any(step.state in WRONG for step in self.steps)


def look(cluster: Cluster, catalogue: Catalogue, *, skip: Sequence[Part] = ()) -> Outcome:
    """What differs, and nothing else: no request of these changes anything. Raises `ClusterError` where the cluster
    can't be asked at all."""
    steps: list[Step] = []
    processors = None if "pipeline" in skip else _processors(cluster)
    for each in objects(catalogue):
        step = Step(each, "skipped") if each.part in skip else _looked_at(cluster, each, processors)
        steps.append(_left_out(step, steps) or step)
    return Outcome(tuple(steps), _stream(cluster, catalogue, steps), _collisions(cluster, names.stream_name(catalogue)))


def apply(
    cluster: Cluster,
    catalogue: Catalogue,
    found: Outcome,
    *,
    rollover: bool = False,
    told: Callable[[Step], None] = lambda step: None,
) -> Outcome:
    """Writes what `look` found to differ, reads it back and compares. A refusal stops only what depends on it; should
    the cluster be gone, what is left is "not done" and another run goes on there. ``rollover`` makes the stream go on
    in a new index where only that lets a change take effect. ``told`` hears of each object as it is done."""
    after: list[Step] = []
    for step in found.steps:
        after.append(_brought(cluster, step, after))
        told(after[-1])
    done: list[str] = []
    stream = found.stream
    if not any(step.state == "not done" for step in after):
        if stream.missing and _settled(after, "@mappings"):
            _add_fields(cluster, stream, catalogue)
            done.append(f"{len(stream.missing)} fields added to {stream.write_index}")
        stream = _stream(cluster, catalogue, after)
        if rollover and stream.exists and stream.fixed:
            _send(cluster, f"roll over {stream.name}", "POST", f"/{quote(stream.name)}/_rollover")
            before, stream = stream, _stream(cluster, catalogue, after)
            done.append(f"{stream.name} goes on in {stream.write_index} after {before.write_index}")
    return Outcome(tuple(after), stream, found.warnings, tuple(done))


def _looked_at(cluster: Cluster, what: ClusterObject, processors: frozenset[str] | None) -> Step:
    if processors is not None and what.kind == "ingest pipeline":
        absent = sorted({kind for kind, _ in processors_of(what.body)} - processors)
        if absent:
            note = f"this cluster has no processor {', '.join(absent)}: it lacks the module {what.module}"
            return Step(what, "lacking", changes(what.body, {}), note)
    try:
        current = _current(cluster, what)
    except ClusterError as error:
        if not _lacks(error):
            raise
        return Step(what, "lacking", note=_lacking(what, error))
    if current is None:
        return Step(what, "new", changes(what.body, {}))
    found = changes(what.body, current)
    return Step(what, "different" if found else "equal", found)


def _brought(cluster: Cluster, step: Step, before: Sequence[Step]) -> Step:
    if any(each.state == "not done" for each in before):
        return replace(step, state="not done", note="the cluster was gone")
    what = step.what
    if left_out := _left_out(step, before):
        return left_out
    if step.state not in ("new", "different"):
        return step
    try:
        _send(cluster, f"put the {what.kind} {what.name}", "PUT", _path(what.path), what.body)
        left = changes(what.body, _current(cluster, what) or {})
    except ClusterError as error:
        if not error.status:
            return replace(step, state="not done", note=error.message)
        if _lacks(error):
            return replace(step, state="lacking", note=_lacking(what, error))
        return replace(step, state="failed", note=error.message)
    if left:
        return replace(step, state="failed", changes=left, note="the cluster gives it back otherwise than it was told")
    return replace(step, state="applied")


def _left_out(step: Step, before: Sequence[Step]) -> Step | None:
    """The same left out, where what it names is not there."""
    needs = step.what.needs
    missing = [each for each in before if needs and each.what.kind == needs and each.state in WRONG]
    if not missing or step.state in ("skipped", "lacking"):
        return None
    return replace(step, state="left out", note=f"it names the {needs} {missing[0].what.name}")


def _processors(cluster: Cluster) -> frozenset[str] | None:
    """The processors that every node has; None where the cluster does not say, which takes the right to monitor it."""
    try:
        answer = _send(cluster, "ask for the processors", "GET", "/_nodes/ingest?filter_path=nodes.*.ingest.processors")
    except ClusterError as error:
        if not error.status:
            raise
        return None
    nodes = [
        frozenset(str(each["type"]) for each in node.get("ingest", {}).get("processors", ()))
        for node in answer.get("nodes", {}).values()
    ]
    return frozenset.intersection(*nodes) if nodes else None


def _current(cluster: Cluster, what: ClusterObject) -> dict[str, Any] | None:
    """The object as the cluster has it, in the form of what it is told; None where there is none."""
    answer = _asked(cluster, f"read the {what.kind} {what.name}", _path(what.path))
    if answer is None:
        return None
    if what.kind in ("index template", "component template"):
        kind = what.kind.replace(" ", "_")
        try:
            return dict(answer[f"{kind}s"][0][kind])
        except (IndexError, KeyError, TypeError, ValueError):
            raise ClusterError(
                f"the answer to what the {what.kind} {what.name} is has none",
                place=cluster.name,
                remedy="check that the address is an Elasticsearch's, and what stands before it",
            ) from None
    found = dict(answer.get(what.name) or {})
    if not found:
        return None
    return {"policy": found.get("policy", {})} if what.kind == "lifecycle policy" else found


def _stream(cluster: Cluster, catalogue: Catalogue, steps: Sequence[Step]) -> Stream:
    """The data stream and its newest index, by what every cluster answers."""
    name = names.stream_name(catalogue)
    found = _asked(cluster, f"look for the data stream {name}", f"/_resolve/index/{quote(name)}") or {}
    streams = [each for each in found.get("data_streams", []) if each["name"] == name]
    if not streams:
        return Stream(name)
    index = str(streams[0]["backing_indices"][-1])
    current = _asked(cluster, f"read the index {index}", f"/{quote(index)}") or {}
    mine = current.get(index, {})
    wanted = {step.what.name.rpartition("@")[2]: step.what.body["template"] for step in _templates(steps)}
    missing, fixed = mapping_changes(wanted["mappings"]["mappings"], mine.get("mappings", {}))
    settings = {
        key: value
        for part in ("settings", "pipeline", "lifecycle")
        for key, value in (wanted[part]["settings"].items() if part in wanted else ())
    }
    otherwise = settings_changes(settings, mine.get("settings", {}))
    return Stream(name, index, missing, (*fixed, *otherwise))


def _templates(steps: Sequence[Step]) -> Iterator[Step]:
    """The component templates that the cluster has, or will have; that of the mappings always, to compare with."""
    for step in steps:
        if step.what.kind == "component template" and (
            step.what.name.endswith("@mappings") or step.state not in (*WRONG, "skipped")
        ):
            yield step


def _add_fields(cluster: Cluster, stream: Stream, catalogue: Catalogue) -> None:
    """Fields whose type the write index does not have yet; those that it has otherwise are left out."""
    from sla_kit.elk.mapping import kinds
    from sla_kit.logs.mapping import properties

    new = {change.path for change in stream.missing}
    body = {
        "properties": properties({name: kind for name, kind in kinds(catalogue.logs.fields).items() if name in new})
    }
    _send(cluster, f"add fields to {stream.name}", "PUT", f"/{quote(stream.write_index)}/_mapping", body)


def _settled(steps: Sequence[Step], suffix: str) -> bool:
    return any(step.what.name.endswith(suffix) and step.state in ("equal", "applied") for step in steps)


def _collisions(cluster: Cluster, stream: str) -> tuple[str, ...]:
    """Templates of others that would win, or be refused beside ours. Those that Elasticsearch brings for ``logs-*-*``
    have priority 100 and give way."""
    answer = _asked(cluster, "read the index templates", "/_index_template") or {}
    found = []
    for each in answer.get("index_templates", []):
        template, name = each["index_template"], each["name"]
        about = [pattern for pattern in template.get("index_patterns", []) if covers(pattern, stream)]
        priority = int(template.get("priority") or 0)
        if name != stream and about and priority >= PRIORITY:
            verb = "goes before" if priority > PRIORITY else "has the priority of"
            found.append(
                f"the index template {name} ({about[0]}, priority {priority}) {verb} that of {stream} ({PRIORITY}): "
                "what is applied has no effect on it until one of them changes"
            )
    return tuple(found)


def _lacks(error: ClusterError) -> bool:
    text = error.message.lower()
    return error.status in (400, 405) and any(sign in text for sign in _LACKS)


def _lacking(what: ClusterObject, error: ClusterError) -> str:
    module = f" (the module {what.module})" if what.module else ""
    return f"this cluster has nothing for the {what.kind}{module}: {error.message}"


def _asked(cluster: Cluster, doing: str, path: str) -> dict[str, Any] | None:
    """What a GET answers; None for 404."""
    try:
        return dict(_send(cluster, doing, "GET", path))
    except ClusterError as error:
        if error.status == 404:
            return None
        raise


def _send(cluster: Cluster, doing: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    def question(client: Elasticsearch) -> Any:
        return client.perform_request(method, path, headers=_HEADERS, body=body)

    return cluster.ask(doing, question)


def _path(path: str) -> str:
    return quote(path, safe="/@")
