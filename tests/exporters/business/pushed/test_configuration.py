"""Mistakes in what is declared for pushing: each is told, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.errors import ConfigurationError
from sla_kit.exporters.business import EXPORTER

GOOD = """
pushed:
  token: {env: TOKEN}
  statsd:
    udp: 0.0.0.0:8125
    senders: [10.0.0.0/8]
    unix: statsd.sock
    mappings:
      - {match: api.*.*.requests, name: requests_total, labels: {client: $1, plan: "${2}"}}
  metrics:
    - {name: requests_total, type: counter, help: Requests., labels: [client, plan]}
    - {name: viewers, type: gauge, help: Viewers., expires: 5m}
    - {name: checkout_seconds, type: histogram, help: Time., buckets: [0.1, 1]}
    - {name: active_users, type: users, help: Users., windows: [1m, 30d]}
"""


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "business.yml"
    path.write_text(text)
    try:
        EXPORTER.load(path)
    except ConfigurationError as error:
        return [f"{each.line}: {each.message}" for each in error.mistakes]
    return []


def test_a_good_one_has_none(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD) == []
    loaded = EXPORTER.load(tmp_path / "business.yml")
    assert [each.name for each in loaded.collectors] == ["pushed"]
    assert not list(tmp_path.glob("*pushed*")), "loading makes no file"
    again = EXPORTER.load(tmp_path / "business.yml", before=loaded)
    assert (list(again.collectors), list(again.services)) == (list(loaded.collectors), list(loaded.services))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{env: TOKEN}", "{}", "3: must say one of env and file"),
        ("    senders: [10.0.0.0/8]\n", "", "5: is open to other machines"),
        ("[10.0.0.0/8]", "[10.0.0.300/8]", "6: '10.0.0.300/8' is no network"),
        ("0.0.0.0:8125", "8125", "5: '8125' has no port"),
        ("unix: statsd.sock", "unix_mode: 'rw'", "7: 'rw' are no rights of a file"),
        ("api.*.*.requests", "api.a*.requests", "9: 'api.a*.requests' is no pattern"),
        ("client: $1", "client: $3", "9: $3 is none of the 2 * in match"),
        ("client: $1", "klient: $1", "9: requests_total has no label klient"),
        ("name: requests_total, labels: {c", "name: request_total, labels: {c", "9: there is no pushed metric"),
        ("name: requests_total, type", "name: requests, type", "requests is a counter and does not end with _total"),
        ("[client, plan]}", "[client, 0]}", "11: '0' can't be the name of a label"),
        ("[client, plan]}", "[client, client, plan]}", "11: names a label twice"),
        (", expires: 5m", "", "12: viewers is a gauge without expires"),
        (", buckets: [0.1, 1]", "", "13: a histogram has buckets"),
        ("[0.1, 1]", "[1, 0.1]", "13: must rise"),
        (", windows: [1m, 30d]", "", "14: active_users has no windows"),
        ("[1m, 30d]", "[1m, soon]", "14: 'soon' is no length of time"),
        ("[1m, 30d]", "[1m, 30d], window_label: ''", "14: is empty, though there are several windows"),
        ("[1m, 30d]", "[1m, 30d], labels: [window]", "14: window is one of labels, too"),
        ("[1m, 30d]", "[1m, 30d], error: 0.01%", "14: must be from 0.2% to 30%"),
        ("[1m, 30d]", "[1m, 30d], labels: [a], max_series: 100000", "14: 100000 series of users"),
        ("[1m, 30d]", "[1m, 30d], expires: 5m", "14: is of no use"),
        ("name: active_users", "name: viewers", "14: viewers has other labels here"),
        ("name: active_users", "name: sla_push_users", "14: sla_push_users is taken"),
        ("help: Users.", "help: ''", "14: active_users has an empty help"),
        ("pushed:\n", "pushed:\n  path: push\n", "3: 'push' is no path"),
        ("pushed:\n", "pushed:\n  path: /metrics\n", "3: /metrics is taken"),
    ],
)
def test_each_mistake_is_told_at_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert GOOD.count(old) == 1
    found = mistakes(tmp_path, GOOD.replace(old, new))
    assert any(told in each for each in found), found
