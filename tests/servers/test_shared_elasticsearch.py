"""One node for all workers of a run: shared while anybody uses it, gone soon after the last, however that one ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Elasticsearch
from tests.servers.elasticsearch.clearing import clear, fresh_name

_ROOT = Path(__file__).parents[2]
_DEADLINE_SECONDS = 240.0
#: Nodes are started several times, which takes minutes where the machine is busy.
pytestmark = pytest.mark.timeout(900)
_USER = """
import sys
from pathlib import Path
from tests.servers.elasticsearch.shared import shared_elasticsearch
with shared_elasticsearch(Path(sys.argv[1])) as node:
    print(node.pid, node.data, node.url, flush=True)
    sys.stdin.read()
"""


class User:
    """A process that uses the node until it is told to end."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(folder)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def node(self) -> tuple[int, Path, str]:
        assert self.process.stdout
        pid, data, url = self.process.stdout.readline().split()
        return int(pid), Path(data), url

    def end(self) -> None:
        self.process.communicate("", timeout=_DEADLINE_SECONDS)


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/_cluster/health", timeout=120) as answer:
        return bool(json.load(answer)["status"] == "green")


def test_users_share_one_node_that_ends_after_the_last_even_when_killed(tmp_path: Path) -> None:
    users = [User(tmp_path) for _ in range(3)]
    try:
        (pid, data, url), *others = [user.node() for user in users]
        assert others == [(pid, data, url)] * 2
        # The one that had it started may be any of them: neither its end nor a kill takes the node from the last.
        users[0].end()
        users[1].process.send_signal(signal.SIGKILL)
        users[1].process.wait()
        assert answers(url)
        users[2].process.send_signal(signal.SIGKILL)
        users[2].process.wait()
        assert until(lambda: not lives(pid) and not data.exists())
    finally:
        for user in users:
            user.process.kill()
    # Whoever comes later has a new one, with nothing of the old in it.
    late = User(tmp_path)
    try:
        again, folder, url = late.node()
        assert again != pid
        assert folder != data
        assert answers(url)
        late.end()
        assert until(lambda: not lives(again))
    finally:
        late.process.kill()


def test_a_node_does_not_outlive_its_keeper(tmp_path: Path) -> None:
    user = User(tmp_path)
    try:
        pid, _, _ = user.node()
        os.kill(json.loads((tmp_path / "node.json").read_bytes())["keeper"], signal.SIGKILL)
        assert until(lambda: not lives(pid))
    finally:
        user.process.kill()


def _asked(url: str, method: str, path: str, body: object = None) -> dict[str, object]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, content, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return dict(json.load(answer))


def test_an_index_is_nobodys_and_goes_after_its_test(elastic: Elasticsearch) -> None:
    name, other = fresh_name(), fresh_name()
    assert name != other
    assert name == name.lower()
    for index in (name, f"{name}-2026.01.01", other):
        _asked(elastic.url, "PUT", f"/{index}")
    _asked(elastic.url, "PUT", f"/_index_template/{name}-all", {"index_patterns": [f"{name}-*"]})
    clear(elastic.url, name)
    found = _asked(elastic.url, "GET", "/_resolve/index/test-*")["indices"]
    assert isinstance(found, list)
    left = {each["name"] for each in found}
    assert {each for each in left if each.startswith(name)} == set()
    assert other in left
    templates = _asked(elastic.url, "GET", "/_index_template")["index_templates"]
    assert isinstance(templates, list)
    assert f"{name}-all" not in {each["name"] for each in templates}
    clear(elastic.url, other)


def test_a_run_without_workers_and_one_with_them_each_have_one_node(tmp_path: Path) -> None:
    tests = tmp_path / "tests_of_a_run"
    tests.mkdir()
    (tests / "conftest.py").write_text("from tests.conftest import elastic, index\n")
    (tests / "test_it.py").write_text(
        "import pytest, time, pathlib\n"
        f"HERE = pathlib.Path({str(tmp_path)!r})\n"
        "@pytest.mark.parametrize('number', range(2))\n"
        "def test_it(elastic, index, number, worker_id):\n"
        "    (HERE / f'seen-{worker_id}').write_text(f'{elastic.pid} {index}')\n"
        "    deadline = time.monotonic() + 250\n"
        "    while worker_id != 'master' and len(list(HERE.glob('seen-gw*'))) < 2:\n"
        "        assert time.monotonic() < deadline\n"
        "        time.sleep(0.05)\n"
    )
    for workers in ("0", "2"):
        command = [sys.executable, "-m", "pytest", str(tests), "-q", f"-n{workers}", "-p", "no:cacheprovider"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        run = subprocess.run(
            [*command, f"--basetemp={tmp_path / f'base{workers}'}", f"--rootdir={tests}", "-c", "/dev/null"],
            cwd=_ROOT,
            env={**environment, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    seen = {path.name: path.read_text().split() for path in tmp_path.glob("seen-*")}
    assert set(seen) == {"seen-master", "seen-gw0", "seen-gw1"}
    assert seen["seen-gw0"][0] == seen["seen-gw1"][0] != seen["seen-master"][0]
    assert len({index for _, index in seen.values()}) == 3
    pids = [int(pid) for pid, _ in seen.values()]
    assert until(lambda: not any(map(lives, pids)))
