"""Which promise an alert puts at stake, in the catalogue's own words."""

from __future__ import annotations

from collections.abc import Mapping

from sla_kit.catalogue.model import Catalogue, Service, Slo, Window
from sla_kit.configuration.quantities import format_duration
from sla_kit.routing.deciding.subjects import value_of


def promise_of(catalogue: Catalogue, labels: Mapping[str, str]) -> str:
    """One line: the promise with its target and the SLO, or the promises of a service where no SLO is named. Empty
    where nothing is promised of what the labels name."""
    renamed = catalogue.monitoring.labels
    name = value_of(labels, "service", renamed)
    service = next((each for each in catalogue.services if each.name == name), None)
    if service is None:
        return ""
    of = value_of(labels, "slo", renamed)
    slo = next((each for each in service.slos if each.name == of), None)
    if slo is not None:
        return _of_slo(catalogue, service, slo)
    indicator = value_of(labels, "sli", renamed)
    meant = [each for each in service.slos if each.sli == indicator] if indicator else []
    titles = {promise.name: promise.title for promise in catalogue.promises}
    told = dict.fromkeys(titles[each.promise] for each in meant or service.slos if each.promise in titles)
    return f"{service.name}: {'; '.join(told)}" if told else ""


def _of_slo(catalogue: Catalogue, service: Service, slo: Slo) -> str:
    aim = f"{service.name}/{slo.name}: {slo.objective * 100:.10g} % {_window(slo.window)}"
    promise = next((each for each in catalogue.promises if each.name == slo.promise), None)
    if promise is None:
        return aim
    target = f", {promise.target}" if promise.target else ""
    return f"{promise.title}{target} ({aim})"


def _window(window: Window) -> str:
    if window.rolling is not None:
        return f"over {format_duration(window.rolling)}"
    return f"each {window.calendar}"
