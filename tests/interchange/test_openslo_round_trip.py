"""OpenSLO into a catalogue and back: the same meaning, and an equal catalogue after that."""

from __future__ import annotations

from typing import Any

import pytest

from sla_kit.catalogue import Catalogue
from sla_kit.interchange import import_files, import_text
from sla_kit.interchange.to_openslo import to_openslo
from tests.interchange.meaning import meaning
from tests.interchange.published import COMPANION, EXAMPLES, of_the_specification, right, tool_of

V1 = [name for name in right() if tool_of(name) == "openslo" and "openslo/v1\n" in (EXAMPLES / name).read_text()]


def assert_comes_back(text: str) -> Catalogue:
    """Both ways, for one text."""
    first = import_text("openslo", text, "catalogue").catalogue
    written = to_openslo(first).yaml()
    assert meaning(written) == meaning(text)
    assert import_text("openslo", written, "catalogue").catalogue == first
    return first


@pytest.mark.parametrize("name", [*V1, *COMPANION])
def test_published_example(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    if name in COMPANION:
        text += "\n---\n" + (EXAMPLES / COMPANION[name]).read_text(encoding="utf-8")
    assert_comes_back(text)


@pytest.mark.parametrize("name", list(of_the_specification()))
def test_example_of_the_specification(name: str) -> None:
    assert_comes_back(of_the_specification()[name])


@pytest.mark.parametrize("name", [name for name in right() if name not in V1])
def test_catalogue_of_another_tool_means_the_same_after_a_second_time(name: str) -> None:
    first = import_files(tool_of(name), [EXAMPLES / name], "catalogue").catalogue  # type: ignore[arg-type]
    if not first.slos():
        return
    written = to_openslo(first).yaml()
    again = import_text("openslo", written, "catalogue").catalogue
    assert [(service.name, slo.objective, slo.window) for service, slo in again.slos()] == [
        (service.name, slo.objective, slo.window) for service, slo in first.slos()
    ]
    assert list(map(_measured, _slis(again))) == list(map(_measured, _slis(first)))
    assert to_openslo(again).yaml() == written


def _slis(catalogue: Catalogue) -> list[Any]:
    return [catalogue.sli(service, slo) for service, slo in catalogue.slos()]


def _measured(sli: Any) -> Any:
    return type(sli), {
        key: getattr(sli, key)
        for key in sli.__struct_fields__
        if key not in ("title", "description", "labels", "annotations", "source")
    }


WHOLE = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  displayName: Checkout
  labels: {team: [shop, platform], tier: "1"}
  annotations: {example.com/owner: shop}
spec:
  description: A customer can pay.
  service: shop
  timeWindow: [{duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}}]
  budgetingMethod: Occurrences
  objectives:
    - displayName: Payments
      targetPercent: 99.9
      indicatorRef: payments
      compositeWeight: 2
    - displayName: Queue
      target: 0.99
      op: lte
      value: 30
      indicator:
        metadata: {name: queue}
        spec:
          thresholdMetric: {metricSource: {metricSourceRef: eu, spec: {query: 'max(queue_age_seconds{job="pay"})'}}}
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: wake}
      spec:
        alertWhenBreaching: true
        alertWhenNoData: true
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec:
              severity: page
              condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 2m}
        notificationTargets: [{targetRef: on-call}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: payments, displayName: Payments that went through}
spec:
  description: By the provider's word.
  ratioMetric:
    counter: true
    bad: {metricSource: {metricSourceRef: eu, spec: {query: 'sum(payments_total{job="pay",result!="ok"})'}}}
    total: {metricSource: {metricSourceRef: eu, spec: {query: 'sum(payments_total{job="pay"})'}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: eu}
spec: {type: Prometheus, connectionDetails: {url: "https://prometheus.example.com"}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: pagerduty, description: Who is awake}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: shop, displayName: The shop}
spec: {description: Sells.}
"""


def test_composite_with_everything_that_may_stand_around_it() -> None:
    catalogue = assert_comes_back(WHOLE)
    [service] = catalogue.services
    payments, queue, checkout = service.slos
    assert (payments.name, queue.name, checkout.name) == ("checkout.payments", "checkout.queue", "checkout")
    assert payments.objective == 0.999
    assert payments.window.calendar == "month"
    assert payments.window.timezone == "Europe/Berlin"
    assert payments.alerts == ["wake"]
    assert catalogue.sli(service, payments).bad == {"result": "!=ok"}  # type: ignore[union-attr]
    assert catalogue.sli(service, queue).max == 30.0  # type: ignore[union-attr]
    assert catalogue.source(service, queue) == "eu"
    assert [(part.slo, part.weight) for part in checkout.sli.of] == [  # type: ignore[union-attr]
        ("checkout.payments", 2.0),
        ("checkout.queue", 1.0),
    ]
    assert checkout.objective == 0.99
