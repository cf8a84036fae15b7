"""Indicators of documents, the catalogue's logs and comparisons: every mistake at its line."""

from __future__ import annotations

from typing import Any

import pytest

from sla_kit.catalogue import Catalogue, Comparison, LogEvents, LogLatency, Requests, Service, Slo, check_catalogue
from sla_kit.catalogue.logs import LogQuery
from sla_kit.catalogue.query_strings import slip_of
from tests.catalogue.written import assert_marked, mistakes_of

GOOD = """\
name: shop
sources:
  - {name: metrics, url: "http://prometheus:9090"}
  - {name: logs, url: "elasticsearch+https://elastic:9200"}
  - {name: archive, type: elasticsearch, url: "https://archive:9200"}
  - {name: cloud, url: "elasticsearch+cloud://shop:ZXhhbXBsZS5jb20kYWJj"}
logs:
  index: logs-shop-*
  source: logs
  fields: {time: time, duration: took, duration_unit_seconds: 0.001}
  quiet: 10m
  stream: logs-shop.access-production
  retention: {dev: 3d}
  errors:
    query: {bool: {filter: [{term: {log.level: error}}]}}
    deployments: {index: deployments, query: "event.action:deployed"}
services:
  - name: api
    source: metrics
    slis:
      requests: {kind: requests, metric: http_requests_total, bad: {code: "=~5.."}}
      by-logs: {kind: log-events, query: "service.name:api", bad: "http.response.status_code:[500 TO *]"}
      built: {kind: log-events, query: {term: {service.name: api}}, good: {range: {status: {lt: 500}}}}
      elsewhere: {kind: log-events, index: "logs-*,-logs-old,<logs-{now/d}>,eu:logs-*", bad: {exists: {field: x}}}
      fast: {kind: log-latency, threshold: 100ms, source: archive}
    slos:
      - {name: availability, sli: requests, objective: 99.9%}
      - name: availability-by-logs
        sli: by-logs
        objective: 99.9%
        compare_with: {slo: availability, within: 0.05%, total_within: 2%}
      - {name: fast, sli: fast, objective: 95%}
      - {name: slices, sli: built, objective: 95%, budgeting: timeslices, slice: 5m, slice_target: 99%}
      - {name: elsewhere, sli: elsewhere, objective: 95%, source: cloud}
environments: {dev: {}}
"""


def test_a_right_catalogue_has_no_mistakes() -> None:
    assert mistakes_of(GOOD) == []


def test_indicators() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      neither: {kind: log-events}  #! says neither good nor bad
      both: {kind: log-events, good: "a:1", bad: "a:2"}  #! says both good and bad
      all: {kind: log-events, bad: ""}  #! bad selects every document
      star: {kind: log-events, bad: "*:*"}  #! bad selects every document
      nothing: {kind: log-events, bad: {}}  #! bad selects every document
      same: {kind: log-events, query: "a:1", good: "a:1"}  #! good selects every document
      open: {kind: log-events, bad: 'message:"lost'}  #! a quote is not closed
      twice: {kind: log-events, bad: {term: {a: 1}, exists: {field: b}}}  #! a query has one type, not 2 (term, exists)
      inside: {kind: log-events, bad: {query: {term: {a: 1}}}}  #! leave out the key query inside
      typo: {kind: log-events, bad: {trem: {a: 1}}}  #! did you mean term?
      field: {kind: log-events, bad: {status.code: 500}}  #! such as term: {status.code: …}
      bare: {kind: log-events, bad: {exists: field}}  #! exists must hold a mapping
      upper: {kind: log-events, index: Logs-*, bad: "a:1"}  #! capitals, which no index has (logs-*)
      every: {kind: log-events, index: "*", bad: "a:1"}  #! every index of the cluster is meant
      comma: {kind: log-events, index: "logs-a, logs-b", bad: "a:1"}  #! parted by commas, without spaces
      letter: {kind: log-events, index: "logs-?", bad: "a:1"}  #! only * stands for any letters
      hidden: {kind: log-events, index: "_logs", bad: "a:1"}  #! can't be the name of an index
      without: {kind: log-events, index: "-logs", bad: "a:1"}  #! takes away from nothing
      no-name: {kind: log-events, index: "logs,", bad: "a:1"}  #! an index has no name
      slow: {kind: log-latency, threshold: 0}  #! threshold must be above 0
      unit: {kind: log-latency, threshold: 1s, unit_seconds: 0}  #! unit_seconds must be above 0
      p100: {kind: log-latency, threshold: 1s, quantile: 100%}  #! a quantile of 1 is impossible
      stars: {kind: log-latency, threshold: 1s, field: "event.*"}  #! can't be a field's name
      fine: {kind: log-events, bad: "log.level:error"}
      typo2: {kind: log-event, bad: "a:1"}  #! did you mean log-events?
    slos:
      - {name: a, sli: fine, objective: 99%}
      - {name: b, sli: fine, objective: 99%, slice: 5m}  #! slice means nothing where events are counted
      - {name: c, sli: fine, objective: 99%, budgeting: timeslices}  #! needs a slice_target
""")


def test_logs() -> None:
    assert_marked(
        """\
name: shop
environments: {dev: {}, production: {}}
logs:
  index: ""  #! an index has no name
  source: log  #! did you mean logs?
  fields:
    time: ""  #! time is empty
    level: log level.  #! can't be a field's name
    status: "a'); throw 1; //"  #! holds "'", which no field's name does
    sevice: x  #! did you mean service?
    duration_unit_seconds: 0  #! duration_unit_seconds must be above 0
  stream: logs-web  #! type-dataset-namespace
  retention:
    dev: 0  #! whole seconds, above 0
    prodution: 30d  #! did you mean production?
  errors:
    query: "level:(error OR"  #! OR has nothing after it
    lookback: 0  #! lookback must be above 0
    surge_factor: 1  #! surge_factor must be above 1
    surge_count: 0  #! surge_count must be 1 or more
    groups: 0  #! groups must be 1 or more
    deployments: {index: Deployed, query: "a:"}  #! Deployed
sources:
  - {name: logs, url: "elasticsearch+http://localhost:9200"}
services: [{name: api, slos: [{name: a, sli: {kind: log-events, bad: "a:1"}, objective: 99%}]}]
""".replace('index: Deployed, query: "a:"', "index: Deployed")
    )


def test_servers_and_who_can_tell_what() -> None:
    assert_marked("""\
name: shop
sources:
  - {name: metrics, url: "http://prometheus:9090"}
  - {name: logs, url: "elasticsearch+http://elastic:9200"}
  - {name: wrong, type: prometheus, url: "elasticsearch+http://elastic:9200"}  #! the type is not
  - {name: tenant, url: "elasticsearch+http://elastic:9200", tenant: a}  #! a tenant means nothing
  - {name: other, url: "elasticsearch+ftp://elastic:9200"}  #! no http(s) address
  - {name: secret, url: "elasticsearch+https://elastic:changeme@elastic:9200"}  #! SLA_KIT_ELASTICSEARCH_<NAME>_
services:
  - name: api
    slis:
      requests: {kind: requests, metric: r_total, bad: {code: "500"}, source: logs}  #! logs holds logs, no metrics
      documents: {kind: log-events, bad: "a:1", source: metrics}  #! metrics holds metrics, no logs
    slos:
      - {name: a, sli: documents, objective: 99%, source: metrics}  #! metrics holds metrics, no logs
      - {name: b, sli: documents, objective: 99%, source: logz}  #! did you mean logs?
      - {name: c, sli: requests, objective: 99%, source: logs}  #! metrics
""")


def test_comparisons() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      requests: {kind: requests, metric: r_total, bad: {code: "500"}}
      documents: {kind: log-events, bad: "a:1"}
      up: {kind: probe}
    slos:
      - {name: availability, sli: requests, objective: 99%}
      - {name: up, sli: up, objective: 99%}
      - {name: a, sli: documents, objective: 99%, compare_with: {slo: a, within: 1%}}  #! can't be compared with itself
      - {name: b, sli: documents, objective: 99%, compare_with: {slo: availabilty, within: 1%}}  #! mean availability?
      - {name: c, sli: documents, objective: 99%, compare_with: {slo: up, within: 1%}}  #! up counts minutes, no events
      - {name: d, sli: documents, objective: 99%, compare_with: {slo: availability, within: 0}}  #! above 0 %
      - {name: e, sli: documents, objective: 99%, compare_with: {slo: availability}}  #! compare_with has no within
      - {name: f, sli: documents, objective: 99%, compare_with: {slo: web/availability, within: 1%}}  #! service 'web'
""")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", ""),
        ("service.name:web AND http.response.status_code:[500 TO *]", ""),
        ("status:>=500 AND NOT level:(debug OR trace)", ""),
        ("@timestamp:[2026-01-01T00:00:00 TO 2026-01-02T00:00:00}", ""),
        ('message:"a: (b] \\" /" -user.name:monitor +level:error !x', ""),
        ("path:/api\\/.*/ url\\:x a&b || c", ""),
        ("message:(rock and roll)", ""),
        ("level:error and status:500", "write AND"),
        ('level:"error', "quote"),
        ("status:[500 TO", "range is not closed"),
        ("status:[500]", "no range"),
        ("status:500]", "closes nothing"),
        ("(a OR b", "( is not closed"),
        ("a OR b)", ") closes nothing"),
        ("a ()", "holds nothing"),
        ("a AND", "nothing after"),
        ("OR a", "nothing before"),
        ("a AND OR b", "nothing after"),
        ("a NOT", "nothing after"),
        ("(NOT) a", "nothing after"),
        ("level:", "no value"),
        ("status:>= 500", "without a space"),
        (":500", "no field"),
        ("url:http://shop", "holds a :"),
        ("path:/api", "regular expression"),
        ("a\\", "backslash"),
    ],
)
def test_query_strings(query: str, words: str) -> None:
    slip = slip_of(query)
    assert (slip is None) is (not words)
    if slip is not None:
        assert words in f"{slip.message} ({slip.hint})"


@pytest.mark.parametrize(
    ("query", "words"), [({"term": {"at": object()}}, "no JSON"), ({"term": {"at": float("nan")}}, "no JSON")]
)
def test_a_query_put_together_in_python_must_be_json(query: LogQuery, words: str) -> None:
    slo = Slo(name="a", sli=LogEvents(bad=query), objective=0.99)
    [mistake] = check_catalogue(Catalogue(name="shop", services=[Service(name="api", slos=[slo])]))
    assert words in mistake.message
    assert mistake.message.startswith("services[0].slos[0].sli.bad: ")


def test_a_query_of_a_wrong_type_in_python_is_told_by_its_place() -> None:
    wrong: Any = ["a:1"]
    slo = Slo(name="a", sli=LogEvents(bad=wrong), objective=0.99)
    [mistake] = check_catalogue(Catalogue(name="shop", services=[Service(name="api", slos=[slo])]))
    assert "sli.bad: must be a str or a dict or None, not a list" in mistake.message.replace(
        "a dict or a str", "a str or a dict"
    )


def test_an_overlay_replaces_a_query_as_a_whole() -> None:
    overlay = """\
environments:
  dev: {services: {api: {slis: {built: {query: {exists: {field: a}}, good: {term: {status: 200}}}}}}}
"""
    assert mistakes_of(GOOD.replace("environments: {dev: {}}\n", overlay), "dev") == []


def test_what_an_indicator_leaves_out_is_the_catalogues() -> None:
    catalogue = Catalogue(name="shop", services=[])
    assert catalogue.filled(LogEvents(bad="a:1")) == LogEvents(index="logs-*", bad="a:1")
    assert catalogue.filled(LogLatency(threshold=1.0)) == LogLatency(
        index="logs-*", threshold=1.0, field="event.duration", unit_seconds=1e-9
    )
    requests = Requests(metric="r_total", bad={"code": "500"})
    assert catalogue.filled(requests) is requests


def test_the_slo_that_is_meant_is_of_the_same_service_unless_it_says_otherwise() -> None:
    assert Comparison(slo="availability", within=0.01).target("api") == ("api", "availability")
    assert Comparison(slo="web/availability", within=0.01).target("api") == ("web", "availability")
