"""Dead letters are on the disk before they count, and can be mended and loaded."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sla_kit.logs.dead_letters import DeadLetterError, DeadLetters, Refused
from sla_kit.logs.documents import Document
from sla_kit.logs.reading import Reading, Tally, Unreadable, read

DOCUMENT = Document(
    "id-1", b'{"@timestamp":"2024-05-01T12:00:01.123Z","log":{"level":"info"}}', "app.log", 7, 1714564801123
)


def letters(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_letter_says_what_was_refused_where_and_why(tmp_path: Path) -> None:
    path = tmp_path / "dead.ndjson"
    dead = DeadLetters(path)
    dead.refuse([Refused(DOCUMENT, 400, "document_parsing_exception: no number")])
    dead.unread([Unreadable("app.log", 8, "what?", "it is no JSON object", "json", "id-2")])
    dead.close()
    refused, unread = letters(path)
    assert refused == {
        "reason": "document_parsing_exception: no number",
        "status": 400,
        "file": "app.log",
        "line": 7,
        "id": "id-1",
        "document": json.loads(DOCUMENT.source),
    }
    assert unread["text"] == "what?"
    assert unread["line"] == 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_letters_are_read_again_under_their_identity(tmp_path: Path) -> None:
    path = tmp_path / "dead.ndjson"
    dead = DeadLetters(path)
    dead.refuse([Refused(DOCUMENT, 400, "r")])
    dead.unread([Unreadable("app.log", 8, '{"time":1714564801,"msg":"mended"}', "it was broken", "json", "id-2")])
    dead.close()
    found = list(read([str(path)], Reading(), Tally()))
    assert [each.id for each in found if isinstance(each, Document)] == ["id-1", "id-2"]
    first = found[0]
    assert isinstance(first, Document)
    assert json.loads(first.source) == json.loads(DOCUMENT.source)
    assert (first.file, first.line, first.level) == ("app.log", 7, "info")


def test_a_line_that_a_dead_process_left_without_an_end_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "dead.ndjson"
    path.write_text('{"reason":"half a let')
    dead = DeadLetters(path)
    dead.refuse([Refused(DOCUMENT, 400, "r")])
    dead.close()
    assert json.loads(path.read_text().splitlines()[1])["id"] == "id-1"


def test_nothing_is_made_without_a_letter(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path / "dead.ndjson")
    dead.refuse([])
    dead.close()
    assert not (tmp_path / "dead.ndjson").exists()


def test_several_threads_write_whole_lines(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path / "dead.ndjson")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: dead.refuse([Refused(DOCUMENT, 400, "r")] * 5), range(40)))
    dead.close()
    assert len(letters(tmp_path / "dead.ndjson")) == 200 == dead.written


def test_a_full_disk_leaves_whole_lines_and_is_told() -> None:
    """As much as the limit of a file's size lets through; the kernel then says no as a full disk does."""
    program = """
import resource, signal, sys, pathlib
from sla_kit.logs.dead_letters import DeadLetterError, DeadLetters, Refused
from sla_kit.logs.documents import Document
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = pathlib.Path(sys.argv[1])
dead = DeadLetters(path)
document = Document("id", b'{"a":"' + b"x" * 500 + b'"}', "f", 1, 0)
try:
    for _ in range(100):
        dead.refuse([Refused(document, 400, "r")])
except DeadLetterError as error:
    print(dead.written, error.place == str(path))
"""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dead.ndjson"
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        written, told = done.stdout.split()
        assert told == "True"
        assert len(letters(path)) == int(written) > 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path / "nowhere" / "dead.ndjson")
    with pytest.raises(DeadLetterError) as caught:
        dead.refuse([Refused(DOCUMENT, 400, "r")])
    assert "nothing is loaded twice" in caught.value.remedy


def test_what_was_told_of_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "dead.ndjson"
    program = """
import sys, pathlib
from sla_kit.logs.dead_letters import DeadLetters, Refused
from sla_kit.logs.documents import Document
dead = DeadLetters(pathlib.Path(sys.argv[1]))
number = 0
while True:
    dead.refuse([Refused(Document(str(number), b"{}", "f", 1, 0), 400, "r")])
    print(number, flush=True)
    number += 1
"""
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
    # What it was writing when it was killed may be half a line.
    kept = [int(str(json.loads(line)["id"])) for line in path.read_text().split("\n")[:-1]]
    assert kept[: len(told)] == told
