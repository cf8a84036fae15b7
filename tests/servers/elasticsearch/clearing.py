"""Names that a shared Elasticsearch has never seen, and what bears them deleted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import quote


def fresh_name() -> str:
    """A name for an index that is nobody's."""
    return f"test-{uuid.uuid4().hex[:16]}"


def clear(url: str, name: str) -> None:
    """Deletes what is called ``name`` or begins with it and a hyphen: indices, data streams, templates.

    The node of the tests lacks the module that deletes data streams: their documents stay until it ends, under names
    that nobody else uses, and so does a template that such a stream still needs.
    """
    names = f"{name},{name}-*"
    kinds = "expand_wildcards=all&ignore_unavailable=true&allow_no_indices=true"
    found = _asked(url, "GET", f"/_resolve/index/{quote(names)}?{kinds}")
    for stream in found.get("data_streams", []):
        _asked(url, "DELETE", f"/_data_stream/{quote(stream['name'])}", may_lack="no handler found")
    for each in found.get("indices", []):
        if "data_stream" not in each:
            _asked(url, "DELETE", f"/{quote(each['name'])}?ignore_unavailable=true")
    for kind in ("_index_template", "_component_template"):
        for pattern in (name, f"{name}-*"):
            _asked(url, "DELETE", f"/{kind}/{quote(pattern)}", may_lack="in use")


def _asked(url: str, method: str, path: str, may_lack: str = "") -> dict[str, Any]:
    request = urllib.request.Request(url + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        if error.code == 404 or (may_lack and may_lack in said):
            return {}
        raise AssertionError(f"{method} {path}: {said}") from None
