"""Servers that refuse, hang and break, and runs that are killed: the answer is that of a run in peace."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sla_kit.backtest.as_json import document
from sla_kit.backtest.evaluators import EngineName
from sla_kit.backtest.kept import StateError, opened_state
from sla_kit.backtest.results import Backtest
from sla_kit.backtest.running import Settings, backtest
from sla_kit.backtest.sets import file_rules
from sla_kit.errors import SourceError
from sla_kit.history import openmetrics
from tests.backtest.test_history import END, INCIDENTS, RULES, history
from tests.servers import prometheus

Answer = tuple[int, bytes]


@contextmanager
def between(url: str, spoil: Callable[[str, dict[str, str]], Answer | None]) -> Iterator[tuple[str, list[str]]]:
    """A proxy before a server: ``spoil`` is given the path and form of each request, and may answer it itself. Yields
    the proxy's address and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = dict(urllib.parse.parse_qsl(body.decode()))
            asked.append(self.path)
            answer = spoil(self.path, form)
            if answer is None:
                try:
                    with urllib.request.urlopen(url + self.path, data=body, timeout=300) as found:
                        answer = found.status, found.read()
                except urllib.error.HTTPError as error:
                    answer = error.code, error.read()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", asked
        finally:
            proxy.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("history") / "history.om"
    openmetrics.write(history(), path, {})
    with prometheus("2", openmetrics=path) as running:
        yield running.url


def run(source: str, folder: Path, rules: str = RULES, engine: EngineName = "server") -> Backtest:
    folder.mkdir(exist_ok=True)
    (folder / "rules.yml").write_text(rules)
    return backtest(
        source,
        [file_rules([folder / "rules.yml"], "rules")],
        window="1d",
        at=END,
        incidents=INCIDENTS,
        settings=Settings(engine=engine),
        state=folder / "state",
    )


def told(found: Backtest) -> object:
    """A backtest without what depends on where it was made."""
    document_of = document(found)
    for one in document_of["alerts"]:
        del one["file"]
    return {**document_of, "source": ""}


@pytest.fixture(scope="module")
def undisturbed(server: str, tmp_path_factory: pytest.TempPathFactory) -> object:
    return told(run(server, tmp_path_factory.mktemp("peace")))


def points(form: dict[str, str]) -> int:
    return int((float(form["end"]) - float(form["start"])) / float(form["step"])) + 1


def test_what_is_too_much_at_once_is_asked_in_parts(server: str, undisturbed: object, tmp_path: Path) -> None:
    said = b'{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}'

    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        return (503, said) if path.endswith("query_range") and points(form) > 400 else None

    with between(server, spoil) as (url, asked):
        assert told(run(url, tmp_path / "run")) == undisturbed
        assert len(asked) > 11 * 2880 / 400


def test_a_server_that_is_busy_is_asked_again(server: str, undisturbed: object, tmp_path: Path) -> None:
    seen: dict[tuple[str, ...], int] = {}
    refused: list[str] = []

    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        # One request of five, and that once: who asks again is answered, whatever others ask at the same time.
        request = (path, *form.values())
        first = request not in seen
        if seen.setdefault(request, len(seen)) % 5 == 2 and first:
            refused.append(path)
            return 503, b"<html>busy</html>"
        return None

    with between(server, spoil) as (url, _):
        assert told(run(url, tmp_path / "run")) == undisturbed
    assert len(refused) > 3


def test_an_answer_that_is_cut_short_is_no_answer(server: str, tmp_path: Path) -> None:
    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        return (200, b'{"status":"success","data":{"resultType":"matrix","result":[{') if "range" in path else None

    with between(server, spoil) as (url, _), pytest.raises(SourceError, match="can't be read"):
        run(url, tmp_path / "run")


def test_what_is_known_is_not_asked_again(server: str, undisturbed: object, tmp_path: Path) -> None:
    broken = threading.Event()

    def spoil(path: str, form: dict[str, str]) -> Answer | None:
        if "range" in path and "gone" in form["query"] and not broken.is_set():
            return 403, b"not yet"
        return None

    with between(server, spoil) as (url, asked):
        with pytest.raises(SourceError, match="403"):
            run(url, tmp_path / "run")
        broken.set()
        before = [path for path in asked if "range" in path]
        asked.clear()
        assert told(run(url, tmp_path / "run")) == undisturbed
        after = [path for path in asked if "range" in path]
        asked.clear()
        assert told(run(url, tmp_path / "run")) == undisturbed
        # But for those that look which metrics there are, and from when on.
        assert len([path for path in asked if "range" in path]) == 2
    assert len(after) < len(before)


def test_a_rule_fails_only_when_its_data_makes_it(server: str, tmp_path: Path) -> None:
    # Two series match one, but only while both jobs are bad.
    rules = """
groups:
  - name: g
    interval: 30s
    rules:
      - alert: Failing
        expr: errors{job="a"} > 0 and on () (vector(1) * on () (errors > 0.1))
"""
    found = run(server, tmp_path / "run", rules).variants[0].alerts[0]
    # From 3600 to 4170 seconds: twenty evaluations.
    assert found.failed == 20
    # It had not fired before; and from 4200 on only job a is bad.
    assert [one.seconds for one in found.firings] == [5_400 - 4_200, 90]
    assert "many-to-many" in found.notes[0] or "duplicate series" in found.notes[0]


def test_two_runs_in_one_folder_would_be_in_each_other_s_way(tmp_path: Path) -> None:
    with opened_state(tmp_path), pytest.raises(StateError, match="another backtest"), opened_state(tmp_path):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.backtest.test_faults import run

calls = 0
def progress(done, total, what):
    global calls
    calls += 1
    if calls == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

import sla_kit.backtest.running as running
original = running.backtest
import tests.backtest.test_faults as here
here.backtest = lambda *args, **kwargs: original(*args, **kwargs, progress=progress)
run(sys.argv[1], Path(sys.argv[2]), engine=sys.argv[4])
"""


@pytest.mark.parametrize("history_is", ["asked", "fetched", "recorded"])
def test_a_run_that_is_killed_goes_on(history_is: str, server: str, undisturbed: object, tmp_path: Path) -> None:
    source = server
    engine: EngineName = "server" if history_is == "asked" else "prometheus"
    if history_is == "recorded":
        source = str(tmp_path / "history.om")
        openmetrics.write(history(), Path(source), {})
    if history_is != "asked":  # a range of what is recorded begins otherwise than a subquery
        undisturbed = told(run(source, tmp_path / "peace", engine=engine))
    kills = 0
    for number in (1, 2, 3, 2, 4, 1):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, source, str(tmp_path / "run"), str(number), engine],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        kills += done.returncode == -signal.SIGKILL
    assert kills >= 3
    found = told(run(source, tmp_path / "run", engine=engine))
    assert isinstance(found, dict)
    assert isinstance(undisturbed, dict)
    assert found["alerts"] == undisturbed["alerts"]
    if engine == "prometheus":
        left = [tmp_path / "run" / "state" / name for name in ("prometheus", "samples")]
        assert not any(folder.exists() for folder in left), "a finished run leaves no samples"
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path) not in running, "no server is left behind"
    assert any((tmp_path / "run" / "state" / "answers").iterdir())
