"""What docs/exporters.md shows of RDS, WAL and Velero is right, and no metric is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sla_kit.alert_rules.inventory import exporters
from sla_kit.errors import ConfigurationError
from sla_kit.exporters.backup.loading import load
from sla_kit.exporters.backup.published import HELP

PAGE = (Path(__file__).parents[3] / "docs" / "exporters.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"\n### {title}\n(.*?)(?=\n##|\Z)", PAGE, re.DOTALL)
    assert found, title
    return found[1]


@pytest.mark.parametrize(
    ("title", "collector"), [("RDS and Aurora", "rds_shop"), ("WAL archiving", "wal_shop"), ("Velero", "velero_blue")]
)
def test_the_configurations_that_are_shown_are_right(tmp_path: Path, title: str, collector: str) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", section(title), re.DOTALL)
    path = tmp_path / "backup.yml"
    path.write_text(block)
    assert [each.name for each in load(path).collectors] == [collector]


def test_the_place_that_is_shown_is_right(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", section("Buckets"), re.DOTALL)
    path = tmp_path / "backup.yml"
    path.write_text("dumps:\n  - targets: [shop]\n" + "".join(f"    {line}\n" for line in block.splitlines()))
    assert len(load(path).collectors) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rds: [{target: a, region: r}]", "must say one of instance and cluster"),
        ("rds: [{target: a, region: r, instance: i, cluster: c}]", "must say one of instance and cluster"),
        ("rds: [{target: a, region: r, instance: i, copies: [r]}]", "where the database is"),
        ("rds: [{target: a, region: r, instance: i, endpoint: 'https://u:secret@h'}]", "holds a password"),
        ("rds: [{target: a, region: r, instance: i, endpoint: minio}]", "must begin with https://"),
        ("rds: [{target: a, region: r, instance: i, credentials: {access_key: {env: A}}}]", "no secret_key"),
        (
            "{rds: [{target: a, region: r, instance: i}], wal: [{target: a, url: 'postgresql://h/d'}]}",
            "the points in time of a are there already",
        ),
        (
            "velero: [{target: a, schedule: x, place: {type: folder, path: x}},"
            " {target: a, schedule: y, place: {type: folder, path: x}}]",
            "the cluster a is there already",
        ),
        ("wal: [{target: a}]", "must say url or archive"),
        ("wal: [{target: a, url: 'postgresql://u:secret@h/d'}]", "holds a password"),
        ("wal: [{target: a, url: 'postgresql://u@h/d?password=secret'}]", "holds a password"),
        ("wal: [{target: a, url: 'http://h'}]", "no address of a PostgreSQL"),
        ("wal: [{target: a, archive: {type: folder, path: x}, password: {env: A}}]", "of no use without url"),
        ("wal: [{target: a, archive: {type: folder, path: x}, segment_size: 3000000}]", "a power of 2"),
        ("velero: [{target: a, place: {type: s3, bucket: 'b/c'}}]", "is no bucket"),
        ("velero: [{target: a, place: {type: folder, path: ''}}]", "is empty"),
    ],
)
def test_mistakes_are_told_with_their_line_and_without_secrets(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "backup.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    assert told in str(raised.value)
    assert f"{path}:1:" in str(raised.value)
    assert "secret@" not in str(raised.value)
    assert "=secret" not in str(raised.value)


def test_every_metric_is_in_the_inventory_and_on_the_page() -> None:
    listed = exporters()["backup"].metrics
    assert [name for name in HELP if name not in listed] == []
    assert [name for name in HELP if f"`{name}" not in PAGE] == []
