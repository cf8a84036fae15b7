"""Lines of files: packed or plain, whatever is in them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs.files import Line, LogFileError, expand, read_lines


def texts(path: Path) -> list[str]:
    return [line.text for line in read_lines(str(path))]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["no", "gzip", "bzip2", "xz"])
def test_packed_files_give_the_same_lines_and_the_same_identity(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(pack(b"one\r\ntwo\n\nfour"))  # type: ignore[operator]
    lines = list(read_lines(str(path)))
    assert [line.text for line in lines] == ["one", "two", "", "four"]
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [line.ended for line in lines] == [True, True, True, False]
    (tmp_path / "plain").write_bytes(b"one\n")
    assert {line.head for line in lines} == {next(read_lines(str(tmp_path / "plain"))).head}


def test_a_packed_file_that_breaks_off_gives_what_it_holds(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b"%d %s\n" % (number, os.urandom(50).hex().encode()) for number in range(5000)))
    path = tmp_path / "access.log.gz"
    path.write_bytes(content[: len(content) // 2])
    found: list[Line] = []
    with pytest.raises(LogFileError, match="damaged"):
        found.extend(read_lines(str(path)))  # what came before the error is kept
    assert found
    assert [int(line.text.split()[0]) for line in found] == list(range(len(found)))


def test_bytes_that_are_no_utf8_are_replaced_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbffirst\nbad \xff\xfe bytes\nfine \xef\xbf\xbd\n")
    lines = list(read_lines(str(path)))
    assert lines[0].text == "first"
    assert lines[1].text == "bad \ufffd\ufffd bytes"
    assert [line.damaged for line in lines] == [0, 2, 0]


def test_nul_bytes_before_a_line_are_left_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\0" * 1000 + b"line\nin\0side\n")
    assert texts(path) == ["line", "in\ufffdside"]


def test_long_lines_are_cut_and_the_rest_of_them_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"short\n" + b"x" * 5000 + b"\nnext\n")
    lines = list(read_lines(str(path), longest=100))
    assert [(len(line.text), line.cut) for line in lines] == [(5, False), (100, True), (4, False)]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert texts(tmp_path / "log") == []


def test_a_rotation_is_read_from_the_oldest_on(tmp_path: Path) -> None:
    names = ["access.log", "access.log.1", "access.log.2.gz", "access.log.10.gz"]
    for name in names:
        (tmp_path / name).touch()
    assert [Path(name).name for name in expand([str(tmp_path / "access.log*")])] == names[::-1]
    assert len(expand([str(tmp_path / "*"), str(tmp_path / "access.log")])) == 4


def test_what_another_program_writes_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "from-zcat"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"one\ntwo\n",))
    writer.start()
    assert [line.text for name in expand([str(pipe)]) for line in read_lines(name)] == ["one", "two"]
    writer.join(60)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    for name in ("nothing.log", "*.nothing"):
        with pytest.raises(LogFileError, match="no such file"):
            expand([str(tmp_path / name)])
    with pytest.raises(LogFileError, match="folder"):
        expand([str(tmp_path)])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a line of fifty bytes or so, again and again ......\n" * 200_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_lines(str(path))) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@given(content=st.binary(max_size=500))
def test_no_bytes_are_too_odd(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("odd") / "log"
    path.write_bytes(b"x" + content)  # a first byte that no packer writes
    lines = list(read_lines(str(path), longest=50))
    assert len(lines) == len((b"x" + content).split(b"\n")) - (content.endswith(b"\n"))
    for line in lines:
        line.text.encode()
