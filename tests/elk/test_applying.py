"""What a real cluster is brought to, and what it says of what it can't have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sla_kit.catalogue import Catalogue, LogFields
from sla_kit.cli import main
from sla_kit.elastic import Cluster, ClusterError, open_cluster
from sla_kit.elk import applying
from sla_kit.elk.applying import apply, look
from sla_kit.elk.comparing import Change
from sla_kit.elk.objects import Part, objects
from sla_kit.logs.mapping import FIELDS
from tests.elk.catalogues import shop
from tests.servers import Elasticsearch

_SKIPPED: tuple[Part, ...] = ("lifecycle", "pipeline")


@pytest.fixture
def cluster(elastic: Elasticsearch) -> Iterator[Cluster]:
    opened = open_cluster(elastic.url)
    yield opened
    opened.close()


@pytest.fixture
def stream(index: str) -> str:
    """A data stream that nobody has."""
    return f"{index}-staging"


def test_what_is_applied_is_there_and_a_second_run_finds_it_equal(cluster: Cluster, stream: str) -> None:
    catalogue = shop(stream)
    found = look(cluster, catalogue, skip=_SKIPPED)
    assert not found.equal
    assert [step.state for step in found.steps if step.state != "skipped"] == ["new"] * 4
    after = apply(cluster, catalogue, found)
    assert not after.wrong
    assert {step.state for step in after.steps} == {"skipped", "applied"}
    again = look(cluster, catalogue, skip=_SKIPPED)
    assert again.equal
    assert not again.wrong
    assert {step.state for step in again.steps} == {"skipped", "equal"}


def test_the_first_document_makes_the_stream_with_its_mapping(cluster: Cluster, stream: str) -> None:
    catalogue = shop(stream)
    _applied(cluster, catalogue)
    assert not look(cluster, catalogue, skip=_SKIPPED).stream.exists
    _write(
        cluster, stream, {"event": {"duration": 12}, "http": {"response": {"status_code": "200"}}, "new": {"text": "x"}}
    )
    found = look(cluster, catalogue, skip=_SKIPPED)
    assert found.stream.write_index.startswith(f".ds-{stream}-")
    assert not found.stream.missing
    assert not found.stream.fixed
    mapping = cluster.client.indices.get_mapping(index=stream).body[found.stream.write_index]["mappings"]
    assert mapping["properties"]["event"]["properties"]["duration"] == {"type": "long"}
    assert mapping["properties"]["new"]["properties"]["text"]["type"] == "keyword"
    settings = cluster.client.indices.get_settings(index=stream).body[found.stream.write_index]["settings"]["index"]
    assert settings["refresh_interval"] == "5s"


def test_a_document_is_kept_where_one_field_is_malformed(cluster: Cluster, stream: str) -> None:
    _applied(cluster, shop(stream))
    _write(cluster, stream, {"event": {"duration": "long"}, "source": {"ip": "no address"}, "message": "kept"})
    hits = cluster.client.search(index=stream, query={"match": {"message": "kept"}})["hits"]["hits"]
    assert set(hits[0]["_ignored"]) == {"event.duration", "source.ip"}


def test_the_names_of_a_catalogue_have_their_types(cluster: Cluster, stream: str) -> None:
    fields = LogFields(status="response.status", duration="took", duration_unit_seconds=1.0, level="log")
    catalogue = shop(stream, fields=fields)
    _applied(cluster, catalogue)
    _write(cluster, stream, {"response": {"status": 200}, "took": 0.25, "log": "error"})
    found = look(cluster, catalogue, skip=_SKIPPED)
    mapping = cluster.client.indices.get_mapping(index=stream).body[found.stream.write_index]["mappings"]["properties"]
    assert mapping["response"]["properties"]["status"] == {"type": "integer"}
    assert mapping["took"] == {"type": "float"}
    assert mapping["log"]["type"] == "keyword"


def test_what_somebody_changed_by_hand_is_shown_and_set_right(cluster: Cluster, stream: str) -> None:
    catalogue = shop(stream)
    _applied(cluster, catalogue)
    changed = {"settings": {"index.number_of_shards": 3, "index.codec": "default"}}
    cluster.client.cluster.put_component_template(name=f"{stream}@settings", template=changed)
    found = look(cluster, catalogue, skip=_SKIPPED)
    [step] = [step for step in found.steps if step.state == "different"]
    assert step.what.name == f"{stream}@settings"
    assert Change("template.settings.index.number_of_shards", '"3"', '"1"') in step.changes
    assert Change("template.settings.index.codec", '"default"', "") in step.changes
    assert not apply(cluster, catalogue, found).wrong
    assert look(cluster, catalogue, skip=_SKIPPED).equal


def test_what_a_running_index_can_be_given_is_given_and_the_rest_waits_for_a_new_one(
    cluster: Cluster, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = shop(stream)
    old = {name: kind for name, kind in FIELDS.items() if name != "url.domain"} | {"user.id": "long"}
    with monkeypatch.context() as patched:
        patched.setattr("sla_kit.elk.mapping.FIELDS", old)
        _applied(cluster, catalogue)
    _write(cluster, stream, {"message": "first"})
    found = look(cluster, catalogue, skip=_SKIPPED)
    assert [change.path for change in found.stream.missing] == ["url.domain"]
    assert [change.path for change in found.stream.fixed] == ["user.id"]
    after = apply(cluster, catalogue, found)
    assert not after.stream.missing
    assert [change.path for change in after.stream.fixed] == ["user.id"]
    rolled = apply(cluster, catalogue, look(cluster, catalogue, skip=_SKIPPED), rollover=True)
    assert rolled.stream.write_index.endswith("-000002")
    assert not rolled.stream.fixed
    assert cluster.client.count(index=stream)["count"] == 1


def test_what_the_cluster_has_no_module_for_is_told_and_the_rest_applied(cluster: Cluster, stream: str) -> None:
    catalogue = shop(stream)
    found = look(cluster, catalogue)
    states = {(step.what.kind, step.what.name): step for step in found.steps}
    policy = states["lifecycle policy", stream]
    assert policy.state == "lacking"
    assert "x-pack-ilm" in policy.note
    redaction = states["ingest pipeline", f"{stream}-redaction"]
    assert redaction.state == "lacking"
    assert "gsub" in redaction.note
    assert states["component template", f"{stream}@pipeline"].state == "left out"
    assert states["component template", f"{stream}@lifecycle"].state == "left out"
    after = apply(cluster, catalogue, found)
    assert after.wrong
    assert sum(step.state == "applied" for step in after.steps) == 4
    _write(cluster, stream, {"message": "taken without pipeline and lifecycle"})


def test_a_refused_object_stops_only_what_depends_on_it(
    cluster: Cluster, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_unknown_type(catalogue: Catalogue) -> tuple[Any, ...]:
        return tuple(
            replace(each, body={"template": {"mappings": {"properties": {"a": {"type": "no_such_type"}}}}})
            if each.name.endswith("@mappings")
            else each
            for each in objects(catalogue)
        )

    monkeypatch.setattr(applying, "objects", with_unknown_type)
    after = apply(cluster, shop(stream), look(cluster, shop(stream), skip=_SKIPPED))
    states = {step.what.name: step.state for step in after.steps}
    assert states[f"{stream}@mappings"] == "lacking"
    assert states[f"{stream}@settings"] == "applied"
    assert states[stream] == "failed"
    assert after.wrong
    monkeypatch.undo()
    _applied(cluster, shop(stream))
    assert look(cluster, shop(stream), skip=_SKIPPED).equal


@pytest.mark.parametrize(("priority", "told"), [(500, "goes before"), (200, "has the priority of"), (100, "")])
def test_a_template_of_others_that_is_in_the_way_is_told(
    cluster: Cluster, stream: str, priority: int, told: str
) -> None:
    name = f"{stream}-other"
    cluster.client.indices.put_index_template(
        name=name, index_patterns=[f"{stream[:-2]}*"], priority=priority, data_stream={}
    )
    found = look(cluster, shop(stream), skip=_SKIPPED)
    if told:
        [warning] = found.warnings
        assert name in warning
        assert told in warning
        assert found.wrong
    else:
        assert not found.warnings
    cluster.client.indices.delete_index_template(name=name)


def test_a_cluster_that_goes_away_leaves_a_clear_state(
    cluster: Cluster, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, sent = shop(stream), []
    found = look(cluster, catalogue, skip=_SKIPPED)
    genuine = applying._send

    def gone(cluster: Cluster, doing: str, method: str, *rest: Any) -> Any:
        if method == "PUT":
            sent.append(doing)
            if len(sent) == 3:
                raise ClusterError("can't reach it", place="es", kind="connect")
        return genuine(cluster, doing, method, *rest)

    monkeypatch.setattr(applying, "_send", gone)
    states = [step.state for step in apply(cluster, catalogue, found).steps if step.state != "skipped"]
    assert states == ["applied", "applied", "not done", "not done"]
    monkeypatch.undo()
    states = [step.state for step in look(cluster, catalogue, skip=_SKIPPED).steps if step.state != "skipped"]
    assert states == ["equal", "equal", "new", "new"]


def test_the_command_shows_asks_applies_and_tells_what_is_left(
    elastic: Elasticsearch, cluster: Cluster, stream: str, tmp_path: Path
) -> None:
    file = _file(tmp_path, stream)
    options = ["-c", str(file), "--source", f"elasticsearch+{elastic.url}"]
    shown = _run("apply", *options, "--dry-run")
    assert shown.exit_code == 2
    assert "ingest pipeline" in shown.output
    assert "has no processor" in shown.output
    assert f"component template {stream}@mappings: to be created" in shown.output
    assert not cluster.client.indices.exists_index_template(name=stream)
    shown = _run("apply", *options, "--dry-run", "--skip", "lifecycle,pipeline")
    assert shown.exit_code == 0, shown.output
    refused = _run("apply", *options, "--skip", "lifecycle,pipeline", answer="n\n")
    assert refused.exit_code == 1
    assert not cluster.client.indices.exists_index_template(name=stream)
    done = _run("apply", *options, "--skip", "lifecycle,pipeline", "--yes")
    assert done.exit_code == 0, done.output
    assert "4 applied, 6 skipped" in done.output
    again = _run("apply", *options, "--skip", "lifecycle,pipeline")
    assert again.exit_code == 0
    assert "4 equal, 6 skipped" in again.output
    assert _run("apply", *options, "--yes").exit_code == 2
    assert "none of lifecycle, pipeline, templates" in _run("apply", *options, "--skip", "kibana").output


def test_no_secret_is_shown(tmp_path: Path, stream: str, elastic: Elasticsearch) -> None:
    address = elastic.url.replace("://", "://ann:very-secret-word@")
    options = ["-c", str(_file(tmp_path, stream)), "--source", f"elasticsearch+{address}", "--dry-run"]
    assert "very-secret-word" not in _run("apply", *options).output
    gone = _run("apply", *options[:3], "elasticsearch+ftp://ann:very-secret-word@host", "--dry-run")
    assert gone.exit_code == 2
    assert "very-secret-word" not in gone.output


def _file(folder: Path, stream: str) -> Path:
    file = folder / "sla.yml"
    file.write_text(
        f"""
name: shop
services:
  - name: web
    slis: {{answers: {{kind: log-events, bad: "http.response.status_code:[500 TO *]"}}}}
    slos: [{{name: availability, sli: answers, objective: 99%}}]
sources: [{{name: logs, url: "elasticsearch+http://127.0.0.1:9200"}}]
logs: {{stream: {stream}}}
"""
    )
    return file


def _run(command: str, *options: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["logs", command, *options], input=answer)


def _applied(cluster: Cluster, catalogue: Catalogue) -> None:
    outcome = apply(cluster, catalogue, look(cluster, catalogue, skip=_SKIPPED))
    assert not outcome.wrong, outcome


def _write(cluster: Cluster, stream: str, document: dict[str, Any]) -> None:
    whole = {"@timestamp": "2026-03-02T10:00:00Z", **document}
    cluster.client.index(index=stream, op_type="create", document=whole, refresh=True)
