"""A catalogue's language: its translation is checked with it, each mistake at its own line."""

from __future__ import annotations

from pathlib import Path

from sla_kit.catalogue import check
from sla_kit.report.translations import language_of

CATALOGUE = """\
name: shop
language: {language}
translations: {translations}
services:
  - name: web
    slos:
      - {{name: reachable, objective: 99%, sli: {{kind: probe}}}}
"""


def written(folder: Path, language: str = "de", translations: str = "words") -> Path:
    path = folder / "sla.yml"
    path.write_text(CATALOGUE.format(language=language, translations=translations))
    return path


def test_a_declared_translation_is_used(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "de.po").write_text('msgid "Met"\nmsgstr "Erfüllt"\n', encoding="utf-8")
    catalogue, mistakes = check(written(tmp_path))
    assert mistakes == []
    assert catalogue is not None
    assert language_of(catalogue).messages.gettext("Met") == "Erfüllt"


def test_a_missing_folder_or_file_is_told_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    (one,) = check(path)[1]
    assert (one.line, one.message) == (3, "there is no folder 'words'")
    (tmp_path / "words").mkdir()
    (one,) = check(path)[1]
    assert (one.line, one.message) == (2, "words holds no de.po")


def test_a_broken_translation_is_told_at_the_line_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    broken = tmp_path / "words" / "de.po"
    broken.write_text('msgid "of {allowed}"\nmsgstr "von {erlaubt}"\n')
    (mistake,) = check(written(tmp_path))[1]
    assert Path(mistake.file).resolve() == broken.resolve()
    assert mistake.line == 1
    assert "unknown place {erlaubt}" in mistake.message
    assert "{allowed}" in mistake.hint


def test_no_language_at_all_is_a_mistake(tmp_path: Path) -> None:
    (mistake,) = check(written(tmp_path, language="german!"))[1]
    assert (mistake.line, mistake.message) == (2, "'german!' is no language")


def test_english_of_a_region_needs_no_file(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    catalogue, mistakes = check(written(tmp_path, language="en_GB"))
    assert mistakes == []
    assert catalogue is not None
    assert language_of(catalogue).conventions.tag == "en-GB"
