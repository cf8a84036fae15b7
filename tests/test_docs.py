"""The documentation's examples run, its links lead somewhere, and every command is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench/README.md"]


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page, without those that are marked as not run."""
    text = re.sub(r"<!-- not run[^>]*-->\s*```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_tour_in_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(blocks(ROOT / "docs/library.md", "python"))
    exec(compile(code, "docs/library.md", "exec"), {"__name__": "tour"})
    printed = capsys.readouterr().out
    assert "report.json" in printed
    assert "availability" in printed


def test_the_catalogue_of_the_readme_is_right(tmp_path: Path) -> None:
    from sla_kit import load

    [yaml] = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "sla.yml").write_text(yaml)
    assert [slo.name for _, slo in load(tmp_path / "sla.yml").slos()] == ["availability", "p95"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


def test_every_command_has_help_and_is_in_the_documentation() -> None:
    from click.testing import CliRunner

    from sla_kit.cli import main

    words = "".join(page.read_text() for page in PAGES)
    runner = CliRunner()
    for name in main.list_commands(None):  # type: ignore[arg-type]
        result = runner.invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert len(result.output.splitlines()) > 5
        assert f"sla-kit {name}" in words, f"no page tells of `sla-kit {name}`"
