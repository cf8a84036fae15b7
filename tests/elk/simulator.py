"""The processors of ingest pipelines, played in Python for tests; regular expressions are matched by Java, grok by
Elasticsearch's own library. A simulation of what their documentation says, not the node's own code: scripts and
conditions are told by their tags, since Painless can't run here."""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.servers.elasticsearch.matching import Matching, NoMatchError

Document = dict[str, Any]
NOW = "2026-03-02T10:00:00.000Z"
_MISSING = object()


class FailureError(Exception):
    """A processor failed."""


class Simulator:
    """Runs pipelines that call one another by name."""

    def __init__(self, pipelines: Mapping[str, Document], matching: Matching) -> None:
        self.pipelines = pipelines
        self.matching = matching
        self._kinds: dict[str, Callable[[Document, Document], None]] = {
            kind: getattr(self, f"_{kind}")
            for kind in (
                *("set", "gsub", "grok", "json", "date", "convert", "remove", "script", "pipeline", "user_agent"),
            )
        }

    def run(self, name: str, document: Document) -> Document:
        """The document as the pipeline of that name leaves it. Raises `FailureError` where the node would refuse it."""
        found = copy.deepcopy(document)
        self._run_pipeline(self.pipelines[name], found)
        return found

    def _run_pipeline(self, pipeline: Document, document: Document) -> None:
        try:
            for step in pipeline["processors"]:
                self._run_step(step, document)
        except FailureError as error:
            if not pipeline.get("on_failure"):
                raise
            self._handled(pipeline["on_failure"], document, error)

    def _run_step(self, step: Document, document: Document) -> None:
        [(kind, options)] = step.items()
        if "if" in options and not _is_error(document):
            return
        try:
            self._kinds[kind](options, document)
        except FailureError as error:
            error.args = error.args or (kind, options["tag"])
            if options.get("on_failure"):
                self._handled(options["on_failure"], document, error)
            elif not options.get("ignore_failure"):
                raise

    def _handled(self, steps: list[Document], document: Document, error: FailureError) -> None:
        kind, tag = (*error.args, "", "")[:2]
        document["_failure"] = {"kind": kind, "tag": tag}
        for step in steps:
            self._run_step(step, document)
        document.pop("_failure", None)

    def _set(self, options: Document, document: Document) -> None:
        if options.get("override") is False and _get(document, options["field"]) not in (_MISSING, None):
            return
        if "copy_from" in options:
            value = _get(document, options["copy_from"])
            if value in (_MISSING, None, ""):
                if options.get("ignore_empty_value"):
                    return
                raise FailureError
            _set(document, options["field"], copy.deepcopy(value))
            return
        failure = document.get("_failure", {})
        value = options["value"].replace("{{{_ingest.timestamp}}}", NOW)
        value = value.replace("{{{_ingest.on_failure_processor_type}}}", failure.get("kind", ""))
        _set(
            document, options["field"], value.replace("{{{_ingest.on_failure_processor_tag}}}", failure.get("tag", ""))
        )

    def _gsub(self, options: Document, document: Document) -> None:
        value = _get(document, options["field"])
        if value in (_MISSING, None) and options.get("ignore_missing"):
            return
        if not isinstance(value, str):
            raise FailureError
        try:
            _set(document, options["field"], self.matching.gsub(options["pattern"], options["replacement"], value))
        except NoMatchError:
            raise FailureError from None

    def _grok(self, options: Document, document: Document) -> None:
        value = _get(document, options["field"])
        if value in (_MISSING, None) and options.get("ignore_missing"):
            return
        try:
            for name, found in self.matching.grok(str(value), *options["patterns"]).items():
                _set(document, name, found)
        except NoMatchError:
            raise FailureError from None

    def _json(self, options: Document, document: Document) -> None:
        try:
            found = json.loads(_get(document, options["field"]))
        except (ValueError, TypeError):
            raise FailureError from None
        if not isinstance(found, dict):
            raise FailureError
        _merge(document, found)

    def _date(self, options: Document, document: Document) -> None:
        value = _get(document, options["field"])
        if not isinstance(value, str):
            raise FailureError
        [form] = options["formats"]
        try:
            if form == "ISO8601":
                moment = datetime.fromisoformat(value)
            else:
                moment = datetime.strptime(value, {"dd/MMM/yyyy:HH:mm:ss Z": "%d/%b/%Y:%H:%M:%S %z"}[form])
        except ValueError:
            raise FailureError from None
        zone = moment.strftime("%z")
        _set(
            document,
            options["target_field"],
            moment.strftime("%Y-%m-%dT%H:%M:%S.")
            + f"{moment.microsecond // 1000:03d}"
            + ("Z" if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:5]}"),
        )

    def _convert(self, options: Document, document: Document) -> None:
        value = _get(document, options["field"])
        if value in (_MISSING, None) and options.get("ignore_missing"):
            return
        if options["type"] == "ip":
            try:
                ipaddress.ip_address(str(value))
            except ValueError:
                raise FailureError from None
        _set(
            document,
            str(options.get("target_field", options["field"])),
            value if isinstance(value, str) else str(value),
        )

    def _remove(self, options: Document, document: Document) -> None:
        fields = options["field"]
        for field in [fields] if isinstance(fields, str) else fields:
            _remove(document, field)

    def _user_agent(self, options: Document, document: Document) -> None:
        """The node's own takes a program's name from the text; nothing here depends on it."""

    def _pipeline(self, options: Document, document: Document) -> None:
        self._run_pipeline(self.pipelines[options["name"]], document)

    def _script(self, options: Document, document: Document) -> None:
        fields = re.findall(r"field\('([^']+)'\)", options["source"])
        if options["tag"] == "duration":
            seconds = _get(document, fields[0])
            if isinstance(seconds, int | float):
                [factor] = re.findall(r"seconds \* ([0-9.e+]+)", options["source"])
                _set(document, fields[1], round(seconds * float(factor)))
            return
        if options["tag"] == "outcome":
            _add_outcome(document)
            return
        assert options["tag"] == "fingerprint"
        kind, text, name, stack, group = fields[:5]
        told, message = (_get(document, each) for each in (kind, text))
        told = "" if told is _MISSING else str(told).strip()
        message = "" if message is _MISSING else str(message)
        both = f"{told}: {message}" if told and message else told or message
        _set(document, name, both if len(both) <= 200 else both[:199] + "…")
        if _get(document, stack) is _MISSING and _get(document, group) is _MISSING:
            _set(document, group, hashlib.sha256(f"{told}\n{message}".encode()).hexdigest()[:16])


def _is_error(document: Document) -> bool:
    """What the one condition says, of a catalogue with the usual fields."""
    level = str(_get(document, "log.level")).lower()
    return _get(document, "error.type") is not _MISSING or level in ("error", "critical", "fatal", "alert", "emergency")


def _add_outcome(document: Document) -> None:
    """What the script of that name does, of a catalogue with the usual fields."""
    status = _get(document, "http.response.status_code")
    if not isinstance(status, int):
        return
    if _get(document, "event.outcome") is _MISSING:
        _set(document, "event.outcome", "failure" if status >= 400 else "success")
    if _get(document, "log.level") is _MISSING:
        _set(document, "log.level", "error" if status >= 500 else "info")
    if status >= 500 and _get(document, "error.type") is _MISSING:
        _set(document, "error.type", f"HTTP {status}")
        if _get(document, "error.message") is _MISSING:
            method, path = (_get(document, name) for name in ("http.request.method", "url.path"))
            text = f"{'' if method is _MISSING else method} {path}".strip()
            _set(document, "error.message", _get(document, "message") if path is _MISSING else text)


def _get(document: Document, field: str) -> Any:
    for part in field.split("."):
        if not isinstance(document, dict) or part not in document:
            return _MISSING
        document = document[part]
    return document


def _set(document: Document, field: str, value: Any) -> None:
    *parents, leaf = field.split(".")
    for part in parents:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            raise FailureError
    document[leaf] = value


def _remove(document: Document, field: str) -> None:
    *parents, leaf = field.split(".")
    for part in parents:
        if not isinstance(document.get(part), dict):
            return
        document = document[part]
    document.pop(leaf, None)


def _merge(document: Document, other: Document) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        else:
            document[key] = value
