"""A catalogue as YAML that reads back equal."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import yaml

from sla_kit.catalogue.model import Catalogue, Dependency, Part, Window
from sla_kit.catalogue.routing import written_routing
from sla_kit.configuration.decode import field_form, written_fields
from sla_kit.configuration.quantities import format_duration, format_ratio


def to_yaml(catalogue: Catalogue) -> str:
    """The catalogue as one YAML document: defaults are left out, durations and shares written as people do.

    ``folder`` is not written: it is where the text is read from, and what paths inside it are relative to. Loading
    gives an equal catalogue otherwise.
    """
    relative = msgspec.structs.replace(catalogue, routing=written_routing(catalogue.routing, catalogue.folder))
    text: str = yaml.dump(_plain(relative), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(yaml.SafeDumper):
    """Without anchors, with list items indented under their key."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _plain(value: Any, form: str = "") -> Any:
    if isinstance(value, Window):
        short = _short_window(value)
        if short is not None:
            return short
    if isinstance(value, Part | Dependency) and value == type(value)(slo=value.slo):
        return value.slo
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, form) for key, item in value.items()}
    if form == "duration" and value is not None:
        return format_duration(float(value))
    if form == "ratio" and value is not None:
        return format_ratio(float(value))
    return value


def _struct(value: msgspec.Struct) -> dict[str, Any]:
    config = value.__struct_config__
    written: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field else {}
    for each in sorted(written_fields(type(value)), key=lambda each: each.name != "name"):
        content = getattr(value, each.name)
        if each.required or content != _default(each):
            written[each.encode_name] = _plain(content, _form(each.type))
    return written


def _form(wanted: Any) -> str:
    """How a field's value is written; of a mapping, its values."""
    return field_form(typing.get_args(wanted)[1] if typing.get_origin(wanted) is dict else wanted)


def _default(each: msgspec.structs.FieldInfo) -> Any:
    if each.default_factory is not msgspec.NODEFAULT:
        return typing.cast(Any, each.default_factory)()
    return each.default


def _short_window(window: Window) -> str | float | None:
    if window.timezone or (window.rolling is None) == (window.calendar is None):
        return None
    return window.calendar if window.rolling is None else format_duration(float(window.rolling))
