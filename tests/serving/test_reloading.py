"""Files that change are noticed, once and not too early."""

from __future__ import annotations

from pathlib import Path

from sla_kit.serving.reloading import Watch


def test_a_change_is_told_once_it_has_settled(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    watch = Watch([file, tmp_path / "none"])
    assert not watch.changed()
    file.write_text("22")
    assert not watch.changed()  # it may still be written
    file.write_text("333")
    assert not watch.changed()
    assert watch.changed()
    assert not watch.changed()
    (tmp_path / "none").write_text("")
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]
    file.unlink()
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]


def test_a_file_that_changed_while_it_was_read_is_not_missed(tmp_path: Path) -> None:
    file, more = tmp_path / "file", tmp_path / "more"
    file.write_text("1")
    watch = Watch([file])
    file.write_text("22")
    watch.look_at([file, more])
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]
