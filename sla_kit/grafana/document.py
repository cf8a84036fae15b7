"""Dashboards as they can be compared: without what Grafana itself writes into them."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
#: What Grafana sets when it saves: the row of its database, the number of the save, the moment in a browser.
_GRAFANAS = ("id", "version", "iteration")
_SAVED = re.compile(r"sla-kit sha256:([0-9a-f]{64})")


def normal(document: Mapping[str, Any]) -> Json:
    """A dashboard without what Grafana sets. What is null says nothing, and may be there or not."""
    return {key: _without_nulls(value) for key, value in document.items() if key not in _GRAFANAS and value is not None}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    # JSON has one kind of number, and Grafana writes 1.0 as 1.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text_of(document: Mapping[str, Any]) -> str:
    """A dashboard as a file has it: that of `sla-kit generate`, where nothing was changed."""
    kept = {key: value for key, value in document.items() if key not in _GRAFANAS}
    return json.dumps(kept | {"version": 0}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def digest(document: Mapping[str, Any]) -> str:
    """What tells a dashboard from others, whatever Grafana adds to it."""
    text = json.dumps(normal(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def message(document: Mapping[str, Any]) -> str:
    """The message of our saves in Grafana's version history: it says what was saved."""
    return f"sla-kit sha256:{digest(document)}"


def saved(message: str) -> str:
    """The digest that a message of ours holds; "" for anybody else's."""
    found = _SAVED.fullmatch(message.strip())
    return found[1] if found else ""


def difference(before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]) -> str:
    """A unified diff of two dashboards."""
    old, new = _lines(normal(before)), _lines(normal(after))
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm="", n=2))


def shortened(diff: str, most: int) -> str:
    """The first lines of a diff, with how many there are beyond them."""
    lines = diff.splitlines()
    return "\n".join([*lines[:most], *([f"… {len(lines) - most} more lines"] if len(lines) > most else [])])


def _lines(document: Any) -> list[str]:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
