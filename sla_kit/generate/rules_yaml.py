"""Rules and their tests as the YAML that Prometheus and promtool read.

Written here and not by PyYAML, which needs a minute for the rules of ten thousand SLOs: what there is to write is
little and known, and a test holds that PyYAML reads it back unchanged whatever the texts hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from sla_kit.rules.model import AlertingRule, Rule, RuleFile, RuleTest, RuleTestFile

#: Text that YAML reads as itself without quotes: words that are no number, no date and none of its own.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_OWN_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
#: Text that a literal block keeps as it is.
_BLOCK = re.compile(r"[^\s\x00-\x1f][^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*")
#: What a quoted text can't hold as it is.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def rules_text(file: RuleFile, extra_indent: str = "") -> str:
    """The file of some rule groups; ``extra_indent`` stands before each line, for a manifest around it."""
    lines = [*(f"# {line}".rstrip() for line in file.comment.splitlines()), "groups:"]
    for group in file.groups:
        lines += _group(group.name, group.interval_seconds, group.comment, group.rules)
    text = "\n".join(lines) + "\n"
    return re.sub(r"^(?=.)", extra_indent, text, flags=re.MULTILINE) if extra_indent else text


def rule_tests_text(file: RuleTestFile, rules_folder: str = "../rules") -> str:
    """promtool's tests of some rule files, which stand in ``rules_folder``, as seen from the test's."""
    lines = ["rule_files:", *(f"  - {scalar(f'{rules_folder}/{name}.yml')}" for name in file.rule_files)]
    lines += [f"evaluation_interval: {duration(file.evaluation_interval_seconds)}", "tests:"]
    for test in file.tests:
        lines += _test(test)
    return "".join(f"{line}\n" for line in lines)


@lru_cache(maxsize=4096)
def duration(seconds: float) -> str:
    """A length of time as Prometheus writes it: 1h30m, 90s is 1m30s; to the millisecond."""
    left, parts = round(seconds * 1000), ""
    for unit, length in _UNITS:
        if unit == "w" and left % length:  # 30 days are 30d and not 4w2d
            continue
        count, left = divmod(left, length)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


@lru_cache(maxsize=65536)
def scalar(text: str) -> str:
    """A text on one line, quoted where it must be."""
    if _PLAIN.fullmatch(text) and text.lower() not in _OWN_WORDS:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    """A character as YAML's double-quoted texts have it."""
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _group(name: str, interval: float, comment: str, rules: Iterable[Rule]) -> Iterator[str]:
    for line in comment.splitlines():
        yield f"  # {line}".rstrip()
    yield f"  - name: {scalar(name)}"
    if interval:
        yield f"    interval: {duration(interval)}"
    yield "    rules:"
    for rule in rules:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    for line in rule.comment.splitlines():
        yield f"      # {line}".rstrip()
    if isinstance(rule, AlertingRule):
        yield f"      - alert: {scalar(rule.alert)}"
        yield _one("        ", "expr", rule.expression)
        if rule.pending_seconds:
            yield f"        for: {duration(rule.pending_seconds)}"
        if rule.keep_firing_seconds:
            yield f"        keep_firing_for: {duration(rule.keep_firing_seconds)}"
        yield from _mapping("        ", "labels", rule.labels)
        yield from _mapping("        ", "annotations", rule.annotations)
    else:
        yield f"      - record: {scalar(rule.record)}"
        yield _one("        ", "expr", rule.expression)
        yield from _mapping("        ", "labels", rule.labels)


def _test(test: RuleTest) -> Iterator[str]:
    yield f"  - name: {scalar(test.name)}"
    yield f"    interval: {duration(test.interval_seconds)}"
    if test.series:
        yield "    input_series:"
        for series, values in test.series.items():
            yield f"      - series: {scalar(series)}"
            yield f"        values: {scalar(values)}"
    if test.alerts:
        yield "    alert_rule_test:"
        for check in test.alerts:
            yield f"      - eval_time: {duration(check.at_seconds)}"
            yield f"        alertname: {scalar(check.alert)}"
            if check.firing:
                yield "        exp_alerts:"
                for alert in check.firing:
                    labels = _mapping("            ", "exp_labels", alert.labels)
                    yield from _listed(labels if alert.labels else iter(["            exp_labels: {}"]))
                    yield from _mapping("            ", "exp_annotations", alert.annotations)
    if test.values:
        yield "    promql_expr_test:"
        for value in test.values:
            yield from _listed(iter([_one("        ", "expr", value.expression)]))
            yield f"        eval_time: {duration(value.at_seconds)}"
            if value.values:
                yield "        exp_samples:"
                for series, number in value.values.items():
                    yield f"          - labels: {scalar(series)}"
                    yield f"            value: {number!r}"


def _listed(lines: Iterator[str]) -> Iterator[str]:
    """Lines whose first begins an entry of a list."""
    for index, line in enumerate(lines):
        if index:
            yield line
        else:
            at = len(line) - len(line.lstrip())
            yield f"{line[: at - 2]}- {line[at:]}"


def _mapping(indent: str, key: str, content: Mapping[str, str]) -> Iterator[str]:
    if content:
        yield f"{indent}{key}:"
        for name, text in content.items():
            yield _one(f"{indent}  ", name, text)


def _one(indent: str, key: str, text: str) -> str:
    """A key with a text, which is a block where it has several lines."""
    if "\n" in text and _BLOCK.fullmatch(text) and not text.endswith("\n") and "\n\n" not in text.replace(" ", ""):
        inside = text.replace("\n", f"\n{indent}  ")
        return f"{indent}{scalar(key)}: |-\n{indent}  {inside}"
    return f"{indent}{scalar(key)}: {scalar(text)}"
