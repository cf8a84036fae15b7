"""The wheel holds every package, installs alone into a clean environment, and stays light there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

#: One worker builds the wheel, for all tests of it.
pytestmark = [pytest.mark.xdist_group("packaging"), pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = SETTINGS["tool"]["setuptools"]["packages"]
#: Packages that the light install can import; the others need an extra and say so.
LIGHT = [
    "sla_kit",
    "sla_kit.catalogue",
    "sla_kit.cli",
    "sla_kit.alert_rules",
    "sla_kit.dashboards",
    "sla_kit.exporters",
]

_LOGS = (
    "name: shop\nservices:\n  - name: api\n    slos:\n"
    "      - {name: up, objective: 99%, sli: {kind: log-events, bad: 'http.response.status_code:[500 TO *]'}}\n"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves traces in its tree, and other tests are at work in this one."""
    tree, out = tmp_path_factory.mktemp("tree") / "sla-kit", tmp_path_factory.mktemp("wheel")
    aside = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "demo-report")
    shutil.copytree(ROOT, tree, ignore=aside)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(tree)]
    built = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and its own dependencies only."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, timeout=900)
    return python


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *arguments], capture_output=True, text=True, timeout=600, cwd=cwd)


def test_every_package_of_the_tree_is_declared() -> None:
    inits = (ROOT / "sla_kit").rglob("*/__init__.py")
    own = [path for path in inits if not any(folder.is_symlink() for folder in path.parents)]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in own}
    for name in ("alert_rules", "dashboards", "exporters", "examples"):
        packages = (path.parent.relative_to(ROOT).parts for path in (ROOT / name).rglob("__init__.py"))
        found |= {".".join(("sla_kit", *parts)) for parts in packages} | {f"sla_kit.{name}"}
    assert found | {"sla_kit"} == set(PACKAGES)


def test_the_light_install_imports_and_leaves_the_heavy_libraries_out(clean: Path, tmp_path: Path) -> None:
    code = (
        f"import importlib, sys\nfor name in {LIGHT}: importlib.import_module(name)\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'requests', 'grafanalib', 'elasticsearch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = run(clean, "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_no_package_lands_beside_sla_kit(clean: Path, tmp_path: Path) -> None:
    names = ("dashboards", "exporters", "alert_rules", "examples", "tests")
    code = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    assert run(clean, "-c", code, cwd=tmp_path).stdout.strip() == "[]"


def test_the_command_runs_and_checks_the_shipped_example(clean: Path, tmp_path: Path) -> None:
    command = clean.parent / "sla-kit"
    assert "report" in run(command, "--help", cwd=tmp_path).stdout
    code = "from importlib.resources import files; print(files('sla_kit.examples') / 'astralfield')"
    folder = run(clean, "-c", code, cwd=tmp_path).stdout.strip()
    result = run(command, "check", "-c", folder, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("command", ["report", "status"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(clean: Path, tmp_path: Path, command: str) -> None:
    code = "from importlib.resources import files; print(files('sla_kit.examples') / 'astralfield')"
    folder = run(clean, "-c", code, cwd=tmp_path).stdout.strip()
    arguments = [command, "-c", folder, "--source", "http://127.0.0.1:9"]
    result = run(clean.parent / "sla-kit", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "pip install 'sla-kit[report]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["route serve --listen 127.0.0.1:0", "outbox list", "silence list"])
def test_what_the_router_lacks_is_named_with_its_extra(clean: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "sla.yml").write_text(
        "name: shop\nmonitoring: {alertmanager: 'http://127.0.0.1:9'}\ncontacts: [{name: sre, slack: '#sre'}]\n"
        "services: [{name: api, slos: [{name: up, objective: 99%, sli: {kind: probe}}]}]\n"
    )
    result = run(clean.parent / "sla-kit", *command.split(), cwd=tmp_path)
    assert result.returncode == 2
    assert "pip install 'sla-kit[router]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("logs example --out shop", "elasticsearch"),
        ("logs load /dev/null --dry-run", "elasticsearch"),
        ("logs apply -c sla.yml --source elasticsearch+http://127.0.0.1:9 --dry-run", "elasticsearch"),
        ("errors -c sla.yml --source elasticsearch+http://127.0.0.1:9", "elasticsearch,ledger"),
        ("errors show 3f2a -c sla.yml --source elasticsearch+http://127.0.0.1:9", "elasticsearch,ledger"),
        ("errors resolve 0123456789abcdef --service api -c sla.yml", "elasticsearch,ledger"),
    ],
    ids=["example", "load", "apply", "errors", "show", "resolve"],
)
def test_what_commands_of_logs_lack_is_named_with_their_extra(
    clean: Path, tmp_path: Path, command: str, extra: str
) -> None:
    (tmp_path / "sla.yml").write_text(_LOGS)
    result = run(clean.parent / "sla-kit", *command.split(), cwd=tmp_path)
    assert result.returncode == 2
    assert f"pip install 'sla-kit[{extra}]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_configuration_of_logs_is_written_by_the_light_install(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(_LOGS)
    result = run(clean.parent / "sla-kit", "logs", "generate", "--out", "build", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "build" / "logs" / "elasticsearch" / "index-template.json").exists()


@pytest.mark.parametrize(
    ("extras", "commands"),
    [
        ("elasticsearch", ("logs example --out shop --hours 0.1", "logs load shop/access.log --dry-run")),
        ("exporters", ("exporter logs --check",)),
    ],
    ids=["elasticsearch", "exporters"],
)
def test_the_extras_of_logs_are_all_that_they_need(
    wheel: Path, tmp_path: Path, extras: str, commands: tuple[str, ...]
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel}[{extras}]"], check=True, timeout=900)
    shutil.copy(ROOT / "exporters" / "logs" / "example.yml", tmp_path / "logs.yml")
    for command in commands:
        configured = ["--config", "logs.yml"] if command.startswith("exporter") else []
        result = run(python.parent / "sla-kit", *command.split(), *configured, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_the_extra_of_the_router_is_all_that_it_needs(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "router", with_pip=True)
    python = tmp_path / "router" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel}[router]"], check=True, timeout=900)
    names = [name for name in PACKAGES if name.startswith(("sla_kit.routing", "sla_kit.serving"))]
    code = (
        "import importlib, pkgutil\n"
        f"for name in {names}:\n"
        "    package = importlib.import_module(name)\n"
        "    for part in pkgutil.iter_modules(package.__path__):\n"
        "        if part.name not in ('env', 'versions'): importlib.import_module(f'{name}.{part.name}')\n"
    )
    result = run(python, "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    # What is imported only once it is needed, too; of PagerDuty's two libraries one is enough.
    code = (
        "import ast, importlib.util, pathlib, sla_kit.routing\n"
        "for path in pathlib.Path(sla_kit.routing.__path__[0]).rglob('*.py'):\n"
        "    for node in ast.walk(ast.parse(path.read_text())):\n"
        "        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []\n"
        "        names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []\n"
        "        for name in {name.partition('.')[0] for name in names} - {'pdpyras'}:\n"
        "            assert importlib.util.find_spec(name), f'{path} imports {name}'\n"
    )
    result = run(python, "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (tmp_path / "sla.yml").write_text(
        "name: shop\n"
        "contacts: [{name: sre, slack: '#sre', pagerduty: primary, email: sre@example.com}]\n"
        "routing: {email: {host: mail.example.com, sender: sla-kit@example.com}}\n"
        "services: [{name: api, slos: [{name: up, objective: 99%, sli: {kind: probe}}]}]\n"
    )
    secrets = {"SLACK_BOT_TOKEN": "xoxb-1", "PAGERDUTY_KEY": "0" * 32}
    command = [str(python.parent / "sla-kit"), "route", "serve", "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=secrets)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_package_of_the_wheel_imports_with_everything_installed(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "full", with_pip=True)
    python = tmp_path / "full" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel}[all]"], check=True, timeout=900)
    code = f"import importlib, sla_kit\nfor name in {PACKAGES}: importlib.import_module(name)\nprint(sla_kit.__file__)"
    result = run(python, "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(tmp_path))


def test_every_package_imports_from_the_editable_install(tmp_path: Path) -> None:
    code = f"import importlib, sla_kit\nfor name in {PACKAGES}: importlib.import_module(name)\nprint(sla_kit.__file__)"
    result = run(Path(sys.executable), "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(ROOT))


def test_every_file_of_the_examples_is_in_the_wheel(wheel: Path) -> None:
    there = {name.removeprefix("sla_kit/") for name in zipfile.ZipFile(wheel).namelist()}
    files = [path for path in (ROOT / "examples").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    wanted = {str(path.relative_to(ROOT)) for path in files}
    assert wanted - there == set()
    assert {"examples/exporters/Dockerfile", "examples/exporters/kubernetes/slo.yml"} <= wanted
