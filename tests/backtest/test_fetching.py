"""Rules on the raw samples that are fetched from a live server: as on a recording, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.backtest.as_json import document
from sla_kit.backtest.evaluators import EngineName
from sla_kit.backtest.labelled import read_incidents
from sla_kit.backtest.raw_samples import NativeHistogramError, decoded, packed, unpacked
from sla_kit.backtest.results import Backtest
from sla_kit.backtest.rule_files import RuleSet
from sla_kit.backtest.running import Settings, backtest
from sla_kit.backtest.sets import catalogue_rules, file_rules
from sla_kit.catalogue import load
from sla_kit.errors import SourceError
from sla_kit.history import History, Series, openmetrics
from sla_kit.simulate import load_scenario, simulate
from sla_kit.sources import Progress, no_progress
from sla_kit.sources.decode import read_answer
from tests.backtest.test_faults import Answer, between
from tests.backtest.test_history import END, START
from tests.servers import prometheus, prometheus_program, prometheus_versions, victoria_metrics

EXAMPLE = Path(__file__).parents[2] / "examples" / "astralfield"
#: Sunday, 6 September 2026 in New York, with a game; on the Wednesday after, a bad release.
SUNDAY = 1_788_667_200
#: A catalogue whose long windows are ranges of recorded series.
RULES = """
groups:
  - name: recordings
    interval: 1m
    rules:
      - record: requests:rate5m
        expr: sum by (service) (rate(requests_total[5m]))
      - record: errors:rate5m
        expr: sum by (service) (rate(requests_total{code=~"5.."}[5m])) or requests:rate5m * 0
      - record: errors:ratio6h
        expr: sum_over_time(errors:rate5m[6h]) / sum_over_time(requests:rate5m[6h])
  - name: alerts
    interval: 1m
    rules:
      - {alert: Burning, expr: 'errors:ratio6h > 0.005', for: 2m}
      - {alert: Few, expr: 'requests:rate5m < 0.9', keep_firing_for: 5m}
      - {alert: Server, expr: 'requests_total{code="500"} > 10000'}
      - {alert: AnyOf, expr: 'count({__name__=~"re.*s_total",code!="200"}) > 1'}
      - {alert: Gone, expr: 'absent(elsewhere) and on () absent(requests_total{code="200"})'}
      - {alert: Long, expr: 'sum_over_time(errors:rate5m[4w]) < 0'}
      - {alert: Never, expr: 'elsewhere > 0 and elsewhere_too > 0'}
"""


def samples() -> History:
    """Two days, a sample every fifteen seconds at times that are no whole seconds; errors from 30 h to 31 h."""
    times = np.arange((START - 86_400) * 1000, END * 1000 + 1, 15_000, dtype=np.int64)
    seconds = times / 1000 - START
    bad = (seconds >= 21_600) & (seconds < 25_200)
    found = []
    for instance in range(4):
        for code, rate in (("200", 300.0), ("404", 3.0), ("500", 0.0)):
            each = np.full(times.shape, rate) + (60.0 * bad if code == "500" else 0.0)
            labels = (("code", code), ("instance", str(instance)), ("service", "api"))
            found.append(Series("requests_total", labels, times + 137 * instance, np.cumsum(each) / 60))
    return History(found)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "history.om"
    openmetrics.write(samples(), path, {})
    return path


@pytest.fixture(scope="module")
def expected(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """What the recording itself gives."""
    found = run(str(recording), tmp_path_factory.mktemp("recorded"))
    fired = {one.alert: [(each.start - START, each.end - START) for each in one.firings]
             for one in found.variants[0].alerts}  # fmt: skip
    # 0.5 % of six hours are bad after 0.5 % * 303 / (60 * 0.995) of them, and until as much is left.
    [(begun, ended)] = fired["Burning"]
    assert begun - 21_600 == pytest.approx(0.005 * 21_600 * 303 / 59.7 + 120, abs=240)
    assert ended - 25_200 == pytest.approx(21_600 - 0.005 * 21_600 * 303 / 59.7, abs=240)
    assert not fired["Few"]
    assert len(fired["Gone"]) == len(fired["Never"]) == 0
    return told(found)


def run(
    source: str,
    folder: Path,
    engine: EngineName = "auto",
    progress: Progress = no_progress,
    rules: str = RULES,
) -> Backtest:
    folder.mkdir(exist_ok=True)
    (folder / "rules.yml").write_text(rules)
    given_rules = [file_rules([folder / "rules.yml"], "rules")]
    return backtest(source, given_rules, window="1d", at=END, settings=Settings(engine=engine), state=folder / "state",
                    progress=progress)  # fmt: skip


def told(found: Backtest) -> list[object]:
    """All that is said of the alerts, but in which file they are."""
    alerts: list[object] = []
    for one in document(found)["alerts"]:
        del one["file"]
        alerts.append(one)
    return alerts


@pytest.mark.parametrize("version", prometheus_versions())
def test_a_catalogue_on_a_live_server_gives_what_it_gives_on_the_recording(version: str, tmp_path: Path) -> None:
    month = load_scenario("astralfield")
    jobs = [msgspec.structs.replace(job, unusual=[]) for job in month.jobs]
    scenario = msgspec.structs.replace(month, start=float(SUNDAY), days=4, jobs=jobs)
    simulate(scenario).write(tmp_path / "history")
    catalogue = load(EXAMPLE, "production")
    end = SUNDAY + 4 * 86_400
    rules = catalogue_rules(catalogue, end)
    incidents = read_incidents(tmp_path / "history" / "truth.json")

    def replayed(source: str, rules: RuleSet, name: str) -> Backtest:
        chosen = Settings(interval=30, prometheus=str(prometheus_program(version)))
        return backtest(source, [rules], window="1d", at=end, incidents=incidents, catalogue=catalogue,
                        settings=chosen, state=tmp_path / name)  # fmt: skip

    recorded = replayed(str(tmp_path / "history" / "history.om.gz"), rules, "recorded")
    with prometheus(version, openmetrics=tmp_path / "history" / "history.om.gz") as server:
        live = replayed(server.url, rules, "live")
    assert (live.engine, live.window) == (recorded.engine, recorded.window)
    assert told(live) == told(recorded)
    fired = {one.alert for one in live.variants[0].alerts if one.firings}
    assert {"SloErrorBudgetBurn", "Watchdog"} <= fired


@pytest.mark.parametrize("version", prometheus_versions())
def test_samples_that_are_fetched_are_those_of_the_recording(
    version: str, recording: Path, expected: list[object], tmp_path: Path
) -> None:
    with prometheus(version, openmetrics=recording) as server:
        found = run(server.url, tmp_path / "run")
        assert found.engine == "prometheus"
        assert told(found) == expected
        # One rule that reads no range of what is recorded is the server's to evaluate.
        plain = "groups: [{name: g, rules: [{alert: Server, expr: 'requests_total{code=\"500\"} > 10000'}]}]"
        assert run(server.url, tmp_path / "plain", rules=plain).engine == "server"


def test_samples_of_a_victoriametrics_are_fetched_alike(
    recording: Path, expected: list[object], tmp_path: Path
) -> None:
    with victoria_metrics(openmetrics=recording) as server:
        found = run(server.url, tmp_path / "run")
    assert found.engine == "prometheus"
    assert told(found) == expected


@pytest.fixture(scope="module")
def live(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder in which a Prometheus finds the recording's samples."""
    folder = tmp_path_factory.mktemp("live")
    with prometheus("2", openmetrics=recording, data=folder):
        return str(folder)


def test_what_is_too_much_at_once_is_fetched_in_halves(live: str, expected: list[object], tmp_path: Path) -> None:
    said = b'{"status":"error","errorType":"execution","error":"query processing would load too many samples"}'

    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        if path.endswith("/query") and (length := seconds(form)):
            lengths.append(length)
            return (422, said) if length > 5_000 else None
        return None

    lengths: list[int] = []
    with prometheus("2", data=Path(live)) as server, between(server.url, spoil) as (url, _):
        assert told(run(url, tmp_path / "run")) == expected
    assert max(lengths) > 5_000
    assert sum(length for length in lengths if length <= 5_000) >= 86_400


def seconds(form: dict[str, str]) -> int:
    """How long the range is that a query asks for, 0 for none."""
    _, bracket, inside = form["query"].rpartition("[")
    return int(inside.removesuffix("s]")) if bracket else 0


def test_a_server_that_goes_down_is_told_and_the_run_goes_on(live: str, expected: list[object], tmp_path: Path) -> None:
    """The server is killed while samples are fetched, and is at another port when it is back: a proxy stands before
    it, as before many."""
    upstream: list[str] = []
    fetched: list[str] = []
    killed = threading.Event()

    def forwarded(path: str, form: dict[str, str]) -> Answer:
        if path.endswith("/query") and seconds(form):
            fetched.append(form["query"])
            if form["time"] == str(END):
                killed.wait(60)  # the newest samples are still to come when the server goes down
        data = urllib.parse.urlencode(form).encode()
        try:
            with urllib.request.urlopen(upstream[-1] + path, data=data, timeout=300) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 502, b"bad gateway"

    with between("", forwarded) as (url, _):
        with prometheus("2", data=Path(live)) as server:
            upstream.append(server.url)

            def killing(done: int, total: int, what: str) -> None:
                if what.startswith("fetching") and done < total and not killed.is_set():
                    os.kill(server.pid, signal.SIGKILL)
                    killed.set()

            with pytest.raises(SourceError, match="502"):
                run(url, tmp_path / "run", progress=killing)
        assert killed.is_set()
        kept = [one for one in (tmp_path / "run" / "state" / "samples").rglob("*") if one.is_file()]
        assert kept
        before = len(fetched)
        with prometheus("2", data=Path(live)) as server:
            upstream.append(server.url)
            assert told(run(url, tmp_path / "run")) == expected
            again = len(fetched) - before
            assert told(run(url, tmp_path / "whole")) == expected
            assert again < len(fetched) - before - again


def test_what_the_server_has_nothing_of_is_not_fetched(live: str, tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        if path.endswith("/query"):
            asked.append(form)
        return None

    with prometheus("2", data=Path(live)) as server, between(server.url, spoil) as (url, _):
        run(url, tmp_path / "run")
    assert not any("elsewhere" in form["query"] for form in asked)
    assert any("requests_total" in form["query"] for form in asked)


def test_no_answer_is_large_however_many_samples_there_are(tmp_path: Path) -> None:
    times = np.arange(START * 1000, END * 1000 + 1, 15_000, dtype=np.int64)
    many = [
        Series("many", (("number", str(number)),), times, (times % 977).astype(np.float64)) for number in range(150)
    ]
    openmetrics.write(History(many), tmp_path / "history.om", {})
    sizes: list[int] = []
    rules = """
groups:
  - name: g
    interval: 10m
    rules:
      - {record: most, expr: max(many)}
      - {alert: High, expr: 'max_over_time(most[1h]) > 976'}
"""
    with prometheus("2", openmetrics=tmp_path / "history.om") as server:

        def measured(path: str, form: dict[str, str]) -> Answer | None:
            data = urllib.parse.urlencode(form).encode()
            with urllib.request.urlopen(server.url + path, data=data, timeout=300) as answer:
                body = answer.read()
            if path.endswith("/query") and seconds(form):
                sizes.append(body.count(b'"]'))
            return 200, body

        with between("", measured) as (url, _):
            found = run(url, tmp_path / "run", rules=rules)
    assert found.engine == "prometheus"
    assert sum(sizes) >= 150 * times.size
    assert max(sizes) < 450_000


def test_native_histograms_are_left_to_the_server(tmp_path: Path) -> None:
    native = "--enable-feature=native-histograms"
    config = (
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: self\n  scrape_native_histograms: true\n"
        "  scrape_protocols: [PrometheusProto]\n"
        "  static_configs: [{targets: ['%s']}]\n"
    )
    rules = """
groups:
  - name: g
    interval: 1m
    rules:
      - record: requests:rate
        expr: histogram_count(sum(rate(prometheus_http_request_duration_seconds[1m])))
      - {alert: Some, expr: 'max_over_time(requests:rate[5m]) >= 0'}
"""
    with prometheus("3") as scraped, prometheus(
        "3", config=config % scraped.url.removeprefix("http://"), flags=[native]
    ) as server:  # fmt: skip
        deadline = time.monotonic() + 120
        while not _histograms(server.url):
            urllib.request.urlopen(f"{scraped.url}/api/v1/query?query=up", timeout=60).close()
            assert time.monotonic() < deadline
        (tmp_path / "rules.yml").write_text(rules)

        def replayed(engine: EngineName) -> Backtest:
            given_rules = [file_rules([tmp_path / "rules.yml"])]
            chosen = Settings(engine=engine, prometheus=str(prometheus_program("3")))
            soon = time.time() + 180  # the server holds next to nothing yet
            return backtest(server.url, given_rules, window="10m", at=soon, settings=chosen,
                            state=tmp_path / "state")  # fmt: skip

        with pytest.raises(NativeHistogramError, match="prometheus_http_request_duration_seconds holds native"):
            replayed("prometheus")
        found = replayed("auto")
    assert found.engine == "server"
    assert any("native histograms" in note for note in found.notes)


def _histograms(url: str) -> bool:
    query = urllib.parse.quote("histogram_count(prometheus_http_request_duration_seconds)")
    with urllib.request.urlopen(f"{url}/api/v1/query?query={query}", timeout=60) as answer:
        return b'"value"' in answer.read()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 4_000_000_000_000), st.floats(width=64) | st.integers(-(10**19), 10**19)),
            max_size=6,
            unique_by=lambda pair: pair[0],
        ),
        max_size=4,
    )
)
def test_samples_are_read_as_floats_are_and_kept_as_they_are(series: list[list[tuple[int, float]]]) -> None:
    texts = [
        ",".join(f'[{_time(ms)},"{_go(float(value))}"]' for ms, value in sorted(each, key=lambda pair: pair[0]))
        for each in series
    ]
    result = ",".join(
        f'{{"metric":{{"__name__":"m","n":"{number}"}},"values":[{text}]}}' for number, text in enumerate(texts)
    )
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}'.encode()
    found = list(decoded(read_answer(body).data.result))
    again = unpacked(packed(found))
    assert len(found) == len(series)
    for one, kept, each in zip(found, again, series, strict=True):
        pairs = sorted(each, key=lambda pair: pair[0])
        assert one.times.tolist() == kept.times.tolist() == [ms for ms, _ in pairs]
        values = np.array([float(value) for _, value in pairs])
        assert np.array_equal(one.values, values, equal_nan=True)
        assert one.values.tobytes() == kept.values.tobytes()
        assert (one.metric, one.labels) == (kept.metric, kept.labels)


def _time(ms: int) -> str:
    whole, rest = divmod(ms, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)


def _go(value: float) -> str:
    """A number as Prometheus writes it."""
    if value != value:
        return "NaN"
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, repr(value))
