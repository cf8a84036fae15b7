"""Which indices are behind a pattern, whether they are open, and what their fields are."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.elastic import Cluster, ClusterError
from sla_kit.sources.elasticsearch.fields import Mapped, Remark, names

#: Longer expressions are not sent: the first line of a request may have 4,096 bytes.
_LONGEST = 3000


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an index pattern stands for now. ``closed`` are indices behind it that can't be read, ``missing`` parts of
    it that name nothing; ``aliases`` is whether it names any, whose filters are theirs: none of the indices behind one
    can be left out of it."""

    name: str
    mapped: Mapped
    closed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    aliases: bool = False

    @property
    def exists(self) -> bool:
        """Whether there is any index to read. Where nobody may look, there is taken to be one."""
        return bool(self.mapped.indices) or any(remark.kind == "unchecked" for remark in self.remarks)

    def without(self, left_out: Collection[str]) -> str:
        """The index expression without some indices."""
        if not left_out:
            return self.name
        rest = ",".join(name for name in self.mapped.indices if name not in left_out)
        if len(rest) <= _LONGEST:
            return rest
        return ",".join([self.name, *(f"-{name}" for name in sorted(left_out))])


def read_pattern(cluster: Cluster, name: str, fields: Sequence[str]) -> Pattern:
    """Looks a pattern up. Raises `ClusterError` where the cluster does not answer; what nobody may look at is told by
    a remark."""
    found = _looked_up(cluster, name, fields)
    if found.exists or found.closed:
        return found
    await_recovery(cluster, name)
    return _looked_up(cluster, name, fields)


def await_recovery(cluster: Cluster, name: str) -> None:
    """Waits until a node that has just started knows its indices: before that it tells of none, as if there were none.
    A search is what it refuses until then. Raises `ClusterError` where it never answers."""
    try:
        cluster.ask(
            f"search {name}",
            lambda es: es.search(
                index=name, size=0, ignore_unavailable=True, allow_no_indices=True, filter_path="took"
            ),
        )
    except ClusterError as error:
        if error.status not in (400, 401, 403, 404, 405):
            raise


def _looked_up(cluster: Cluster, name: str, fields: Sequence[str]) -> Pattern:
    remarks: list[Remark] = []
    closed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    aliases = False
    try:
        closed, missing, aliases = behind(cluster, name)
        if missing:
            remarks += _hints(cluster, missing)
    except ClusterError as error:
        if error.status not in (400, 401, 403, 404, 405):
            raise
        if error.status == 404:
            missing = (name,)
            remarks += _hints(cluster, missing)
        else:
            remarks.append(Remark("unchecked", f"{name}: whether indices are closed could not be looked at"))
    if closed:
        said = f"closed, so that nothing is known of what is in them: {names(closed, 5)}"
        remarks.append(Remark("closed-index", said))
    return Pattern(name, _mapped(cluster, name, fields, remarks), closed, missing, tuple(remarks), aliases)


def behind(cluster: Cluster, name: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The closed indices behind an expression, also those behind its aliases and data streams; the parts of it that
    name nothing; and whether it names an alias. Raises `ClusterError`."""
    found = _resolved(cluster, name)
    members = sorted({each for one in _members(found) for each in one})
    closed = {*_closed(found), *(_closed(_resolved(cluster, ",".join(members))) if members else ())}
    return tuple(sorted(closed)), _missing(name, found), bool(found.get("aliases"))


def _resolved(cluster: Cluster, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = cluster.ask(
        f"look up {name}",
        lambda es: es.indices.resolve_index(
            name=name, expand_wildcards=["open", "closed", "hidden"], ignore_unavailable=True, allow_no_indices=True
        ),
    )
    return found


def _members(found: Mapping[str, Any]) -> list[list[str]]:
    """The indices behind aliases and data streams."""
    return [[str(one) for one in _several(each.get("indices"))] for each in found.get("aliases", [])] + [
        [str(one) for one in _several(each.get("backing_indices"))] for each in found.get("data_streams", [])
    ]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _closed(found: Mapping[str, Any]) -> list[str]:
    return sorted(each["name"] for each in found.get("indices", []) if "closed" in each.get("attributes", []))


def _missing(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of an expression that name nothing."""
    known = [each["name"] for kind in ("indices", "aliases", "data_streams") for each in found.get(kind, [])]
    parts = [part for part in name.split(",") if part and not part.startswith("-")]
    if not known:
        return tuple(parts)
    return tuple(part for part in parts if "*" not in part and ":" not in part and part not in known)


def _hints(cluster: Cluster, missing: Sequence[str]) -> list[Remark]:
    """A remark for each part that names nothing, with the nearest name that there is."""
    try:
        found = cluster.ask("list indices", lambda es: es.indices.resolve_index(name="*"), attempts=1)
    except ClusterError:
        found = {}
    known = sorted({each["name"] for kind in ("indices", "aliases", "data_streams") for each in found.get(kind, [])})
    remarks = []
    for part in missing:
        near = difflib.get_close_matches(part.replace("*", ""), known, 1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        remarks.append(Remark("no-data", f"there is no index {part}{hint}"))
    return remarks


def _mapped(cluster: Cluster, name: str, fields: Sequence[str], remarks: list[Remark]) -> Mapped:
    try:
        return read_mapped(cluster, name, fields)
    except ClusterError as error:
        if error.status not in (400, 401, 403, 405):
            raise
        remarks.append(Remark("unchecked", f"{name}: the types of fields could not be looked at"))
        return Mapped((), {})


def read_mapped(cluster: Cluster, name: str, fields: Sequence[str]) -> Mapped:
    """The open indices behind an expression, none where it names none, and the types that they have for some fields.
    Raises `ClusterError`."""
    try:
        found = cluster.ask(
            f"look at the fields of {name}",
            lambda es: es.field_caps(
                index=name,
                fields=list(fields),
                include_unmapped=True,
                ignore_unavailable=True,
                allow_no_indices=True,
                filter_path=["indices", "fields.*.*.indices", "fields.*.*.type"],
            ),
        )
    except ClusterError as error:
        if error.status == 404:
            return Mapped((), {})
        raise
    indices = tuple(_several(found.get("indices")))
    types: dict[str, dict[str, str]] = {}
    for field, by_type in found.get("fields", {}).items():
        if field not in fields:  # the objects above it
            continue
        for type, one in by_type.items():
            if type == "unmapped":
                continue
            for index in _several(one.get("indices")) or indices:
                types.setdefault(field, {})[str(index)] = type
    return Mapped(indices, types)
