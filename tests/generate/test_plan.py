"""What is generated is what Prometheus and its tools take, for any catalogue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from sla_kit.catalogue import load
from sla_kit.generate.files import write
from sla_kit.generate.plan import outputs, rule_files
from sla_kit.rules.model import AlertingRule
from tests.servers import promtool, tool

ROOT = Path(__file__).parent.parent.parent
AT = 1_795_000_000.0
ODD = """\
name: "Käse & Söhne: \\"odd\\" #1"
environment: prod
keep: &keep []
contacts: [{name: on.call, slack: "#a b"}]
services:
  - name: api
    owner: on.call
    slis:
      quoted: {kind: requests, metric: hits_total, matchers: {path: '/a"b\\c', name: "ü {{ x }}"}, good: {code: "!~5"}}
      other: {kind: requests, metric: all_total, bad: {}, bad_metric: failures_total}
      slow: {kind: latency, metric: lat_seconds, threshold: 1s}
      native: {kind: latency, metric: nat_seconds, threshold: 250ms, native: true}
      any: {kind: probe, metric: up, matchers: {job: [a, b]}, combine: any}
      age: {kind: freshness, metric: last_run, max_age: 1d}
      long: {kind: duration, metric: took_seconds, max: 1h}
      queue: {kind: bound, metric: queue_length, below: 100, min: 1}
      asked: {kind: bound, promql: "max(queue_length)", max: 5}
      free: {kind: promql, total: "sum(increase(x_total[$window]))", bad: "sum(increase(y_total[$window]))"}
    slos:
      - {name: quoted, sli: quoted, objective: 99.9%, low_traffic: any}
      - {name: strict, sli: quoted, objective: 99.99%, window: 7d}
      - {name: other, sli: other, objective: 99%, window: month}
      - {name: sliced, sli: other, objective: 99%, budgeting: timeslices, slice: 5m, slice_target: 95%}
      - {name: slow, sli: slow, objective: 95%, window: 1d, severity: warning}
      - {name: native, sli: native, objective: 95%, window: quarter, severity: info}
      - {name: any, sli: any, objective: 99.5%}
      - {name: age, sli: age, objective: 99%}
      - {name: long, sli: long, objective: 99%}
      - {name: queue, sli: queue, objective: 99%, window: 1h}
      - {name: asked, sli: asked, objective: 90%}
      - {name: free, sli: free, objective: 99%}
      - {name: back, sli: {kind: recovery, of: quoted, within: 15m}, objective: 90%}
      - {name: worst, sli: {kind: composite, combine: worst, of: [quoted, slow]}, objective: 99%}
      - {name: journey, sli: {kind: composite, combine: all, of: [quoted, other]}, objective: 98%}
      - {name: both, sli: {kind: composite, combine: weighted, of: [quoted, other]}, objective: 98%}
      - name: weighed
        objective: 98%
        sli: {kind: composite, combine: weighted, of: [{slo: quoted, weight: 2}, {slo: other, weight: 1}]}
calendar:
  events: [{name: Match, start: 2026-09-06T13:00, duration: 3h, repeat: FREQ=WEEKLY;BYDAY=SU}]
  maintenance: [{name: Night, start: 2026-10-31T23:00, end: 2026-11-01T03:00, reason: r, approved_by: a}]
monitoring:
  slo: {event_burn_factor: 0.5, cold_start: direct}
""".replace("keep: &keep []\n", "")
TWO = """\
name: regions
sources: [{name: eu, url: "http://eu:9090", tenant: one}, {name: us, url: "http://us:9090", tenant: two}]
services:
  - name: eu
    source: eu
    slos: [{name: up, sli: {kind: probe}, objective: 99.9%}]
  - name: us
    source: us
    slos: [{name: up, sli: {kind: probe}, objective: 99.9%, window: 90d}]
monitoring: {areas: {kubernetes: off}}
"""
CATALOGUES = {"odd": ODD, "two": TWO}


def generated(folder: Path, name: str) -> Path:
    """The output of one of the catalogues."""
    if name in CATALOGUES:
        (folder / "sla.yml").write_text(CATALOGUES[name])
        catalogue = load(folder / "sla.yml")
    else:
        catalogue = load(ROOT / "examples" / "astralfield", name)
    write(outputs(catalogue, AT), folder / "build")
    return folder / "build"


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["odd", "two", "production", "staging", "dev"])
def test_the_tools_take_what_is_written(name: str, tmp_path: Path) -> None:
    build = generated(tmp_path, name)
    rules = sorted((build / "rules").glob("*.yml"))
    for version in ("2", "3"):
        run(promtool(version), "check", "config", "--syntax-only", build / "prometheus.yml")
        run(promtool(version), "check", "rules", "--lint-fatal", *rules)
    tests = [build / "tests" / f"{each}.yml" for each in ("slo", "slo-us", "calendar")]
    present = [path for path in tests if path.exists()]
    assert present
    for version in ("2", "3"):
        run(promtool(version), "test", "rules", *present)
    run(tool("pint"), "--offline", "lint", "--min-severity=bug", "--fail-on=bug", build / "rules")
    run(tool("amtool"), "check-config", build / "alertmanager.yml")
    run("sh", "-n", build / "backfill" / "backfill.sh")


def test_every_alert_has_the_runbook_that_it_names(tmp_path: Path) -> None:
    build = generated(tmp_path, "production")
    names = set()
    for file in rule_files(load(ROOT / "examples" / "astralfield", "production"), AT):
        for rule in (rule for group in file.groups for rule in group.rules):
            if isinstance(rule, AlertingRule):
                page = build / "runbooks" / urlsplit(rule.annotations["runbook_url"]).path.rpartition("/")[2]
                assert page.is_file(), rule.alert
                names.add(rule.alert)
    assert {path.stem for path in (build / "runbooks").glob("*.md")} == names | {"README"}


def test_the_same_bytes_come_out_whatever_surrounds_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sla_kit.cli", "generate", "-c", str(ROOT / "examples" / "astralfield")]
    texts = []
    for number, more in enumerate(({"PYTHONHASHSEED": "1", "TZ": "UTC"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})):
        out = tmp_path / str(number)
        entry = [str(Path(sys.executable).parent / "sla-kit"), *command[3:]]
        subprocess.run(
            [*entry, "--at", str(AT), "--out", str(out)],
            check=True,
            capture_output=True,
            env={"PATH": "/usr/bin:/bin", **more},
        )
        texts.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert texts[0] == texts[1]


def test_check_tells_what_differs(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(TWO)
    entry = [str(Path(sys.executable).parent / "sla-kit"), "generate", "-c", "sla.yml", "--at", str(AT)]

    def called(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, *more], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert called("--check").returncode == 1
    assert called().returncode == 0
    assert called("--check").returncode == 0
    (tmp_path / "sla.yml").write_text(TWO.replace("99.9%", "99%"))
    differs = called("--check")
    assert differs.returncode == 1
    assert "build/rules/slo.yml: changed" in differs.stderr
    assert "+" in differs.stderr
    (tmp_path / "build" / "rules" / "slo.yml").write_text("mine")
    refused = called()
    assert refused.returncode == 2
    assert "changed by hand" in refused.stderr


@pytest.mark.parametrize("form", ["kubernetes", "ruler"])
def test_other_forms_hold_the_same_rules(form: str, tmp_path: Path) -> None:
    build = generated(tmp_path, "two")
    catalogue = load(tmp_path / "sla.yml")
    found = outputs(catalogue, AT, form=form)
    names: list[str] = []
    for output in found:
        document = yaml.safe_load(output.text)
        if form == "kubernetes" and document.get("kind") == "PrometheusRule":
            names += [group["name"] for group in document["spec"]["groups"]]
        if form == "ruler" and not output.path.startswith("thanos/"):
            names += [group["name"] for group in document["groups"]]
    written = [
        group["name"]
        for path in sorted((build / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert sorted(names) == sorted(written)
    if form == "ruler":
        tenants = {output.path.partition("/")[0] for output in found}
        assert tenants == {"one", "two", "thanos"}
