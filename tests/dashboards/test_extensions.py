"""Dashboards of other packages and of the catalogue: found, chosen, and told what is wrong with them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sla_kit.catalogue import check
from sla_kit.catalogue.model import Catalogue
from sla_kit.cli import main
from sla_kit.dashboards import dashboards_of, own_dashboards
from sla_kit.dashboards.choosing import links_of
from sla_kit.dashboards.extensions import DashboardError
from sla_kit.generate.plan import rule_files
from sla_kit.rules.model import AlertingRule
from tests.dashboards.catalogues import AT, SHOP, catalogue_of, found_in

BOARD = """\
from sla_kit.dashboards.vocabulary import Dashboard, leads_to, row, stat


def dashboard(catalogue):
    panel = stat("Up", "min(up{$scope})", unit="short", description=f"Of {catalogue.name}.",
                 links=(leads_to("redis", "Redis"),))
    return Dashboard(name="NAME", title="TITLE", description="d", folder="F", rows=(row("R", panel),))


def several(catalogue):
    from dataclasses import replace
    first = dashboard(catalogue)
    return [first, replace(first, name="second", title="Second")]
"""


def board(name: str = "mine", title: str = "Mine") -> str:
    return BOARD.replace("NAME", name).replace("TITLE", title)


def shop(folder: Path, monitoring: str = "", code: str = board()) -> Catalogue:
    (folder / "boards").mkdir(exist_ok=True)
    (folder / "boards" / "mine.py").write_text(code)
    return catalogue_of(f"{SHOP}monitoring: {{{monitoring}}}\n", folder)


def names(catalogue: Catalogue) -> set[str]:
    return {each.name for each in dashboards_of(catalogue)}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages, with one that brings dashboards, as pip leaves them."""
    site = tmp_path / "site"
    (site / "acme_boards-1.0.dist-info").mkdir(parents=True)
    (site / "acme_boards-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-boards\nVersion: 1.0\n"
    )
    points = "[sla_kit.dashboards]\nacme = acme_boards_of_test:several\n"
    (site / "acme_boards-1.0.dist-info" / "entry_points.txt").write_text(points)
    (site / "acme_boards_of_test.py").write_text(board("acme", "Acme"))
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("acme_boards_of_test", None)


def test_a_file_beside_the_catalogue_brings_a_dashboard(tmp_path: Path) -> None:
    catalogue = shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}")
    [mine] = [each for each in dashboards_of(catalogue) if each.name == "mine"]
    assert mine.panels[0].description == "Of shop."
    assert found_in(catalogue) == []


def test_a_function_may_bring_several(tmp_path: Path) -> None:
    assert {"mine", "second"} <= names(shop(tmp_path, "dashboards: {x: 'boards/mine.py:several'}"))


def test_an_installed_package_brings_dashboards_by_its_entry_point(tmp_path: Path, installed: Path) -> None:
    assert {"acme", "second"} <= names(shop(tmp_path))
    assert found_in(shop(tmp_path)) == []


def test_one_of_an_entry_points_dashboards_can_be_switched_off(tmp_path: Path, installed: Path) -> None:
    found = names(shop(tmp_path, "dashboards: {second: off}"))
    assert "acme" in found
    assert "second" not in found


def test_an_entry_point_that_is_off_is_not_loaded(tmp_path: Path, installed: Path) -> None:
    (installed / "acme_boards_of_test.py").write_text("raise RuntimeError('loaded')")
    assert not {"acme", "second"} & names(shop(tmp_path, "dashboards: {acme: off}"))
    with pytest.raises(DashboardError, match="RuntimeError: loaded"):
        dashboards_of(shop(tmp_path))


def test_a_module_that_is_installed_can_be_named(tmp_path: Path, installed: Path) -> None:
    catalogue = shop(tmp_path, "dashboards: {acme: off, there: 'acme_boards_of_test:dashboard'}")
    # The name of the entry point is also that of the dashboard, and off is off.
    assert "acme" not in names(catalogue)
    catalogue = shop(tmp_path, "dashboards: {acme: 'acme_boards_of_test:dashboard'}")
    assert "acme" in names(catalogue)
    assert "second" not in names(catalogue)


def test_a_name_of_ours_can_lead_to_theirs(tmp_path: Path) -> None:
    code = (
        "from dataclasses import replace\nfrom sla_kit.dashboards import redis\n"
        "from sla_kit.dashboards.vocabulary import row, stat\n\n\ndef dashboard(catalogue):\n"
        "    ours = redis.dashboard(catalogue)\n"
        "    own = stat('Own', 'min(up{$scope})', unit='short', description='d')\n"
        "    return replace(ours, rows=(row('Own', own), *ours.rows))\n"
    )
    catalogue = shop(tmp_path, "dashboards: {redis: 'boards/mine.py:dashboard'}", code)
    [redis] = [each for each in dashboards_of(catalogue) if each.name == "redis"]
    assert [each.title for each in redis.rows][:2] == ["Own", "Now"]
    assert found_in(catalogue) == []


# --- which there are --------------------------------------------------------------------------------------------------


def test_without_a_word_all_of_ours_are_there(tmp_path: Path) -> None:
    catalogue = shop(tmp_path)
    assert names(catalogue) == {each.name for each in own_dashboards(catalogue)}


def test_nothing_leads_to_a_dashboard_that_is_off(tmp_path: Path) -> None:
    grafana = "grafana: https://grafana.example.com"
    catalogue = shop(tmp_path, f"dashboards: {{redis: off, postgresql: off}}, {grafana}")
    assert {each.name for each in own_dashboards(catalogue)} - names(catalogue) == {"redis", "postgresql"}
    linked = {link.dashboard for each in dashboards_of(catalogue) for link in links_of(each)}
    assert "application" in linked
    assert not {"redis", "postgresql"} & linked
    led = {
        rule.alert: rule.annotations.get("dashboard_url", "")
        for file in rule_files(catalogue, AT)
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertingRule)
    }
    assert led["RedisDown"] == ""
    assert led["HostCpuHigh"] == "https://grafana.example.com/d/sla-kit-hosts"


def test_an_areas_dashboard_goes_with_it_unless_something_leads_there(tmp_path: Path) -> None:
    catalogue = shop(tmp_path, "areas: {business: off, postgresql: off, live_events: off}")
    missing = {each.name for each in own_dashboards(catalogue)} - names(catalogue)
    # Backups and live events lead to PostgreSQL, nothing leads to the business figures.
    assert missing >= {"business"}
    assert "postgresql" not in missing
    kept = shop(tmp_path, "areas: {business: off}, dashboards: {business: on}")
    assert "business" in names(kept)


def test_the_wall_and_monitoring_itself_go_with_no_area(tmp_path: Path) -> None:
    found = names(shop(tmp_path, "areas: {probes: off, monitoring: off}"))
    assert {"shop-overview", "monitoring"} <= found


def test_one_of_two_areas_keeps_the_dashboard_of_both(tmp_path: Path) -> None:
    """Deliveries and security have one."""
    assert "delivery" in names(shop(tmp_path, "areas: {delivery: off}"))
    assert "delivery" in names(shop(tmp_path, "areas: {security: off}"))


# --- what is wrong ----------------------------------------------------------------------------------------------------

MISTAKES: list[tuple[str, str]] = [
    (
        "raise ValueError('no')",
        r"mine.py:1: monitoring.dashboards.x \(boards/mine.py:dashboard\) fails: ValueError: no",
    ),
    ("def dashboard(c):\n    return 1 / 0\n", r"mine.py:2: .* fails: ZeroDivisionError: division by zero"),
    ("def dashboard(c)\n    pass\n", r"mine.py:1: .* fails: SyntaxError: expected ':'"),
    ("import missing_of_test\n", r"mine.py:1: .* fails: ModuleNotFoundError: No module named 'missing_of_test'"),
    ("def dashbord(c):\n    pass\n", r"boards/mine.py has no function 'dashboard'\n  try: did you mean dashbord\?"),
    ("dashboard = 3\n", r"monitoring.dashboards.x .*: it leads to a int, which is no function"),
    (
        "\n\ndef dashboard(c):\n    return None\n",
        r"mine.py:3: .* its function returns nothing\n  try: return a Dashboard",
    ),
    ("def dashboard(c):\n    return [1]\n", r"mine.py:1: .* its function returns a int"),
    (
        "from sla_kit.dashboards.vocabulary import stat\ndef dashboard(c):\n\n    return stat('x', 'up', unit='s')\n",
        r"mine.py:4: .* TypeError: stat\(\) missing 1 required keyword-only argument: 'description'",
    ),
    (
        "from sla_kit.dashboards.vocabulary import exporter_from\nX = exporter_from('nowhere.yml')\n",
        r"nowhere.yml: the exporter can't be read",
    ),
]


@pytest.mark.parametrize(("code", "message"), MISTAKES, ids=[code.split("\n")[0][:30] for code, _ in MISTAKES])
def test_what_fails_is_told_with_its_line(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DashboardError if "exporter_from" not in code else Exception, match=message):
        dashboards_of(shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}", code))


def test_an_entry_point_that_leads_nowhere_is_named(tmp_path: Path, installed: Path) -> None:
    points = installed / "acme_boards-1.0.dist-info" / "entry_points.txt"
    points.write_text("[sla_kit.dashboards]\nacme = acme_boards_of_test:nobody\n")
    with pytest.raises(
        DashboardError, match=r"the entry point 'acme' of the package acme-boards fails: AttributeError"
    ):
        dashboards_of(shop(tmp_path))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (board("redis", "Mine"), "brings a dashboard with the name 'redis', which sla-kit brings, too"),
        (board("Redis", "Mine"), "brings a dashboard with the name 'Redis', which sla-kit brings, too"),
        (
            board().replace('name="mine"', 'name="mine", uid="sla-kit-redis"'),
            "with the uid 'sla-kit-redis', which sla-kit",
        ),
    ],
)
def test_names_and_uids_are_taken_once(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match=message):
        dashboards_of(shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}", code))


def test_a_dashboard_that_there_is_not_cannot_be_switched(tmp_path: Path) -> None:
    with pytest.raises(
        DashboardError, match=r"there is no dashboard 'rediss' to switch on or off\n  try: did you mean redis\?"
    ):
        dashboards_of(shop(tmp_path, "dashboards: {rediss: off}"))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("boards/mine.py", "'boards/mine.py' leads to no dashboard"),
        ("boards/mine.sh:run", "'boards/mine.sh:run' leads to no dashboard"),
        ("boards/nobodys.py:dashboard", "there is no file boards/nobodys.py"),
    ],
)
def test_the_catalogue_is_told_what_can_lead_nowhere(written: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(f"{SHOP}monitoring:\n  dashboards:\n    x: '{written}'\n")
    _, [mistake] = check(tmp_path / "sla.yml")
    assert mistake.message == message
    assert mistake.line == 10


def test_a_module_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match=r"there is no module 'nobodys_boards'\n  try: install its package"):
        dashboards_of(shop(tmp_path, "dashboards: {x: 'nobodys_boards.orders:dashboard'}"))


def test_a_file_outside_the_catalogues_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "mine.py").write_text(board())
    with pytest.raises(DashboardError, match="lies outside the catalogue's folder"):
        dashboards_of(shop(inside, "dashboards: {x: '../mine.py:dashboard'}"))


# --- whose code runs when ---------------------------------------------------------------------------------------------

_TRACE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["check"], False),
        (["generate", "--only", "rules", "--out", "OUT"], False),
        (["alerts", "list"], False),
        (["generate", "--only", "dashboards", "--out", "OUT"], True),
        (["dashboards", "list"], True),
        (["dashboards", "check"], True),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_code_that_a_catalogue_names_runs_only_where_dashboards_are_made(
    command: list[str], runs: bool, tmp_path: Path
) -> None:
    shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}", _TRACE + board())
    arguments = [str(tmp_path / "out") if each == "OUT" else each for each in command]
    result = CliRunner().invoke(main, [*arguments, "-c", str(tmp_path / "sla.yml")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "boards" / "ran").exists() == runs


def test_a_shell_that_completes_a_name_runs_none_of_it(tmp_path: Path) -> None:
    shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}", _TRACE + board())
    words = f"sla-kit preview -c {tmp_path / 'sla.yml'} red"
    asked = {"_SLA_KIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", "from sla_kit.cli import main; main(prog_name='sla-kit')"],
        env={**os.environ, **asked}, capture_output=True, text=True,
    )  # fmt: skip
    assert "redis" in done.stdout, done.stderr
    assert not (tmp_path / "boards" / "ran").exists()


def test_the_command_tells_every_fault(tmp_path: Path) -> None:
    shop(tmp_path, "dashboards: {x: 'boards/mine.py:dashboard'}", board().replace("min(up", "min(upp"))
    result = CliRunner().invoke(main, ["dashboards", "check", "-c", str(tmp_path / "sla.yml")])
    assert result.exit_code == 1
    assert "mine: panel 'Up', query A: upp is not in the inventory\n" in result.output
