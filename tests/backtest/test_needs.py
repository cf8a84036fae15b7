"""What rules read of a history, and which of them surely give nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.backtest.evaluators import Wanted
from sla_kit.backtest.needs import Emptiness, needs
from sla_kit.backtest.resolving import Recordings, recordings_of
from sla_kit.backtest.rule_files import read_rule_files

RULES = """
groups:
  - name: g
    rules:
      - {record: of:gone, expr: 'sum(rate(gone[5m]))'}
      - {record: of:here, expr: 'sum(rate(here[5m]))'}
      - {record: of:both, expr: 'sum(rate(gone[5m]))'}
      - {record: of:both, expr: 'sum(rate(here[5m]))'}
      - {record: of:anything, expr: 'of:gone or vector(0)'}
      - {record: of:gone:again, expr: 'avg_over_time(of:gone[1h])'}
      - {record: circle:a, expr: 'circle:b'}
      - {record: circle:b, expr: 'circle:a'}
      - {record: own, labels: {side: bad}, expr: 'sum(gone)'}
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    path = tmp_path_factory.mktemp("rules") / "rules.yml"
    path.write_text(RULES)
    return Recordings(recordings_of(read_rule_files([Path(path)]), 60))


@pytest.mark.parametrize(
    ("expression", "empty"),
    [
        ("gone > 0", True),
        ("sum by (job) (gone) / on (job) group_left () gone_too", True),
        ("gone unless gone_too", True),
        ("gone or here", False),
        ("gone and here", False),  # it is empty, but that is not looked into
        ("absent(gone)", False),
        ("absent_over_time(gone[5m])", False),
        ("gone or vector(1)", False),
        ("hour() > 5 and on () gone", False),
        ("1 > bool 0", False),
        ("time() - gone > 5", True),
        ('{__name__=~"go.*"}', False),
        ("of:gone > 0", True),
        ("of:gone:again", True),
        ("of:here", False),
        ("of:both", False),
        ("of:anything", False),
        ("circle:a", False),
        ('own{side="bad"}', True),
        ('own{side="good"}', False),
    ],
)
def test_what_surely_gives_nothing(recordings: Recordings, expression: str, empty: bool) -> None:
    assert Emptiness(recordings, frozenset(["gone", "gone_too"])).of(expression) is empty


def test_each_selector_is_read_from_when_on_its_expression_looks_back_to(recordings: Recordings) -> None:
    wanted = Wanted(recordings, (("of:gone:again > 0 or here offset 1d", 1_000_000.0),), 1_100_000)
    found = {need.reading.metric: 1_000_000 - need.begin for need in needs(wanted, [wanted])}
    # The recording looks an hour back, from an interval before an hour and a day before, and five minutes more.
    assert found["here"] == 86_400 + 600
    assert found["gone"] == 86_400 + 60 + 3_600 + 60 + 300 + 600
    assert set(found) == {"here", "gone"}
