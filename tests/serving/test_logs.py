"""Logs: one line an event, that machines read and that holds no secret."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.serving.logs import JsonFormatter, LogfmtFormatter

_LOGFMT = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')


def record(message: str, *arguments: object, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    about = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("sla_kit.exporters.sidecar.test", logging.WARNING, "", 0, message, arguments, about)
    vars(made).update(extra)
    return made


def parsed(line: str) -> dict[str, str]:
    """A line of logfmt, read by other means than it was written."""
    found = {}
    end = 0
    for match in _LOGFMT.finditer(line):
        assert match.start() == end, line
        end = match.end()
        found[match[1]] = json.loads(match[2]) if match[2].startswith('"') else match[2]
    assert end == len(line)
    return found


def test_a_line_says_when_what_and_about_what() -> None:
    line = LogfmtFormatter().format(record("found %d rows", 3, collector="a b", seconds=0.25, good=True))
    found = parsed(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {
        "level": "warning",
        "logger": "sidecar.test",
        "msg": "found 3 rows",
        "collector": "a b",
        "seconds": "0.25",
        "good": "true",
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sla_kit.exporters.sidecar.collecting", "sidecar.collecting"),
        ("sla_kit.serving.guard", "serving.guard"),
        ("sla_kit.routing.outbox.store", "routing.outbox.store"),
        ("sla_kit", "sla_kit"),
        ("uvicorn.error", "uvicorn.error"),
        ("exporters.of.others", "exporters.of.others"),
    ],
)
def test_a_logger_is_told_without_what_all_have(name: str, told: str) -> None:
    made = record("x")
    made.name = name
    assert parsed(LogfmtFormatter().format(made))["logger"] == told


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_one_line_and_reads_back(message: str, value: str) -> None:
    line = LogfmtFormatter().format(record("%s", message, about=value))
    assert len(line.splitlines()) == 1
    document = json.loads(JsonFormatter().format(record("%s", message, about=value)))
    if "***" not in line:
        assert document["about"] == value
        assert parsed(line)["about"] == value


def test_a_traceback_is_there_without_its_secret() -> None:
    try:
        raise RuntimeError("connecting to postgresql://shop:hunter2@db/shop")
    except RuntimeError as caught:
        document = json.loads(JsonFormatter().format(record("broke", error=caught)))
    assert "test_logs.py" in document["traceback"]
    assert document["error"] == "RuntimeError: connecting to postgresql://shop:***@db/shop"
    assert "hunter2" not in json.dumps(document)


def test_arguments_that_do_not_fit_cost_no_line() -> None:
    assert "msg=" in LogfmtFormatter().format(record("%d rows", "many"))


def test_numbers_that_json_lacks_are_no_trouble() -> None:
    json.loads(JsonFormatter().format(record("x", seconds=float("nan"), count=10**30)))


def test_whatever_nobody_caught_is_logged_as_everything_else() -> None:
    code = """
import logging, threading, warnings
from sla_kit.serving import logs
from sla_kit.serving.logs import Log
logs.configure(Log(format="json"))
logs.configure(Log(format="json"))
def broken(): raise ValueError("token=abc-secret")
thread = threading.Thread(target=broken); thread.start(); thread.join()
warnings.warn("password=abc-secret")
for _ in range(5): logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
broken()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "abc-secret" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["error", "warning", "warning", "critical"]
    assert "ValueError" in lines[-1]["traceback"]
