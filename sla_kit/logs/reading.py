"""From files to documents: lines put together, parsed by their format, finished; what can't be read is told, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import chain, islice

import msgspec

from sla_kit.logs import access_events, access_formats, files, guessing, json_events, text_events
from sla_kit.logs.access_events import Flat
from sla_kit.logs.access_formats import AccessFormat
from sla_kit.logs.documents import Document, Labels, finished, identity
from sla_kit.logs.files import Line, LogFileError

AUTO, JSON, TEXT, DEAD_LETTERS = "auto", "json", "text", "dead-letters"
#: Formats by name, beside those that are written out.
NAMES = (AUTO, JSON, TEXT, *access_formats.NAMED)


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are read: their ``format`` (``auto``, ``json``, ``text``, a name of `access_formats.NAMED`, or one as a
    web server's configuration writes it), the ``zone`` of times that name none, the ``year`` of those without one
    (syslog's), ``at_ms`` for events without a time (else such ones can't be read), the longest line, and what is said
    of all documents."""

    format: str = AUTO
    zone: tzinfo = UTC
    year: int | None = None
    at_ms: int | None = None
    longest_line: int = files.LONGEST_LINE_BYTES
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line of which no document could be made, and why. ``id`` is what its document would have had."""

    file: str
    line: int
    text: str
    reason: str
    format: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file that could not be read to its end."""

    file: str
    message: str


@dataclass(slots=True)
class Tally:
    """What was read: ``lines`` in all, of them ``blank``, with bytes that are no UTF-8 (``damaged``), longer than the
    limit or broken off within their last field (``cut``); the ``formats`` by file; bytes as decoded."""

    lines: int = 0
    blank: int = 0
    damaged: int = 0
    cut: int = 0
    characters: int = 0
    formats: dict[str, str] = field(default_factory=dict)


def read(names: Sequence[str], reading: Reading, tally: Tally) -> Iterator[Document | Unreadable | Trouble]:
    """The documents of files, in their order. Raises `LogFormatError` for a format that is unknown or mixed, before
    anything of that file is handed out."""
    for name in names:
        try:
            yield from _of_file(name, reading, tally)
        except LogFileError as error:
            yield Trouble(name, error.message)


def _of_file(name: str, reading: Reading, tally: Tally) -> Iterator[Document | Unreadable]:
    lines = files.read_lines(name, longest=reading.longest_line)
    sample, trouble = _sample(lines)
    form = reading.format
    if form == AUTO:
        form = guessing.guess([line.text for line in sample], name).format
    tally.formats[name] = form
    counted = _counted(chain(sample, _raising(trouble) if trouble else lines), tally)
    if form == JSON:
        return _json(counted, reading)
    if form == TEXT:
        return _text(counted, reading, tally)
    if form == DEAD_LETTERS:
        return _dead_letters(counted, reading, tally)
    return _access(counted, access_formats.compile_format(form), reading, tally)


def _sample(lines: Iterator[Line]) -> tuple[list[Line], LogFileError | None]:
    sample: list[Line] = []
    try:
        for line in islice(lines, guessing.SAMPLE_LINES):
            sample.append(line)
    except LogFileError as error:
        return sample, error
    return sample, None


def _raising(error: LogFileError) -> Iterator[Line]:
    raise error
    yield


def _counted(lines: Iterator[Line], tally: Tally) -> Iterator[Line]:
    for line in lines:
        tally.lines += 1
        tally.characters += len(line.text) + 1
        tally.damaged += bool(line.damaged)
        tally.cut += line.cut
        yield line


def _access(
    lines: Iterator[Line], form: AccessFormat, reading: Reading, tally: Tally
) -> Iterator[Document | Unreadable]:
    dataset = "nginx.access" if "$" in form.text else "apache.access" if "%v" in form.text else "web.access"
    for line in lines:
        if not line.text.strip():
            tally.blank += 1
            continue
        fields = form.match(line.text)
        # The last line of a file that is written on is no line yet.
        short = fields is None and line.ended
        if short:
            fields = form.match(line.text, short=True)
        moment = None if fields is None else access_events.time_of(fields, reading.zone)
        if fields is None:
            unended = "it breaks off: the file ends within it" if not line.ended else ""
            yield _unreadable(line, unended or "it has not the format of an access log", form.text, reading)
        elif moment is None:
            yield _unreadable(line, "its time can't be read", form.text, reading)
        else:
            found = access_events.event(fields)
            if short:
                tally.cut += 1
                found["tags"] = ["cut"]
            yield _finished(line, line.text, found, moment, reading, dataset)


def _json(lines: Iterator[Line], reading: Reading) -> Iterator[Document | Unreadable]:
    for line in lines:
        if not line.text.strip():
            continue
        decoded = json_events.decoded(line.text)
        if decoded is None:
            unended = "it breaks off: the file ends within it" if not line.ended else ""
            yield _unreadable(line, unended or "it is no JSON object", JSON, reading)
            continue
        flat = json_events.flattened(decoded)
        moment = json_events.time_of(flat, reading.zone)
        if moment is None:
            moment = reading.at_ms
        if moment is None:
            yield _unreadable(line, "it has no time", JSON, reading)
        else:
            yield _finished(line, line.text, json_events.event(flat), moment, reading, "app")


def _text(lines: Iterator[Line], reading: Reading, tally: Tally) -> Iterator[Document | Unreadable]:
    last: int | None = None
    for joined in text_events.join(lines):
        if not joined.text.strip():
            tally.blank += joined.lines
            continue
        tally.cut += joined.cut
        moment = text_events.time_of(joined.text, reading.zone, reading.year)
        if moment is None and not text_events.starts_event(joined.text):
            # A trace that no logger wrote happened right after what was logged before it.
            moment = last
        if moment is None:
            moment = reading.at_ms
        if moment is None:
            yield _unreadable(joined.first, "it has no time", TEXT, reading, joined.text)
            continue
        last = moment
        yield _finished(joined.first, joined.text, text_events.event(joined.text), moment, reading, "app")


def _dead_letters(lines: Iterator[Line], reading: Reading, tally: Tally) -> Iterator[Document | Unreadable]:
    """What an earlier load could not bring in, mended or not, under the identities that it had then."""
    for line in lines:
        if not line.text.strip():
            continue
        letter = json_events.decoded(line.text) or {}
        file, number = str(letter.get("file", line.file)), letter.get("line")
        number = number if isinstance(number, int) else line.number
        id = letter.get("id")
        document, text = letter.get("document"), letter.get("text")
        if isinstance(document, dict) and isinstance(id, str) and id:
            flat = json_events.flattened(document)
            moment = json_events.time_of({"@timestamp": flat.get(reading.labels.fields.time)}, reading.zone)
            status, level = flat.get(reading.labels.fields.status), flat.get(reading.labels.fields.level)
            yield Document(
                id,
                msgspec.json.encode(document),
                file,
                number,
                moment or 0,
                status if isinstance(status, int) else 0,
                level if isinstance(level, str) else "",
            )
        elif isinstance(text, str):
            again = replace(reading, format=str(letter.get("format") or AUTO))
            yield from _line_again(Line(file, number, text), id if isinstance(id, str) else "", again, tally)
        else:
            yield _unreadable(line, "it is no dead letter", DEAD_LETTERS, reading)


def _line_again(line: Line, id: str, reading: Reading, tally: Tally) -> Iterator[Document | Unreadable]:
    parts = (msgspec.structs.replace(line, text=part) for part in line.text.split("\n"))
    form = reading.format if reading.format != AUTO else guessing.guess([line.text], line.file).format
    found: Iterator[Document | Unreadable]
    if form == JSON:
        found = _json(iter([line]), reading)
    elif form == TEXT:
        found = _text(parts, reading, tally)
    else:
        found = _access(iter([line]), access_formats.compile_format(form), reading, tally)
    for each in found:
        new = id or each.id
        yield msgspec.structs.replace(each, id=new) if isinstance(each, Document) else replace(each, id=new)


def _finished(line: Line, text: str, found: Flat, moment: int, reading: Reading, dataset: str) -> Document:
    id = identity(line.head, line.number, text, reading.labels)
    return finished(
        found, id=id, time_ms=moment, labels=reading.labels, file=line.file, line=line.number, dataset=dataset
    )


def _unreadable(line: Line, reason: str, form: str, reading: Reading, text: str | None = None) -> Unreadable:
    text = line.text if text is None else text
    if line.cut:
        reason += f" (it is longer than {reading.longest_line:,} bytes)"
    return Unreadable(
        line.file, line.number, text, reason, form, identity(line.head, line.number, text, reading.labels)
    )
