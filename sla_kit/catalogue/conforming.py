"""Values that were put together in Python, held against the types of the catalogue: no decoder has seen them."""

from __future__ import annotations

import math
from typing import Any

from msgspec import inspect

from sla_kit.catalogue.model import Catalogue
from sla_kit.configuration.places import Findings, Path


def check_types(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every value of a wrong type; figures that are no finite number are among them."""
    _check(catalogue, inspect.type_info(Catalogue), (), findings)


def _check(value: Any, wanted: inspect.Type, path: Path, findings: Findings) -> None:
    wanted = _bare(wanted)
    if isinstance(wanted, inspect.UnionType):
        wanted = next((member for member in map(_bare, wanted.types) if _fits(value, member)), wanted)
    if not _fits(value, wanted):
        shown = repr(value)[:60] if isinstance(value, str | int | float) else f"a {type(value).__name__}"
        findings.say(path, f"must be {_called(wanted)}, not {shown}", _hint(value, wanted))
        return
    match wanted:
        case inspect.StructType():
            for field in wanted.fields:
                _check(getattr(value, field.name), field.type, (*path, field.name), findings)
        case inspect.ListType():
            for index, item in enumerate(value):
                _check(item, wanted.item_type, (*path, index), findings)
        case inspect.DictType():
            for key, item in value.items():
                _check(key, wanted.key_type, (*path, str(key)), findings)
                _check(item, wanted.value_type, (*path, str(key)), findings)


def _bare(wanted: inspect.Type) -> inspect.Type:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return wanted


def _fits(value: Any, wanted: inspect.Type) -> bool:
    """Whether a value is of a type, whatever it holds."""
    match wanted:
        case inspect.StructType():
            return isinstance(value, wanted.cls)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.DictType():
            return isinstance(value, dict)
        case inspect.NoneType():
            return value is None
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.AnyType():
            return True
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case inspect.LiteralType():
            return isinstance(value, str) and value in wanted.values
    return False


def _called(wanted: inspect.Type) -> str:
    match wanted:
        case inspect.StructType():
            return f"a {wanted.cls.__name__}"
        case inspect.UnionType():
            return " or ".join(_called(_bare(member)) for member in wanted.types)
        case inspect.ListType():
            return "a list"
        case inspect.DictType():
            return "a dict"
        case inspect.NoneType():
            return "None"
        case inspect.StrType():
            return "a str"
        case inspect.BoolType():
            return "a bool"
        case inspect.IntType():
            return "a whole number"
        case inspect.LiteralType():
            return " or ".join(repr(value) for value in wanted.values)
    return "a finite number"


def _hint(value: Any, wanted: inspect.Type) -> str:
    """Text is how YAML writes what is a number in Python."""
    figure = any(isinstance(each, inspect.FloatType) for each in map(_bare, getattr(wanted, "types", (wanted,))))
    return "in Python durations are seconds and shares are 0 to 1" if figure and isinstance(value, str) else ""
