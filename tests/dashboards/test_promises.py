"""What dashboards ask of SLOs is what their rules record."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.promises import Promises
from sla_kit.generate.plan import rule_files
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.sides import promql_duration
from sla_kit.rules.slo import watched_slos
from tests.dashboards.catalogues import ASTRAL, AT, ODD, catalogue_of

_MADE_OF_OTHERS = """\
name: made
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {job: api}, bad: {status_code: "~5.."}}
      fast: {kind: latency, metric: http_request_duration_seconds, matchers: {job: api}, threshold: 100ms}
      both: {kind: composite, combine: worst, of: [availability, p95]}
    slos:
      - {name: availability, sli: requests, objective: 99.9%, window: 28d}
      - {name: p95, sli: fast, objective: 95%, window: 28d}
      - {name: whole, sli: both, objective: 99%, window: 7d}
"""


def catalogues(folder: Path) -> list[Catalogue]:
    texts = [*ODD.values(), _MADE_OF_OTHERS]
    return [load(ASTRAL, None), load(ASTRAL, "production"), *(catalogue_of(text, folder) for text in texts)]


def test_the_windows_are_those_of_every_slo_that_rules_read(tmp_path: Path) -> None:
    for catalogue in catalogues(tmp_path):
        watched = [each for each in watched_slos(catalogue) if each.slo.objective < 1]
        promises = Promises.of(catalogue)
        assert set(promises.own) == {each.window for each in watched}
        assert set(promises.pages) == {each.conditions[0].long for each in watched}
        assert set(promises.read) == {
            one for each in watched for condition in each.conditions for one in condition.windows
        }


def test_every_window_that_is_asked_is_recorded(tmp_path: Path) -> None:
    for catalogue in catalogues(tmp_path):
        recorded = {
            rule.record
            for file in rule_files(catalogue, AT)
            for group in file.groups
            for rule in group.rules
            if isinstance(rule, RecordingRule)
        }
        promises = Promises.of(catalogue)
        for seconds in {*promises.own, *promises.read, *promises.pages}:
            assert f"sla:error_ratio:{promql_duration(seconds)}" in recorded


@pytest.mark.parametrize("chosen", ['service="a"', 'service!=""'])
def test_maintenance_changes_nothing_where_there_is_none(chosen: str, tmp_path: Path) -> None:
    promises = Promises.of(catalogue_of(_MADE_OF_OTHERS, tmp_path))
    assert promises.with_maintenance(chosen) == promises.indicator(chosen)
    assert chosen in promises.budget_left(chosen)
