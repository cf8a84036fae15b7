"""`sla-kit silence` with a real Alertmanager, as a person and a pipeline meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.routing.alertmanager.alertmanagers import client_of, eventually, fire, proxy
from tests.servers.monitoring import Alertmanager, alertmanager

CATALOGUE = """
name: shop
services: [{{name: api, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}]
monitoring: {{alertmanager: "{url}"}}
{more}
"""


@pytest.fixture
def server() -> Iterator[Alertmanager]:
    with alertmanager() as running:
        yield running


@pytest.fixture
def place(server: Alertmanager, tmp_path: Path) -> Path:
    """A folder with a catalogue that names the Alertmanager."""
    (tmp_path / "sla.yml").write_text(CATALOGUE.format(url=server.url, more=""))
    return tmp_path


def run(place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "sla-kit"), "silence", *arguments]
    known = {**os.environ, "COLUMNS": "300", "SLA_KIT_ALERTMANAGER": "", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place, env=known)


def test_a_silence_is_added_listed_and_ended(server: Alertmanager, place: Path) -> None:
    fire(server.url, *({"alertname": "DiskFills", "instance": each} for each in ("db1", "db2", "web1")))
    comment = "[bold] The disk is being grown"
    done = run(place, "add", "alertname=DiskFills", 'instance=~"db.*"', "--for", "2h", "--comment", comment)
    assert done.returncode == 0, done.stderr
    made = done.stdout.strip()
    assert 'alertname="DiskFills" matches 3 of 3 firing alerts' in done.stderr
    assert "it matches 2 of 3 firing alerts now" in done.stderr

    with client_of(server.url) as client:
        eventually(lambda: sum(bool(each.silenced_by) for each in client.firing()) == 2)
    listed = json.loads(run(place, "list", "--json").stdout)
    assert [(each["id"], each["state"], each["alerts"], each["comment"]) for each in listed] == [
        (made, "active", 2, comment)
    ]
    assert listed[0]["matchers"] == [
        {"name": "alertname", "operator": "=", "value": "DiskFills"},
        {"name": "instance", "operator": "=~", "value": "db.*"},
    ]
    length = datetime.fromisoformat(listed[0]["ends_at"]).timestamp() - time.time()
    assert 6900 < length <= 7200
    table = run(place, "list").stdout
    assert made in table
    assert comment in table

    ended = run(place, "expire", made, "no-such-id")
    assert ended.returncode == 2
    assert f"{made} is over" in ended.stdout
    assert "no-such-id" in ended.stderr
    assert "There are no silences." in run(place, "list").stdout
    assert made in run(place, "list", "--all").stdout


def test_the_address_may_be_said_with_a_token(server: Alertmanager, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("geheim\n")
    with proxy(server.url, token="geheim") as between:
        add = ("add", "a=b", "--until", str(time.time() + 600), "--comment", "x", "--by", "R. Byrd")
        assert run(tmp_path, *add, "--alertmanager", between.url, "--token-file", "token").returncode == 0
        by_variables = {"SLA_KIT_ALERTMANAGER": between.url, "SLA_KIT_ALERTMANAGER_TOKEN": "geheim"}
        [found] = json.loads(run(tmp_path, "list", "--json", **by_variables).stdout)
        assert found["created_by"] == "R. Byrd"
        refused = run(tmp_path, "list", "--alertmanager", between.url)
        assert refused.returncode == 2
        assert "401" in refused.stderr
        assert "try:" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (('alertname=~".+"', "--for", "1h"), "this would silence everything"),
        (("Down", "--for", "1h"), 'did you mean alertname="Down"?'),
        (("a=b",), "say one of --for and --until"),
        (("a=b", "--for", "1h", "--until", "2026-01-01T00:00:00Z"), "say one of --for and --until"),
        (("a=b", "--until", "2020-01-01T00:00:00Z"), "must be in the future"),
        (("a=b", "--for", "soon"), "write 30m"),
        (("a=b", "--for", "0"), "longer than nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(
    server: Alertmanager, place: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(place, "add", *arguments, "--comment", "x")
    assert done.returncode == 2
    assert words in done.stderr
    with client_of(server.url) as client:
        assert client.silences() == []


def test_everything_is_silenced_where_it_is_meant(place: Path) -> None:
    done = run(place, "add", 'alertname=~".+"', "--for", "5m", "--comment", "moving house", "--yes")
    assert done.returncode == 0, done.stderr


def test_maintenance_is_brought_into_step(server: Alertmanager, place: Path) -> None:
    def planned(hours: int) -> str:
        start, end = (
            datetime.fromtimestamp(int(time.time()) + seconds, UTC).isoformat() for seconds in (3600, hours * 3600)
        )
        return f"calendar: {{maintenance: [{{name: upgrade, start: '{start}', end: '{end}', reason: new kernel}}]}}"

    catalogue = place / "sla.yml"
    calendar = planned(5)
    catalogue.write_text(CATALOGUE.format(url=server.url, more=calendar))
    looked = run(place, "sync", "--dry-run")
    assert "would be made" in looked.stdout
    assert json.loads(run(place, "list", "--json").stdout) == []
    done = run(place, "sync")
    assert done.returncode == 0, done.stderr
    assert "made: " in done.stdout
    assert 'service="api"' in done.stdout
    assert "1 change; right already: 0" in done.stdout
    assert "0 changes; right already: 1" in run(place, "sync").stdout
    catalogue.write_text(CATALOGUE.format(url=server.url, more=""))
    assert "ended: " in run(place, "sync").stdout
    assert json.loads(run(place, "list", "--json").stdout) == []
