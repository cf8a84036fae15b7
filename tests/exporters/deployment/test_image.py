"""The image, really built from its Dockerfile, and run as an orchestrator would: process 1 of its own, user 65532,
nothing to write to but its volumes, no capability left. That takes root.

Its base is a stand-in of the same name (.ci/base-image): the distribution's own Python.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alert_rules.provoking import until
from tests.exporters.deployment.examples import EXAMPLES
from tests.exporters.jobs.reading import fetched
from tests.servers.process import binary, free_port

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(1500)]

ROOT = EXAMPLES.parent.parent
BASE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sla-kit-tools" / "python-base"
USER = "65532"

#: What a runtime does for a container. $1 is the image's file system, $2 the configuration.
_RUN = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -t tmpfs -o uid=65532,gid=65532,mode=0750 tmpfs "$1/var/lib/sla-kit"
mount --bind "$2" "$1/etc/sla-kit"
root=$1
shift 2
exec chroot "$root" setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --inh-caps=-all \
  --bounding-set=-all -- "$@"
"""


@dataclass(frozen=True)
class Image:
    """A built image: its file system, and what it says of how to run it."""

    root: Path
    entrypoint: list[str]
    command: list[str]
    environment: dict[str, str]
    user: str
    healthcheck: list[str]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if not (BASE / "usr" / "bin" / "python3").exists():
        pytest.fail("the base of images is not there; try: .ci/base-image", pytrace=False)
    folder = tmp_path_factory.mktemp("image")
    program = binary("buildah", "buildah")
    options = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def buildah(*arguments: str) -> str:
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        done = subprocess.run(
            [program, *options, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    containers: list[str] = []
    try:
        containers.append(buildah("from", "scratch"))
        base = Path(buildah("mount", containers[0]))
        shutil.copytree(BASE, base, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dev", "proc"))
        _as_here(base)
        name = "localhost/python:3.13-slim-bookworm"
        buildah("commit", "--quiet", containers[0], name)
        dockerfile = EXAMPLES / "Dockerfile"
        asked = ["--build-arg", "EXTRAS=exporters,backup", "--ignorefile", f"{dockerfile}.dockerignore"]
        # Health checks are Docker's: its own format has them.
        asked += ["--format", "docker", "--pull-never", "--network", "host", "--quiet"]
        buildah("build", *asked, "--file", str(dockerfile), "--tag", "sla-kit:test", ".")
        containers.append(buildah("from", "--pull-never", "sla-kit:test"))
        settings: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", "sla-kit:test"))["Docker"]["config"]
        yield Image(
            Path(buildah("mount", containers[1])),
            settings["Entrypoint"],
            settings["Cmd"],
            dict(each.partition("=")[::2] for each in settings["Env"]),
            settings["User"],
            settings["Healthcheck"]["Test"],
        )
    finally:
        for each in containers:
            subprocess.run([program, *options, "umount", each], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _as_here(base: Path) -> None:
    """Packages come from where this machine takes them: its settings of pip, and the certificates that it trusts."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = dict(line.partition("=")[::2] for line in listed.splitlines())
    kept = {key.split(".")[-1]: value.strip("'") for key, value in settings.items()}
    wanted = {key: value for key, value in kept.items() if key in ("index-url", "extra-index-url", "timeout")}
    (base / "etc" / "pip.conf").write_text(
        "[global]\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items())
    )
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        shutil.copy(certificates, base / certificates.relative_to("/"))
        with (base / "etc" / "pip.conf").open("a") as file:
            file.write(f"cert = {certificates}\n")


@contextmanager
def container(image: Image, configuration: Path, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the image, while the block lasts."""
    isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _RUN, "sh"]
    places = [str(image.root), str(configuration)]
    with subprocess.Popen(
        [*isolated, *places, *command],
        env={**image.environment, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output(image: Image, configuration: Path, *command: str, **more: str) -> tuple[int, str]:
    with container(image, configuration, *command, **more) as process:
        said, _ = process.communicate(timeout=120)
        return process.returncode, said


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """The example's, with a database that comes with Python."""
    found = yaml.safe_load((EXAMPLES / "etc" / "business.yml").read_text())
    found["listen"] = f":{free_port()}"
    found["sources"] = {"shop": {"kind": "sqlite", "file": "/etc/sla-kit/shop.db"}}
    query = found["queries"]["active_users"]
    query["sql"] = "SELECT 3 AS users WHERE :window_seconds > 0"
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE users (id INTEGER)")
    (tmp_path / "business.yml").write_text(yaml.safe_dump(found))
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_image_runs_as_nobody_in_particular_and_writes_nowhere(image: Image, configuration: Path) -> None:
    assert image.user == f"{USER}:{USER}"
    probe = (
        "id -u; for f in /x /opt/sla-kit/x /etc/x; do touch $f && echo written; done; touch /tmp/x /var/lib/sla-kit/x"
    )
    code, said = output(
        image, configuration, "sh", "-c", probe + "; grep -E '^Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status"
    )
    assert code == 0, said
    assert said.splitlines()[0] == USER
    assert "written" not in said
    assert said.count("Read-only file system") + said.count("Permission denied") == 3
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


def test_its_tools_are_gone_and_every_exporter_is_there(image: Image, configuration: Path) -> None:
    code, said = output(image, configuration, "python", "-c", "import pip")
    assert code == 1, said
    for name in ("business", "backup"):
        assert output(image, configuration, *image.entrypoint, "exporter", name, "--help")[0] == 0


def test_it_serves_is_healthy_and_ends_by_sigterm_as_process_1(image: Image, configuration: Path) -> None:
    address = yaml.safe_load((configuration / "business.yml").read_text())["listen"]
    url = f"http://127.0.0.1{address}"
    healthz = {"SLA_KIT_HEALTHCHECK_URL": f"{url}/healthz"}
    [kind, *check] = image.healthcheck
    assert kind == "CMD"
    code, said = output(image, configuration, *check, **healthz)
    assert code == 1, said
    with container(image, configuration, *image.entrypoint, *image.command) as process:

        def answers() -> bool:
            assert process.poll() is None, process.communicate()[0]
            return output(image, configuration, *check, **healthz)[0] == 0

        until(answers, "the health check passes")
        until(lambda: 'sla_business_active_users{window="5m"} 3' in fetched(f"{url}/metrics"), "it publishes")
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        status = Path(f"/proc/{child}/status").read_text()
        assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
        assert "NSpid:\t" + f"{child}\t1" in status
        os.kill(int(child), signal.SIGTERM)
        assert process.wait(60) == 0
