"""Log lines as documents of the Elastic Common Schema: read from files, given a fingerprint, loaded in bulk.

`load` brings files into an index; its parts may be imported alone, and reading needs no client of Elasticsearch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.logs.bulk import Bulk
    from sla_kit.logs.documents import Document, Labels
    from sla_kit.logs.loading import Loaded, LoadError, load, survey
    from sla_kit.logs.reading import Reading, Unreadable, read

__all__ = ["Bulk", "Document", "Labels", "LoadError", "Loaded", "Reading", "Unreadable", "load", "read", "survey"]
_PLACES = {
    "Bulk": "bulk", "Document": "documents", "Labels": "documents", "LoadError": "loading", "Loaded": "loading",
    "Reading": "reading", "Unreadable": "reading", "load": "loading", "read": "reading", "survey": "loading",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # The exporter imports the fingerprint from here and must stay small.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
