"""report.json: the full numbers, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sla_kit.report.document import to_document

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation


def render(evaluation: Evaluation) -> str:
    """The document of `to_document` as JSON, indented, in a fixed order of keys."""
    return json.dumps(to_document(evaluation), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
