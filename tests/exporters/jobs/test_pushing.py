"""Pushing, to a real Pushgateway read by a real Prometheus; and to ones that are down, slow, or won't have it."""

from __future__ import annotations

import ssl
import subprocess
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SlaKitError
from sla_kit.exporters import Job, Pushgateway, Textfile, job
from sla_kit.exporters.jobs import running as runs
from sla_kit.exporters.jobs.state import State
from tests.alert_rules.provoking import until
from tests.exporters.jobs.reading import fetched, told, told_in
from tests.servers import prometheus, pushgateway
from tests.servers.exporters import Exporter
from tests.servers.process import binary, refusing_port, running

pytestmark = pytest.mark.xdist_group("jobs")


@pytest.fixture(scope="module", autouse=True)
def _patient() -> Iterator[None]:
    """Runs that are told to a Pushgateway which answers are told, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs, "START_PATIENCE_SECONDS", 100.0)
        patched.setattr(runs, "END_PATIENCE_SECONDS", 100.0)
        yield


@pytest.fixture(scope="module")
def gateway() -> Iterator[Exporter]:
    with pushgateway() as started:
        yield started


def pushed(gateway: Exporter, name: str) -> dict[Any, float]:
    return dict(told(fetched(f"{gateway.url}/metrics"), name))


def test_a_run_is_told_as_it_begins_and_as_it_ends(gateway: Exporter) -> None:
    with job("steps", to=Pushgateway(gateway.url, timeout_seconds=60.0), expected_every="1h") as run:
        during = pushed(gateway, "steps")
        run.processed(7, "rows")
    assert "sla_job_last_end_timestamp_seconds" not in during
    assert during["sla_job_last_start_timestamp_seconds"] == run.start
    assert during["sla_job_last_success_timestamp_seconds"] == 0
    after = pushed(gateway, "steps")
    assert run.delivered
    assert after["sla_job_last_success"] == 1
    assert after["sla_job_last_start_timestamp_seconds"] == run.start
    assert after["sla_job_last_end_timestamp_seconds"] >= run.start
    assert after["sla_job_records_processed", "rows"] == 7
    assert after["sla_job_expected_interval_seconds"] == 3600


def test_a_failure_keeps_the_last_success_and_is_counted(gateway: Exporter) -> None:
    flaky = job("flaky", to=Pushgateway(gateway.url, timeout_seconds=60.0))
    with flaky:
        pass
    success = pushed(gateway, "flaky")["sla_job_last_success_timestamp_seconds"]
    for count in (1, 2):
        with pytest.raises(KeyError), flaky:
            raise KeyError("what must not be told")
        found = pushed(gateway, "flaky")
        assert (found["sla_job_last_success"], found["sla_job_failures_total"]) == (0, count)
        assert found["sla_job_last_success_timestamp_seconds"] == success
        assert ("sla_job_last_failure_timestamp_seconds", "KeyError") in found
    assert "must not be told" not in fetched(f"{gateway.url}/metrics")


def test_groups_of_the_same_job_stay_apart(gateway: Exporter) -> None:
    for instance in ("eu", "us"):
        with job("spread", to=Pushgateway(gateway.url, timeout_seconds=60.0, grouping={"instance": instance})):
            pass
    with (
        pytest.raises(OSError),
        job("spread", to=Pushgateway(gateway.url, timeout_seconds=60.0, grouping={"instance": "us"})),
    ):
        raise OSError
    text = fetched(f"{gateway.url}/metrics")
    assert 'sla_job_last_success{instance="eu",job="jobs",job_name="spread"} 1' in text
    assert 'sla_job_last_success{instance="us",job="jobs",job_name="spread"} 0' in text
    assert 'sla_job_failures_total{instance="eu",job="jobs",job_name="spread"} 0' in text
    assert 'sla_job_failures_total{instance="us",job="jobs",job_name="spread"} 1' in text


@pytest.mark.timeout(1500)
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_a_job_may_be_called_anything(gateway: Exporter, name: str) -> None:
    with job(name, to=Pushgateway(gateway.url, timeout_seconds=60.0)) as run:
        pass
    assert run.delivered
    assert pushed(gateway, name)["sla_job_last_success"] == 1
    with job(name, to=Pushgateway(gateway.url, timeout_seconds=60.0)) as run:
        run.failed("on purpose")
    assert pushed(gateway, name)["sla_job_failures_total"] >= 1


@pytest.mark.parametrize("version", ["2", "3"])
def test_prometheus_reads_the_same_from_a_pushgateway_and_from_node_exporter(
    gateway: Exporter, version: str, tmp_path: Path
) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    name = f"both ways {version}"
    with job(name, to=[Pushgateway(gateway.url, timeout_seconds=60.0), Textfile(folder)], expected_every="1d") as run:
        run.processed(5, "rows")
    program = binary("prometheus-node-exporter", "prometheus-node-exporter")

    def command(port: int) -> list[str]:
        quiet = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}"]
        return [program, f"--web.listen-address=127.0.0.1:{port}", *quiet]

    with running(command, data=tmp_path / "node", ready="/", name="node") as node:
        config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{gateway.port}"]}}]
  - job_name: careless
    static_configs: [{{targets: ["127.0.0.1:{gateway.port}"]}}]
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node.port}"]}}]
"""
        with prometheus(version, config=config) as server:
            query = f'sla_job_records_processed{{job_name="{name}"}}'

            def series() -> list[dict[str, str]]:
                found = ask(server.url, query)
                return [each["metric"] | {"value": each["value"][1]} for each in found]

            every = until(lambda: found if len(found := series()) == 3 else None, "all three are scraped")
            assert {each["job"] for each in every} == {"jobs", "pushgateway", "careless", "node"} - {"pushgateway"}
            assert {each["job_name"] for each in every} == {name}
            assert {(each["kind"], each["value"]) for each in every} == {("rows", "5")}
            [careless] = [each for each in every if each["job"] == "careless"]
            assert careless["exported_job"] == "jobs"
            # By its labels it is one job, whatever Prometheus calls the job that it was scraped by.
            success = f'max by (job_name) (sla_job_last_success{{job_name="{name}"}})'
            assert [each["value"][1] for each in ask(server.url, success)] == ["1"]


def ask(url: str, query: str) -> list[dict[str, Any]]:
    import json
    from urllib.parse import quote

    found: list[dict[str, Any]] = json.loads(fetched(f"{url}/api/v1/query?query={quote(query)}"))["data"]["result"]
    return found


# --- who won't have it ----------------------------------------------------------------------------------------------


class Asked:
    """What a stand-in for a broken Pushgateway was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.body = b""
        self.hold = threading.Event()


@contextmanager
def answering(respond: Callable[[BaseHTTPRequestHandler, Asked], None], tls: tuple[Path, Path] | None = None) -> Any:
    """A server that answers as it is told: no real Pushgateway is slow, or answers 503, when one wants it to."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            asked.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.requests.append((self.command, self.headers.get("Authorization") or ""))
            respond(self, asked)

        do_GET = do_POST = _any  # noqa: N815  # as http.server calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{server.server_port}", asked
    finally:
        asked.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler, Asked], None]:
    def respond(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return respond


def unbroken(declared: Job) -> bool | None:
    """Runs the job, which must go through, and returns whether its end was told."""
    done = []
    with declared as run:
        done.append(1)
    assert done == [1]
    return run.delivered


@pytest.mark.parametrize(
    ("code", "tries"), [(400, 1), (401, 1), (403, 1), (404, 1), (302, 1), (500, 3), (503, 3), (429, 3)]
)
def test_an_answer_that_is_none_breaks_no_job_and_is_tried_again_where_that_helps(
    code: int, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status(code, Location="http://localhost:1/")) as (url, asked):
        with pytest.raises(SlaKitError, match=f"it answers {code}"):
            Pushgateway(url, timeout_seconds=60.0).update("nightly", lambda before: State(last_start=1.0), 120.0)
        # What can't be asked for is told nevertheless, but a server in trouble is asked no more than needed.
        assert len(asked.requests) == (2 if tries == 1 else 3)
        declared = job("nightly", to=Pushgateway(url))
        assert unbroken(declared) is False
        assert declared.undelivered == 2
    assert f"it answers {code}" in caplog.text


def test_a_gateway_that_is_down_breaks_no_job(caplog: pytest.LogCaptureFixture) -> None:
    with refusing_port() as port:
        declared = job("nightly", to=Pushgateway(f"http://127.0.0.1:{port}"))
        assert unbroken(declared) is False
        assert declared.undelivered == 2
        assert "can't be pushed: Connection refused" in caplog.text
        with pytest.raises(SlaKitError, match="Connection refused, 3 times"):
            Pushgateway(f"http://127.0.0.1:{port}", timeout_seconds=60.0).update("nightly", lambda _: State(), 120.0)


def test_a_gateway_that_comes_back_in_time_is_told(gateway: Exporter) -> None:
    """Two answers of 503, then one from the real Pushgateway behind it."""
    busy = iter([503, 503])

    def respond(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        if handler.command == "POST" and (code := next(busy, None)):
            status(code)(handler, asked)
        elif handler.command == "POST":
            status(200)(handler, asked)
        else:
            status(403)(handler, asked)

    with answering(respond) as (url, asked):
        Pushgateway(url, timeout_seconds=60.0).update("nightly", lambda before: State(last_start=1.0), 120.0)
        assert [method for method, _ in asked.requests].count("POST") == 3


def test_a_gateway_that_never_answers_costs_no_more_than_the_patience() -> None:
    def respond(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        asked.hold.wait(60)

    def drip(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        """Sends a byte now and then: no single read is ever too late."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(600):
            if asked.hold.wait(0.1):
                return
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                return

    for slow in (respond, drip):
        with answering(slow) as (url, asked):
            with pytest.raises(SlaKitError, match=r"did not answer in time|no time left"):
                Pushgateway(url, timeout_seconds=0.2).update("nightly", lambda before: State(last_start=1.0), 0.5)
            assert not asked.hold.is_set()  # it gave up while the server still held on


def test_a_proxy_that_lets_only_pushes_through_keeps_what_it_does_not_show(gateway: Exporter) -> None:
    """The last success stays on the Pushgateway though nobody could ask for it."""
    with job("hidden", to=Pushgateway(gateway.url, timeout_seconds=60.0)):
        pass
    success = pushed(gateway, "hidden")["sla_job_last_success_timestamp_seconds"]

    def respond(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        if handler.command == "GET":
            return status(403)(handler, asked)
        headers = dict(handler.headers)
        urllib.request.urlopen(
            urllib.request.Request(gateway.url + handler.path, asked.body, headers, method="POST")
        ).close()
        return status(200)(handler, asked)

    with answering(respond) as (url, _), pytest.raises(KeyError), job("hidden", to=Pushgateway(url)) as run:
        raise KeyError
    assert run.delivered
    found = pushed(gateway, "hidden")
    assert found["sla_job_last_success"] == 0
    assert found["sla_job_last_success_timestamp_seconds"] == success
    assert found["sla_job_failures_total"] == 0  # what can't be asked for can't be counted on


# --- who pushes -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"]
    openssl = binary("openssl", "openssl")
    subprocess.run([openssl, *arguments.split(), *names], cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


def test_basic_and_bearer_say_who_pushes_over_tls_that_is_trusted(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSH_PASSWORD", "geheim:ü")
    (tmp_path / "token").write_text("zeichen\n")
    with answering(status(200), tls=certificate) as (url, asked):
        ca = str(certificate[0])
        basic = Pushgateway(url, username="jobs", password=Secret(env="PUSH_PASSWORD"), ca=ca, timeout_seconds=60.0)
        assert unbroken(job("nightly", to=basic))
        assert {header for _, header in asked.requests} == {"Basic " + b64encode("jobs:geheim:ü".encode()).decode()}
        asked.requests.clear()
        bearer = Pushgateway(url, bearer=Secret(file=str(tmp_path / "token")), ca=ca, timeout_seconds=60.0)
        assert unbroken(job("nightly", to=bearer))
        assert {header for _, header in asked.requests} == {"Bearer zeichen"}
        asked.requests.clear()
        untrusted = Pushgateway(url, bearer=Secret(file=str(tmp_path / "token")), timeout_seconds=60.0)
        with pytest.raises(SlaKitError, match="certificate can't be trusted"):
            untrusted.update("n", lambda before: State(), 60.0)
        assert asked.requests == []


def test_no_secret_is_ever_told(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by an error of a library that quotes the header which can't be sent, nor by an address that is wrong."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("PUSH_TOKEN", "ge\nheim")
    with answering(status(500)) as (url, _):
        place = Pushgateway(url, bearer=Secret(env="PUSH_TOKEN"))
        assert unbroken(job("nightly", to=place)) is False
        assert "heim" not in caplog.text + repr(place)
        with pytest.raises(SlaKitError) as raised:
            place.update("nightly", lambda before: State(), 1.0)
        assert "heim" not in str(raised.value)
        assert raised.value.__cause__ is None
        monkeypatch.setenv("PUSH_TOKEN", "")
        assert unbroken(job("nightly", to=place)) is False
        assert "the environment has no PUSH_TOKEN" in caplog.text
    with pytest.raises(SlaKitError) as raised:
        Pushgateway("http://user:geheim@localhost:9091")
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "localhost:9091"}, "address"),
        ({"url": "ftp://localhost"}, "address"),
        ({"url": "http://"}, "address"),
        ({"url": "http://localhost:99999"}, "address"),
        ({"url": "http://localhost/?a=b"}, "address"),
        ({"url": "http://localhost", "username": "jobs"}, "belong together"),
        ({"url": "http://localhost", "password": Secret(env="A")}, "belong together"),
        ({"url": "http://localhost", "bearer": Secret()}, "one of env and file"),
        ({"url": "http://localhost", "grouping": {"job": "x"}}, "grouping"),
        ({"url": "http://localhost", "grouping": {"no-label": "x"}}, "grouping"),
        ({"url": "http://localhost", "timeout_seconds": 0}, "timeout"),
    ],
)
def test_settings_that_can_not_be_right_are_refused_at_once(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SlaKitError, match=says):
        Pushgateway(**settings)


def test_one_place_that_is_down_takes_nothing_from_the_other(tmp_path: Path) -> None:
    with answering(status(403)) as (url, _):
        assert unbroken(job("nightly", to=[Pushgateway(url), Textfile(tmp_path)])) is False
    assert told_in(tmp_path, "nightly")["sla_job_last_success"] == 1
