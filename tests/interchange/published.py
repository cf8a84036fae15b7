"""The published examples of OpenSLO, Sloth and Pyrra, and which of them are meant to be wrong."""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLES = Path(__file__).parent / "examples"

#: Files that their own project refuses, or that only make sense beside another, with words of the mistake. Sloth's
#: bad-openslo.yaml is none: that Sloth has no alert windows of 28 days does not matter here.
WRONG = {
    "openslo/go-sdk/test_data/export/inputs/custom_config.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/export/inputs/v1_alert_policies.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/export/inputs/v1_slo.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/export/outputs/custom_config.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/export/outputs/v1_alert_policies.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/export/outputs/v1_slo.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/go-sdk/test_data/inline/inputs/custom_config.yaml": "there is no SLI 'my-sli'",
    "openslo/go-sdk/test_data/inline/inputs/v1_alert_policies_invalid_condition.yaml": "there is no AlertCondition",
    "openslo/go-sdk/test_data/inline/inputs/v1_slo_invalid_policy.yaml": "there is no AlertPolicy 'no-policy'",
    "openslo/go-sdk/test_data/inline/inputs/v1_slo_invalid_sli.yaml": "there is no SLI 'no-sli'",
    "openslo/go-sdk/test_data/inline/inputs/v1_slo_invalid_target.yaml": "has no value",
    "openslo/go-sdk/test_data/inline/outputs/custom_config.yaml": "there is no SLI 'my-sli'",
    "openslo/go-sdk/v1/examples/alert_policies.yaml": "there is no AlertCondition 'cpu-usage-breach'",
    "openslo/oslo/test/inputs/validate/invalid-apiversion.yaml": "apiVersion 'foo' is not read",
    "openslo/oslo/test/inputs/validate/mix/3.yaml": "'openslo.com/v2alpha' is not read",
    "openslo/oslo/test/inputs/validate/recursive/nested/2.yaml": "'openslo.com/v2alpha' is not read",
    "openslo/oslo/test/inputs/validate/recursive/nested/nested2/nested3/3.yaml": "'openslo.com/v2alpha' is not read",
    "openslo/oslo/test/inputs/validate/v2alpha.yaml": "'openslo.com/v2alpha' is not read",
    "sloth/test/integration/prometheus/testdata/in-invalid-version.yaml": "'prometheus/v999' is not read",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-aa.yaml": "an objective of 101 % is impossible",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-ab.yaml": "an objective of 101 % is impossible",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-ba.yaml": "an objective of 101 % is impossible",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-k8s.yaml": "service of spec of the document is empty",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-multi-k8s.yaml": "have no name",
    "sloth/test/integration/prometheus/testdata/validate/bad/bad-multi.yaml": "has no indicator",
    "sloth/test/integration/prometheus/testdata/validate_with_duplicates/bad-prom-multi-duplicates.yaml": "'slo1'",
}
#: Wrong by itself, right beside the file that it refers to.
COMPANION = {
    "openslo/go-sdk/v1/examples/alert_policies.yaml": "openslo/go-sdk/v1/examples/alert_conditions.yaml",
}


def tool_of(name: str) -> str:
    """The tool whose example a file is."""
    return name.split("/")[0]


def right() -> list[str]:
    """The files that import."""
    return [name for name in every() if name not in WRONG]


def every() -> list[str]:
    """All files, relative to the folder of examples."""
    return sorted(
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.rglob("*")
        if path.suffix in (".yml", ".yaml", ".json") and path.is_file()
    )


def of_the_specification() -> dict[str, str]:
    """The whole documents that OpenSLO's specification shows, by kind and number. Those that say "string" are forms."""
    text = (EXAMPLES / "openslo/specification.md").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    condition = ""
    for block in re.findall(r"^```yaml\n(apiVersion: .*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        kind = re.search(r"^kind: (\w+)$", block, flags=re.MULTILINE)
        if kind is None or re.search(r": (string|number|enum)\b|true \| false|\bboolean\b", block):
            continue
        found[f"{kind[1]} {len(found) + 1}"] = block
        condition = block if kind[1] == "AlertCondition" else condition
    return {name: f"{text}---\n{condition}" if "conditionRef" in text else text for name, text in found.items()}
