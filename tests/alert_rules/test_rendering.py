"""Annotations are rendered as Prometheus renders them: the same templates through promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.alert_rules.rendering import labels_used, render, uses_value

TEMPLATES = [
    "{{ $value }}",
    "{{ $value | humanize }}",
    "{{ $value | humanize1024 }}",
    "{{ $value | humanizeDuration }}",
    "{{ $value | humanizePercentage }}",
    '{{ printf "%.1f" $value }} and {{ $value | printf "%.3g" }}',
    '{{ $labels.pod }} of {{ $labels.nobody }}: {{ printf "%s!" $labels.pod }}',
]
VALUES = [
    0.0,
    1.0,
    -1.0,
    0.999,
    1e-9,
    59.9,
    60.0,
    3661.5,
    90061.0,
    1e6,
    123456789.0,
    1e17,
    2.5e-5,
    1023.0,
    1024.0,
    0.1 + 0.2,
    2.0**-24,
]


def promtool_agrees(folder: Path, values: list[float]) -> str:
    """What promtool says of our rendering of every template for these values."""
    rules = [
        {"alert": f"A{index}", "expr": f"m{{n='{number}'}}", "annotations": {"text": template}}
        for index, template in enumerate(TEMPLATES)
        for number in range(len(values))
    ]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    names = [{"n": str(number), "pod": "api-0"} for number in range(len(values))]
    test = {
        "rule_files": ["rules.yml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'm{{n="{labels["n"]}", pod="api-0"}}', "values": repr(value)}
                    for labels, value in zip(names, values, strict=True)
                ],
                "alert_rule_test": [
                    {
                        "alertname": f"A{index}",
                        "eval_time": "0m",
                        "exp_alerts": [
                            {"exp_labels": labels, "exp_annotations": {"text": render(template, labels, value)}}
                            for labels, value in zip(names, values, strict=True)
                        ],
                    }
                    for index, template in enumerate(TEMPLATES)
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test))
    done = subprocess.run(
        ["promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_known_values_read_as_prometheus_writes_them(tmp_path: Path) -> None:
    assert promtool_agrees(tmp_path, VALUES) == ""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.floats(-1e18, 1e18),
            st.floats(0, 1),
            st.floats(0, 1e5),
            st.integers(-(10**9), 10**9).map(float),
        ).map(lambda value: value if abs(value) > 1e-20 else 0.0),  # below it Go and Python differ in no useful way
        min_size=12,
        max_size=12,
        unique=True,
    )
)
def test_any_value_reads_as_prometheus_writes_it(tmp_path: Path, values: list[float]) -> None:
    assert promtool_agrees(tmp_path, values) == ""


def test_what_a_template_uses_is_known() -> None:
    template = "{{ $labels.pod }} {{ $value | humanize }} $labels.outside"
    assert labels_used(template) == {"pod"}
    assert uses_value(template)
    assert not uses_value("{{ $labels.value }} $value")


@pytest.mark.parametrize("template", ["{{ query `up` }}", "{{ $value | title }}", '{{ printf "%d" $value }}'])
def test_what_is_not_known_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"not among|neither"):
        render(template, {}, 1.0)
