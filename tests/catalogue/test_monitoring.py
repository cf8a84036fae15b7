"""The mistakes of a catalogue's monitoring are told with their place and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.catalogue import check, load
from sla_kit.catalogue.monitoring import RuleSettings

CATALOGUE = """\
name: shop
contacts: [{name: database, email: db@example.com}]
services:
  - name: api
    monitoring:
      SERVICE
    slis:
      requests: {kind: requests, metric: http_requests_total, bad: {code: =~5..}}
    slos:
      - {name: availability, sli: requests, objective: 99%}
monitoring:
  MONITORING
"""


def write(folder: Path, monitoring: str = "{}", service: str = "{}") -> Path:
    path = folder / "sla.yml"
    path.write_text(CATALOGUE.replace("MONITORING", monitoring).replace("SERVICE", service))
    return path


def test_rules_are_switched_and_set(tmp_path: Path) -> None:
    text = "{rules: {ProbeSlow: {for: 20m, thresholds: {seconds: 2s}}, ProbeFailed: off}, areas: {cloud: off}}"
    monitoring = load(write(tmp_path, text)).monitoring
    slow = monitoring.rules["ProbeSlow"]
    assert isinstance(slow, RuleSettings)
    assert (slow.pending, slow.thresholds) == (1200, {"seconds": "2s"})
    assert monitoring.rules["ProbeFailed"] is False
    assert monitoring.areas == {"cloud": False}


@pytest.mark.parametrize(
    ("monitoring", "words"),
    [
        ("{rules: {ProbeSlo: off}}", ["ProbeSlo", "did you mean ProbeSlow?"]),
        ("{rules: {ProbeSlow: {thresholds: {second: 2s}}}}", ["second", "did you mean seconds?"]),
        ("{rules: {ProbeSlow: {thresholds: {seconds: fast}}}}", ["fast", "such as 15m"]),
        ("{rules: {ProbeSlow: {during_events: {thresholds: {seconds: -1}}}}}", ["-1", "such as 15m"]),
        ("{rules: {SloErrorBudgetBurn: {thresholds: {factor: 2}}}}", ["has no threshold 'factor'"]),
        ("{rules: {ProbeSlow: {severity: fatal}}}", ["fatal"]),
        ("{rules: {ProbeSlow: {team: databse}}}", ["did you mean database?"]),
        ("{rules: {ProbeSlow: {pending: 5m}}}", ["unknown key pending"]),
        ("{rules: {ProbeSlow: {labels: {a-b: x}}}}", ["a-b"]),
        ("{areas: {clouds: off}}", ["did you mean cloud?"]),
        ("{teams: {cloud: nobody}}", ["nobody"]),
        ("{jobs: {blackbx: probes}}", ["did you mean blackbox?"]),
        ("{jobs: {blackbox: []}}", ["no job is named"]),
        ("{scrape_interval: 0}", ["shorter than a second"]),
        ("{keep_labels: [a b]}", ["'a b'"]),
        ("{labels: {namespace: __x}}", ["__x"]),
        ("{grafana: grafana.example.com}", ["begin with https://"]),
        ("{slo: {event_burn_factor: 0}}", ["above 0"]),
        ("{slo: {cold_start: warm}}", ["warm"]),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, monitoring: str, words: list[str]) -> None:
    _, mistakes = check(write(tmp_path, monitoring))
    assert len(mistakes) == 1, mistakes
    assert mistakes[0].line == 12
    for word in words:
        assert word in str(mistakes[0])


def test_a_mistake_of_a_service_has_its_place(tmp_path: Path) -> None:
    _, [mistake] = check(write(tmp_path, service="{rules: {ProbeFaild: off}}"))
    assert mistake.line == 6
    assert "did you mean ProbeFailed?" in str(mistake)
