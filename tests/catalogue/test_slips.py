"""Slips that would load and then measure something else than was meant."""

from __future__ import annotations

import pytest

from tests.catalogue.written import GOOD, assert_marked, mistakes_of


def test_matchers_that_would_match_by_the_letter() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      a:
        kind: probe
        matchers:
          instance:
            - one
            - =~two.*  #! '=~two.*' in a list is taken by the letter
      b:
        kind: latency
        metric: http_request_duration_seconds
        threshold: 100ms
        matchers:
          le: 0.1  #! the histogram's own label
    slos:
      - {name: a, sli: a, objective: 99%}
""")


def test_a_list_of_values_may_hold_what_looks_like_a_pattern_inside() -> None:
    assert mistakes_of(GOOD.replace("{kind: probe}", '{kind: probe, matchers: {path: ["/a(b", "c+", "d=~e"]}}')) == []


def test_labels_that_series_can_not_be_summed_over() -> None:
    assert_marked(f"""\
sum_labels:
  - route
  - le  #! series that differ in le can't be summed
  - a-b  #! can't be a label's name
{GOOD}""")


def test_an_expression_over_a_range_of_its_own() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      jobs:
        kind: promql
        total: sum(increase(jobs_total[5m]))  #! does not hold $window
        bad: sum(increase(jobs_failed_total[$window]))
    slos:
      - {name: jobs, sli: jobs, objective: 99%}
""")


def test_slices_where_events_are_counted() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slis:
      up: {kind: probe}
      requests: {kind: requests, metric: http_requests_total, bad: {code: "500"}}
    slos:
      - name: a
        sli: requests
        objective: 99%
        slice: 5m  #! slice means nothing where events are counted (add budgeting: timeslices)
      - name: b
        sli: up
        budgeting: occurrences
        objective: 99%
        slice_target: 90%  #! slice_target means nothing
      - {name: c, sli: up, objective: 99%, slice: 5m, slice_target: 90%}
      - name: d
        sli: up
        objective: 99%
        window: 1d
        slice: 2d  #! longer than the window
      - name: e
        sli: {kind: recovery, of: up, within: 5m}
        objective: 99%
        budgeting: timeslices  #! outages are counted one by one
      - {name: up, sli: up, objective: 99%}
""")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("15 min", "15m"),
        ("1 hour 30 minutes", "1h30m"),
        ("100 msec", "100ms"),
        ("2 Weeks and 1 Day", "2w1d"),
        ("90 secs", "90s"),
    ],
)
def test_durations_in_words_are_told_how_they_are_written(written: str, meant: str) -> None:
    for text in (
        GOOD.replace("window: month", f"window: {written}"),
        GOOD.replace("{kind: probe}", f"{{kind: freshness, metric: a, max_age: {written}}}"),
    ):
        [found] = mistakes_of(text)
        assert found.hint == f"write {meant}", found


def test_a_decimal_comma_is_told_how_it_is_written() -> None:
    [found] = mistakes_of(GOOD.replace("99.9%", "'99,9 %'"))
    assert found.hint == "write 99.9 %"


@pytest.mark.parametrize("slos", ["{reachble: {objective: 98%}}", "[{name: reachble, objective: 98%}]"])
def test_a_slip_in_an_overlay_names_what_it_should_lie_on(slos: str) -> None:
    [found] = mistakes_of(f"{GOOD}environments: {{dev: {{services: {{api: {{slos: {slos}}}}}}}}}\n")
    assert (found.line, found.message) == (13, "an entry of slos has no sli")
    assert found.hint == "the base has no reachble: did you mean reachable?"


@pytest.mark.parametrize("window", ["11y", "99999999y", "1e12"])
def test_windows_that_no_history_can_fill(window: str) -> None:
    assert_marked(f"""\
name: shop
services:
  - name: api
    slos:
      - name: a
        sli: {{kind: probe}}
        objective: 99%
        window: {window}  #! ten years at most
""")


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("slack", "https://hooks.slack.com/services/T0/B0/sEcReT"),
        ("slack", "xoxb-1234-sEcReT"),
        ("pagerduty", "https://user:sEcReT@events.example.com"),
        ("email", "smtp://user:sEcReT@mail.example.com"),
    ],
)
def test_secrets_are_told_and_never_repeated(key: str, secret: str) -> None:
    [found] = mistakes_of(GOOD.replace("  - name: platform\n", f"  - {{name: platform, {key}: '{secret}'}}\n"))
    assert (found.line, found.message) == (3, f"{key} looks like a secret")
    assert "sEcReT" not in str(found)


@pytest.mark.parametrize("address", ["platform", "a@example.com, platform", "a@example.com,", "Ada a@example.com"])
def test_an_address_that_no_mail_reaches(address: str) -> None:
    [found] = mistakes_of(GOOD.replace("  - name: platform\n", f"  - {{name: platform, email: '{address}'}}\n"))
    assert (found.line, found.message) == (3, f"{address!r} is no e-mail address")


def test_several_mailboxes_may_be_one_contacts() -> None:
    several = "a@example.com, Ada Lovelace <b@example.com>"
    assert mistakes_of(GOOD.replace("  - name: platform\n", f"  - {{name: platform, email: '{several}'}}\n")) == []
