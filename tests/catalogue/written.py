"""Catalogues as text, with the lines of their mistakes marked beside them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from sla_kit.catalogue import check
from sla_kit.errors import Mistake

_MARK = re.compile(r"\s*#!\s*(.*)$")

#: A catalogue without mistakes, to be changed.
GOOD = """\
name: shop
contacts:
  - name: platform
services:
  - name: api
    owner: platform
    slis:
      requests: {kind: requests, metric: http_requests_total, bad: {code: "=~5.."}}
      up: {kind: probe}
    slos:
      - {name: availability, sli: requests, objective: 99.9%}
      - {name: reachable, sli: up, objective: 99%, window: month}
"""


def mistakes_of(text: str, environment: str | None = None) -> list[Mistake]:
    """The mistakes of a catalogue in a file of its own, which is called sla.yml in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.yml"
        path.write_text(text, encoding="utf-8")
        found, mistakes = check(path, environment)
    assert (found is None) == bool(mistakes)
    return [Mistake(Path(m.file).name, m.line, m.column, m.message, m.hint) for m in mistakes]


def assert_marked(text: str) -> None:
    """Every line that ends in ``#! words`` holds exactly one mistake with these words, and no other line has one."""
    expected = [
        (number, mark[1])
        for number, line in enumerate(text.splitlines(), 1)
        if (mark := _MARK.search(line)) is not None
    ]
    found = mistakes_of(text)
    told = "\n".join(str(mistake) for mistake in found)
    assert [mistake.line for mistake in found] == [line for line, _ in expected], told
    for mistake, (_, words) in zip(found, expected, strict=True):
        assert words in f"{mistake.message} ({mistake.hint})", told
