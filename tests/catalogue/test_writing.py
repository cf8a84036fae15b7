"""Writing a catalogue and reading it back gives an equal one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_kit
from sla_kit.catalogue import (
    Agreement,
    Bound,
    Calendar,
    Catalogue,
    Contact,
    Freshness,
    LastDuration,
    Latency,
    LogEvents,
    LogLatency,
    Occasion,
    PolicyStep,
    Probe,
    Promql,
    Requests,
    Route,
    Service,
    Sli,
    Slo,
    Window,
    check_catalogue,
    load,
    to_yaml,
)
from sla_kit.catalogue.logs import ErrorTracking, LogFields, LogQuery, Logs
from sla_kit.catalogue.routing import DeadMan, Graphs, Routing, SlackSettings, Storm
from sla_kit.configuration.secrets import Secret

_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,6}", fullmatch=True) | st.sampled_from(
    ["no", "null", "1e3", "2026-01-01", "true", "0x1F", "007"]
)
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ["", "null", "~", "a: b", "- x", "two\nlines\n", "#no", "=", "<<", "12:30", " edge ", "'", '"']
)
_SHARES = st.floats(0.001, 0.999)
_SECONDS = st.integers(1, 10**8).map(float) | st.floats(0.001, 1e9)
_VALUES = _TEXT.filter(lambda text: not text.startswith(("=~", "!~", "!=")))
_MATCHERS = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True), _VALUES | st.lists(_VALUES, min_size=1, max_size=3), max_size=3
)
_QUERIES: st.SearchStrategy[LogQuery] = st.sampled_from(
    [
        "",
        "service.name:web AND status:[500 TO *]",
        'message:"a: b"',
        {},
        {"term": {"http.response.status_code": 500}},
        {"bool": {"must_not": [{"exists": {"field": "no"}}], "filter": [{"range": {"a": {"gte": 1.5, "lt": None}}}]}},
        {"terms": {"a": ["null", "1e3", 7, True, ""]}},
    ]
)
_BOUNDS = st.floats(-1e12, 1e12)
_SLIS: st.SearchStrategy[Sli] = st.one_of(
    st.builds(Requests, metric=st.just("r_total"), matchers=_MATCHERS, bad_metric=st.just("e_total"), bad=_MATCHERS),
    st.builds(Latency, metric=st.just("d"), threshold=_SECONDS, quantile=_SHARES, native=st.booleans()),
    st.builds(Probe, matchers=_MATCHERS, combine=st.sampled_from(["mean", "any", "all"])),
    st.builds(Freshness, metric=st.just("t"), max_age=_SECONDS),
    st.builds(LastDuration, metric=st.just("t"), max=_SECONDS, completed_metric=st.none() | st.just("c")),
    st.builds(Bound, metric=st.just("g"), min=_BOUNDS),
    st.builds(
        LogEvents,
        index=st.sampled_from(["", "logs-*", "logs-web,-logs-web-old"]),
        query=_QUERIES,
        bad=_QUERIES.filter(lambda query: query not in ("", {})),
    ).filter(lambda sli: sli.query != sli.bad),
    st.builds(
        LogLatency,
        threshold=_SECONDS,
        query=_QUERIES,
        field=st.sampled_from(["", "took"]),
        unit_seconds=st.none() | _SHARES,
    ),
    st.just(Promql(total="sum(increase(a[$window]))", good="sum(increase(b[$window]))")),
)
_SLOS = st.builds(
    Slo,
    name=_NAMES,
    sli=_SLIS,
    objective=_SHARES,
    window=st.builds(Window, rolling=st.integers(60, 10**8).map(float))
    | st.builds(
        Window, calendar=st.sampled_from(["day", "week", "month"]), timezone=st.sampled_from(["", "Europe/Berlin"])
    ),
    description=_TEXT,
    budgeting=st.none() | st.sampled_from(["occurrences", "ratio-timeslices"]),
    sla=st.none() | st.builds(Agreement, objective=st.just(0.0005), consequence=_TEXT),
    missing=st.sampled_from(["ignore", "bad", "fail"]),
    policy=st.none() | st.lists(st.builds(PolicyStep, left=st.floats(0, 1), action=_TEXT), max_size=2),
)
_ROUTES = st.builds(
    Route,
    to=st.just(["someone"]),
    environment=st.just(["dev"]),
    hours=st.lists(st.sampled_from(["mon-fri 09:00-17:00", "22:00-06:00"]), min_size=1, max_size=2),
    timezone=st.sampled_from(["", "Europe/Berlin"]),
    event=st.sampled_from([None, "during", "outside"]),
    escalate=st.sampled_from([[], ["someone"]]),
)
_SECRETS = st.sampled_from([Secret(env="TOKEN"), Secret(file="/run/secrets/token")])
_ROUTINGS = st.builds(
    Routing,
    outbox=st.sampled_from(["outbox.db", "postgresql://router@db/outbox"]),
    tokens=st.lists(_SECRETS, max_size=2),
    keep=_SECONDS,
    escalate=st.booleans(),
    storm=st.builds(Storm, incidents=st.integers(0, 1000), within=_SECONDS),
    dead_man=st.builds(DeadMan, after=st.none() | _SECONDS, off=st.booleans()),
    slack=st.builds(SlackSettings, token=st.none() | _SECRETS, per_second=st.floats(0.1, 10)),
    graphs=st.builds(Graphs, off=st.booleans()),
)
_CATALOGUES = st.builds(
    Catalogue,
    name=_NAMES,
    environment=st.just("") | _NAMES,
    bucket=st.sampled_from([15.0, 60.0, 300.0]).filter(lambda bucket: bucket <= 60),
    services=st.lists(
        st.builds(
            Service,
            name=_NAMES,
            description=_TEXT,
            slis=st.dictionaries(_NAMES, _SLIS, max_size=2),
            slos=st.lists(_SLOS, min_size=1, max_size=2, unique_by=lambda slo: slo.name),
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda service: service.name,
    ),
    contacts=st.just([Contact(name="someone", slack="#room")]),
    routes=st.lists(_ROUTES, min_size=1, max_size=2),
    routing=_ROUTINGS,
    logs=st.builds(
        Logs,
        fields=st.builds(LogFields, time=st.sampled_from(["@timestamp", "time"]), duration_unit_seconds=_SHARES),
        quiet=_SECONDS,
        errors=st.builds(ErrorTracking, query=_QUERIES, enabled=st.booleans(), lookback=_SECONDS),
        stream=st.sampled_from(["", "logs-web-production"]),
        retention=st.dictionaries(st.just("dev"), st.integers(1, 1000).map(float), max_size=1),
    ),
    calendar=st.just(
        Calendar(
            events=[Occasion(name="a game", start="2026-09-06T13:00", duration=3600.0, repeat="FREQ=WEEKLY")],
            maintenance=[Occasion(name="work", start="2026-09-06", end="2026-09-07", reason="a: b")],
        )
    ),
)


def _reread(catalogue: Catalogue) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.yml"
        path.write_text(to_yaml(catalogue), encoding="utf-8")
        return msgspec.structs.replace(load(path), folder=catalogue.folder)


@settings(deadline=None, max_examples=150)
@given(_CATALOGUES)
def test_reading_back_gives_an_equal_catalogue(catalogue: Catalogue) -> None:
    assert check_catalogue(catalogue) == []
    assert _reread(catalogue) == catalogue


@pytest.mark.parametrize("environment", ["production", "staging", "dev"])
def test_the_example_reads_back_equal(environment: str) -> None:
    folder = Path(sla_kit.__file__).parent.parent / "examples" / "astralfield"
    catalogue = load(folder, environment)
    with tempfile.TemporaryDirectory() as other:
        for file in folder.glob("*.ics"):
            (Path(other) / file.name).write_bytes(file.read_bytes())
        (Path(other) / "sla.yml").write_text(to_yaml(catalogue), encoding="utf-8")
        assert msgspec.structs.replace(load(Path(other)), folder=catalogue.folder) == catalogue


def test_what_people_write_is_what_is_written() -> None:
    slo = Slo(name="a", sli=Latency(metric="d", threshold=0.1), objective=0.9999, window=Window(calendar="month"))
    text = to_yaml(Catalogue(name="shop", services=[Service(name="api", slos=[slo])]))
    assert (
        text
        == """\
name: shop
services:
  - name: api
    slos:
      - name: a
        sli:
          kind: latency
          metric: d
          threshold: 100ms
        objective: 99.99%
        window: month
"""
    )
