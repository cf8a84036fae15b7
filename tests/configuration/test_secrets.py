"""Where secrets are, and who gets to see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.configuration import nodes
from sla_kit.configuration.decode import decode
from sla_kit.configuration.places import Findings
from sla_kit.configuration.secrets import Secret, anchored, check_secret, written
from sla_kit.configuration.values import Duration, Value
from sla_kit.errors import ConfigurationError, SecretError
from sla_kit.redacting import redacted

pytestmark = pytest.mark.usefixtures("passing_secrets")


class Place(Value, frozen=True, kw_only=True):
    password: Secret | None = None


class Places(Value, frozen=True, kw_only=True):
    interval: Duration = 30.0
    by_name: dict[str, Place] = {}  # noqa: RUF012
    several: list[Place] = []  # noqa: RUF012
    token: Secret | None = None


def read(path: Path, text: str) -> Places:
    path.write_text(text)
    root, _ = nodes.read(path, str(path))
    assert isinstance(root, nodes.Mapping)
    found, places, wrong = decode(root, Places, "the configuration", shorthands={Secret: written})
    findings = Findings(places)
    check_secret(found.token, findings, ("token",))
    if wrong or findings.mistakes:
        raise ConfigurationError([*wrong, *findings.mistakes])
    located: Places = anchored(found, path.absolute().parent)
    return located


def test_files_are_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(f"secret of {name}\n")
    monkeypatch.chdir(tmp_path)
    found = read(
        Path("etc/exporter.yml"),
        "by_name: {shop: {password: {file: a}}, club: {}}\n"
        f"several: [{{password: {{file: {folder / 'b'}}}}}]\ntoken: {{file: ../etc/c}}\n",
    )
    monkeypatch.chdir("/")
    assert found.by_name["shop"].password is not None
    assert found.by_name["shop"].password.read() == "secret of a"
    assert found.by_name["club"].password is None
    assert found.several[0].password is not None
    assert found.several[0].password.read() == "secret of b"
    assert found.token is not None
    assert found.token.read() == "secret of c"


def test_a_secret_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("before")
    secret = Secret(file=str(file))
    assert secret.read() == "before"
    file.write_text("after")
    assert secret.read() == "after"


def test_one_that_is_nowhere_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with pytest.raises(SecretError, match="SHOP_TOKEN"):
        Secret(env="SHOP_TOKEN").read()
    with pytest.raises(SecretError, match="No such file"):
        Secret(file=str(tmp_path / "none")).read()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SecretError, match="empty"):
        Secret(file=str(tmp_path / "empty")).read()


def test_it_is_said_once_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"exporter\.yml:2:.*one of env and file"):
        read(tmp_path / "exporter.yml", "interval: 1m\ntoken: {env: A, file: b}\n")


def test_what_was_read_is_taken_out_of_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "pl@in sight/9")
    assert Secret(env="SHOP_TOKEN").read() == "pl@in sight/9"
    for text in ("it was pl@in sight/9", "at /x?y=pl%40in%20sight%2F9&z"):
        assert "sight" not in redacted(text)
    assert "sight" not in repr(Secret(env="SHOP_TOKEN"))


@pytest.mark.parametrize(
    "said", ["token: hunter2hunter2", "by_name: {shop: {password: hunter2hunter2}}", "token: 98769876"]
)
def test_a_secret_that_is_written_out_is_a_mistake_that_does_not_quote_it(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "exporter.yml", said)
    [mistake] = caught.value.mistakes
    assert "a secret stands here" in mistake.message
    assert "{env: PASSWORD}" in mistake.hint
    assert "hunter2" not in str(caught.value)
    assert "9876" not in str(caught.value)
