"""Every rule with the exact line of its mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue import (
    Agreement,
    Calendar,
    Catalogue,
    Occasion,
    Probe,
    Recovery,
    Requests,
    Service,
    Slo,
    Window,
    check,
    check_catalogue,
)
from sla_kit.catalogue.calendar import intervals
from tests.catalogue.written import GOOD, assert_marked, mistakes_of


def test_a_right_catalogue_has_no_mistakes() -> None:
    assert mistakes_of(GOOD) == []


def test_duplicate_names() -> None:
    assert_marked("""\
name: shop
contacts:
  - name: platform
  - name: platform  #! two contacts are called 'platform'
promises:
  - {name: fast, title: Fast}
  - {name: fast, title: Faster}  #! two promises
severities:
  - name: critical
  - name: critical  #! two severities
services:
  - name: api
    slis: {up: {kind: probe}}
    slos:
      - {name: reachable, sli: up, objective: 99%}
      - {name: reachable, sli: up, objective: 98%}  #! two SLOs of api are called 'reachable'
  - name: api  #! two services
""")


def test_dangling_references_name_the_nearest() -> None:
    assert_marked("""\
name: shop
contacts: [{name: platform}]
promises: [{name: fast, title: Fast}]
severities: [{name: critical}, {name: warning}]
services:
  - name: api
    owner: plattform  #! there is no contact 'plattform' (did you mean platform?)
    slis:
      up: {kind: probe}
      lost: {kind: recovery, of: api/reachabel, within: 5m}  #! no SLO of api 'reachabel' (did you mean reachable?)
      away: {kind: recovery, of: apo/reachable, within: 5m}  #! no service 'apo' (did you mean api?)
    slos:
      - name: reachable
        sli: upp  #! no indicator of api 'upp' (did you mean up?)
        objective: 99%
        promise: fats  #! no promise 'fats' (did you mean fast?)
        severity: criticl  #! no severity 'criticl' (did you mean critical?)
routes:
  - to: [platfrm]  #! no contact 'platfrm' (did you mean platform?)
    severity:
      - warnin  #! no severity 'warnin' (did you mean warning?)
    service:
      - ap  #! no service 'ap' (did you mean api?)
calendar:
  events:
    - name: game
      start: 2026-09-06T13:00
      duration: 1h
      services: [ape]  #! no service 'ape' (did you mean api?)
""")


def test_severities_are_free_where_none_is_declared() -> None:
    text = GOOD.replace("objective: 99%,", "objective: 99%, severity: whatever,")
    assert text != GOOD
    assert mistakes_of(text) == []


@pytest.mark.parametrize("objective", ["0", "0%", "100%", "1", "100", "150%", "-1%"])
def test_impossible_objectives(objective: str) -> None:
    assert_marked(f"""\
name: shop
services:
  - name: api
    slis: {{up: {{kind: probe}}}}
    slos:
      - name: a
        sli: up
        objective: {objective}  #! is impossible
""")


def test_impossible_objectives_of_an_agreement() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slos:
      - name: a
        sli: {kind: probe}
        objective: 99%
        sla:
          objective: 0%  #! is impossible
          consequence: credit
""")


def test_an_agreement_is_not_stricter_than_its_objective() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis: {up: {kind: probe}}
    slos:
      - name: a
        sli: up
        objective: 99.9%
        sla:
          objective: 99.95%  #! the SLA (99.95 %) is stricter than its SLO (99.9 %)
          consequence: credit
      - {name: b, sli: up, objective: 99.9%, sla: {objective: 99.9%, consequence: credit}}
""")


def test_windows() -> None:
    assert_marked("""\
name: shop
bucket: 5m
services:
  - name: api
    slis: {up: {kind: probe}}
    slos:
      - name: a
        sli: up
        objective: 99%
        window: 1m  #! shorter than a bucket
      - name: b
        sli: up
        objective: 99%
        window: {rolling: 30d, calendar: month}  #! either rolling or of the calendar
      - name: c
        sli: up
        objective: 99%
        window: {timezone: Europe/Berlin}  #! either rolling or of the calendar
      - name: d
        sli: up
        objective: 99%
        window: {calendar: day, timezone: Europe/Berlim}  #! did you mean Europe/Berlin?
      - {name: e, sli: up, objective: 99%, window: 5m}
      - {name: f, sli: up, objective: 99%, window: 90500ms}  #! shorter
      - {name: g, sli: up, objective: 99%, window: 900500ms}  #! whole seconds
""")


@pytest.mark.parametrize("bucket", ["0", "7s", "2h", "1500ms", "100ms"])
def test_a_bucket_divides_an_hour(bucket: str) -> None:
    assert [(m.line, m.column) for m in mistakes_of(f"{GOOD}bucket: {bucket}\n")] == [(13, 9)]


@pytest.mark.parametrize("bucket", ["1", "15s", "1m", "5m", "1h"])
def test_buckets_that_divide_an_hour(bucket: str) -> None:
    assert mistakes_of(f"{GOOD}bucket: {bucket}\n") == []


def test_slices() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      up: {kind: probe}
      requests: {kind: requests, metric: requests_total, bad: {code: "500"}}
    slos:
      - name: a
        sli: requests
        objective: 99%
        budgeting: timeslices  #! needs a slice_target
      - name: b
        sli: requests
        objective: 99%
        budgeting: timeslices
        slice: 90s  #! no multiple of the bucket
        slice_target: 0%  #! above 0 %
      - name: c
        sli: requests
        objective: 99%
        budgeting: timeslices
        slice: 5m
        slice_target: 101%  #! at most 100 %
      - {name: d, sli: up, objective: 99%, budgeting: timeslices}
      - {name: e, sli: requests, objective: 99%, budgeting: ratio-timeslices, slice: 5m}
      - {name: f, sli: requests, objective: 99%, budgeting: timeslices, slice_target: 100%}
""")


def test_indicators() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      neither: {kind: requests, metric: r_total}  #! neither good nor bad
      both: {kind: requests, metric: r_total, good: {code: "200"}, bad: {code: "500"}}  #! both good and bad
      mixed: {kind: requests, metric: r_total, good: {code: "200"}, bad_metric: e_total}  #! both good and bad
      fine: {kind: requests, metric: r_total, bad_metric: e_total}
      all: {kind: requests, metric: r_total, bad: {}}  #! bad matches every request
      dashes: {kind: requests, metric: r-total, bad: {code: "500"}}  #! can't be a metric's name
      braces: {kind: probe, metric: 'up{job="api"}'}  #! labels belong under matchers
      label: {kind: probe, matchers: {the-job: api}}  #! can't be a label's name
      name: {kind: probe, matchers: {__name__: up}}  #! stands under metric
      regex: {kind: probe, matchers: {job: "=~("}}  #! no regular expression
      list: {kind: probe, matchers: {job: [a, "!~["]}}  #! taken by the letter
      none: {kind: probe, matchers: {job: []}}  #! matches nothing
      ahead: {kind: probe, matchers: {job: "=~a(?!b)"}}  #! lookaround
      again: {kind: probe, matchers: {job: '=~(a)\\1'}}  #! lookaround or a reference
      slow: {kind: latency, metric: d_seconds, threshold: 0}  #! threshold must be above 0
      p0: {kind: latency, metric: d_seconds, threshold: 1s, quantile: 0}  #! a quantile of 0 is impossible
      p100: {kind: latency, metric: d_seconds, threshold: 1s, quantile: 100%}  #! a quantile of 1
      bucket: {kind: latency, metric: d_seconds_bucket, threshold: 1s}  #! ends before _bucket (d_seconds)
      unit: {kind: latency, metric: d_ms, threshold: 1s, unit_seconds: 0}  #! unit_seconds must be above 0
      age: {kind: freshness, metric: b_seconds, max_age: 0}  #! max_age must be above 0
      long: {kind: duration, metric: b_seconds, max: 0s}  #! max must be above 0
      dated: {kind: duration, metric: b_seconds, max: 1h, completed_metric: b-c}  #! can't be a metric's name
      free: {kind: bound, metric: lag}  #! needs a min or a max
      swapped: {kind: bound, metric: lag, min: 2, max: 1}  #! min (2) is above max (1)
      equal: {kind: bound, metric: lag, min: 1, max: 1}
      lone: {kind: promql, total: "sum(rate(a[$window]))"}  #! good or bad beside total
      twice: {kind: promql, total: "a[$window]", good: "a[$window]", bad: "a[$window]"}  #! good or bad beside total
      empty: {kind: promql, total: "", good: "a[$window]"}  #! the expression is empty
      query: {kind: promql, total: "sum(increase(a_total[$window]))", good: "sum(increase(b_total[$window]))"}
      "spaced name": {kind: probe}  #! can't be a name
    slos:
      - {name: a, sli: fine, objective: 99%}
""")


def test_recovery_is_of_something_else() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      up: {kind: probe}
      back: {kind: recovery, of: again, within: 15m}  #! can't time its own recovery
      late: {kind: recovery, of: reachable, within: 0}  #! within must be above 0
    slos:
      - {name: reachable, sli: up, objective: 99%}
      - {name: recovered, sli: {kind: recovery, of: web/reachable, within: 15m}, objective: 99%}
      - {name: own, sli: {kind: recovery, of: own, within: 15m}, objective: 99%}  #! its own recovery
      - {name: again, sli: back, objective: 99%}
      - {name: chain, sli: {kind: recovery, of: api/recovered, within: 15m}, objective: 99%}  #! is a recovery itself
  - name: web
    slos:
      - {name: reachable, sli: {kind: probe}, objective: 99%}
""")


def test_occasions() -> None:
    assert_marked("""\
name: shop
timezone: Mars/Olympus  #! there is no time zone 'Mars/Olympus'
services: [{name: api, slos: [{name: up, sli: {kind: probe}, objective: 99%}]}]
calendar:
  events:
    - name: never  #! it is not said when
    - name: endless
      start: 2026-09-06T13:00  #! needs an end or a duration
    - name: twice
      start: 2026-09-06T13:00  #! not both
      end: 2026-09-06T14:00
      duration: 1h
    - name: backwards
      start: 2026-09-06T13:00
      end: 2026-09-06T13:00  #! is not after the start
    - name: nonsense
      start: next sunday  #! is no time
      duration: 1h
    - name: short
      start: 2026-09-06 13:00
      duration: 0  #! duration must be above 0
    - name: both
      ical: games.ics  #! there is no file 'games.ics'
      start: 2026-09-06T13:00  #! can't stand beside ical
      duration: 1h  #! can't stand beside ical
    - name: weekly games
      start: 2026-09-06T13:00Z
      end: 2026-09-06T15:00Z
      repeat: FREQ=WEEKLY;BYDAY=SU;UNTIL=20270110T235959Z
      except_dates: [2026-09-13T13:00, sometimes]  #! is no time
  maintenance:
    - name: rule
      start: 2026-09-06
      duration: 1d
      repeat: FREQ=SOMETIMES  #! FREQ=SOMETIMES
    - name: stuck
      start: 2026-09-06
      duration: 1d
      repeat: FREQ=DAILY;INTERVAL=0  #! INTERVAL=0
    - name: words
      start: 2026-09-06
      duration: 1d
      repeat: every sunday  #! EVERY SUNDAY
    - name: mondays
      start: 2026-09-06
      duration: 1d
      repeat: FREQ=YEARLY;BYDAY=99MO  #! such
    - name: left out
      start: 2026-09-06
      duration: 1d
      timezone: Europe/Berlni  #! did you mean Europe/Berlin?
      except_dates: [2026-09-07]  #! without repeat
""")


def test_an_icalendar_file_is_found_beside_the_catalogue_and_is_one(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(GOOD + "calendar:\n  events:\n    - name: games\n      ical: games.ics\n")
    (tmp_path / "games.ics").write_text("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n")
    assert check(path)[1] == []
    (tmp_path / "games.ics").write_text("nothing of the kind")
    assert [(m.line, m.column) for m in check(path)[1]] == [(16, 13)]


@pytest.mark.parametrize("url", ["runbooks", "ftp://example.com", "http://", "https://exa mple.com", "http://[1"])
def test_runbooks_is_an_address(url: str) -> None:
    found = mistakes_of(f"{GOOD}runbooks: '{url}'\n")
    assert [(m.line, m.column) for m in found] == [(13, 11)]
    assert "is no http(s) address" in found[0].message


def test_nothing_promised() -> None:
    assert_marked("""\
name: shop
services:
  - name: api  #! promises nothing
""")


def test_shares_that_can_not_be() -> None:
    assert_marked("""\
name: shop
policy:
  - left: 120%  #! a budget left of 120 % is impossible
    action: none
services:
  - name: api
    slos:
      - name: a
        sli: {kind: probe}
        objective: 99%
        min_coverage: -1  #! a coverage of -100 % is impossible
routes:
  - to: []  #! a route leads to nobody
""")


def test_an_empty_name() -> None:
    assert [(m.line, m.message) for m in mistakes_of(GOOD.replace("name: shop", "name: ''"))] == [
        (1, "the catalogue's name is empty")
    ]


def test_a_catalogue_built_in_python() -> None:
    catalogue = Catalogue(
        name="shop",
        services=[
            Service(
                name="the api",
                owner="nobody",
                slis={"requests": Requests(metric="r_total", bad={"code": "=~5.."})},
                slos=[
                    Slo(name="a", sli="request", objective=99.9),
                    Slo(name="b", sli=Probe(), objective=0.99, window=Window()),
                    Slo(name="b", sli=Recovery(of="b", within=900), objective=0.99),
                    Slo(name="c", sli="requests", objective=0.9, sla=Agreement(objective=0.99, consequence="")),
                ],
            )
        ],
        calendar=Calendar(maintenance=[Occasion(name="never")]),
    )
    found = check_catalogue(catalogue)
    assert {(m.file, m.line, m.column) for m in found} == {("<python>", 0, 0)}
    assert sorted(m.message.partition(": ")[2] for m in found) == sorted(
        [
            "'the api' can't be a name",
            "there is no contact 'nobody'",
            "there is no indicator of the api 'request'",
            "an objective of 9990 % is impossible",
            "a window is either rolling or of the calendar",
            "two SLOs of the api are called 'b'",
            "b can't time its own recovery",
            "the SLA (99 %) is stricter than its SLO (90 %)",
            "it is not said when this is",
        ]
    )
    assert str(found[0]).startswith("<python>: ")


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["2026-09-06T13:00", "2026-09-06", "2026-09-06T13:00Z", "0001-01-01", "9999-12-31T23:59", "x"]),
    st.sampled_from([None, "2026-09-06T14:00", "2026-09-07", "0001-01-02", "9999-12-31T23:59:59+14:00"]),
    st.none() | st.floats(0, 1e300),
    st.sampled_from(["", "FREQ=WEEKLY;BYDAY=SU;UNTIL=20270110T235959Z", "FREQ=DAILY;COUNT=3", "FREQ=YEARLY;BYDAY=99MO"])
    | st.text("FREQ=DAILY;BYSUMO0123,-", max_size=30),
    st.sampled_from(["", "Europe/Berlin", "America", "../etc/passwd", "\0"]),
)
def test_what_is_checked_can_be_followed(
    start: str, end: str | None, duration: float | None, repeat: str, timezone: str
) -> None:
    """Either there are mistakes, or the calendar gives the intervals."""
    occasion = Occasion(name="game", start=start, end=end, duration=duration, repeat=repeat, timezone=timezone)
    slo = Slo(name="a", sli=Probe(), objective=0.9)
    catalogue = Catalogue(
        name="shop",
        services=[Service(name="api", slos=[slo])],
        calendar=Calendar(events=[occasion]),
    )
    if not check_catalogue(catalogue):
        intervals([occasion], 1_788_000_000, 1_790_000_000, "UTC", "")
