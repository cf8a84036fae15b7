"""Which files a catalogue makes, and what stands in them. Pure: nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from sla_kit import alert_rules
from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.alertmanager import alertmanager_config
from sla_kit.generate.files import Output, OutputError
from sla_kit.generate.prometheus_config import blackbox_config, prometheus_config, server_of, servers
from sla_kit.generate.rules_yaml import rule_tests_text, rules_text
from sla_kit.generate.runbooks import runbooks
from sla_kit.rules import backfill, calendar, slo
from sla_kit.rules.model import RuleFile, RuleTestFile

#: The parts of the output that can be asked for alone.
PARTS = ("rules", "tests", "config", "runbooks", "backfill", "dashboards", "logs")
#: Credentials before a host, whether a scheme stands before them or not.
_PASSWORD = re.compile(r"(?:[A-Za-z][\w+.-]*://)?[^\s/@?#]*:[^\s/@?#]*@")
_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"


def rule_files(catalogue: Catalogue, at: float) -> tuple[RuleFile, ...]:
    """Every rule file: the calendar, the SLOs, the areas of alerts. Raises `OutputError` where two would be one."""
    files = (*calendar.rule_files(catalogue, at), *slo.rule_files(catalogue, at), *alert_rules.rule_files(catalogue))
    if name := _twice(file.name for file in files):  # only sources give files their names
        raise OutputError(
            f"two files of rules would be called {name}",
            remedy="rename the source whose name begins with 'recordings'",
        )
    for file in files:
        if name := _twice(group.name for group in file.groups):
            raise OutputError(
                f"two groups of rules would be called {name}, which Prometheus refuses",
                remedy="rename one of the services: those with many SLOs have groups with numbers after their name",
            )
    return files


def _twice(names: Iterable[str]) -> str:
    """The first name that is there a second time; "" where there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def rule_test_files(catalogue: Catalogue, at: float) -> tuple[RuleTestFile, ...]:
    """promtool's tests of them."""
    return (*calendar.test_files(catalogue, at), *slo.test_files(catalogue, at), *alert_rules.test_files(catalogue))


def outputs(catalogue: Catalogue, at: float, parts: tuple[str, ...] = PARTS, form: str = "files") -> tuple[Output, ...]:
    """The files for a plain Prometheus and Alertmanager, or in another ``form``: "kubernetes", "ruler". ``at`` is from
    when on the calendar is written down."""
    _refuse_secrets(catalogue)
    if form == "kubernetes":
        from sla_kit.generate.kubernetes import manifests

        found = tuple(manifests(catalogue, at, parts))
    elif form == "ruler":
        from sla_kit.generate.ruler import namespaces

        found = tuple(namespaces(catalogue, at, parts))
    else:
        found = _files(catalogue, at, parts)
    _refuse_clashes(found)
    return tuple(sorted(found, key=lambda output: output.path))


def _files(catalogue: Catalogue, at: float, parts: tuple[str, ...]) -> tuple[Output, ...]:
    found: list[Output] = []
    files = rule_files(catalogue, at) if {"rules", "runbooks"} & set(parts) else ()
    if "rules" in parts:
        found += [Output(f"rules/{file.name}.yml", _HEAD + rules_text(file)) for file in files]
    if "tests" in parts:
        tests = rule_test_files(catalogue, at)
        found += [Output(f"tests/{file.name}.yml", _HEAD + rule_tests_text(file)) for file in tests]
    if "config" in parts:
        found += _prometheus(catalogue, at, files)
        found.append(Output("alertmanager.yml", _HEAD + yaml_text(alertmanager_config(catalogue, at))))
        found.append(Output("blackbox.yml", _HEAD + yaml_text(blackbox_config())))
    if "runbooks" in parts:
        found += runbooks(catalogue, files)
    if "backfill" in parts:
        filled = backfill.backfills(catalogue)
        found += [Output(f"backfill/{each.rules.name}.yml", _HEAD + rules_text(each.rules)) for each in filled]
        if filled:
            found.append(Output("backfill/backfill.sh", backfill.script(filled), executable=True))
    if "dashboards" in parts:
        from sla_kit.generate import dashboards

        found += dashboards.files(catalogue)
    if "logs" in parts:
        from sla_kit.elk import files as elk

        found += elk.outputs(catalogue) if elk.are_wanted(catalogue) else ()
    return tuple(found)


def _prometheus(catalogue: Catalogue, at: float, files: tuple[RuleFile, ...]) -> Iterator[Output]:
    """The configuration of the first or only Prometheus, and one for each further source."""
    names = servers(catalogue)
    if len(names) == 1:
        yield Output("prometheus.yml", _HEAD + yaml_text(prometheus_config(catalogue)))
        return
    present = [file.name for file in files or rule_files(catalogue, at)]
    for number, server in enumerate(names):
        mine = sorted(name for name in present if server_of(catalogue, name) in ("", server))
        config = prometheus_config(catalogue, server, mine)
        yield Output(f"prometheus{f'-{server}' if number else ''}.yml", _HEAD + yaml_text(config))


def _refuse_clashes(found: Iterable[Output]) -> None:
    """Raises `OutputError` for files that some file systems take for one."""
    seen: dict[str, str] = {}
    for output in found:
        other = seen.setdefault(output.path.casefold(), output.path)
        if other != output.path:
            raise OutputError(
                f"{other} and {output.path} differ only in upper and lower case, and are one file on some systems",
                remedy="rename the source, tenant or dashboard that one of them is named after",
            )


def _refuse_secrets(catalogue: Catalogue) -> None:
    """Raises `OutputError` where an address holds a password, which would be there for all to read in what is
    written. The message does not repeat it."""
    monitoring, delivery = catalogue.monitoring, catalogue.monitoring.delivery
    addresses = [(f"monitoring.targets.{name}", each) for name, all_ in monitoring.targets.items() for each in all_]
    addresses += [(f"monitoring.{key}", getattr(monitoring, key)) for key in ("grafana", "alertmanager")]
    addresses += [
        (f"monitoring.delivery.{key}", getattr(delivery, key)) for key in ("router", "heartbeat", "smarthost")
    ]
    addresses += [("runbooks", catalogue.runbooks)]
    addresses += [
        (f"the probe {service.name}/{slo.name}", text)
        for service, slo in catalogue.slos()
        for value in getattr(catalogue.sli(service, slo), "matchers", {}).values()
        for text in ([value] if isinstance(value, str) else value)
        if "://" in text
    ]
    for where, address in addresses:
        if _PASSWORD.match(address):
            raise OutputError(
                f"the address in {where} holds a password, which would be written into the files",
                remedy="take it out; Prometheus and Alertmanager read credentials from files, probes from a module "
                "of your own",
            )


@dataclass(frozen=True, slots=True)
class Counted:
    """How much some files hold."""

    recordings: int = 0
    alerts: int = 0
    tests: int = 0
    dashboards: int = 0


def counted(outputs: Iterable[Output]) -> Counted:
    """How many recording rules, alerts, tests and dashboards the files hold."""
    records = alerts = tests = dashboards = 0
    for output in outputs:
        if output.path.startswith("tests/"):
            tests += output.text.count("\n  - name: ")
        elif output.path.startswith("dashboards/"):
            dashboards += 1
        elif not output.path.startswith(("backfill", "thanos/", "runbooks", "provisioning/")):
            records += output.text.count("- record: ")
            alerts += output.text.count("- alert: ")
    return Counted(records, alerts, tests, dashboards)


def yaml_text(content: Any) -> str:
    """Configuration as people write it: keys in their order, lists indented, long texts on one line."""
    return yaml.dump(content, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=10_000)


class _Indented(yaml.SafeDumper):
    """PyYAML sets lists under their key without indenting them, and shares equal parts; people do neither."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True
