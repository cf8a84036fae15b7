"""The page on routing: its walk runs from nothing, and all that it shows is taken by what it is for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sla_kit import load
from sla_kit.alert_rules import areas
from sla_kit.routing.notifications import KINDS
from tests.routing.routers import lasting_port
from tests.servers import promtool

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
WALK = PAGE.partition("## Ten minutes")[2].partition("## Setting it up")[0]
TELLING = PAGE.partition("## Telling it something")[2].partition("## Day by day")[0]
#: What a reader does between two blocks: looks until nothing waits any more.
SETTLED = """
looked=0
while sla-kit outbox list --json --state pending | grep -q '"destination"'; do
  looked=$((looked + 1)); [ $looked -lt 600 ] || { echo "what waits was not sent" >&2; exit 9; }
  sleep 0.2
done
"""


def script() -> str:
    """The blocks of the walk and of telling it something, as somebody would type them, one after the other."""
    lines = ["set -e", "trap 'kill $router $mail 2>/dev/null || true' EXIT"]
    for language, block in BLOCK.findall(WALK + TELLING):
        if language == "sh" and "pip install" not in block:
            lines += [f"echo '--- block'\n{block}"]
            if "curl" in block and "/v1/" in block:
                lines += [SETTLED]
        elif language == "python":
            lines += [f"python - <<'PYTHON'\n{block}PYTHON\n", SETTLED]
    return "\n".join(lines)


@pytest.mark.timeout(1000)
def test_the_walk_of_the_page_runs(tmp_path: Path) -> None:
    [catalogue] = [block for language, block in BLOCK.findall(WALK) if language == "yaml"]
    [alert] = [block for language, block in BLOCK.findall(WALK) if language == "json"]
    ports = {"9099": str(lasting_port()), "2525": str(lasting_port())}

    def moved(text: str) -> str:  # at once: the one port may have the other's digits in it
        return re.sub("|".join(ports), lambda found: ports[found[0]], text)

    (tmp_path / "sla.yml").write_text(moved(catalogue))
    (tmp_path / "alert.json").write_text(alert)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "SLA_KIT_ROUTER": f"http://127.0.0.1:{ports['9099']}",
        "COLUMNS": "160",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", moved(script())],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    log = (tmp_path / "router.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    assert "Route 1 [severity critical] is the first that fits" in done.stdout
    assert "would listen on http://127.0.0.1:" in done.stdout
    assert done.stdout.count('{"accepted":1,"repeated":0}') == 12
    mails = (tmp_path / "mails.txt").read_text()
    subjects = Counter(re.findall(r"^Subject: (.*)$", mails, re.MULTILINE))
    assert subjects == {
        "[critical] The API does not answer": 1,
        "Re: [critical] The API does not answer": 1,
        "[warning] The import failed": 1,
        "Re: [warning] The import failed": 1,
        "Certificates were renewed": 1,
        "Week 38": 1,
        "Restored": 1,
    }
    assert "dead" not in done.stdout


def test_the_page_tells_every_kind_of_notification_in_an_example() -> None:
    assert set(re.findall(r'"kind": "(\w+)"', TELLING)) == set(KINDS)


@pytest.mark.parametrize("block", [block for language, block in BLOCK.findall(PAGE) if language == "yaml"])
def test_every_configuration_of_the_page_is_good(block: str, tmp_path: Path) -> None:
    given = yaml.safe_load(block)
    if "scrape_configs" in given:
        (tmp_path / "prometheus.yml").write_text(block)
        command = [str(promtool("3")), "check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    [whole] = [block for language, block in BLOCK.findall(WALK) if language == "yaml"]
    (tmp_path / "sla.yml").write_text(yaml.safe_dump({**yaml.safe_load(whole), **given}))
    assert load(tmp_path / "sla.yml").contacts


def test_what_the_page_names_is_there() -> None:
    alerts = {alert.name for area in areas() for alert in area.alerts}
    named = set(re.findall(r"`(Router[A-Z]\w+)`", PAGE))
    assert named == {name for name in alerts if name.startswith("Router")}
    table = PAGE.partition("| file of ")[2].partition("\n\n")[0]
    files = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(files) >= 8
    assert [name for name in files if not (ROOT / "examples" / "routing" / name).exists()] == []


def test_the_page_says_the_defaults_that_there_are() -> None:
    from sla_kit.catalogue.routing import Routing
    from sla_kit.routing.planning.dead_man import DEFAULT_AFTER_SECONDS
    from sla_kit.routing.planning.merging import KEPT_ALERTS, STALE_SECONDS

    plain, words = Routing(), " ".join(PAGE.split())
    assert f"More than {plain.storm.incidents} new incidents" in words
    assert (plain.storm.within, plain.storm.quiet) == (60, 600)
    assert "within 1 minute (`storm`)" in words
    assert "until 10 minutes have passed" in words
    assert f"waits until {plain.update_every:.0f} seconds (`update_every`)" in words
    assert plain.fallback.after == 60
    assert "could not be reached for 1 minute" in words
    assert DEFAULT_AFTER_SECONDS == 600
    assert "its silence of 10 minutes" in words
    assert plain.digest.every == 3600
    assert "an hour after the first of it" in words
    assert (STALE_SECONDS, KEPT_ALERTS) == (300, 1000)
    assert all(f"`{label}`" in words for label in plain.group_by)
    assert plain.keep == 30 * 86400
    assert "`keep: 30d`" in words
