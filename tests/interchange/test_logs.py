"""Indicators of documents in OpenSLO's words, and back."""

from __future__ import annotations

from typing import Any

import yaml

from sla_kit.catalogue import Catalogue, check_catalogue
from sla_kit.catalogue.model import LogEvents, LogLatency, Server, Service, Slo
from sla_kit.interchange import import_text
from sla_kit.interchange.to_openslo import to_openslo

EVENTS = LogEvents(index="logs-web-*", query="service.name:web", bad="status:[500 TO *]")
BUILT = LogEvents(query={"term": {"service.name": "web"}}, good={"range": {"status": {"lt": 500}}})
SLOW = LogLatency(threshold=0.1, query="service.name:web", quantile=0.99)


def shop() -> Catalogue:
    slos = [Slo(name=name, sli=name, objective=0.99) for name in ("events", "built", "slow")]
    return Catalogue(
        name="shop",
        sources=[Server(name="logs", url="elasticsearch+https://elastic.example.com:9200")],
        services=[Service(name="web", slis={"events": EVENTS, "built": BUILT, "slow": SLOW}, slos=slos)],
    )


def documents(text: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each["kind"] == kind]


def test_an_indicator_is_written_as_queries_of_an_elasticsearch() -> None:
    slis = {
        each["metadata"]["name"]: each["spec"]["ratioMetric"] for each in documents(to_openslo(shop()).yaml(), "SLI")
    }
    events = slis["events"]
    assert events["bad"]["metricSource"]["type"] == "Elasticsearch"
    assert events["bad"]["metricSource"]["spec"] == {
        "index": "logs-web-*",
        "query": "(service.name:web) AND (status:[500 TO *])",
    }
    assert events["total"]["metricSource"]["spec"]["query"] == "service.name:web"
    assert slis["built"]["good"]["metricSource"]["spec"]["query"] == {"bool": {"filter": [BUILT.query, BUILT.good]}}
    assert slis["slow"]["good"]["metricSource"]["spec"]["query"]["bool"]["filter"][1] == {
        "range": {"event.duration": {"lte": 1e8}}
    }


def test_it_comes_back_as_the_same_indicator() -> None:
    again = import_text("openslo", to_openslo(shop()).yaml(), "shop").catalogue
    assert [again.sli(service, slo) for service, slo in again.slos()] == [EVENTS, BUILT, SLOW]
    assert again.sources == shop().sources
    assert check_catalogue(again) == []


def test_what_was_changed_since_is_kept_as_it_now_is() -> None:
    text = to_openslo(shop()).yaml().replace("[500 TO *])", "[400 TO *])")
    found = import_text("openslo", text, "shop").catalogue
    [sli] = [found.sli(service, slo) for service, slo in found.slos() if slo.name == "events"]
    assert type(sli).__name__ == "External"
