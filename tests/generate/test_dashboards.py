"""What Grafana is given: every dashboard once, in its folder, from files or by ConfigMaps that can be applied."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.generate.dashboards import MOUNTED, Document, datasources, folder_uid
from sla_kit.generate.files import OutputError
from sla_kit.generate.kubernetes import Names
from sla_kit.generate.kubernetes_dashboards import _dashboard
from sla_kit.generate.plan import counted, outputs
from tests.generate.test_plan import AT, ODD, ROOT, TWO

ASTRAL = ROOT / "examples" / "astralfield"
#: The names of objects, of keys of a ConfigMap, of labels' values, as the API server has them.
OBJECT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def texts(form: str, parts: tuple[str, ...] = ("dashboards",)) -> dict[str, str]:
    return {each.path: each.text for each in outputs(load(ASTRAL, "production"), AT, parts, form)}


def test_every_dashboard_lands_in_its_folder() -> None:
    """A provider brings one file, so the files may lie flat."""
    found = texts("files")
    written = {path: json.loads(text) for path, text in found.items() if path.startswith("dashboards/")}
    providers = yaml.safe_load(found["provisioning/dashboards/sla-kit.yml"])["providers"]
    wanted = {each.name: (each.title, each.folder) for each in dashboards_of(load(ASTRAL, "production"))}
    assert {PurePosixPath(path).stem: each["title"] for path, each in written.items()} == {
        name: title for name, (title, _) in wanted.items()
    }
    assert all(re.fullmatch(r"dashboards/[\w-]+\.json", path) for path in written)
    paths = {PurePosixPath(each["options"]["path"]): each for each in providers}
    assert {path.stem: each["folder"] for path, each in paths.items()} == {
        name: folder for name, (_, folder) in wanted.items()
    }
    assert all(str(path.parent) == MOUNTED for path in paths)
    assert len({each["name"] for each in providers}) == len(providers) == len(written)
    # One uid a folder, and one folder a uid, of at most 40 characters.
    pairs = {(each["folder"], each["folderUid"]) for each in providers}
    assert len(pairs) == len({folder for folder, _ in pairs}) == len({uid for _, uid in pairs})
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for _, uid in pairs)
    assert counted(outputs(load(ASTRAL, "production"), AT, ("dashboards",))).dashboards == len(wanted)


def test_a_catalogue_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(ODD)
    for form in ("files", "kubernetes"):
        paths = [each.path for each in outputs(load(tmp_path / "sla.yml"), AT, ("dashboards",), form)]
        assert any(re.fullmatch(r"(?i)dashboards/k-se-s-hne-odd-1-overview\.(json|yml)", path) for path in paths)


def test_a_folders_uid_is_short_and_stays() -> None:
    assert folder_uid("Live events") == "sla-kit-live-events"
    assert len(folder_uid("a" * 80)) == 40


def test_data_sources_are_where_the_catalogue_says() -> None:
    [metrics, logs] = yaml.safe_load(texts("files")["provisioning/datasources/sla-kit.yml"])["datasources"]
    assert (metrics["type"], metrics["url"], metrics["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert metrics["jsonData"]["timeInterval"] == "15s"
    assert (logs["type"], logs["url"], logs["jsonData"]["timeField"]) == (
        "elasticsearch",
        "http://elasticsearch:9200",
        "@timestamp",
    )


def test_each_server_and_tenant_is_a_data_source(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(TWO.replace("tenant: two", 'tenant: "two$"'))
    found = datasources(load(tmp_path / "sla.yml"), with_logs=False)["datasources"]
    assert [(each["name"], each["url"], each["isDefault"]) for each in found] == [
        ("Prometheus eu", "http://eu:9090", True),
        ("Prometheus us", "http://us:9090", False),
    ]
    assert len({each["uid"] for each in found}) == 2
    # Grafana reads "$$" as "$", and anything else after a "$" as a variable's name.
    assert [each["secureJsonData"]["httpHeaderValue1"] for each in found] == ["one", "two$$"]


def test_config_maps_hold_the_same_dashboards_for_the_sidecar() -> None:
    files = {
        PurePosixPath(path).name: json.loads(text)
        for path, text in texts("files").items()
        if path.startswith("dashboards/")
    }
    folders = {f"{each.name}.json": each.folder for each in dashboards_of(load(ASTRAL, "production"))}
    maps = {path: yaml.safe_load(text) for path, text in texts("kubernetes").items()}
    held: dict[str, Any] = {}
    for path, each in maps.items():
        assert (each["apiVersion"], each["kind"]) == ("v1", "ConfigMap")
        assert OBJECT.fullmatch(each["metadata"]["name"])
        assert len(json.dumps(each).encode()) < 262_144, path  # what an annotation, kubectl's copy, may hold
        [key] = each["data"]
        assert KEY.fullmatch(key)
        if path == "datasources.yml":
            assert each["metadata"]["labels"]["grafana_datasource"] == "1"
            [metrics, logs] = yaml.safe_load(each["data"][key])["datasources"]
            assert metrics["url"] == "http://prometheus-operated.monitoring.svc:9090"
            assert logs["url"] == "http://elasticsearch.monitoring.svc:9200"
        else:
            assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
            assert each["metadata"]["annotations"] == {"grafana_folder": folders[key]}
            held[key] = json.loads(each["data"][key])
    assert held == files
    assert len({each["metadata"]["name"] for each in maps.values()}) == len(maps)
    assert texts("ruler") == {}


@pytest.mark.parametrize(("panels", "lines", "server_side"), [(12, 100, False), (1_500, 1, False), (4_500, 1, True)])
def test_a_large_dashboard_can_still_be_applied(panels: int, lines: int, server_side: bool) -> None:
    """On one line where that is enough for kubectl's copy, else by the server, which keeps none."""
    odd = "a\x85b\u2028c\ufeff#: '\"\\ {{x}} é"
    document = {"title": odd, "panels": [{"title": odd, "gridPos": {"x": 1, "y": 2, "w": 3, "h": 4}}] * panels}
    made = Document("large", "large", odd, odd, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    text = _dashboard(made, "monitoring")
    manifest = yaml.safe_load(text)
    assert json.loads(manifest["data"]["large.json"]) == document
    assert manifest["metadata"]["annotations"]["grafana_folder"] == odd
    size = len(json.dumps(manifest, ensure_ascii=False).encode())
    assert (
        (size >= 262_144) is ("argocd.argoproj.io/sync-options" in manifest["metadata"]["annotations"]) is server_side
    )
    assert ("--server-side" in text) is server_side
    assert len(manifest["data"]["large.json"].splitlines()) >= lines
    assert (len(manifest["data"]["large.json"].splitlines()) == 1) is (lines == 1)


def test_one_that_no_config_map_can_hold_is_refused() -> None:
    made = Document("huge", "huge", "Huge", "F", json.dumps({"title": "x" * 1_100_000}))
    with pytest.raises(OutputError, match="'Huge' is larger than Kubernetes lets") as told:
        _dashboard(made, "monitoring")
    assert "push" in told.value.remedy


def test_names_that_kubernetes_takes_for_one_are_refused() -> None:
    names = Names()
    assert names.path("dashboards", "a_b", "the dashboard") == "dashboards/a-b.yml"
    assert names.path("dashboards", "a_b", "the dashboard") == "dashboards/a-b.yml"
    with pytest.raises(OutputError, match="the dashboard 'a_b' and the dashboard 'A-b' would both be called 'a-b'"):
        names.path("dashboards", "A-b", "the dashboard")


WITHOUT = """
import sys
sys.modules["grafanalib"] = None  # as where the extra is not installed
from sla_kit.cli import main
main()
"""


@pytest.mark.parametrize(
    ("only", "code"), [((), 2), (("--only", "dashboards"), 2), (("--only", "rules", "--only", "config"), 0)]
)
def test_without_the_extra_the_other_parts_are_made(only: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """That dashboards are missing is never passed over: the same command makes the same files anywhere."""
    (tmp_path / "sla.yml").write_text(TWO)
    command = [sys.executable, "-c", WITHOUT, "generate", "-c", "sla.yml", *only]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    if code:
        assert "pip install 'sla-kit[dashboards]'" in done.stderr
        assert not (tmp_path / "build").exists()
    else:
        assert (tmp_path / "build" / "prometheus.yml").is_file()


@pytest.mark.parametrize("form", ["files", "kubernetes"])
def test_check_sees_a_dashboard_that_was_changed(form: str, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(TWO)
    entry = [str(Path(sys.executable).parent / "sla-kit"), "generate", "-c", "sla.yml", "--only", "dashboards"]
    entry += ["--format", form]

    def called(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, *more], capture_output=True, text=True, check=False, cwd=tmp_path)

    made = called()
    assert made.returncode == 0, made.stderr
    kind = "json" if form == "files" else "yml"
    amount = len(list((tmp_path / "build" / "dashboards").glob(f"*.{kind}")))
    assert f"{amount} dashboards" in made.stdout
    assert called("--check").returncode == 0
    place = tmp_path / "build" / "dashboards" / f"redis.{kind}"
    place.write_text(place.read_text().replace('"title": "Redis"', '"title": "Mine"'))
    checked = called("--check")
    assert checked.returncode == 1
    assert f"dashboards/redis.{kind}: changed" in checked.stderr
    assert '"title": "Mine"' in checked.stderr
