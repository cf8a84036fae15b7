"""The ingest pipelines: a line becomes a document of the Elastic Common Schema, secrets are taken out of it, and errors
get the key that they are grouped by.

Processors: elastic.co/docs/reference/enrich-processor. No step drops a document: where one fails the rest is done all
the same, or the document is kept with ``event.kind: pipeline_error``. What failed is named without its text, for that
may hold what is to be redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import Catalogue
from sla_kit.logs.addresses import EMAIL_OF_URL
from sla_kit.logs.fingerprint import NORMALISATIONS, REDACTIONS, Rule
from sla_kit.logs.frames import NAMES

Processor = dict[str, Any]
Pipeline = dict[str, Any]
ECS_VERSION = "9.0.0"
#: Values on their way, which no document keeps.
TEMPORARY = "sla_kit_temporary"
_TIME, _ISO_TIME, _SECONDS = (f"{TEMPORARY}.{name}" for name in ("time", "iso_time", "seconds"))
_KIND, _TEXT = f"{TEMPORARY}.kind", f"{TEMPORARY}.text"

#: An access log's line: common, combined, and nginx's with the request's time in seconds at the end.
ACCESS = (
    r"^%{NOTSPACE:source.address} %{NOTSPACE} (?:-|%{DATA:user.name}) \[%{HTTPDATE:" + _TIME + r'}\] "'
    r"(?<message>%{WORD:http.request.method} %{NOTSPACE:url.original}(?: HTTP/%{NUMBER:http.version})?|[^\"]*)"
    r'" %{INT:http.response.status_code:int} (?:-|%{NONNEGINT:http.response.body.bytes:long})'
    r'(?: "(?:-|%{DATA:http.request.referrer})" "(?:-|%{DATA:user_agent.original})"'
    r"(?: %{NUMBER:" + _SECONDS + r":float})?(?: .*)?)?$"
)
#: A program's line: its time, its level, what it says.
LEVELLED = (
    r"^\[?%{TIMESTAMP_ISO8601:" + _ISO_TIME + r"}\]?[ \t|-]+[\[(<]?%{LOGLEVEL:log.level}[\])>]?[ \t:|-]+"
    r"(?<message>[^\n]*)(?:\n(?<error.stack_trace>[\s\S]+))?$"
)
PATH = r"^(?<url.path>[^?#]*)(?:\?(?<url.query>[^#]*))?"
#: What a Python traceback ends with, and what a Java one begins with.
PYTHON_ERROR = (
    r"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n)+(?<error.type>[A-Za-z_][\w.]*)"
    r"(?:: (?<error.message>[\s\S]*?))?\s*\z"
)
JAVA_ERROR = (
    r"(?:\A|\n)(?<error.type>[a-z_][\w.]*\.[A-Z]\w*)(?:: (?<error.message>[^\n]*(?:\n(?![ \t]+at )[^\n]*)*?))?"
    r"\n[ \t]+at "
)
#: What programs write for the T and the point of ISO 8601.
_T = Rule("T", r"(?<=\A[0-9]{4}-[0-9]{2}-[0-9]{2}) ", "T")
_POINT = Rule("point", r"(?<=[0-9]{2}),(?=[0-9])", ".")
#: In a URL the @ of an e-mail address is often written so.
_ADDRESS_OF_URL = Rule("e-mail address of a URL", EMAIL_OF_URL, "<email>")
#: Which documents are grouped: as `sla_kit.error_tracking` has it where a catalogue says nothing else.
IS_ERROR = (
    "def level = field('{level}').get(''); return field('{type}').exists() "
    "|| ['error', 'critical', 'fatal', 'alert', 'emergency'].contains(level.toString().toLowerCase())"
)
#: What the status of an answer means where a document does not say it: as `sla_kit.logs` has it.
OUTCOME = (
    "def status = field('{status}').get(null); "
    "if (status instanceof Number) {{ "
    "if (!field('event.outcome').exists()) "
    "{{ field('event.outcome').set(status >= 400 ? 'failure' : 'success') }} "
    "if (!field('{level}').exists()) {{ field('{level}').set(status >= 500 ? 'error' : 'info') }} "
    "if (status >= 500 && !field('{type}').exists()) {{ "
    "field('{type}').set('HTTP ' + status); "
    "if (!field('{text}').exists()) {{ def path = field('{path}').get(''); "
    "field('{text}').set(path == '' ? field('{message}').get('').toString() : "
    "(field('http.request.method').get('').toString() + ' ' + path).trim()) }} }} }}"
)


def parsing(catalogue: Catalogue, redaction_name: str, grouping_name: str) -> Pipeline:
    """The pipeline of the stream. A record that its shipper has not read is in ``event.original``."""
    fields = catalogue.logs.fields
    texts = _texts(catalogue)
    processors = [
        _step("set", "ingested", field=fields.ingested, value="{{{_ingest.timestamp}}}"),
        _step("set", "version", field="ecs.version", value=ECS_VERSION, override=False),
        _step(
            "json", "json", field="event.original", add_to_root=True, add_to_root_conflict_strategy="merge",
            ignore_failure=True,
        ),
        _grok("line", "event.original", *(_renamed(pattern, fields) for pattern in (ACCESS, LEVELLED))),
        _grok("python", fields.stack, _renamed(PYTHON_ERROR, fields)),
        _grok("java", fields.stack, _renamed(JAVA_ERROR, fields)),
        _grok("path", "url.original", _renamed(PATH, fields)),
        _date("time", _TIME, "dd/MMM/yyyy:HH:mm:ss Z", fields.time),
        _gsub(_T, _ISO_TIME),
        _gsub(_POINT, _ISO_TIME),
        _date("iso time", _ISO_TIME, "ISO8601", fields.time),
        *([_date("timestamp", fields.time, "ISO8601", "@timestamp")] if fields.time != "@timestamp" else []),
        _step("script", "duration", source=_duration(catalogue), ignore_failure=True),
        _step(
            "convert", "address", field="source.address", target_field="source.ip", type="ip", ignore_missing=True,
            ignore_failure=True,
        ),
        _step("user_agent", "user agent", field="user_agent.original", ignore_missing=True, ignore_failure=True),
        _step(
            "set", "message", field=fields.message, copy_from="event.original", override=False,
            ignore_empty_value=True,
        ),
        _step("script", "outcome", source=_outcome(catalogue), ignore_failure=True),
        *(_step("convert", f"text {name}", field=name, type="string", ignore_missing=True) for name in texts),
        {"pipeline": {"tag": "grouping", "name": grouping_name, "if": _is_error(catalogue)}},
        {"pipeline": {"tag": "redaction", "name": redaction_name}},
        _step("remove", "temporary", field=["event.original", TEMPORARY], ignore_missing=True),
    ]  # fmt: skip
    failed = "{{{_ingest.on_failure_processor_type}}} {{{_ingest.on_failure_processor_tag}}}"
    return {
        "description": "Log lines to the Elastic Common Schema; written by sla-kit from the catalogue.",
        "processors": processors,
        "on_failure": [
            _step("set", "failed", field="event.kind", value="pipeline_error"),
            _step("set", "what failed", field="event.reason", value=failed),
            {"pipeline": {"tag": "redaction after a failure", "name": redaction_name}},
            _step("remove", "temporary after a failure", field=TEMPORARY, ignore_missing=True),
        ],
    }


def redaction(catalogue: Catalogue) -> Pipeline:
    """E-mail addresses, tokens, passwords and card numbers taken out of every text; one that can't be looked through is
    taken out whole."""
    return {
        "description": "What nobody is to read, taken out of log documents; written by sla-kit from the catalogue.",
        "processors": [
            _gsub(rule, name, {"set": {"field": name, "value": "<redacted>"}})
            for name in _texts(catalogue)
            for rule in (*REDACTIONS, _ADDRESS_OF_URL)
        ],
    }


def grouping(catalogue: Catalogue) -> Pipeline:
    """The key and the name of an error, as `sla_kit.logs.fingerprint` has them, where there is no stack: what its
    frames are a pipeline can't tell, and such a document is grouped by who reads it."""
    fields = catalogue.logs.fields
    return {
        "description": "The fingerprint of errors in log documents; written by sla-kit from the catalogue.",
        "processors": [
            _copy("error message", _TEXT, fields.error_message),
            _copy("message", _TEXT, fields.message),
            *(_gsub(rule, _TEXT) for rule in (NORMALISATIONS[0], *REDACTIONS, *NORMALISATIONS)),
            _copy("type", _KIND, fields.error_type),
            *(_gsub(Rule(f"name {n}", *each), _KIND) for n, each in enumerate(NAMES, 1)),
            _step("script", "fingerprint", source=_fingerprint(catalogue)),
        ],
        "on_failure": [_step("remove", "name of an error", field=TEMPORARY, ignore_missing=True)],
    }


def _texts(catalogue: Catalogue) -> tuple[str, ...]:
    """The fields in which people or their browsers write what they like."""
    fields = catalogue.logs.fields
    own = (fields.message, fields.error_message, fields.stack, fields.path)
    others = (
        "event.original",
        "url.original",
        "url.query",
        "http.request.referrer",
        "user_agent.original",
        "user.name",
    )
    return tuple(dict.fromkeys((*own, *others)))


def _is_error(catalogue: Catalogue) -> str:
    fields = catalogue.logs.fields
    return IS_ERROR.format(level=_quoted(fields.level), type=_quoted(fields.error_type))


def _outcome(catalogue: Catalogue) -> str:
    fields = catalogue.logs.fields
    return OUTCOME.format(
        status=_quoted(fields.status),
        level=_quoted(fields.level),
        type=_quoted(fields.error_type),
        text=_quoted(fields.error_message),
        path=_quoted(fields.path),
        message=_quoted(fields.message),
    )


def _duration(catalogue: Catalogue) -> str:
    """Seconds of an access log in the catalogue's unit."""
    fields = catalogue.logs.fields
    there, units = _quoted(fields.duration), 1.0 / fields.duration_unit_seconds
    return (
        f"def seconds = field('{_SECONDS}').get(null); "
        f"if (seconds != null) {{ field('{there}').set(Math.round(seconds * {units!r})) }}"
    )


def _fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 of type and text, each on its line, in 16 hexadecimal digits."""
    fields = catalogue.logs.fields
    group, stack = _quoted(fields.group), _quoted(fields.stack)
    return (
        f"String kind = field('{_KIND}').get('').toString().trim(); String text = field('{_TEXT}').get('').toString(); "
        "String name = kind.isEmpty() ? text : text.isEmpty() ? kind : kind + ': ' + text; "
        "field('error.grouping_name').set(name.length() <= 200 ? name : name.substring(0, 199) + '…'); "
        f"if (!field('{stack}').exists() && !field('{group}').exists()) "
        f"{{ field('{group}').set((kind + '\\n' + text).sha256().substring(0, 16)) }}"
    )


def _step(kind: str, tag: str, **options: Any) -> Processor:
    return {kind: {"tag": tag, **options}}


def _copy(tag: str, to: str, source: str) -> Processor:
    return _step("set", tag, field=to, copy_from=source, override=False, ignore_empty_value=True)


def _renamed(pattern: str, fields: LogFields) -> str:
    """A pattern whose captures go to the fields that the catalogue names."""
    usual = LogFields()
    for role in ("level", "message", "status", "path", "stack", "error_type", "error_message"):
        before, after = getattr(usual, role), getattr(fields, role)
        pattern = re.sub(rf"(?<=[:<]){re.escape(before)}(?=[:>}}])", after, pattern)
    return pattern


def _grok(tag: str, field: str, *patterns: str) -> Processor:
    return _step(
        "grok", tag, field=field, patterns=list(patterns), ecs_compatibility="v1", ignore_missing=True,
        ignore_failure=True,
    )  # fmt: skip


def _date(tag: str, field: str, form: str, target: str) -> Processor:
    return _step("date", tag, field=field, formats=[form], target_field=target, ignore_failure=True)


def _gsub(rule: Rule, field: str, *on_failure: Processor) -> Processor:
    options: dict[str, Any] = {
        "field": field,
        "pattern": rule.pattern,
        "replacement": _java_replacement(rule.replacement),
        "ignore_missing": True,
    }
    if on_failure:
        options["on_failure"] = list(on_failure)
    return _step("gsub", f"{rule.name} in {field.removeprefix(f'{TEMPORARY}.')}", **options)


def _java_replacement(text: str) -> str:
    """Plain text as java.util.regex.Matcher's replacement."""
    return text.replace("\\", "\\\\").replace("$", "\\$")


def _quoted(text: str) -> str:
    """A field's name within a string of Painless."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def processors_of(pipeline: Pipeline) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every processor of a pipeline, those for failures too: its kind and its options."""
    for step in [*pipeline["processors"], *pipeline.get("on_failure", [])]:
        for kind, options in step.items():
            yield kind, options
            yield from processors_of({"processors": options.get("on_failure", [])})
