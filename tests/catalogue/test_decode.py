"""Values as people write them, and what is told of those that can't be."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue import Bound, Catalogue, Probe, Recovery, Requests, Window, load
from sla_kit.configuration.quantities import format_duration, format_ratio, parse_duration, parse_ratio
from tests.catalogue.written import GOOD, assert_marked


def loaded(text: str) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.yml"
        path.write_text(text, encoding="utf-8")
        return msgspec.structs.replace(load(path), folder="")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("100ms", 0.1),
        ("1s500ms", 1.5),
        ("0.5h", 1800),
        ("30d", 2_592_000),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("30", 30),
        ("2.5", 2.5),
        ("0", 0),
        (" 5 m ", 300),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "-5m", "-1", "1:30", "5m-", "nan", "inf", "1e999", "½h", "٣m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize("text", ["99.99%", "99.99 %", "99.99", "0.9999", " 0.9999 "])
def test_one_share_in_all_its_forms(text: str) -> None:
    assert parse_ratio(text) == 0.9999


@pytest.mark.parametrize("text", ["", "%", "all", "99,9%", "99%%", "nan%", "inf"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ratio(text)


@settings(deadline=None)
@given(st.floats(0, 1e10) | st.integers(0, 10**8).map(float))
def test_durations_survive_writing(seconds: float) -> None:
    assert parse_duration(str(format_duration(seconds))) == seconds


@settings(deadline=None)
@given(st.floats(0, 1) | st.integers(0, 100_000).map(lambda n: n / 100_000))
def test_shares_survive_writing(ratio: float) -> None:
    assert parse_ratio(str(format_ratio(ratio))) == ratio


@settings(deadline=None)
@given(st.text(max_size=20))
def test_parsing_any_text_gives_a_number_or_a_value_error(text: str) -> None:
    for parse in (parse_duration, parse_ratio):
        with contextlib.suppress(ValueError):
            assert abs(parse(text)) < float("inf")


def test_text_stays_what_was_written() -> None:
    catalogue = loaded("""\
name: 2026-09-01
services:
  - name: 200
    description: 12:30
    owner: no
    slis:
      1.0:
        kind: requests
        metric: r_total
        matchers: {a: 200, b: 5e2, c: true, d: no, e: 12:30, f: 0x10, g: 2026-01-01, h: "", i: [1, on, 1.10]}
        bad_metric: e_total
    slos: [{name: 007, sli: 1.0, objective: 99%}]
contacts: [{name: no}]
""")
    service = catalogue.services[0]
    assert (catalogue.name, service.name, service.description, service.owner) == ("2026-09-01", "200", "12:30", "no")
    sli = service.slis["1.0"]
    assert isinstance(sli, Requests)
    assert sli.matchers == {
        "a": "200",
        "b": "5e2",
        "c": "true",
        "d": "no",
        "e": "12:30",
        "f": "0x10",
        "g": "2026-01-01",
        "h": "",
        "i": ["1", "on", "1.10"],
    }
    assert (service.slos[0].name, service.slos[0].sli) == ("007", "1.0")


def test_short_forms_of_windows_and_indicators_in_place() -> None:
    catalogue = loaded("""\
name: shop
services:
  - name: api
    slos:
      - {name: a, sli: {kind: probe, combine: any}, objective: 99.9, window: 7d}
      - {name: b, sli: {kind: bound, metric: lag, max: 5e-1}, objective: 0.999, window: quarter}
      - {name: c, sli: {kind: recovery, of: a, within: 15m}, objective: 99.9 %}
      - {name: d, sli: {kind: probe}, objective: 99.9%, window: {calendar: week, timezone: UTC}, sla: null}
""")
    slos = catalogue.services[0].slos
    assert [slo.window for slo in slos] == [
        Window(rolling=604800),
        Window(calendar="quarter"),
        Window(rolling=30 * 86400),
        Window(calendar="week", timezone="UTC"),
    ]
    assert [slo.sli for slo in slos] == [
        Probe(combine="any"),
        Bound(metric="lag", max=0.5),
        Recovery(of="a", within=900),
        Probe(),
    ]
    assert {slo.objective for slo in slos} == {0.999}


def test_every_mistake_of_form_is_told_at_once() -> None:
    assert_marked("""\
name: shop
bukcet: 1m  #! unknown key bukcet (did you mean bucket?)
folder: elsewhere  #! unknown key folder
sum_labels: route  #! must be a list, not 'route' (write [route])
timezone:  #! has no value
contacts: {platform: x}  #! must be a list, not a mapping
services:
  - slis:  #! has no name
      a: {kind: prob}  #! unknown kind 'prob' (did you mean probe?)
      b: {metric: up}  #! has no kind (one of requests
      c: probe  #! must be a mapping, not 'probe'
      d: {kind: latency, metric: d_seconds, threshold: fast}  #! 'fast' is not a duration
      e: {kind: latency, metric: d_seconds, threshold: 1s, native: maybe}  #! must be true or false, not 'maybe'
      f: {kind: latency, metric: d_seconds}  #! f has no threshold
      g: {kind: bound, metric: [lag], max: 1}  #! must be text, not a list
      h: {kind: bound, metric: lag, max: high}  #! 'high' is not a number
      i: {kind: probe, combine: eny}  #! can't be 'eny' (did you mean any?)
      j: {kind: probe, matchers: [a]}  #! must be a mapping, not a list
      k: {kind: probe, matchers: {job: {a: b}}}  #! must be text, not a mapping
      l: {kind: probe, matchers: {job: null}}  #! has no value
      m: {kind: requests, metric: r_total, bda: {code: "500"}}  #! unknown key bda (did you mean bad?)
    slos:
      - just text  #! must be a mapping, not 'just text'
      - name: a b  #! can't be a name
        sli: c
        objectiv: 99%  #! unknown key objectiv (did you mean objective?)
        window: months  #! 'months' is not a window (did you mean month?)
      - name: b
        sli: [c]  #! must be text, not a list
        objective: high  #! is not a share (such as 99.9% or 0.999)
        sla: 99%  #! must be a mapping, not '99%'
        budgeting: slices  #! can't be 'slices'
        policy: stop  #! must be a list
""")


def test_what_could_not_be_read_is_not_blamed_twice() -> None:
    """Names of broken parts still count as declared, and stand-ins are not judged."""
    assert_marked("""\
name: shop
contacts: nobody  #! must be a list
severities: [critical]  #! must be a mapping
services:
  - name: api
    owner: platform
    slis:
      up: 7  #! must be a mapping
    slos:
      - {name: a, sli: up, objective: 99%, severity: warning}
      - {name: b, sli: up, objective: x}  #! is not a share
""")


def test_good_is_what_the_checks_say() -> None:
    assert loaded(GOOD).services[0].owner == "platform"
