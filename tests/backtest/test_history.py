"""Backtests of histories whose outages are known, by every engine, against what can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sla_kit.backtest.evaluators import EngineName
from sla_kit.backtest.labelled import read_incidents
from sla_kit.backtest.results import AlertResult, Backtest, KnownIncident
from sla_kit.backtest.rule_files import RuleFileError
from sla_kit.backtest.running import Settings, backtest
from sla_kit.backtest.sets import file_rules
from sla_kit.errors import SlaKitError
from sla_kit.history import History, Series, openmetrics
from tests.servers import prometheus, prometheus_program, prometheus_versions

START = 1_790_000_000 // 86_400 * 86_400
END = START + 86_400
#: When errors of each job are at 20 %, in seconds since START.
BAD = {"a": [(3_600, 5_400), (40_000 // 30 * 30, 40_000 // 30 * 30 + 90)], "b": [(3_600, 4_200)]}
INCIDENTS = (
    KnownIncident("first", START + 3_600, START + 5_400, "a"),
    KnownIncident("unseen", START + 60_000, START + 60_600, "a"),
)

RULES = """
groups:
  - name: recordings
    interval: 30s
    rules:
      - record: job:errors
        expr: max by (job) (errors)
      - record: job:errors:mean5m
        expr: avg_over_time(job:errors[5m])
        labels: {kind: mean}
      - record: job:errors:mean5m:worst
        expr: max by (kind) (job:errors:mean5m)
      - record: errors:some
        expr: job:errors > 0.1
      - record: errors:some:kind
        expr: errors > 0.1
        labels: {kind: some}
      - record: errors:ambiguous
        expr: errors > 0.1
        labels: {job: both}
  - name: the same again
    interval: 30s
    rules:
      - record: errors:some:kind
        expr: errors{job="a"} > 0.1
        labels: {kind: some}
  - name: alerts
    interval: 30s
    rules:
      - alert: Plain
        expr: errors > 0.1
        labels: {severity: critical, service: "{{ $labels.job }}"}
      - alert: Waiting
        expr: errors > 0.1
        for: 2m
        labels: {severity: critical}
      - alert: Keeping
        expr: errors > 0.1
        keep_firing_for: 10m
      - alert: Recorded
        expr: job:errors{job="a"} > 0.1
      - alert: Chained
        expr: job:errors:mean5m{kind="mean",job=~"a|c"} > 0.1
      - alert: Worst
        expr: job:errors:mean5m:worst{kind!="other"} > 0.1
      - alert: Sparse
        expr: errors:some
      - alert: Shifted
        expr: job:errors{job!="a"} offset 10m > 0.1
      - alert: Ranged
        expr: count_over_time(errors:some{job="a"}[1h:30s]) > 50 or max_over_time(job:errors{job="b"}[1h]) > 0.1
      - alert: Quiet
        expr: absent(errors:some:kind{kind="some", job="b", instance=~"1|2"})
      - alert: QuietFor
        expr: absent_over_time(errors:some:kind{kind="some", job="a"}[6h])
      - alert: Ambiguous
        expr: max_over_time(errors:ambiguous[30s]) > 0.1
      - alert: Absent
        expr: absent(gone{job="x"})
        for: 1h
      - alert: Always
        expr: vector(1)
        for: 5m
      - alert: Missing
        expr: absent(nothing_of_the_kind)
      - alert: Nothing
        expr: nothing_of_the_kind > 0
"""


def history(step: int = 30) -> History:
    times = np.arange(START, END + 1, step, dtype=np.int64)
    series = []
    for job, spans in BAD.items():
        values = np.full(times.shape, 0.01)
        for low, high in spans:
            values[(times >= START + low) & (times < START + high)] = 0.2
        series.append(Series("errors", (("instance", "1"), ("job", job)), times * 1000, values))
    until = times[times <= START + 43_200]
    series.append(Series("gone", (("job", "x"),), until * 1000, np.ones(until.shape)))
    return History(series)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.om"
    openmetrics.write(history(), path, {})
    return path


def ways() -> list[tuple[str, EngineName, str]]:
    """Who evaluates, and on what: the server, a Prometheus of our own on its samples, and one on a recording."""
    each: tuple[tuple[EngineName, str], ...] = (("server", "live"), ("prometheus", "live"), ("prometheus", "recorded"))
    return [(version, engine, history_is) for version in prometheus_versions() for engine, history_is in each]


@pytest.fixture(scope="module", params=ways(), ids="-".join)
def found(
    request: pytest.FixtureRequest, recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backtest]:
    version, engine, history_is = request.param
    folder = tmp_path_factory.mktemp("run")
    (folder / "rules.yml").write_text(RULES)
    program = prometheus_program(version)
    rules = [file_rules([folder / "rules.yml"])]

    def run(source: str) -> Backtest:
        settings = Settings(engine=engine, prometheus=str(program))
        return backtest(
            source, rules, window="1d", at=END, incidents=INCIDENTS, settings=settings, state=folder / "state"
        )

    if history_is == "live":
        with prometheus(version, openmetrics=recording) as server:
            yield run(server.url)
    else:
        yield run(str(recording))


def alert(found: Backtest, name: str) -> AlertResult:
    return next(one for one in found.variants[0].alerts if one.alert == name)


def fired(found: Backtest, name: str) -> list[tuple[str, int, int]]:
    return [(dict(one.labels).get("job", ""), one.start - START, one.end - START) for one in alert(found, name).firings]


SHORT = 40_000 // 30 * 30


def test_an_alert_fires_from_the_first_bad_sample_to_the_first_good_one(found: Backtest) -> None:
    assert fired(found, "Plain") == [("a", 3_600, 5_400), ("b", 3_600, 4_200), ("a", SHORT, SHORT + 90)]
    assert alert(found, "Plain").firing_seconds == 1_800 + 600 + 90


def test_for_waits_and_leaves_out_what_is_short(found: Backtest) -> None:
    assert fired(found, "Waiting") == [("a", 3_720, 5_400), ("b", 3_720, 4_200)]


def test_keep_firing_for_goes_on(found: Backtest) -> None:
    assert fired(found, "Keeping") == [("a", 3_600, 6_000), ("b", 3_600, 4_800), ("a", SHORT, SHORT + 690)]


def test_a_recorded_series_is_its_expression(found: Backtest) -> None:
    assert fired(found, "Recorded") == [("a", 3_600, 5_400), ("a", SHORT, SHORT + 90)]


def test_a_chain_of_recordings_is_followed(found: Backtest) -> None:
    # The mean of five minutes at 0.01, n samples of which are 0.2, is over 0.1 from n/N > 9/19 on: 5 of 10 (or 6 of
    # the 11 that Prometheus 2 takes into five minutes) until as many are left.
    expected = {
        (3_600 + 4 * 30, 5_400 + 5 * 30): "of 10",
        (3_600 + 5 * 30, 5_400 + 5 * 30): "of 11",
    }
    [(job, start, end)] = fired(found, "Chained")
    assert job == "a"
    assert (start, end) in expected
    [(_, start, end)] = fired(found, "Worst")
    assert (start, end) in expected


def test_a_recorded_series_that_ends_is_gone_at_once(found: Backtest) -> None:
    assert fired(found, "Sparse") == fired(found, "Plain")


def test_an_offset_shifts_a_recorded_series(found: Backtest) -> None:
    assert fired(found, "Shifted") == [("b", 4_200, 4_800)]


def test_ranges_of_recorded_series(found: Backtest) -> None:
    firings = dict.fromkeys((job, start) for job, start, _ in fired(found, "Ranged"))
    # Sixty samples of the hour are bad at most: more than fifty from the 51st on.
    assert list(firings) == [("b", 3_600), ("a", 3_600 + 50 * 30)]
    ends = {job: end for job, _, end in fired(found, "Ranged")}
    assert ends["b"] in (4_170 + 3_600, 4_170 + 3_630)
    assert ends["a"] in (5_400 + 3_600 - 51 * 30, 5_400 + 3_600 - 50 * 30)


def test_absent_of_a_recorded_series_has_the_labels_that_it_asks_for(found: Backtest) -> None:
    assert {one.labels for one in alert(found, "Quiet").firings} == {(("job", "b"), ("kind", "some"))}
    assert [end for _, _, end in fired(found, "Quiet")] == [3_600, 86_400]
    assert [start for _, start, _ in fired(found, "Quiet")][1:] == [4_200]
    assert {one.labels for one in alert(found, "QuietFor").firings} == {(("job", "a"), ("kind", "some"))}
    # From six hours after what ended at 5400 to what began at 40000, and again.
    ends = fired(found, "QuietFor")[-2:]
    assert ends[0][2] == SHORT
    assert ends[0][1] - 5_400 - 21_600 in (-30, 0, 30)


def test_a_recording_rule_records_nothing_where_two_of_its_series_would_be_one(found: Backtest) -> None:
    # While both jobs are bad the rule fails; then only a is, and once more. A range sees the sample before, too.
    spans = [(start, end) for _, start, end in fired(found, "Ambiguous")]
    assert [len(spans), spans[0][0] - 4_200 in (0, 30), spans[1][0]] == [2, True, SHORT]
    assert all(end - due in (0, 30) for (_, end), due in zip(spans, (5_400, SHORT + 90), strict=True))


def test_absent_fires_five_minutes_after_the_last_sample(found: Backtest) -> None:
    [(_, start, end)] = fired(found, "Absent")
    # Prometheus 2 still sees a sample that is exactly five minutes old.
    assert start - 3_600 in (43_200 + 300, 43_200 + 330)
    assert end == 86_400
    assert alert(found, "Absent").firings[0].open


def test_a_metric_that_is_missing_is_told(found: Backtest) -> None:
    assert not alert(found, "Nothing").firings
    assert alert(found, "Nothing").never == "not in the history: nothing_of_the_kind"
    assert not alert(found, "Plain").never


def test_what_fires_throughout_tells_of_no_incident(found: Backtest) -> None:
    always = alert(found, "Always")
    [firing] = always.firings
    assert firing.throughout
    assert not firing.incidents
    assert always.score is not None
    assert (always.score.recall, always.score.precision, always.score.firings) == (0, None, 0)
    assert any("throughout" in note for note in always.notes)
    overall = found.variants[0].overall
    assert overall is not None
    assert overall.firings == sum(len(one.firings) for one in found.variants[0].alerts) - 1
    # The second incident falls into the time in which gone is missed.
    assert (overall.recall, overall.detections[1].alert) == (1, "Absent")
    # A metric that the history never had is not known to be missed.
    missing = alert(found, "Missing")
    assert missing.absent
    assert not missing.firings
    noted = {one.alert for one in found.variants[0].alerts if one.notes}
    assert noted - {"Ambiguous"} == {"Always"}


def test_the_score_against_known_incidents(found: Backtest) -> None:
    score = alert(found, "Plain").score
    assert score is not None
    # Of three firings the one of service b is not about an incident of a, nor is the short one.
    assert (score.precision, score.recall) == (1 / 3, 1 / 2)
    assert (score.detect_median, score.detect_worst) == (0, 0)
    waiting = alert(found, "Waiting").score
    assert waiting is not None
    assert (waiting.precision, waiting.recall, waiting.detect_median) == (1.0, 0.5, 120)
    assert alert(found, "Plain").pages == 3
    assert alert(found, "Plain").pages_per_week == 21


def test_what_is_missed_only_until_a_recording_has_begun_does_not_count(tmp_path: Path) -> None:
    late = [Series(one.metric, one.labels, one.times + 45_000, one.values) for one in history().load(range(2))]
    times = np.arange(START, END + 1, 60, dtype=np.int64) * 1000
    openmetrics.write(History([Series("up", (), times, np.ones(times.shape)), *late]), tmp_path / "h.om", {})
    (tmp_path / "rules.yml").write_text(
        "groups:\n- name: g\n  interval: 30s\n  rules:\n  - {alert: Missing, expr: absent(errors)}\n"
        "  - {alert: Gone, expr: 'absent(up) or absent(gone) and on () vector(1)'}\n"
    )
    found = backtest(str(tmp_path / "h.om"), [file_rules([tmp_path / "rules.yml"])], window="1d", at=END,
                     state=tmp_path / "state")  # fmt: skip
    assert [len(one.firings) for one in found.variants[0].alerts] == [0, 1]


@pytest.mark.parametrize("version", prometheus_versions())
def test_what_a_server_has_forgotten_is_not_missed(version: str, tmp_path: Path) -> None:
    begun = START + 50_000 // 60 * 60
    times = np.arange(begun, END + 1, 60, dtype=np.int64) * 1000
    kept = [Series("up", (("job", "x"),), times, np.ones(times.shape)), Series("kept", (), times, times / 1000)]
    openmetrics.write(History(kept), tmp_path / "h.om", {})
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: [{alert: Gone, expr: absent(kept)}, {alert: Always, expr: kept > 0}]}]"
    )
    rules = [file_rules([tmp_path / "rules.yml"])]
    with prometheus(version, openmetrics=tmp_path / "h.om") as server:
        found = backtest(server.url, rules, window="1d", at=END, state=tmp_path / "state")
        assert [len(one.firings) for one in found.variants[0].alerts] == [0, 1]
        assert 0 <= found.window.start - begun <= 60
        assert "The server holds samples from" in found.notes[0]
        with pytest.raises(SlaKitError, match="none of the metrics that the rules read is in the history of 2h"):
            backtest(server.url, rules, window="2h", at=START, state=tmp_path / "state")


def test_what_fires_over_many_gaps_fires_as_the_window_begins(tmp_path: Path) -> None:
    # It fires once in the morning, and every ten minutes something comes back for a moment.
    times = np.arange(START, END + 1, 60, dtype=np.int64)
    values = (((times - START) % 600 == 0) | (times < START + 3_600)).astype(float)
    openmetrics.write(History([Series("bad", (), times * 1000, values)]), tmp_path / "h.om", {})
    (tmp_path / "rules.yml").write_text(
        "groups:\n- name: g\n  rules:\n  - {alert: Kept, expr: bad > 0, for: 5m, keep_firing_for: 15m}\n"
    )
    found = backtest(str(tmp_path / "h.om"), [file_rules([tmp_path / "rules.yml"])], window="1h", at=START + 7_200,
                     state=tmp_path / "state")  # fmt: skip
    assert [(one.start - START, one.open) for one in alert(found, "Kept").firings] == [(3_600, True)]


def test_it_works_without_a_prometheus_where_the_rules_are_simple(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "groups:\n- name: g\n  interval: 30s\n  rules:\n  - {record: r:e, expr: max by (job) (errors)}\n"
        "  - {alert: Plain, expr: errors > 0.1}\n  - {alert: Recorded, expr: 'r:e > 0.1'}\n"
    )
    found = backtest(
        str(recording), [file_rules([tmp_path / "rules.yml"])], window="1d", at=END,
        settings=Settings(engine="builtin"), state=tmp_path / "state",
    )  # fmt: skip
    assert found.engine == "builtin"
    assert fired(found, "Plain") == [("a", 3_600, 5_400), ("b", 3_600, 4_200), ("a", SHORT, SHORT + 90)]
    assert fired(found, "Recorded") == fired(found, "Plain")


def test_without_a_prometheus_what_needs_one_says_what_to_install(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'max_over_time(errors[1h:1m]) > 0.1'}]}]"
    )
    with pytest.raises(SlaKitError, match=r"A: max_over_time\(\) of a subquery") as error:
        backtest(str(recording), [file_rules([tmp_path / "rules.yml"])], window="1d", at=END, state=tmp_path / "state")
    assert "apt-get install prometheus" in error.value.remedy
    assert error.value.place.endswith("rules.yml:1")


def test_all_expressions_that_are_no_promql_are_told_with_their_lines(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "groups:\n- name: g\n  rules:\n"
        "  - {alert: A, expr: 'sum(rate('}\n  - {alert: B, expr: up}\n  - alert: C\n    expr: |\n      errors >\n"
    )
    with pytest.raises(RuleFileError) as error:
        backtest(str(recording), [file_rules([tmp_path / "rules.yml"])], window="1d", at=END, state=tmp_path / "state")
    assert error.value.exit_code == 2
    assert [(one.line, one.message.split(":")[0]) for one in error.value.mistakes] == [(4, "A"), (7, "C")]
    assert all("parse error" in one.message for one in error.value.mistakes)


def test_a_truth_file_of_the_simulator_is_a_list_of_incidents(tmp_path: Path) -> None:
    from sla_kit.simulate import load_scenario, simulate

    simulation = simulate(load_scenario("astralfield"))
    simulation.write(tmp_path)
    outages = [
        (service, one["start"], one["end"])
        for service, told in simulation.truth["services"].items()
        for one in told["outages"]
    ]
    incidents = read_incidents(tmp_path / "truth.json")
    assert sorted((one.service, one.start, one.end) for one in incidents) == sorted(outages)
