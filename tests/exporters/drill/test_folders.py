"""Scratch folders: made and taken away by drills that clean up after each other at any moment."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sla_kit.exporters.drill.folders import clean_remains, remove, scratch_folder
from tests.exporters.drill.drilling import Shop, configure, drill
from tests.exporters.drill.test_restoring import names_left
from tests.servers import Postgresql


def _once_before(function: Callable[..., Any], first: Callable[[], object]) -> Callable[..., Any]:
    waiting = [first]

    def call(*arguments: Any, **named: Any) -> Any:
        if waiting:
            waiting.pop()()
        return function(*arguments, **named)

    return call


def _once_after(function: Callable[..., Any], then: Callable[[], object]) -> Callable[..., Any]:
    waiting = [then]

    def call(*arguments: Any, **named: Any) -> Any:
        made = function(*arguments, **named)
        if waiting:
            waiting.pop()()
        return made

    return call


@pytest.mark.parametrize("moment", ["before its lock is there", "before it is locked"])
def test_another_drill_that_cleans_up_takes_no_folder_from_one_that_begins(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned: list[Path] = []

    def clean() -> None:
        cleaned.extend(clean_remains(str(tmp_path)))

    if moment == "before it is locked":
        monkeypatch.setattr(fcntl, "flock", _once_before(fcntl.flock, clean))
    else:
        monkeypatch.setattr(tempfile, "mkdtemp", _once_after(tempfile.mkdtemp, clean))
    with scratch_folder(str(tmp_path), None) as folder:
        assert len(cleaned) == (moment == "before it is locked")
        (folder / "dump").write_text("here")
        assert clean_remains(str(tmp_path)) == []
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_of_one_that_was_killed_at_its_first_or_last_step_goes(tmp_path: Path) -> None:
    (tmp_path / "sla-kit-drill-empty").mkdir()
    kept = tmp_path / "sla-kit-drill-kept"
    kept.mkdir()
    (kept / "data").mkdir()
    assert clean_remains(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == [kept]


def test_who_is_killed_while_taking_a_folder_away_leaves_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(str(tmp_path), None))
        (folder / "data" / "below").mkdir(parents=True)
        (folder / "dump").write_text("here")
        monkeypatch.setattr(os, "rmdir", killed)
        with pytest.raises(KilledError):
            stack.close()
    monkeypatch.undo()
    assert clean_remains(str(tmp_path)) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_taken_away_changes_no_rights_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: object, **_: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    folder = tmp_path / "sla-kit-drill-x"
    folder.mkdir()
    (folder / "dump").write_text("here")
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "rmdir", refused)
    remove(folder)
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.xdist_group("drill")
def test_what_is_kept_on_a_given_server_keeps_no_empty_folder(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = configure(tmp_path, "shop", scratch={"url": scratch_server.url, "folder": str(scratch)})
    evidence, failure = drill(path, keep_scratch=True)
    assert failure is None, failure
    assert evidence.outcome == "succeeded"
    assert list(scratch.iterdir()) == []
    for name in names_left(scratch_server):
        scratch_server.run(f"DROP DATABASE {name}")
        scratch_server.run(f"DROP ROLE {name}")
