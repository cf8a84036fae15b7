"""What docs/interchange.md shows is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sla_kit.interchange.promql_shape import of_events, of_ratio, of_threshold

PAGE = (Path(__file__).parent.parent.parent / "docs/interchange.md").read_text(encoding="utf-8")


def test_the_example_in_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/interchange.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert printed.startswith("http_requests_total {'job': 'shop'} {'code': '=~5..'}\n")
    assert "kind: AlertPolicy" in printed


W = "[{{.window}}]"
SHAPES = {
    "requests": [
        of_events(f"sum(rate(m{W}))", bad=f'sum(rate(m{{code=~"5.."}}{W}))'),
        of_ratio(f'1 - sum(rate(m{{code="200"}}{W})) / sum(rate(m{W}))', good=False),
        of_events(f"sum(rate(m{W}))", good=f'sum(rate(m{W})) - sum(rate(m{{code="500"}}{W}))'),
        of_events(f"sum(rate(m{W}))", bad=f'sum(rate(m{{code="500"}}{W})) or vector(0)'),
    ],
    "latency": [
        of_events(f"sum(rate(m_count{W}))", good=f'sum(rate(m_bucket{{le="0.3"}}{W}))'),
        of_ratio(f"histogram_fraction(0, 0.3, sum(rate(m{W})))", good=True),
    ],
    "probe": [
        of_ratio(f"avg_over_time(m{W})", good=True),
        of_ratio(f"sum(sum_over_time(m{W})) / sum(count_over_time(m{W}))", good=True),
        of_ratio("avg(m)", good=True),
    ],
    "bound": [
        of_threshold("m", "lt", 3.0),
        *(of_threshold(f"{how}(m)", "gte", 3.0) for how in ("max", "min", "avg", "sum")),
        of_threshold("histogram_quantile(0.95, sum by (le) (rate(m_bucket[5m])))", "lte", 0.3),
    ],
    "freshness": [of_threshold("time() - m", "lte", 60.0)],
    "promql": [of_events(f"count_over_time(m{W})", bad=f"changes(m{W})")],
}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_table_of_expressions_is_so(kind: str) -> None:
    for shaped in SHAPES[kind]:
        assert shaped.sli.__struct_config__.tag == kind, shaped
    assert f"| `{kind}`" in PAGE


def test_a_gauge_of_several_series_is_judged_by_the_worst() -> None:
    below, above = of_threshold("m", "lt", 3.0).sli, of_threshold("m", "gt", 3.0).sli
    assert below.combine == "max"  # type: ignore[union-attr]
    assert above.combine == "min"  # type: ignore[union-attr]
