"""Plain text: events of several lines, their levels, and what their traces tell."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs import text_events
from sla_kit.logs.files import Line

PYTHON = """2024-05-01 12:00:00,123 INFO app.views: started
2024-05-01 12:00:01,123 ERROR app.views: failed to handle
Traceback (most recent call last):
  File "/srv/app/views.py", line 3, in get
    raise KeyError("x")
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app/views.py", line 5, in get
    raise ValueError("bad x") from e
shop.errors.BadValue: bad x
2024-05-01 12:00:02,123 INFO app.views: done
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ZeroDivisionError: division by zero
"""
JAVA = """2024-05-01T12:00:01.123Z  INFO 1234 --- [main] com.example.App : Started
2024-05-01T12:00:01.123Z ERROR 1234 --- [nio-8080-exec-1] com.example.Web : Servlet.service() threw exception
java.lang.IllegalStateException: Could not load
\tat com.example.App.load(App.java:12)
\tat com.example.App.main(App.java:5)
Caused by: java.sql.SQLException: timeout
\tat org.postgresql.X.y(X.java:1)
\t... 23 more
2024-05-01 12:00:02,000 [main] WARN com.foo.Bar - slow
"""
NODE = """2024-05-01T12:00:01.123Z error: TypeError: Cannot read properties of undefined (reading 'id')
    at getUser (/app/src/user.js:10:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
2024-05-01T12:00:02.123Z info: ok
"""
GO = """2024/05/01 12:00:01 listening on :8080
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/app/main.go:8 +0x1d
exit status 2
"""
NET = """2024-05-01 12:00:01.123 +00:00 [ERR] request failed
System.InvalidOperationException: Sequence contains no elements
 ---> System.TimeoutException: inner
   at Ns.Class.Method() in /src/file.cs:line 1
   --- End of inner exception stack trace ---
   at Ns.Class.Main()
2024-05-01 12:00:02.123 +00:00 [INF] fine
"""
RUBY = """2024-05-01 12:00:01 ERROR failed
app.rb:12:in 'Shop#price': no price (ArgumentError)
\tfrom app.rb:20:in '<main>'
"""


def events(text: str) -> list[dict[str, Any]]:
    lines = (Line("f", number + 1, line) for number, line in enumerate(text.splitlines()))
    return [text_events.event(joined.text) for joined in text_events.join(lines)]


@pytest.mark.parametrize(
    ("text", "levels", "error", "message"),
    [
        (PYTHON, ["info", "error", "info", "error"], "shop.errors.BadValue", "bad x"),
        (JAVA, ["info", "error", "warn"], "java.lang.IllegalStateException", "Could not load"),
        (NODE, ["error", "info"], "TypeError", "Cannot read properties of undefined (reading 'id')"),
        (GO, [None, "fatal"], "panic", "runtime error: index out of range [5] with length 3"),
        (NET, ["error", "info"], "System.InvalidOperationException", "Sequence contains no elements"),
        (RUBY, ["error"], "ArgumentError", "no price"),
    ],
    ids=["python", "java", "node", "go", "dotnet", "ruby"],
)
def test_traces_belong_to_their_event(text: str, levels: list[str | None], error: str, message: str) -> None:
    found = events(text)
    assert [each.get("log.level") for each in found] == levels
    first = next(each for each in found if "error.type" in each)
    assert first["error.type"] == error
    assert first["error.message"] == message
    assert first["error.stack_trace"].count("\n") >= 1


def test_a_trace_that_no_logger_wrote_is_an_event_of_its_own() -> None:
    found = events(PYTHON)
    assert found[2]["message"] == "done"
    assert "error.type" not in found[2]
    assert found[3]["error.type"] == "ZeroDivisionError"


def test_loggers_and_threads() -> None:
    found = events(JAVA)
    assert found[0]["log.logger"] == "com.example.App"
    assert found[0]["process.thread.name"] == "main"
    assert found[0]["message"] == "Started"
    assert found[2]["log.logger"] == "com.foo.Bar"


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("2024/05/01 12:00:01 [error] 12#12: *3 connect() failed", "error", "connect() failed"),
        ("[Wed May 01 12:00:01.123456 2024] [core:error] AH00126: Invalid URI", "error", "AH00126: Invalid URI"),
        ("E0501 12:00:01.123456  77 controller.go:114] sync failed", "error", "sync failed"),
        ('time="2024-05-01T12:00:01Z" level=warning msg="can\\"t connect"', "warn", 'can"t connect'),
        ("May  1 12:00:01 web-1 sshd[123]: Accepted publickey", None, "Accepted publickey"),
        ("2024-05-01T12:00:01Z no information about errors here", None, "no information about errors here"),
    ],
)
def test_levels_and_messages(text: str, level: str | None, message: str) -> None:
    [found] = events(text)
    assert found.get("log.level") == level
    assert found["message"] == message
    assert text_events.starts_event(text)
    assert text_events.time_of(text, UTC) is not None


def test_an_event_without_an_end_is_cut() -> None:
    lines = (Line("f", number + 1, "2024-05-01T12:00:01Z go" if not number else "  more") for number in range(5000))
    [joined] = text_events.join(lines)
    assert joined.cut
    assert joined.lines == 5000
    assert joined.text.count("\n") < text_events.MOST_LINES


@given(st.lists(st.sampled_from(sorted({*PYTHON.splitlines(), *GO.splitlines(), *NET.splitlines(), ""})) | st.text()))
def test_every_line_belongs_to_an_event(texts: list[str]) -> None:
    lines = [Line("f", number + 1, text.replace("\n", "")) for number, text in enumerate(texts)]
    joined = list(text_events.join(lines))
    assert sum(each.lines for each in joined) == len(lines)
    assert [each.first.number for each in joined] == sorted({each.first.number for each in joined})
    for each in joined:
        text_events.event(each.text)
        text_events.time_of(each.text, UTC, 2024)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T12:00:01Z ERROR " + "-" * 3000,
        "2024-05-01T12:00:01Z ERROR " + "1 " * 3000,
        "x\n" + "a.A" * 1300 + "\n   at x",
        "Traceback (most recent call last):\n" + "a.b:" * 20_000,
        "x" * 200_000 + ":1:in \n from",
        "time=" + "a=" * 20_000 + " level=x",
    ],
    ids=["dashes", "digits", "types", "python", "ruby", "pairs"],
)
def test_hostile_lines_take_no_longer_than_others(text: str) -> None:
    """Expressions that could go back over a line again and again would not end before the test's time-out."""
    text_events.event(text)
    text_events.starts_event(text)
