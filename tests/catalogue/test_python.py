"""Catalogues that are put together in Python: what is wrong with them, and where."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from sla_kit.catalogue import Bound, Catalogue, Probe, Service, Slo, Window, check_catalogue


def messages(**changes: Any) -> list[str]:
    slo = Slo(name="reachable", sli=Probe(), objective=0.99)
    catalogue = Catalogue(name="shop", services=[Service(name="api", slos=[slo])])
    found = check_catalogue(msgspec.structs.replace(catalogue, **changes))
    assert all((mistake.file, mistake.line, mistake.column) == ("<python>", 0, 0) for mistake in found)
    return [mistake.message for mistake in found]


def of_slo(**changes: Any) -> list[str]:
    given: dict[str, Any] = {"name": "reachable", "sli": Probe(), "objective": 0.99} | changes
    return messages(services=[Service(name="api", slos=[Slo(**given)])])


def test_a_right_one_has_no_mistakes() -> None:
    assert messages() == []


def test_a_mistake_says_what_it_concerns() -> None:
    [found] = of_slo(objective=1.5)
    assert found.startswith("services[0].slos[0].objective: an objective of 150 % is impossible")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"objective": "99%"}, "services[0].slos[0].objective: must be a finite number, not '99%'"),
        ({"objective": math.nan}, "services[0].slos[0].objective: must be a finite number, not nan"),
        ({"objective": True}, "services[0].slos[0].objective: must be a finite number, not True"),
        ({"name": 5}, "services[0].slos[0].name: must be a str, not 5"),
        ({"missing": "no"}, "services[0].slos[0].missing: must be 'bad' or 'fail' or 'ignore', not 'no'"),
        ({"window": "30d"}, "services[0].slos[0].window: must be a Window, not '30d'"),
        ({"window": Window(rolling=math.inf)}, "services[0].slos[0].window.rolling: must be a finite number or None"),
        ({"policy": {}}, "services[0].slos[0].policy: must be a list or None, not a dict"),
        ({"sli": Probe(matchers={"job": 5})}, "services[0].slos[0].sli.matchers.job: must be a str or a list, not 5"),  # type: ignore[dict-item]
        ({"sli": Bound(metric="m", max=math.inf)}, "services[0].slos[0].sli.max: must be a finite number or None"),
        ({"sli": {"kind": "probe"}}, "services[0].slos[0].sli: must be a str or a"),
    ],
)
def test_a_value_of_a_wrong_type_is_a_mistake_and_no_crash(changes: dict[str, Any], expected: str) -> None:
    [found] = of_slo(**changes)
    assert found.startswith(expected), found


def test_every_value_of_a_wrong_type_is_told_at_once() -> None:
    assert [
        message.partition(":")[0] for message in messages(bucket="1m", services=[{"name": "api"}], folder=None)
    ] == [
        "bucket",
        "folder",
        "services[0]",
    ]
