"""Writing the report: whole files or none, and errors that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sla_kit.errors import SlaKitError
from sla_kit.report import FORMATS, write
from tests.report.sample import sample


def test_every_format_is_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    written = write(sample(), out)
    assert written == [out / f"report.{name}" for name in FORMATS]
    assert sorted(path.name for path in out.iterdir()) == sorted(f"report.{name}" for name in FORMATS)
    assert all(path.stat().st_size > 1000 for path in written)


def test_only_the_asked_formats_are_written_once_each(tmp_path: Path) -> None:
    assert write(sample(), tmp_path, ["json", "markdown", "md"]) == [tmp_path / "report.json", tmp_path / "report.md"]


def test_files_are_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        (path,) = write(sample(), tmp_path, ["csv"])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_unknown_format_is_named_with_the_known_ones_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SlaKitError, match="docx") as caught:
        write(sample(), tmp_path / "out", ["json", "docx"])
    assert "html, md, json, csv, pdf, png" in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SlaKitError) as caught:
        write(sample(), tmp_path / "file" / "out", ["json"])
    assert caught.value.place == str(tmp_path / "file" / "out")
    assert "--out" in caught.value.remedy


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.mkdir()  # a folder where the file should go: the rename fails
    with pytest.raises(SlaKitError) as caught:
        write(sample(), tmp_path, ["json"])
    assert caught.value.place == str(target)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("old")
    write(sample(), tmp_path, ["csv"])
    assert (tmp_path / "report.csv").read_text().startswith("catalogue,")


_WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from sla_kit.errors import MissingExtraError
from sla_kit.report import render, render_bytes
from tests.report.sample import sample
for format in ("json", "csv", "md", "html"):
    assert render(sample(), format)
try:
    render_bytes(sample(), "png")
except MissingExtraError as error:
    print(error)
"""


def test_only_pictures_and_sheets_need_matplotlib_and_say_how_to_install_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_MATPLOTLIB], capture_output=True, text=True, check=True, timeout=600
    )
    assert "'matplotlib'" in done.stdout
    assert "pip install 'sla-kit[report]'" in done.stdout


def test_the_package_itself_imports_nothing_heavy() -> None:
    code = "import sys, sla_kit.report; print(sorted({'numpy', 'pandas', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "[]"
