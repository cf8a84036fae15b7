"""A job as a block, a function and a coroutine: whatever ends it is recorded, and it ends as it would have without."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SlaKitError
from sla_kit.exporters import Textfile, job
from sla_kit.exporters.jobs import running
from sla_kit.exporters.jobs.destinations import DIRECTORY, URL, destinations
from sla_kit.exporters.jobs.pushgateway import Pushgateway
from tests.exporters.jobs.reading import told_in

LAST_FAILURE = "sla_job_last_failure_timestamp_seconds"


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLA_KIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(running, "_told_of_nowhere", False)


def reasons(folder: Path, name: str) -> list[str]:
    return [key[1] for key in told_in(folder, name) if key[0] == LAST_FAILURE]


@pytest.mark.parametrize("error", [ValueError("text"), KeyboardInterrupt(), SystemExit(3), SystemExit("why")])
def test_whatever_leaves_the_block_is_a_failure_and_goes_on(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised, job("nightly", to=Textfile(tmp_path)):
        raise error
    assert raised.value is error
    assert told_in(tmp_path, "nightly")["sla_job_last_success"] == 0
    assert reasons(tmp_path, "nightly") == [type(error).__name__]
    assert "text" not in next(tmp_path.iterdir()).read_text()


@pytest.mark.parametrize("code", [None, 0])
def test_a_program_that_exits_well_within_its_job_has_succeeded(code: int | None, tmp_path: Path) -> None:
    with pytest.raises(SystemExit), job("nightly", to=Textfile(tmp_path)):
        sys.exit(code)
    assert told_in(tmp_path, "nightly")["sla_job_last_success"] == 1


def test_a_run_may_say_itself_that_it_failed(tmp_path: Path) -> None:
    with job("nightly", to=Textfile(tmp_path)) as run:
        run.failed("incomplete")
    assert reasons(tmp_path, "nightly") == ["incomplete"]


def test_functions_keep_what_they_are_and_every_call_is_a_run(tmp_path: Path) -> None:
    @job("add", to=Textfile(tmp_path))
    def add(left: int, *, right: int) -> int:
        """Adds."""
        if right < 0:
            raise ArithmeticError
        return left + right

    assert add(2, right=3) == 5
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            add(2, right=-1)
    found = told_in(tmp_path, "add")
    assert (found["sla_job_last_success"], found["sla_job_failures_total"]) == (0, 2)
    assert found["sla_job_last_success_timestamp_seconds"] > 0


def test_coroutines_run_side_by_side_and_the_loop_goes_on_while_they_are_told(tmp_path: Path) -> None:
    order: list[str] = []
    gate = asyncio.Event()
    declared = job("async", to=Textfile(tmp_path))

    @declared
    async def work(name: str) -> str:
        order.append(name)
        if name == "first":
            await gate.wait()
            raise LookupError
        gate.set()
        return name

    async def both() -> list[object]:
        return list(await asyncio.gather(work("first"), work("second"), return_exceptions=True))

    first, second = asyncio.run(both())
    assert isinstance(first, LookupError)
    assert second == "second"
    found = told_in(tmp_path, "async")
    assert found["sla_job_failures_total"] == 1
    assert found["sla_job_last_success_timestamp_seconds"] > 0


def test_a_cancelled_coroutine_is_told_as_failed(tmp_path: Path) -> None:
    @job("cancelled", to=Textfile(tmp_path))
    async def work(began: asyncio.Event) -> None:
        began.set()
        await asyncio.Event().wait()

    async def cancel() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(work(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert reasons(tmp_path, "cancelled") == ["CancelledError"]


def test_generators_are_refused(tmp_path: Path) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(SlaKitError, match="generator"):
        job("numbers", to=Textfile(tmp_path))(numbers)


def test_jobs_in_each_other_and_in_threads_are_told_apart(tmp_path: Path) -> None:
    place = Textfile(tmp_path)
    outer = job("outer", to=place)
    with outer as run:
        run.processed(1)
        with job("inner", to=place) as inner:
            inner.processed(2)
            inner.failed("within")
        with outer as again:  # the same object, in itself
            again.processed(10)
        run.processed(1)
    assert told_in(tmp_path, "outer")["sla_job_records_processed", ""] == 2
    assert told_in(tmp_path, "inner")["sla_job_records_processed", ""] == 2
    assert told_in(tmp_path, "inner")["sla_job_last_success"] == 0
    assert told_in(tmp_path, "outer")["sla_job_last_success"] == 1

    shared = job("shared", to=place)
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        with shared as mine:
            barrier.wait()
            mine.processed(number)
            barrier.wait()
            if number % 2:
                mine.failed("odd")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told_in(tmp_path, "shared")["sla_job_failures_total"] == 2


def test_records_are_counted_from_any_thread(tmp_path: Path) -> None:
    with job("many", to=Textfile(tmp_path)) as run:

        def count() -> None:
            for _ in range(1000):
                run.processed(1, "rows")

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert told_in(tmp_path, "many")["sla_job_records_processed", "rows"] == 8000


# --- signals, each in a process of its own --------------------------------------------------------------------------

WAITS = """
import asyncio, signal, sys, time
from sla_kit.exporters import Textfile, job
place = Textfile(sys.argv[1])
def wait():
    print("ready", flush=True)
    while True: time.sleep(0.01)
"""
BLOCK = WAITS + "with job('outer', to=place), job('inner', to=place): wait()\n"
COROUTINE = WAITS + (
    "@job('inner', to=place)\nasync def work():\n    print('ready', flush=True)\n    await asyncio.Event().wait()\n"
    "@job('outer', to=place)\nasync def main(): await asyncio.gather(work(), asyncio.sleep(1000))\n"
    "asyncio.run(main())\n"
)


def signalled(program: str, folder: Path, number: signal.Signals) -> int:
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        return process.wait()


@pytest.mark.parametrize("program", [BLOCK, COROUTINE], ids=["block", "coroutine"])
def test_sigterm_ends_jobs_as_failed_and_the_program_with_143(program: str, tmp_path: Path) -> None:
    assert signalled(program, tmp_path, signal.SIGTERM) == 143
    for name in ("outer", "inner"):
        found = told_in(tmp_path, name)
        assert found["sla_job_last_success"] == 0
        assert found["sla_job_last_end_timestamp_seconds"] >= found["sla_job_last_start_timestamp_seconds"]
        assert reasons(tmp_path, name) == ["Terminated"]


def test_an_interrupt_is_recorded(tmp_path: Path) -> None:
    assert signalled(BLOCK, tmp_path, signal.SIGINT) != 0
    assert reasons(tmp_path, "inner") == ["KeyboardInterrupt"]


def test_a_job_that_is_killed_has_begun_and_never_ended(tmp_path: Path) -> None:
    assert signalled(BLOCK, tmp_path, signal.SIGKILL) == -signal.SIGKILL
    found = told_in(tmp_path, "inner")
    assert found["sla_job_last_start_timestamp_seconds"] > 0
    assert "sla_job_last_end_timestamp_seconds" not in found
    assert found["sla_job_last_success_timestamp_seconds"] == 0


def test_a_programs_own_handler_and_the_default_come_back(tmp_path: Path) -> None:
    program = WAITS + (
        "with job('first', to=place): assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "own = lambda *_: sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, own)\n"
        "with job('second', to=place):\n"
        "    assert signal.getsignal(signal.SIGTERM) is own\n"
        "    wait()\n"
    )
    assert signalled(program, tmp_path, signal.SIGTERM) == 7
    assert reasons(tmp_path, "second") == ["SystemExit"]


def test_sigterm_while_the_end_is_told_comes_after_it(tmp_path: Path) -> None:
    program = WAITS + (
        "class Slow:\n"
        "    told = 0\n"
        "    def update(self, name, change, patience):\n"
        "        Slow.told += 1\n"
        "        if Slow.told == 2:\n"
        "            signal.raise_signal(signal.SIGTERM); time.sleep(0)\n"
        "        place.update(name, change, patience)\n"
        "print('ready', flush=True)\n"
        "with job('slow', to=Slow()): pass\n"
        "print('never')\n"
    )
    process = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (143, "ready\n")
    assert told_in(tmp_path, "slow")["sla_job_last_success"] == 1


# --- where to -------------------------------------------------------------------------------------------------------


def test_the_environment_says_where_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    with job("nightly") as run:
        pass
    assert run.delivered
    assert told_in(tmp_path, "nightly")["sla_job_last_success"] == 1


def test_the_environment_says_how_a_pushgateway_is_asked() -> None:
    environment = {
        URL: "https://push.example.com/prefix/",
        "SLA_KIT_PUSHGATEWAY_USERNAME": "jobs",
        "SLA_KIT_PUSHGATEWAY_PASSWORD": "geheim",
        "SLA_KIT_PUSHGATEWAY_CA_FILE": "/ca.pem",
        DIRECTORY: "/textfiles",
    }
    first, second = destinations(None, environment)
    password = Secret(env="SLA_KIT_PUSHGATEWAY_PASSWORD")
    assert first == Pushgateway("https://push.example.com/prefix/", username="jobs", password=password, ca="/ca.pem")
    assert second == Textfile("/textfiles")
    [bearer] = destinations(None, {URL: "http://push", "SLA_KIT_PUSHGATEWAY_TOKEN_FILE": "/token"})
    assert bearer == Pushgateway("http://push", bearer=Secret(file="/token"))


def test_nothing_said_is_warned_of_once_or_an_error_where_strict(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("first", "second"):
        with job(name) as run:
            pass
        assert run.delivered is False
    [record] = [each for each in caplog.records if each.name.startswith("sla_kit")]
    assert URL in record.getMessage()
    assert DIRECTORY in record.getMessage()
    reached = []
    with pytest.raises(SlaKitError, match="nothing says where"), job("third", strict=True):
        reached.append(1)
    assert reached == []


def test_an_environment_that_can_not_be_right_breaks_no_job_unless_strict(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(URL, "http://jobs:geheim@push:9091")
    done = []
    with job("nightly"):
        done.append(1)
    assert done == [1]
    assert "holds a password" in caplog.text
    assert "geheim" not in caplog.text
    with pytest.raises(SlaKitError, match="holds a password"), job("nightly", strict=True):
        done.append(2)
    assert done == [1]


def test_a_place_with_a_mistake_of_its_own_breaks_no_job(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def update(self, *_: object) -> None:
            raise RuntimeError("geheim")

    with job("nightly", to=Broken()) as run:
        pass
    assert run.delivered is False
    assert "RuntimeError" in caplog.text
    assert "geheim" not in caplog.text


def test_arguments_that_can_not_be_right_are_refused() -> None:
    for name in ("", "a\0b", "\ud800", "x" * 1001):
        with pytest.raises(SlaKitError, match="can't be the name of a job"):
            job(name)
    for wrong in ("soon", 0, -1, "0s", float("nan"), float("inf")):
        with pytest.raises(SlaKitError, match="expected_every"):
            job("nightly", expected_every=wrong)
    declared = job("nightly", expected_every=timedelta(days=1), expected_within="90m")
    assert (declared._promise.interval_seconds, declared._promise.duration_seconds) == (86400, 5400)


def test_the_exporters_import_neither_jobs_nor_anything_heavy() -> None:
    code = (
        "import sys, sla_kit.exporters\n"
        "assert not [name for name in sys.modules if name.startswith('sla_kit.exporters.')], sys.modules\n"
        "sla_kit.exporters.job\n"
        "heavy = {'requests', 'numpy', 'pandas', 'starlette', 'uvicorn', 'click', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


_FORKED = """
import os, sys
from sla_kit.exporters import Textfile, job
with job("forked", to=Textfile(sys.argv[1])) as run:
    child = os.fork()
    if not child:
        run.processed(7)
        sys.exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
"""


def test_a_forked_child_that_leaves_the_block_is_not_the_end_of_the_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _FORKED, tmp_path], check=True)
    told = told_in(tmp_path, "forked")
    assert told["sla_job_last_success"] == 1
    assert told["sla_job_failures_total"] == 0
    assert reasons(tmp_path, "forked") == []


def test_labels_that_are_no_text_do_not_lose_the_end(tmp_path: Path) -> None:
    """As names of files have it that are no UTF-8."""
    with job("files", to=Textfile(tmp_path)) as run:
        run.processed(3, os.fsdecode(b"caf\xe9"))
        run.failed(os.fsdecode(b"\xff is damaged"))
    assert run.delivered
    assert told_in(tmp_path, "files")["sla_job_records_processed", "caf?"] == 3
    assert reasons(tmp_path, "files") == ["? is damaged"]
