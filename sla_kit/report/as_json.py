"""report.json: the full numbers, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sla_kit.report.document import to_report

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation


def render(evaluation: Evaluation) -> bytes:
    """The content of `to_report` as JSON, indented, in a fixed order of keys."""
    return msgspec.json.format(msgspec.json.encode(to_report(evaluation)), indent=2) + b"\n"
