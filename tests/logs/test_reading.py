"""From files to documents: every line is accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs.documents import Document
from sla_kit.logs.reading import Reading, Tally, Trouble, Unreadable, read

COMBINED = '203.0.113.7 - - [17/May/2015:10:05:{:02d} +0000] "GET /{} HTTP/1.1" 200 2326 "-" "curl/8"\n'


def found(path: Path, **how: Any) -> tuple[list[Document], list[Unreadable], list[Trouble], Tally]:
    tally = Tally()
    all_found = list(read([str(path)], Reading(**how), tally))
    return (
        [each for each in all_found if isinstance(each, Document)],
        [each for each in all_found if isinstance(each, Unreadable)],
        [each for each in all_found if isinstance(each, Trouble)],
        tally,
    )


def test_the_last_line_of_a_file_that_is_written_on_is_no_line_yet(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    whole = "".join(COMBINED.format(number, number) for number in range(20))
    path.write_text(whole[:-10])
    documents, unreadable, _, _ = found(path)
    assert len(documents) == 19
    assert "breaks off" in unreadable[0].reason
    path.write_text(whole)
    again, unreadable, _, _ = found(path)
    assert not unreadable
    assert [each.id for each in again[:19]] == [each.id for each in documents]


def test_a_line_within_a_file_may_end_within_its_last_field(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text((COMBINED.format(1, 1).rstrip()[:-3] + "\n") + COMBINED.format(2, 2) * 3)
    documents, unreadable, _, tally = found(path)
    assert len(documents) == 4
    assert not unreadable
    assert tally.cut == 1
    assert json.loads(documents[0].source)["tags"] == ["cut"]


def test_the_same_file_has_the_same_identities_under_any_name(tmp_path: Path) -> None:
    content = COMBINED.format(1, "same") * 5
    (tmp_path / "access.log").write_text(content)
    (tmp_path / "access.log.1").write_text(content)
    first, second = (found(tmp_path / name)[0] for name in ("access.log", "access.log.1"))
    assert [each.id for each in first] == [each.id for each in second]
    assert len({each.id for each in first}) == 5


def test_json_lines_without_a_time_or_an_end(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text('{"time":1714564801,"msg":"a"}\n' * 8 + '{"msg":"no time"}\n{"time":17145')
    documents, unreadable, _, _ = found(path)
    assert len(documents) == 8
    assert [each.reason for each in unreadable] == ["it has no time", "it breaks off: the file ends within it"]
    documents, unreadable, _, _ = found(path, at_ms=5000)
    assert len(documents) == 9
    assert documents[-1].time_ms == 5000


def test_a_damaged_file_is_told_and_the_next_one_is_read(tmp_path: Path) -> None:
    import gzip

    content = gzip.compress("".join(COMBINED.format(n % 60, n * 7919) for n in range(3000)).encode())
    (tmp_path / "a.gz").write_bytes(content[: len(content) // 2])
    (tmp_path / "b").write_text(COMBINED.format(1, "b"))
    tally = Tally()
    everything = list(read([str(tmp_path / "a.gz"), str(tmp_path / "b")], Reading(), tally))
    assert sum(isinstance(each, Trouble) for each in everything) == 1
    assert isinstance(everything[-1], Document)
    assert sum(isinstance(each, Document) for each in everything) > 1


@pytest.mark.parametrize("form", ["combined", "json", "text", "$msec $status"])
@given(content=st.binary(max_size=400))
def test_every_line_is_a_document_or_unreadable_or_blank(
    tmp_path_factory: pytest.TempPathFactory, form: str, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("odd") / "log"
    path.write_bytes(b"x" + content)
    documents, unreadable, troubles, tally = found(path, format=form)
    assert not troubles
    blank = tally.blank
    if form != "text":  # whose events have several lines
        assert len(documents) + len(unreadable) + blank == tally.lines
    for each in documents:
        json.loads(each.source)


def test_a_text_event_without_a_time_takes_that_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("2024-05-01T12:00:01Z INFO fine\npanic: oh\n\ngoroutine 1 [running]:\nmain.main()\n")
    documents, _, _, _ = found(path)
    assert [each.time_ms for each in documents] == [1714564801000] * 2
    assert json.loads(documents[1].source)["error"]["type"] == "panic"
