"""Every published example of OpenSLO, Sloth and Pyrra imports into a catalogue that `check` accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sla_kit.catalogue import External, check, to_yaml
from sla_kit.errors import ForeignFileError
from sla_kit.interchange import import_files, import_text
from tests.interchange.published import COMPANION, EXAMPLES, WRONG, every, of_the_specification, right, tool_of


def imported(name: str) -> Any:
    return import_files(tool_of(name), [EXAMPLES / name])  # type: ignore[arg-type]


def test_there_are_examples_of_each_tool() -> None:
    counts = {tool: len([name for name in every() if tool_of(name) == tool]) for tool in ("openslo", "sloth", "pyrra")}
    assert counts["openslo"] > 40
    assert counts["sloth"] > 40
    assert counts["pyrra"] > 40
    assert set(WRONG) <= set(every())


@pytest.mark.parametrize("name", right())
def test_imports_into_a_catalogue_that_reads_back_without_mistakes(name: str, tmp_path: Path) -> None:
    catalogue = imported(name).catalogue
    (tmp_path / "sla.yml").write_text(to_yaml(catalogue), encoding="utf-8")
    read, mistakes = check(tmp_path)
    if catalogue.slos():
        assert mistakes == []
        assert read is not None
        assert [slo for _, slo in read.slos()] == [slo for _, slo in catalogue.slos()]
    else:
        assert [mistake.message for mistake in mistakes] == ["the catalogue promises nothing"]


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_wrong_is_told_with_its_line(name: str) -> None:
    with pytest.raises(ForeignFileError) as raised:
        imported(name)
    [*mistakes] = raised.value.mistakes
    assert any(WRONG[name] in mistake.message for mistake in mistakes)
    assert all(mistake.line > 0 and mistake.column > 0 for mistake in mistakes)
    assert all(mistake.file == str(EXAMPLES / name) for mistake in mistakes)


@pytest.mark.parametrize("name", sorted(COMPANION))
def test_references_are_followed_into_other_files(name: str) -> None:
    found = import_files("openslo", [EXAMPLES / name, EXAMPLES / COMPANION[name]]).catalogue
    names = {condition.name for condition in found.conditions}
    assert found.alerts
    assert all(condition in names for alert in found.alerts for condition in alert.conditions)


def test_duplicates_in_two_files_are_told_with_both_places() -> None:
    folder = EXAMPLES / "sloth/test/integration/prometheus/testdata/validate_with_duplicates/prom"
    with pytest.raises(ForeignFileError, match="two SLOs of svc01 are called 'slo1'") as raised:
        import_files("sloth", [folder])
    assert "bad-prom-1-duplicate.yaml:6" in raised.value.mistakes[0].hint


@pytest.mark.parametrize("name", list(of_the_specification()))
def test_documents_of_the_specification_import(name: str) -> None:
    found = import_text("openslo", of_the_specification()[name]).catalogue
    parts = (found.services, found.slis, found.alerts, found.conditions, found.contacts, found.sources, found.external)
    assert any(parts)


def test_the_specification_shows_every_kind() -> None:
    kinds = {name.split()[0] for name in of_the_specification()}
    assert {"SLO", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"} <= kinds


@pytest.mark.parametrize("name", [name for name in right() if tool_of(name) == "pyrra"])
def test_every_objective_of_pyrra_has_a_structure(name: str) -> None:
    kinds = {type(sli).__name__ for sli in _slis(name)}
    odd = "nginx.yaml" in name  # its slow requests are those of status 5.., its requests all
    assert kinds <= {"Requests", "Latency", "Probe"} | ({"Promql"} if odd else set())


@pytest.mark.parametrize("name", [name for name in right() if tool_of(name) == "sloth"])
def test_of_sloth_only_plugins_and_other_languages_are_kept_unmeasured(name: str) -> None:
    external = [sli for sli in _slis(name) if isinstance(sli, External)]
    assert bool(external) == (("plugin" in name and "slo-plugin" not in name) or "victoria" in name)
    leftovers = " ".join(str(each) for each in imported(name).leftovers)
    assert ("SLO plugin" in leftovers) == ("slo-plugin" in name or "contrib" in name or "victoria" in name)


def _slis(name: str) -> list[Any]:
    catalogue = imported(name).catalogue
    return [catalogue.sli(service, slo) for service, slo in catalogue.slos()]
