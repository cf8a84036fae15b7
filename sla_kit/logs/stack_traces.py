"""Stack traces in texts: where one begins, and which type and message of error it tells of.

Python (with chained exceptions), Java and Kotlin (with ``Caused by``), JavaScript, Go (panics), .NET and Ruby.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: More of a trace than this is not kept, in characters.
LONGEST_TRACE = 64 * 1024
_LONGEST_MESSAGE = 8 * 1024
#: A line that begins a trace of its own, which no logger wrote a time before.
_BEGINS = re.compile(
    r"Traceback \(most recent call last\):|Exception in thread \"|panic: |fatal error: |Unhandled exception|"
    r"goroutine \d+ \[|Uncaught |(?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable)\b|"
    r"[A-Z]\w*(?:Error|Exception)(?: \[\w+\])?:"
)
_ENDS = re.compile(r"panic: |fatal error: |Exception in thread \"|Unhandled exception")
_TYPE = r"(?:[A-Za-z_][\w$]*[.:]{1,2})*[A-Za-z_][\w$]*"
_PYTHON_START = "Traceback (most recent call last):"
_PYTHON_END = re.compile(rf"({_TYPE})(?:: (.*))?\Z", re.DOTALL)
_AT = re.compile(r"\s+at \S")
_HEADER = re.compile(
    r"(?:.*?\s|\A)?(?:Unhandled exception\. |Exception in thread \"[^\"]{0,200}\" |Uncaught )?"
    r"((?:[A-Za-z_][\w$]{0,80}\.){0,20}[A-Za-z_][\w$]{0,120}(?:Exception|Error|Throwable|Failure|Fault)\w{0,40}|"
    r"(?:[a-z_][\w$]{0,80}\.){1,20}[A-Z][\w$]{0,120})(?: \[(\w{1,60})\])?(?::\s?(.*))?\Z",
    re.DOTALL,
)
_GO = re.compile(r"(panic|fatal error): (.*)\Z")
_RUBY = re.compile(r"\S+:\d+:in [`'][^']{0,200}'?: (.*) \(([A-Z][\w:]{0,120})\)\Z")


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace tells: the error's type, its message, and the text of the trace itself."""

    type: str
    message: str
    text: str


def begins_trace(line: str) -> bool:
    """Whether a line begins a stack trace by itself."""
    return bool(_BEGINS.match(line))


def ends_program(line: str, before: Sequence[str]) -> bool:
    """Whether a line is the runtime's own last word, which no logger wrote, and not part of a trace ``before`` it."""
    return bool(_ENDS.match(line)) and not any(_ENDS.match(each) for each in before[:2])


def find_trace(text: str) -> Trace | None:
    """The stack trace in a text, which may have other lines before it; None where there is none."""
    if "\n" not in text:
        return None
    lines = text.split("\n")
    return _python(lines) or _go(lines) or _with_at(lines) or _ruby(lines)


def add_trace(document: dict[str, object], text: str) -> None:
    """Puts type, message and trace into a document of dotted names; what it already says of them stays."""
    trace = find_trace(text)
    if trace is None:
        document.setdefault("error.stack_trace", text[:LONGEST_TRACE])
        return
    document["error.stack_trace"] = trace.text[:LONGEST_TRACE]
    if trace.type:
        document.setdefault("error.type", trace.type)
    if trace.message:
        document.setdefault("error.message", trace.message[:_LONGEST_MESSAGE])


def _python(lines: list[str]) -> Trace | None:
    starts = [number for number, line in enumerate(lines) if line.strip().endswith(_PYTHON_START)]
    if not starts:
        return None
    last = max(number for number, line in enumerate(lines) if line.strip())
    # Of chained exceptions the last one is what was not handled.
    for number in range(starts[-1] + 1, len(lines)):
        line = lines[number]
        if line and not line[0].isspace() and not line.startswith(("|", "+")):
            ended = _PYTHON_END.match(line.rstrip())
            # A word by itself is a type where nothing follows.
            if ended and (ended.group(2) is not None or number >= last):
                return Trace(ended.group(1), (ended.group(2) or "").strip(), "\n".join(lines[starts[0] :]).strip("\n"))
    return Trace("", "", "\n".join(lines[starts[0] :]).strip("\n"))


def _go(lines: list[str]) -> Trace | None:
    last = max((number for number, line in enumerate(lines) if line.startswith("goroutine ")), default=0)
    for number, line in enumerate(lines[:last]):
        found = _GO.search(line) if "panic: " in line or "fatal error: " in line else None
        if found:
            message = re.sub(r" \[recovered\]\Z", "", found.group(2))
            return Trace(found.group(1), message, "\n".join([line[found.start() :], *lines[number + 1 :]]).strip("\n"))
    return None


def _with_at(lines: list[str]) -> Trace | None:
    first = next((number for number, line in enumerate(lines) if _AT.match(line)), None)
    if not first:
        return None
    # A message may have several lines: the nearest line above that names a type is the header.
    for number in range(first - 1, max(-1, first - 20), -1):
        if lines[number].lstrip().startswith("---> "):
            continue
        found = _HEADER.match(lines[number][:4000])
        if found:
            message = "\n".join([found.group(3) or "", *lines[number + 1 : first]])
            name = found.group(1)
            begin = found.start(1)
            return Trace(
                name,
                message.split("\n ---> ")[0].strip(),
                "\n".join([lines[number][begin:], *lines[number + 1 :]]).strip("\n"),
            )
    return Trace("", "", "\n".join(lines[first:]).strip("\n"))


def _ruby(lines: list[str]) -> Trace | None:
    for number, line in enumerate(lines):
        found = _RUBY.search(line[:4000]) if ":in " in line else None
        if found and number + 1 < len(lines) and re.match(r"\s+from ", lines[number + 1]):
            return Trace(found.group(2), found.group(1), "\n".join(lines[number:]).strip("\n"))
    return None
