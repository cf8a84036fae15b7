"""The page on the business exporter: its configurations are good, and its commands and defaults are as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.business.configuration import MetricOfRows, Query
from sla_kit.exporters.business.sources.postgresql import PostgresqlSource

PAGE = (Path(__file__).parents[3] / "docs" / "exporters.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", PAGE.partition("\n## business\n")[2], flags=re.MULTILINE)[0]
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL) if "sql: " in block]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_configuration_of_the_page_is_good(tmp_path: Path, block: str) -> None:
    sources = yaml.safe_load(BLOCKS[0])["sources"]
    whole = {"sources": sources, **yaml.safe_load(block)}
    (tmp_path / "business.yml").write_text(yaml.safe_dump(whole))
    assert EXPORTER.load(tmp_path / "business.yml").collectors


def test_the_page_has_every_key_and_the_defaults() -> None:
    assert len(BLOCKS) >= 3
    for struct in (Query, MetricOfRows):
        for key in struct.__struct_fields__:
            assert re.search(rf"`{key}`", SECTION), key
    assert f"({Query(source='', metrics=[]).max_rows:,})" in SECTION
    assert f"(`keep` ({PostgresqlSource(url='').keep / 60:g}m)"[1:] in " ".join(SECTION.split())
    assert f"default port is {EXPORTER.port}" in SECTION
