"""The bodies of requests, checked by the types that Elastic generates from Elasticsearch's specification: also of what
the tests' own node has no module for. A wrong name, a missing one or a wrong type does not compile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sla_kit.catalogue import LogFields
from sla_kit.elk.objects import ClusterObject, objects
from tests.elk.catalogues import shop

_TYPES = {
    "lifecycle policy": "IlmPutLifecycleRequest",
    "ingest pipeline": "IngestPutPipelineRequest",
    "component template": "ClusterPutComponentTemplateRequest",
    "index template": "IndicesPutIndexTemplateRequest",
}


def test_every_body_is_as_the_specification_has_it(tmp_path: Path) -> None:
    own = LogFields(level="severity", status="status", duration="took", duration_unit_seconds=1.0)
    catalogues = [shop(), shop("logs-own-production", environment="production", fields=own)]
    told = _compiled(tmp_path, [each for catalogue in catalogues for each in objects(catalogue)])
    assert told == ""


def test_a_misspelt_name_would_be_found(tmp_path: Path) -> None:
    policy = {"policy": {"phases": {"hot": {"actions": {"rollovr": {"max_age": "1d"}}}}}}
    step = {"processors": [{"gsub": {"field": "a", "pattern": "b", "replacment": "c"}}]}
    wrong = [
        ClusterObject("lifecycle policy", "x", "lifecycle", "/", "", policy),
        ClusterObject("ingest pipeline", "x", "pipeline", "/", "", step),
    ]
    told = _compiled(tmp_path, wrong)
    assert "rollovr" in told
    assert "replacment" in told


def _compiled(folder: Path, wanted: list[ClusterObject]) -> str:
    """What the compiler says of these bodies; nothing where all are right."""
    types = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-elasticsearch-types"
    if not (types / ".state").is_file():
        pytest.fail("the types of requests were not fetched; try: .ci/elasticsearch-types", pytrace=False)
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is not installed; try: apt-get install nodejs", pytrace=False)
    (folder / "node_modules").symlink_to(types / "node_modules")
    lines = ["import type { estypes } from '@elastic/elasticsearch'"]
    for number, each in enumerate(wanted):
        name = {"id" if each.kind == "ingest pipeline" else "name": each.name}
        lines.append(f"export const body{number}: estypes.{_TYPES[each.kind]} = {_literal(name | each.body)}")
    (folder / "bodies.ts").write_text("\n".join(lines) + "\n")
    options = (
        "--noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext --target es2022 --pretty false"
    )
    compiled = subprocess.run(
        [node, "node_modules/typescript/bin/tsc", *options.split(), "bodies.ts"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return compiled.stdout + compiled.stderr


def _literal(body: dict[str, Any]) -> str:
    """JSON is an object's literal in TypeScript."""
    return json.dumps(body)
