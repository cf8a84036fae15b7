"""Rules and their tests as the YAML that Prometheus and promtool read.

Written here and not by PyYAML, which needs a minute for the rules of ten thousand SLOs: what there is to write is
little and known, and a test holds that PyYAML reads it back unchanged whatever the texts hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sla_kit.rules.model import RecordingRule, Rule, RuleFile, RuleTest, RuleTestFile

#: Text that YAML reads as itself without quotes: words that are no number, no date and none of its own.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_OWN_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
#: Text that a literal block keeps as it is.
_BLOCK = re.compile(r"[^\s\x00-\x1f][^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*")
#: What a quoted text can't hold as it is.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_NEWLINE = "\n"  # for f-strings, which may hold no backslash before Python 3.12
_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def rules_text(file: RuleFile, extra_indent: str = "") -> str:
    """The file of some rule groups; ``extra_indent`` stands before each line, for a manifest around it."""
    parts = [_comment("", file.comment), "groups:\n"]
    for group in file.groups:
        parts += (_comment("  ", group.comment), f"  - name: {scalar(group.name)}\n")
        if group.interval_seconds:
            parts.append(f"    interval: {duration(group.interval_seconds)}\n")
        parts.append("    rules:\n")
        parts += [_rule(rule) for rule in group.rules]
    text = "".join(parts)
    return re.sub(r"^(?=.)", extra_indent, text, flags=re.MULTILINE) if extra_indent else text


def rule_tests_text(file: RuleTestFile, rules_folder: str = "../rules") -> str:
    """promtool's tests of some rule files, which stand in ``rules_folder``, as seen from the test's."""
    parts = ["rule_files:\n", *(f"  - {scalar(f'{rules_folder}/{name}.yml')}\n" for name in file.rule_files)]
    parts.append(f"evaluation_interval: {duration(file.evaluation_interval_seconds)}\ntests:\n")
    parts += [_test(test) for test in file.tests]
    return "".join(parts)


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
    if text.isascii() and text.isprintable():  # as nearly all are, which is much faster told than by an expression
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    """A character as YAML's double-quoted texts have it."""
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(indent: str, text: str) -> str:
    return "".join(f"{indent}# {line}".rstrip() + "\n" for line in text.splitlines()) if text else ""


def _rule(rule: Rule) -> str:
    before = _comment("      ", rule.comment)
    expression = _value("        ", rule.expression)
    labels = _mapping("        ", "labels", rule.labels)
    if isinstance(rule, RecordingRule):
        return f"{before}      - record: {scalar(rule.record)}\n        expr: {expression}\n{labels}"
    pending = f"        for: {duration(rule.pending_seconds)}\n" if rule.pending_seconds else ""
    keep = f"        keep_firing_for: {duration(rule.keep_firing_seconds)}\n" if rule.keep_firing_seconds else ""
    return (
        f"{before}      - alert: {scalar(rule.alert)}\n        expr: {expression}\n{pending}{keep}"
        f"{labels}{_mapping('        ', 'annotations', rule.annotations)}"
    )


def _test(test: RuleTest) -> str:
    parts = [f"  - name: {scalar(test.name)}\n    interval: {duration(test.interval_seconds)}\n"]
    if test.series:
        parts.append("    input_series:\n")
        for series, values in test.series.items():
            parts.append(f"      - series: {scalar(series)}\n        values: {scalar(values)}\n")
    if test.alerts:
        parts.append("    alert_rule_test:\n")
        for check in test.alerts:
            parts.append(f"      - eval_time: {duration(check.at_seconds)}\n        alertname: {scalar(check.alert)}\n")
            if check.firing:
                parts.append("        exp_alerts:\n")
                for alert in check.firing:
                    labels = _mapping("            ", "exp_labels", alert.labels)
                    parts.append(_listed(labels or "            exp_labels: {}\n"))
                    parts.append(_mapping("            ", "exp_annotations", alert.annotations))
    if test.values:
        parts.append("    promql_expr_test:\n")
        for value in test.values:
            parts.append(f"      - expr: {_value('        ', value.expression)}\n")
            parts.append(f"        eval_time: {duration(value.at_seconds)}\n")
            if value.values:
                parts.append("        exp_samples:\n")
                for series, number in value.values.items():
                    parts.append(f"          - labels: {scalar(series)}\n            value: {number!r}\n")
    return "".join(parts)


def _listed(text: str) -> str:
    """Lines of which the first begins an entry of a list."""
    inside = text.lstrip()
    return f"{text[: len(text) - len(inside) - 2]}- {inside}"


def _mapping(indent: str, key: str, content: Mapping[str, str]) -> str:
    if not content:
        return ""
    inside = f"{indent}  "
    lines = [
        f"{inside}{scalar(name)}: {_value(inside, text) if _NEWLINE in text else scalar(text)}\n"
        for name, text in content.items()
    ]
    return f"{indent}{key}:\n" + "".join(lines)


def _value(indent: str, text: str) -> str:
    """A text behind its key, which is a block where it has several lines."""
    if "\n" in text and _is_block(text):
        inside = text.replace("\n", f"\n{indent}  ")
        return f"|-\n{indent}  {inside}"
    return scalar(text)


def _is_block(text: str) -> bool:
    """Whether a literal block keeps a text as it is."""
    if text.endswith("\n") or "\n\n" in text or (" \n" in text and "\n\n" in text.replace(" ", "")):
        return False
    if text.isascii() and text.replace("\n", "").isprintable():  # which is much faster told than by an expression
        return text[0] not in " \n"
    return bool(_BLOCK.fullmatch(text))
