"""What docs/elk.md shows runs as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from tests.servers import Elasticsearch

_PAGE = (Path(__file__).parents[2] / "docs" / "elk.md").read_text()


def test_the_page_s_commands_run(
    elastic: Elasticsearch, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [catalogue] = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    [commands] = re.findall(r"```console\n(.*?)```", _PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    # A stream of this test, on the node of the tests.
    Path("sla.yml").write_text(catalogue.replace("logs:\n", f"logs:\n  stream: {index}-staging\n"))
    told = []
    for line in commands.splitlines():
        words = shlex.split(line.removeprefix("$ sla-kit ").replace("http://localhost:9200", elastic.url))
        result = CliRunner().invoke(main, words)
        # This node lacks modules, and says so.
        assert result.exit_code == (2 if "apply" in words else 0), result.output
        told.append(result.output)
    assert "to be created" in told[2]
    assert "4 applied" in told[3]


def test_the_page_names_every_file_and_state() -> None:
    from sla_kit.elk.files import outputs
    from tests.elk.catalogues import shop

    for each in outputs(shop()):
        name = each.path.rpartition("/")[2]
        known = name in _PAGE or "component-" in name or name.removeprefix("ingest-pipeline") in _PAGE
        assert known, f"docs/elk.md tells nothing of {each.path}"
    for state in ("lacking", "left out", "failed", "not done"):
        assert state in _PAGE
