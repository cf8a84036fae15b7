"""Which indices hold the logs, which of their fields can be read for what, and what must be left out.

Asks for names and mappings only, before anything is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue
from sla_kit.elastic.cluster import Cluster, ClusterError
from sla_kit.error_tracking.asking import Query, Readable, as_query, error_query
from sla_kit.sources.elasticsearch.fields import FieldUse, Mapped, names, uses_of
from sla_kit.sources.elasticsearch.fields import fit as fit_of
from sla_kit.sources.elasticsearch.indices import await_recovery, behind, read_mapped
from sla_kit.timeline import Finding

#: Types whose values are compared whole, so that documents can be grouped by them.
_WHOLE = {
    "keyword", "constant_keyword", "wildcard", "version", "ip", "long", "integer", "short", "byte", "unsigned_long",
    "boolean", "flattened",
}  # fmt: skip
_WORDS = {"text", "match_only_text"}
_LONGEST_NAMES = 3000


@dataclass(frozen=True, slots=True)
class Logs:
    """What is asked: ``indices`` that are open, the ``errors`` among their documents, ``left_out`` by index, and fields
    that can be read."""

    pattern: str
    indices: tuple[str, ...]
    left_out: tuple[str, ...]
    readable: Readable
    errors: Query
    findings: tuple[Finding, ...]
    aliased: bool = False

    @property
    def opened(self) -> str:
        """What is opened: the pattern, or the names of what isn't left out, for a shard whose types don't fit fails
        whatever the query is. Not behind an alias, whose filter is its own; very many names fit into no address."""
        rest = ",".join(index for index in self.indices if index not in self.left_out)
        return rest if self.left_out and not self.aliased and len(rest) < _LONGEST_NAMES else self.pattern

    def all(self) -> Query | None:
        """The documents of the indices that are not left out."""
        return {"bool": {"must_not": [{"terms": {"_index": list(self.left_out)}}]}} if self.left_out else None


def read_logs(cluster: Cluster, catalogue: Catalogue) -> Logs:
    """What a catalogue's logs are in a cluster. Raises `ClusterError` where nothing can be read: no index, only closed
    ones, or none with the field of time."""
    try:
        return _read(cluster, catalogue)
    except ClusterError as error:
        if error.reason != "index_not_found_exception":
            raise
    await_recovery(cluster, catalogue.logs.index)
    return _read(cluster, catalogue)


def _read(cluster: Cluster, catalogue: Catalogue) -> Logs:
    pattern, fields = catalogue.logs.index, catalogue.logs.fields
    findings: list[Finding] = []
    closed, missing, aliased = _behind(cluster, pattern)
    if closed:
        said = f"closed, so that their errors are not counted: {names(closed)}"
        findings.append(Finding("closed-index", said, len(closed)))
    if missing and not set(missing) >= set(pattern.split(",")):
        findings.append(Finding("no-data", f"there is no index {names(missing)}", len(missing)))
    wanted = [
        fields.time, fields.service, fields.group, fields.error_type, fields.level, fields.version, fields.user,
        fields.message, fields.error_message, fields.status,
    ]  # fmt: skip
    declared = catalogue.logs.errors.query
    uses = list(uses_of(as_query(declared))) if declared else []
    wanted += [use.field for use in uses]
    mapped = read_mapped(cluster, pattern, [*dict.fromkeys(wanted), *(f"{name}.keyword" for name in wanted)])
    if not mapped.indices:
        raise ClusterError(
            f"no open index is called {pattern}: no error can be read" if closed else f"no index is called {pattern}",
            place=cluster.name,
            remedy="check logs.index of the catalogue, and that logs are shipped",
            kind="query",
            status=404,
            reason="index_not_found_exception",
        )
    if not mapped.of(fields.time):
        raise ClusterError(
            f"{pattern}: no index has the field {fields.time}",
            place=cluster.name,
            remedy="check logs.fields.time of the catalogue",
            kind="query",
        )
    if not declared:
        # A level that was cut into words is one word still; what no index has is in no document.
        uses = [
            FieldUse(fields.level, "any"),
            FieldUse(fields.error_type, "present"),
            FieldUse(fields.status, "number"),
        ]
        present = [use for use in uses if mapped.of(use.field)]
        if not present:
            said = f"{pattern} has none of the fields {', '.join(use.field for use in uses)}: no document is an error"
            findings.append(Finding("field-missing", said))
        without = sorted(set(mapped.indices).difference(*(mapped.of(use.field) for use in present)))
        if present and without:
            said = f"{names(without)}: no field {', '.join(use.field for use in uses)}: nothing in there is an error"
            findings.append(Finding("field-missing", said, len(without)))
        uses = present
    fit = fit_of(mapped, fields.time, (), uses, fields)
    findings += [Finding(each.kind, each.message) for each in fit.remarks]
    left_out = set(fit.left_out)

    def essential(name: str, what: str) -> str:
        chosen, wrong = _whole(mapped, name)
        wrong -= left_out
        if wrong and chosen:
            said = f"{names(sorted(wrong))}: {name} can't be grouped by as {chosen} elsewhere; left out"
            findings.append(Finding("mapping-conflict", said, len(wrong)))
            left_out.update(wrong)
        if not chosen:
            findings.append(Finding("field-missing", f"no index has the field {name} as a keyword: {what}"))
        return chosen

    def useful(name: str) -> str:
        chosen, wrong = _whole(mapped, name)
        if wrong - left_out:
            said = f"{names(sorted(wrong - left_out))}: {name} can't be grouped by: it is not shown"
            findings.append(Finding("mapping-conflict", said, len(wrong)))
            return ""
        return chosen

    # Documents of somebody else's pipeline bring no key: they are grouped here, and that is said in the method.
    group = essential(fields.group, "each error is given its key here") if mapped.of(fields.group) else ""
    readable = Readable(
        time=fields.time,
        service=essential(fields.service, "errors are of no service"),
        group=group,
        type=useful(fields.error_type),
        level=useful(fields.level),
        version=useful(fields.version),
        user=useful(fields.user),
        words=_words(mapped, (fields.error_message, fields.message)),
    )
    rest = set(mapped.indices) - left_out
    if not rest:
        raise ClusterError(
            f"{pattern}: the mappings of its indices let none be read: " + "; ".join(each.message for each in findings),
            place=cluster.name,
            remedy="map the fields as docs/errors.md says, or name them under logs.fields",
            kind="query",
        )
    return Logs(
        pattern, mapped.indices, tuple(sorted(left_out)), readable, error_query(catalogue), tuple(findings), aliased
    )


def _behind(cluster: Cluster, pattern: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The closed indices behind a pattern, the parts of it that name nothing, and whether an alias is behind it."""
    try:
        return behind(cluster, pattern)
    except ClusterError as error:
        if error.status == 404:
            return (), (pattern,), False
        raise


def _words(mapped: Mapped, names: Sequence[str]) -> tuple[str, ...]:
    """The fields of messages, where words can be looked for in all of them: else not finding words tells nothing."""
    present = [name for name in dict.fromkeys(names) if mapped.of(name)]
    return tuple(present) if all(set(mapped.of(name).values()) <= _WORDS for name in present) else ()


def _whole(mapped: Mapped, name: str) -> tuple[str, set[str]]:
    """The field or its subfield ``.keyword``, whichever more indices can be grouped by, and those that can't be by it
    though they have the field."""
    best, served = "", -1
    for candidate in (name, f"{name}.keyword"):
        count = sum(type in _WHOLE for type in mapped.of(candidate).values())
        if count > max(served, 0):
            best, served = candidate, count
    if not best:
        return "", set()
    usable = {index for index, type in mapped.of(best).items() if type in _WHOLE}
    return best, set(mapped.of(name)) - usable
