"""Which fields a query names and what it needs of them, and in which indices their types would make it count wrongly.

Pure: from queries and the types that indices have to what must be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sla_kit.catalogue.logs import LogFields, LogQuery

#: What a query needs of a field: a date; a figure to add up; an order of numbers (a range with numbers as its ends);
#: the value as it was written (term); anything, as the field's type has it (Lucene, match); only that it is there.
Need = Literal["date", "figure", "number", "exact", "any", "present"]

_NUMBERS = {
    "long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long",
}  # fmt: skip
_TEXTS = {"text", "match_only_text", "annotated_text", "search_as_you_type"}
_DATES = {"date", "date_nanos"}


class FieldUse(NamedTuple):
    """One field that a query names, and what it needs of it."""

    field: str
    need: Need


@dataclass(frozen=True, slots=True)
class Mapped:
    """The open indices behind a pattern, and by field the type that it has in each of those that have it."""

    indices: tuple[str, ...]
    types: Mapping[str, Mapping[str, str]]

    def of(self, field: str) -> Mapping[str, str]:
        """The field's type by index."""
        return self.types.get(field, {})


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the mappings that a reader must know: a finding without its buckets."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Fit:
    """What of a pattern can be read for one indicator: ``left_out`` are indices in which it would be counted wrongly,
    ``known`` is False where nothing can be said at all."""

    left_out: frozenset[str]
    remarks: tuple[Remark, ...]
    known: bool


def uses_of(query: LogQuery | None) -> Iterator[FieldUse]:
    """The fields that a query names. Names with a wildcard are left out, and what a query of a kind that is not known
    here names."""
    if isinstance(query, str):
        yield from _of_lucene(query)
    elif query:
        yield from _of_query(query)


def fit(
    mapped: Mapped,
    time: str,
    always: Sequence[FieldUse],
    sides: Sequence[FieldUse],
    fields: LogFields,
) -> Fit:
    """Which indices serve an indicator whose total needs ``always`` and whose good or bad side needs ``sides``.

    A field that no index has matches nothing. In the total that leaves nothing to count; on a side it makes all events
    good or all bad, which is believed only of fields that documents have by ECS (or by ``fields``) once something goes
    wrong, such as error.type.
    """
    left_out: set[str] = set()
    remarks: list[Remark] = []
    known = True
    for field, need in dict.fromkeys([FieldUse(time, "date"), *always, *sides]):
        types = mapped.of(field)
        if not types:
            if mapped.indices:
                may_come = FieldUse(field, need) not in always and field != time and _may_come(field, fields)
                known &= may_come
                remarks.append(Remark("field-missing", _missing(field, may_come)))
            continue
        if need == "date":
            without = sorted(set(mapped.indices) - set(types))
            left_out.update(without)
            if without:
                remarks.append(
                    Remark("field-missing", f"{names(without)}: no field {field}, so that nothing is placed")
                )
        for reason, wrong in _unfit(need, types).items():
            left_out.update(wrong)
            remarks.append(Remark("mapping-conflict", f"{names(sorted(wrong))}: {field} {reason}; left out"))
    if mapped.indices and left_out >= set(mapped.indices):
        known = False
    return Fit(frozenset(left_out), tuple(remarks), known)


def names(several: Sequence[str], most: int = 3) -> str:
    """Some names for a message."""
    more = len(several) - most
    return ", ".join(several[:most]) + (f" and {more} more" if more > 0 else "")


def _missing(field: str, may_come: bool) -> str:
    if may_come:
        return f"no index has the field {field} yet: taken as in none of the documents"
    return f"no index has the field {field}: nothing is known; check its name"


def _may_come(field: str, fields: LogFields) -> bool:
    named = {getattr(kind, name) for kind in (fields, LogFields()) for name in LogFields.__struct_fields__}
    return field in named or field.startswith("error.")


def _unfit(need: Need, types: Mapping[str, str]) -> dict[str, set[str]]:
    """The indices whose type does not serve, by what is wrong with it."""
    found: dict[str, set[str]] = {}
    for index, type in types.items():
        reason = _reason(need, type)
        if reason:
            found.setdefault(reason, set()).add(index)
    if found or need == "present":
        return found
    texts = {index for index, type in types.items() if type in _TEXTS}
    others = set(types) - texts
    if texts and others:  # the same words would select other documents in one than in the other
        wrong = texts if len(texts) <= len(others) else others
        of_wrong, of_rest = (types[min(each)] for each in (wrong, set(types) - wrong))
        found[f"is {of_wrong}, elsewhere {of_rest}"] = wrong
    return found


def _reason(need: Need, type: str) -> str:
    if need == "date" and type not in _DATES:
        return f"is {type}, no date"
    if need == "figure" and type not in _NUMBERS:
        return f"is {type}, no number"
    if need == "number" and type not in _NUMBERS | _DATES:
        return f"is {type}, whose ranges compare letters instead of numbers"
    if need == "exact" and type in _TEXTS:
        return (
            f"is {type}, cut into words, where a term is looked for (a keyword is needed, often its subfield .keyword)"
        )
    if need != "present" and type in ("object", "nested"):
        return f"is {type}, no value"
    return ""


# --- Lucene's query strings -----------------------------------------------------------------------------------------

_LUCENE = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"
  | (?P<field>(?:[\w@]|\\.)(?:[\w@.*-]|\\.)*) \s* : \s*
    (?P<value> [<>]=?\s*"?[^\s()"]+ | [\[{][^\]}]*[\]}] | "(?:[^"\\]|\\.)*" | /(?:[^/\\]|\\.)*/ | [^\s()"\[{]+ )?
    """,
    re.VERBOSE | re.DOTALL,
)
_ENDS = re.compile(r"[<>]=?\s*(.*)|[\[{]\s*(\S+)\s+TO\s+(\S+?)\s*[\]}]", re.DOTALL)


def _of_lucene(query: str) -> Iterator[FieldUse]:
    for match in _LUCENE.finditer(query):
        if match["field"] is None:
            continue
        field, value = re.sub(r"\\(.)", r"\1", match["field"]), match["value"] or ""
        if field == "_exists_":
            field, value = re.sub(r"\\(.)", r"\1", value), "*"
        if not field or "*" in field:
            continue
        ends = _ENDS.fullmatch(value)
        if value == "*":
            yield FieldUse(field, "present")
        elif ends and any(_is_number(end.strip('"')) for end in ends.groups() if end):
            yield FieldUse(field, "number")
        else:
            yield FieldUse(field, "any")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- queries of the query DSL ---------------------------------------------------------------------------------------

_EXACT = {"term", "terms", "terms_set", "prefix", "wildcard", "regexp", "fuzzy"}
_WORDS = {"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix"}
_ABOUT = {"boost", "_name"}


def _of_query(query: Mapping[str, Any]) -> Iterator[FieldUse]:
    for kind, body in query.items():
        if isinstance(body, Sequence) and not isinstance(body, str):
            for each in body:
                if isinstance(each, Mapping):
                    yield from _of_query(each)
            continue
        if not isinstance(body, Mapping):
            continue
        if kind in _EXACT | _WORDS | {"range"}:
            for field, value in body.items():
                if field not in _ABOUT:
                    yield FieldUse(field, _need(kind, value))
        elif kind == "exists":
            yield FieldUse(str(body.get("field", "")), "present")
        elif kind in ("query_string", "simple_query_string", "multi_match", "combined_fields"):
            for field in [*body.get("fields", ()), *([body["default_field"]] if "default_field" in body else [])]:
                if "*" not in field:
                    yield FieldUse(str(field).partition("^")[0], "any")
            if kind == "query_string":
                yield from _of_lucene(str(body.get("query", "")))
        else:  # bool, constant_score, dis_max, nested …: what they hold are queries
            yield from _of_query(body)


def _need(kind: str, value: object) -> Need:
    if kind in _WORDS:
        return "any"
    if kind in _EXACT:
        return "exact"
    ends = [value.get(end) for end in ("gt", "gte", "lt", "lte", "from", "to")] if isinstance(value, Mapping) else []
    dated = isinstance(value, Mapping) and "format" in value
    numbers = any(isinstance(end, int | float) or (isinstance(end, str) and _is_number(end)) for end in ends)
    return "number" if numbers and not dated else "any"
