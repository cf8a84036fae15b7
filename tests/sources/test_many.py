"""Several servers as one source: each SLO from its own, side by side, with few connections and secrets kept apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import sla_kit
from sla_kit.catalogue import check
from sla_kit.catalogue.model import Catalogue, Probe, Requests, Server, Service, Slo, Window
from sla_kit.errors import SlaKitError, SourceError
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.many import CONNECTIONS, ManySources, open_sources
from sla_kit.sources.settings import Settings
from sla_kit.timeline import Grid, Timeline
from tests.servers import prometheus

START = 1_788_220_800


def two_regions(**urls: str) -> Catalogue:
    sli = Requests(metric="http_requests_total", matchers={"service": "api"}, bad={"status_code": "=~5.."})
    slo = Slo(name="availability", sli="requests", objective=0.99, window=Window(rolling=43_200.0))
    return Catalogue(
        name="regions",
        sources=[Server(name=name, url=urls.get(name, "")) for name in ("eu", "us")],
        services=[
            Service(
                name="api",
                slis={"requests": sli},
                slos=[slo, Slo(name="away", sli="requests", objective=0.9, source="us")],
            ),
            Service(name="api-us", source="us", slis={"requests": sli}, slos=[slo]),
        ],
    )


def recording(folder: Path, rps: float, seed: int) -> Path:
    workload = parts.Workload(name="api", labels={"service": "api"}, rps=rps, error_ratio=0.01)
    scenario = Scenario(start=START, days=1, seed=seed, scrape_interval=60.0, services=[workload])
    simulate(scenario).write(folder)
    return folder


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("regions")
    return recording(folder / "eu", 20, 1), recording(folder / "us", 5, 2)


def test_each_slo_is_read_from_its_own_server(regions: tuple[Path, Path]) -> None:
    eu, us = regions
    with prometheus(openmetrics=eu / "history.om.gz") as first, prometheus(openmetrics=us / "history.om.gz") as second:
        catalogue = two_regions(eu=first.url, us=second.url)
        both = sla_kit.evaluate(catalogue, None, "12h", START + 86_400)
        alone = {
            name: sla_kit.evaluate(catalogue, url, "12h", START + 86_400)["api", "availability"].figure
            for name, url in (("eu", first.url), ("us", second.url))
        }
        overridden = sla_kit.evaluate(catalogue, [f"us={eu}"], "12h", START + 86_400)
    assert both["api", "availability"].figure == alone["eu"]
    assert both["api-us", "availability"].figure == alone["us"]
    assert both["api", "away"].figure.total == alone["us"].total
    assert alone["eu"].total > 2 * alone["us"].total
    assert overridden["api-us", "availability"].figure.total == alone["eu"].total
    assert f"eu={first.url}" in both.source


def test_one_address_without_a_name_stands_for_all(regions: tuple[Path, Path]) -> None:
    found = sla_kit.evaluate(two_regions(), str(regions[0]), "12h")
    assert found["api", "availability"].figure == found["api-us", "availability"].figure


@pytest.mark.parametrize(
    ("given", "message", "remedy"),
    [
        ([], "the source 'eu' has no address", "--source eu="),
        (["eu=http://127.0.0.1:1"], "the source 'us' has no address", "--source us="),
        (["uk=http://127.0.0.1:1"], "no source 'uk'", "one of eu, us"),
        (["http://127.0.0.1:1", "http://127.0.0.1:2"], "without saying which is which", "NAME=ADDRESS"),
    ],
)
def test_what_is_not_said_or_wrong_is_told(given: list[str], message: str, remedy: str) -> None:
    with pytest.raises(SourceError) as error:
        open_sources(two_regions(), given)
    assert message in error.value.message
    assert remedy in error.value.remedy


def test_a_catalogue_without_sources_needs_one() -> None:
    bare = Catalogue(name="bare", services=[Service(name="api", slos=[Slo(name="up", sli=Probe(), objective=0.9)])])
    with pytest.raises(SourceError, match="where the history is"):
        sla_kit.evaluate(bare)


def test_the_catalogue_is_checked_for_sources_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(
        "name: x\n"
        "sources:\n"
        "  - {name: eu, url: 'https://user:secret@prometheus.example.com'}\n"
        "  - {name: eu, url: 'ftp://prometheus'}\n"
        "ledger: {lag: 1.5s}\n"
        "services:\n"
        "  - name: api\n"
        "    source: ue\n"
        "    slos: [{name: up, sli: {kind: probe}, objective: 99%, source: us}]\n"
    )
    _, mistakes = check(path)
    told = [(mistake.line, mistake.message) for mistake in mistakes]
    assert [line for line, _ in told] == [3, 4, 4, 5, 8, 9]
    assert not any("secret" in str(mistake) for mistake in mistakes)
    assert "'ue'" in told[4][1]
    assert mistakes[4].hint == "one of eu"


class Slow:
    """A source that takes its time, and knows how many work at the same moment; one that ``meets`` does nothing before
    another one works beside it."""

    working = 0
    most = 0
    lock = threading.Lock()
    met = threading.Event()

    def __init__(self, name: str, fail: bool = False, meets: bool = False) -> None:
        self.name = name
        self.fail = fail
        self.meets = meets
        self.closed = False

    def span(self) -> tuple[int, int] | None:
        return None

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        with Slow.lock:
            Slow.working += 1
            Slow.most = max(Slow.most, Slow.working)
            if Slow.working > 1:
                Slow.met.set()
        try:
            assert not self.meets or Slow.met.wait(120), "nobody works beside it"
            for number, indicator in enumerate(indicators):
                time.sleep(0.02)
                if self.fail and number == 1:
                    raise SourceError("the server fell over", place=self.name)
                progress(number + 1, len(indicators), self.name)
                ones = np.full(grid.count, float(len(self.name)))
                yield indicator, Timeline(grid, ones, ones, ones)
        finally:
            with Slow.lock:
                Slow.working -= 1

    def close(self) -> None:
        self.closed = True


def asked(names: Sequence[str], each: int) -> list[Indicator]:
    return [Indicator((name, f"sli-{n}"), Probe(), source=name) for name in names for n in range(each)]


def test_servers_are_read_side_by_side_and_never_more_than_allowed() -> None:
    Slow.most = 0
    Slow.met.clear()
    names = [f"s{number}" for number in range(3 * CONNECTIONS)]
    many = ManySources({name: Slow(name, meets=True) for name in names})
    seen: list[tuple[int, int]] = []
    found = list(many.fetch(asked(names, 2), Grid(0, 60, 3), lambda done, total, what: seen.append((done, total))))
    assert sorted(indicator.key for indicator, _ in found) == sorted(one.key for one in asked(names, 2))
    assert 1 < Slow.most <= CONNECTIONS
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    many.close()
    assert all(isinstance(source, Slow) and source.closed for source in many.sources.values())


def test_a_server_that_fails_ends_the_reading_with_its_own_error() -> None:
    many = ManySources({"good": Slow("good"), "bad": Slow("bad", fail=True)})
    with pytest.raises(SourceError, match="fell over"):
        list(many.fetch(asked(["good", "bad"], 50), Grid(0, 60, 3)))
    assert Slow.working == 0


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    many = ManySources({"one": Slow("one"), "two": Slow("two")})
    reading = many.fetch(asked(["one", "two"], 100), Grid(0, 60, 3))
    next(iter(reading))
    reading.close()  # type: ignore[attr-defined]
    assert Slow.working == 0
    assert not [each for each in set(threading.enumerate()) - before if each.name.startswith("sla-kit-source")]


def test_credentials_are_those_of_the_server_s_name_and_no_other() -> None:
    environment = {
        "SLA_KIT_PROMETHEUS_TOKEN": "for-all",
        "SLA_KIT_PROMETHEUS_EU_WEST_TOKEN": "for-eu",
        "SLA_KIT_PROMETHEUS_EU_WEST_HEADERS": "X-A=1",
    }
    settings = Settings.from_environment(environment, "eu-west", "shop")
    assert settings.token == "for-eu"
    assert settings.headers == (("X-A", "1"), ("X-Scope-OrgID", "shop"))
    assert Settings.from_environment(environment, "us").token == ""
    assert Settings.from_environment(environment).token == "for-all"
    with pytest.raises(SlaKitError, match="SLA_KIT_PROMETHEUS_EU_WEST_TIMEOUT"):
        Settings.from_environment({"SLA_KIT_PROMETHEUS_EU_WEST_TIMEOUT": "soon"}, "eu-west")


def test_each_server_is_sent_its_own_token_and_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[tuple[str | None, str | None]]] = {"a": set(), "b": set()}

    def server(name: str) -> ThreadingHTTPServer:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen[name].add((self.headers.get("Authorization"), self.headers.get("X-Scope-OrgID")))
                self.rfile.read(int(self.headers["Content-Length"]))
                body = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    servers = {name: server(name) for name in seen}
    for one in servers.values():
        threading.Thread(target=one.serve_forever, daemon=True).start()
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_A_TOKEN", "token-of-a")
    slo = Slo(name="up", sli=Probe(), objective=0.9)
    catalogue = Catalogue(
        name="two",
        sources=[
            Server(name=name, url=f"http://127.0.0.1:{one.server_port}", tenant=f"tenant-{name}")
            for name, one in servers.items()
        ],
        services=[Service(name=name, source=name, slos=[slo]) for name in servers],
    )
    try:
        sla_kit.evaluate(catalogue, None, "1d", START)
    finally:
        for one in servers.values():
            one.shutdown()
            one.server_close()
    assert seen == {"a": {("Bearer token-of-a", "tenant-a")}, "b": {(None, "tenant-b")}}
