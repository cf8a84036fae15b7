"""Java's regular expressions and Elasticsearch's grok, as its ingest processors use them, in a process of their own."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class NoMatchError(Exception):
    """A pattern does not match, is none, or is too deep for its text."""


class Matching:
    """Answers what a node would make of a text."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def gsub(self, pattern: str, replacement: str, text: str) -> str:
        """The text with every match replaced. Raises `NoMatchError` where Java refuses the pattern."""
        return self._asked("gsub", pattern, replacement, text)[0]

    def grok(self, text: str, *patterns: str) -> dict[str, str | int | float]:
        """What the first fitting pattern captures. Raises `NoMatchError` where none fits."""
        found: dict[str, str | int | float] = {}
        for capture in self._asked("grok", text, *patterns):
            name, kind, value = capture.split("\t", 2)
            found[name] = int(value) if kind in ("Integer", "Long") else float(value) if kind == "Float" else value
        return found

    def _asked(self, operation: str, *texts: str) -> list[str]:
        assert self._process.stdin
        assert self._process.stdout
        words = [operation, *(base64.b64encode(text.encode()).decode() for text in texts)]
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        state, *answers = self._process.stdout.readline().rstrip("\n").split("\t")
        told = [base64.b64decode(answer).decode() for answer in answers]
        if state != "ok":
            raise NoMatchError(told[0] if told else "the process ended")
        return told


@contextmanager
def matching() -> Iterator[Matching]:
    """The process, until the block ends."""
    fetched = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-elasticsearch"
    if not (fetched / "classes/org/elasticsearch/ingest/Matching.class").is_file():
        pytest.fail("Elasticsearch was not fetched; try: .ci/elasticsearch .venv/bin/python", pytrace=False)
    classes = os.pathsep.join([str(fetched / "classes"), *sorted(map(str, (fetched / "lib").glob("*.jar")))])
    java = str((fetched / "java-program").resolve())
    with subprocess.Popen(
        [java, "-Xmx256m", "-cp", classes, "org.elasticsearch.ingest.Matching"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Matching(process)
        finally:
            process.kill()
