"""The mistakes of a declared capacity are told with their place and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.catalogue import check, load

CATALOGUE = """\
name: shop
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, bad: {code: =~5..}}
      up: {kind: probe}
    slos:
      - {name: availability, sli: requests, objective: 99%}
    capacity:
      CAPACITY
"""


def write(folder: Path, capacity: str) -> Path:
    path = folder / "sla.yml"
    path.write_text(CATALOGUE.replace("CAPACITY", capacity))
    return path


def test_a_capacity_is_read(tmp_path: Path) -> None:
    text = (
        "{requests: requests, per_pod_rps: 50, pods: {metric: pods, limit: 4}, connections: {metric: c, combine: max}}"
    )
    capacity = load(write(tmp_path, text)).services[0].capacity
    assert capacity is not None
    assert (capacity.requests, capacity.per_pod_rps) == ("requests", 50)
    assert capacity.pods is not None
    assert (capacity.pods.metric, capacity.pods.combine, capacity.pods.limit) == ("pods", "sum", 4)


@pytest.mark.parametrize(
    ("capacity", "words"),
    [
        ("{requests: request}", ["request", "did you mean requests?"]),
        ("{requests: up}", ["up is of kind probe"]),
        ("{requests: requests, per_pod_rps: 0}", ["per_pod_rps must be above 0"]),
        ("{requests: requests, pods: {metric: pods, limit: 0}}", ["a limit of 0 leaves nothing"]),
        ("{requests: requests, pods: {metric: a-b}}", ["a-b"]),
        ("{requests: requests, pods: {metric: pods, matchers: {a: '=~('}}}", ["("]),
        ("{requests: requests, connections: {limit: 3}}", ["has no metric"]),
        ("{requests: requests, pod: {metric: pods}}", ["unknown key pod", "did you mean pods?"]),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, capacity: str, words: list[str]) -> None:
    _, [mistake] = check(write(tmp_path, capacity))
    assert mistake.line == 10
    for word in words:
        assert word in str(mistake)
