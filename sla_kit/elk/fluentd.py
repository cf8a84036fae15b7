"""Fluentd's configuration: files of logs into the data stream, through buffers on disk, counted on the way.

Parameters are those of Fluentd 1.16 and of fluent-plugin-elasticsearch 5 and fluent-plugin-prometheus 2. The output is
``elasticsearch`` and not ``elasticsearch_data_stream``, which writes templates of its own and gives up a buffer at the
first error. User name and password come from the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sla_kit.alert_rules.inventory import exporters
from sla_kit.catalogue.model import Catalogue
from sla_kit.elk import names
from sla_kit.elk.lines import FIRST_LINE, Shipping

SPOOL = "/var/log/fluentd"
#: The counter of records that alerts and dashboards know.
RECORDS = "sla_log_records_total"
_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again."
_USERNAME, _PASSWORD = "SLA_KIT_ELASTICSEARCH_USERNAME", "SLA_KIT_ELASTICSEARCH_PASSWORD"


@dataclass(frozen=True, slots=True)
class Section:
    """A directive with what stands in it: ``<name argument>``, parameters in their order, further sections."""

    name: str
    argument: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """The text, line by line."""
        yield f"{indent}<{self.name}{' ' + self.argument if self.argument else ''}>"
        for key, value in self.parameters:
            yield f"{indent}  {key} {value}"
        for section in self.sections:
            yield from section.lines(indent + "  ")
        yield f"{indent}</{self.name}>"


def configuration(catalogue: Catalogue, shipping: Shipping) -> str:
    """The text of ``fluent.conf``."""
    spool = shipping.spool or SPOOL
    sections = [
        *_metrics(),
        *(_tail(service.name, shipping, spool) for service in catalogue.services),
        *_filters(catalogue),
        _output(names.stream_name(catalogue), shipping, spool),
        _refused(spool),
    ]
    return "\n\n".join([_HEAD, *("\n".join(section.lines()) for section in sections)]) + "\n"


def _metrics() -> Iterator[Section]:
    """What Prometheus reads, on loopback: the port of the inventory, Fluentd's own buffers, each tailed file."""
    port = str(exporters()["fluentd"].port)
    yield Section("source", "", (("@type", "prometheus"), ("bind", "127.0.0.1"), ("port", port)))
    yield Section("source", "", (("@type", "prometheus_output_monitor"), ("interval", "10")))
    yield Section("source", "", (("@type", "prometheus_tail_monitor"), ("interval", "10")))


def _tail(service: str, shipping: Shipping, spool: str) -> Section:
    first_line = "/" + FIRST_LINE.replace("/", r"\/") + "/"
    formats = (("@type", "multiline"), ("format_firstline", first_line), ("format1", "/^(?<line>.*)/"))
    return Section(
        "source",
        "",
        (
            ("@type", "tail"),
            ("@id", quoted(f"in_{service}")),
            ("path", quoted(shipping.pattern(service))),
            ("pos_file", quoted(f"{spool}/positions/{service}.pos")),
            ("tag", quoted(f"sla.{service}")),
            ("path_key", "sla_kit_file"),
            ("read_from_head", "true"),
            ("follow_inodes", "true"),
            ("multiline_flush_interval", "5s"),
            ("refresh_interval", "10s"),
        ),
        (Section("parse", "", formats),),
    )


def _filters(catalogue: Catalogue) -> Iterator[Section]:
    """From a record to a document: JSON as it is, another line as ``event.original`` for the ingest pipeline to read,
    what is known from where it was found, a count, and an id that stays the same when it is sent again."""
    # The time of a document is told by its own field, in whatever form: nothing is looked for under this name.
    json = (("@type", "json"), ("time_key", "sla_kit_no_time"))
    yield Section(
        "filter",
        "sla.**",
        (
            ("@type", "parser"),
            ("key_name", "line"),
            ("reserve_data", "true"),
            ("reserve_time", "true"),
            ("remove_key_name_field", "true"),
            ("emit_invalid_record_to_error", "false"),
        ),
        (Section("parse", "", json),),
    )
    yield Section(
        "filter",
        "sla.**",
        (("@type", "record_transformer"), ("enable_ruby", "true"), ("remove_keys", "line,sla_kit_file")),
        (Section("record", "", tuple(_record(catalogue))),),
    )
    fields = catalogue.logs.fields
    labels = (("service", f"$.{fields.service}"), ("level", "$.sla_kit_level"))
    counter = (("name", RECORDS), ("type", "counter"), ("desc", "Records of logs that were shipped."))
    yield Section(
        "filter",
        "sla.**",
        (("@type", "prometheus"),),
        (Section("metric", "", counter, (Section("labels", "", labels),)),),
    )
    yield Section("filter", "sla.**", (("@type", "elasticsearch_genid"), ("hash_id_key", "sla_kit_id")))


def _record(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The fields that are set, each at the top with what stands in it already, as Ruby."""
    fields = catalogue.logs.fields
    wanted = {
        fields.message: 'record["line"]',
        fields.service: "tag_suffix[1]",
        fields.environment: _ruby(names.environment(catalogue)),
        "event.dataset": _ruby(names.dataset(catalogue)),
        "event.original": 'record["line"]',
        "host.name": "hostname",
        "log.file.path": 'record["sla_kit_file"]',
    }
    tree: _Tree = {}
    for name, expression in wanted.items():
        *parents, leaf = name.split(".")
        level = tree
        for parent in parents:
            inner = level.setdefault(parent, {})
            level = inner if isinstance(inner, dict) else {}
        level.setdefault(leaf, expression)
    for key, value in tree.items():
        yield key, "${" + _merged(value, f"record[{_ruby(key)}]") + "}"
    where = f"record[{_ruby(fields.level.split('.')[0])}]"
    for part in fields.level.split(".")[1:]:
        where = f"({where}.is_a?(Hash) ? {where}[{_ruby(part)}] : nil)"
    words = "trace|debug|info|notice|warn|warning|error|severe|critical|alert|fatal|panic"
    found = f"record[{_ruby('line')}].to_s[/\\A.{{0,100}}?\\b({words})\\b/i, 1]"
    yield "sla_kit_level", "${(" + f'{where} || {found} || "unknown").to_s.downcase' + "}"


_Tree = dict[str, "str | _Tree"]


def _merged(value: str | _Tree, there: str) -> str:
    """What stands ``there`` already, else the value; of an object its parts."""
    if isinstance(value, str):
        return f"({there} || {value})"
    inner = ", ".join(f"{_ruby(key)} => {_merged(each, f'o[{_ruby(key)}]')}" for key, each in value.items())
    return f"lambda {{|o| o.merge({{{inner}}}.compact) }}.call({there}.is_a?(Hash) ? {there} : {{}})"


def _output(stream: str, shipping: Shipping, spool: str) -> Section:
    tls = (("ssl_verify", "true"), ("ca_file", "/etc/ssl/certs/ca-certificates.crt"))
    buffer = (
        ("@type", "file"),
        ("path", quoted(f"{spool}/buffer")),
        ("chunk_limit_size", "8m"),
        ("total_limit_size", "2g"),
        ("flush_mode", "interval"),
        ("flush_interval", "5s"),
        ("flush_thread_count", "2"),
        ("overflow_action", "block"),
        ("retry_type", "exponential_backoff"),
        ("retry_wait", "1s"),
        ("retry_max_interval", "60s"),
        ("retry_timeout", "72h"),
    )
    unsent = (("@type", "secondary_file"), ("directory", quoted(f"{spool}/unsent")), ("basename", "chunk-${chunk_id}"))
    return Section(
        "match",
        "sla.**",
        (
            ("@type", "elasticsearch"),
            ("@id", "out_elasticsearch"),
            ("host", quoted(shipping.host)),
            ("port", str(shipping.port)),
            ("scheme", shipping.scheme),
            *((("path", quoted(shipping.path)),) if shipping.path else ()),
            *(tls if shipping.scheme == "https" else ()),
            ("user", f"\"#{{ENV['{_USERNAME}'] || use_default}}\""),
            ("password", f"\"#{{ENV['{_PASSWORD}'] || use_default}}\""),
            ("index_name", quoted(stream)),
            ("write_operation", "create"),
            ("id_key", "sla_kit_id"),
            ("remove_keys", "sla_kit_id,sla_kit_level"),
            ("include_timestamp", "true"),
            ("suppress_type_name", "true"),
            # A shipper starts, and fills its buffer, where the cluster is away.
            ("default_elasticsearch_version", "9"),
            ("verify_es_version_at_startup", "false"),
            ("fail_on_detecting_es_version_retry_exceed", "false"),
            ("request_timeout", "30s"),
            ("reload_connections", "false"),
            ("reconnect_on_error", "true"),
            # A full queue (429) passes: the plugin's default gives such a chunk up.
            ("unrecoverable_error_types", '["out_of_memory_error"]'),
            ("log_es_400_reason", "false"),
        ),
        (Section("buffer", "", buffer), Section("secondary", "", unsent)),
    )


def _refused(spool: str) -> Section:
    """Documents that the cluster refuses for good, one by one: kept, and not sent again."""
    buffer = (("@type", "file"), ("path", quoted(f"{spool}/refused-buffer")), ("flush_interval", "10s"))
    parameters = (("@type", "file"), ("path", quoted(f"{spool}/refused/documents")), ("append", "true"))
    form, chunks = Section("format", "", (("@type", "json"),)), Section("buffer", "time", (*buffer, ("timekey", "1d")))
    return Section("label", "@ERROR", (), (Section("match", "**", parameters, (form, chunks)),))


def quoted(text: str) -> str:
    """A text as Fluentd's single quotes hold it, in which nothing is evaluated."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _ruby(text: str) -> str:
    """A text as a Ruby string in which nothing is evaluated."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
