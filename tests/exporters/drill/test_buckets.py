"""Backups in a bucket come back as those in a folder do, with the counts beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.exporters.drill.drilling import CHECKS, ROWS, Shop, drill
from tests.servers import Postgresql
from tests.servers.aws import aws_server

pytestmark = pytest.mark.xdist_group("drill")


def test_backups_in_a_bucket_come_back(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with aws_server() as server:
        client = boto3.client("s3", endpoint_url=server.url, region_name="us-east-1")
        client.create_bucket(Bucket="backups")
        counts = shop.counts.read_bytes()
        for name in ("custom.dump", "plain.sql"):
            client.put_object(Bucket="backups", Key=f"shop/{name}", Body=(shop.dumps / name).read_bytes())
            client.put_object(Bucket="backups", Key=f"shop/{name}.counts.json", Body=counts)
        for path in sorted((shop.dumps / "directory").iterdir()):
            client.put_object(Bucket="backups", Key=f"shop/folder/{path.name}", Body=path.read_bytes())
        client.put_object(Bucket="backups", Key="shop/folder.counts.json", Body=counts)
        place = {"type": "s3", "bucket": "backups", "prefix": "shop", "endpoint": server.url, "path_style": True}
        for pattern in ("custom.dump", "plain.sql", "folder/"):
            document = {
                "dumps": [{"targets": ["shop"], "places": [place], "pattern": pattern, "settle": "0s"}],
                "drill": {
                    "targets": {"shop": {"checks": list(CHECKS)}},
                    "scratch": {"url": scratch_server.url},
                },
            }
            (tmp_path / "backup.yml").write_text(yaml.safe_dump(document))
            evidence, failure = drill(tmp_path / "backup.yml")
            assert failure is None, failure
            assert (evidence.outcome, evidence.rows_verified) == ("succeeded", ROWS)
            assert evidence.backup is not None
            assert evidence.backup.place == "s3://backups/shop"
