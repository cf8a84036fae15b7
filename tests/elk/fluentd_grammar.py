"""Fluentd's configuration, read as its own parser reads it (fluentd v1 syntax: lib/fluent/config/v1_parser.rb and
literal_parser.rb), and the parameters that its plugins know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_OPENED = re.compile(r"<([a-zA-Z0-9_]+)(?:\s+([^>]+?))?\s*>")
_CLOSED = re.compile(r"</([a-zA-Z0-9_]+)\s*>")
_PARAMETER = re.compile(r"(\S+)(?:[ \t]+(.*))?")

_FLUENTD = "https://github.com/fluent/fluentd/blob/v1.19.0/lib/fluent/plugin"
_ELASTICSEARCH = "https://github.com/uken/fluent-plugin-elasticsearch/blob/v6.0.0/lib/fluent/plugin"
_PROMETHEUS = "https://github.com/fluent/fluent-plugin-prometheus/blob/v2.2.2/lib/fluent/plugin"
_TIMES = "time_key keep_time_key time_type time_format timeout estimate_current_event types"

#: By directive and @type: the source that declares the parameters, and those of them that may be used here.
PLUGINS: dict[tuple[str, str], tuple[str, str]] = {
    ("source", "tail"): (
        f"{_FLUENTD}/in_tail.rb",
        "path tag exclude_path rotate_wait pos_file pos_file_compaction_interval read_from_head refresh_interval "
        "multiline_flush_interval path_key follow_inodes max_line_size read_lines_limit",
    ),
    ("source", "prometheus"): (f"{_PROMETHEUS}/in_prometheus.rb", "bind port metrics_path"),
    ("source", "prometheus_output_monitor"): (f"{_PROMETHEUS}/in_prometheus_output_monitor.rb", "interval gauge_all"),
    ("source", "prometheus_tail_monitor"): (f"{_PROMETHEUS}/in_prometheus_tail_monitor.rb", "interval"),
    ("parse", "multiline"): (f"{_FLUENTD}/parser_multiline.rb", f"format_firstline format1 unmatched_lines {_TIMES}"),
    ("parse", "json"): (f"{_FLUENTD}/parser_json.rb", f"json_parser stream_buffer_size {_TIMES}"),
    ("filter", "parser"): (
        f"{_FLUENTD}/filter_parser.rb",
        "key_name reserve_data reserve_time remove_key_name_field inject_key_prefix replace_invalid_sequence "
        "hash_value_field emit_invalid_record_to_error",
    ),
    ("filter", "record_transformer"): (
        f"{_FLUENTD}/filter_record_transformer.rb",
        "remove_keys keep_keys renew_record renew_time_key enable_ruby auto_typecast",
    ),
    ("filter", "prometheus"): (f"{_PROMETHEUS}/filter_prometheus.rb", ""),
    ("filter", "elasticsearch_genid"): (
        f"{_ELASTICSEARCH}/filter_elasticsearch_genid.rb",
        "hash_id_key include_tag_in_seed include_time_in_seed use_record_as_seed use_entire_record record_keys "
        "separator hash_type",
    ),
    ("match", "elasticsearch"): (
        f"{_ELASTICSEARCH}/out_elasticsearch.rb",
        "host port user password path scheme index_name write_operation id_key remove_keys include_timestamp "
        "suppress_type_name default_elasticsearch_version verify_es_version_at_startup "
        "fail_on_detecting_es_version_retry_exceed request_timeout reload_connections reload_on_failure "
        "reconnect_on_error unrecoverable_error_types log_es_400_reason ssl_verify ca_file api_key pipeline",
    ),
    ("match", "file"): (f"{_FLUENTD}/out_file.rb", "path append compress symlink_path add_path_suffix path_suffix"),
    ("format", "json"): (f"{_FLUENTD}/formatter_json.rb", "json_parser add_newline newline"),
    ("buffer", "file"): (
        f"{_FLUENTD}/output.rb, buffer.rb, buf_file.rb",
        "path chunk_limit_size total_limit_size flush_mode flush_interval flush_thread_count overflow_action "
        "retry_type retry_wait retry_max_interval retry_timeout retry_forever retry_max_times timekey "
        "timekey_wait compress flush_at_shutdown",
    ),
    ("secondary", "secondary_file"): (f"{_FLUENTD}/out_secondary_file.rb", "directory basename append compress"),
}
#: Values of parameters that take one of a few.
CHOICES = {
    "overflow_action": {"throw_exception", "block", "drop_oldest_chunk"},
    "retry_type": {"exponential_backoff", "periodic"},
    "flush_mode": {"default", "lazy", "interval", "immediate"},
    "scheme": {"http", "https"},
    "write_operation": {"index", "create", "update", "upsert"},
}
#: Sections that belong to others and have no @type of their own.
FREE = {"record", "labels", "metric", "label"}


@dataclass
class Element:
    """A directive: its name, what stands behind the name, parameters, directives in it."""

    name: str
    argument: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    elements: list[Element] = field(default_factory=list)

    def walk(self) -> list[Element]:
        """This one and all in it."""
        return [self, *(each for inner in self.elements for each in inner.walk())]


def parsed(text: str) -> Element:
    """The tree of a configuration. Raises `ValueError` where Fluentd's parser would."""
    root = Element("ROOT")
    stack = [root]
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t")
        if not line or line.startswith("#"):
            continue
        if closed := _CLOSED.fullmatch(line):
            if len(stack) < 2 or closed[1] != stack[-1].name:
                raise ValueError(f"line {number}: unmatched end tag")
            stack.pop()
        elif opened := _OPENED.fullmatch(line):
            element = Element(opened[1], opened[2] or "")
            stack[-1].elements.append(element)
            stack.append(element)
        elif (found := _PARAMETER.fullmatch(line)) and len(stack) > 1:
            if found[1].startswith("@") and found[1] not in ("@type", "@id", "@label", "@log_level"):
                raise ValueError(f"line {number}: '@' is the system reserved prefix")
            stack[-1].parameters[found[1]] = _value(found[2] or "", number)
        else:
            raise ValueError(f"line {number}: {line!r} is neither a directive nor a parameter")
    if len(stack) > 1:
        raise ValueError(f"no end tag for {stack[-1].name}")
    return root


def _value(text: str, number: int) -> str:
    """A literal; in single quotes only \\' and \\\\ are escapes, without quotes a value ends at a comment."""
    if text.startswith("'"):
        if not re.fullmatch(r"'(?:[^'\\]|\\.)*'", text):
            raise ValueError(f"line {number}: unexpected end of a single quoted string")
        return re.sub(r"\\(['\\])", r"\1", text[1:-1])
    if text.startswith('"'):
        if not re.fullmatch(r'"(?:#\{[^}]*\}|[^"\\#]|\\.)*"', text):
            raise ValueError(f"line {number}: unexpected end of a double quoted string")
        return text[1:-1]
    return re.split(r"\s+#", text)[0]
