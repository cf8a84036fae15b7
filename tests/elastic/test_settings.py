"""Addresses and settings of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.elastic import ClusterAddress, ClusterSettings
from sla_kit.errors import SourceError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("elasticsearch+http://host", "http://host:80"),
        ("elasticsearch+https://host", "https://host:443"),
        ("https://host:9200/prefix/", "https://host:9200/prefix"),
        ("elasticsearch+https://[::1]:9200", "https://[::1]:9200"),
        ("elasticsearch+https://user:pa%3Ass@host:9200", "https://host:9200"),
    ],
)
def test_addresses(text: str, name: str) -> None:
    assert ClusterAddress.parse(text).name == name


def test_user_and_password_are_read_from_an_address() -> None:
    found = ClusterAddress.parse("elasticsearch+https://us%40er:pa%3Ass@host:9200")
    assert (found.username, found.password) == ("us@er", "pa:ss")
    assert "pa:ss" not in repr(found)


@pytest.mark.parametrize("text", ["", "ftp://secret@host", "elasticsearch+http://", "http://host:port", "http://[::1"])
def test_what_is_no_address_is_not_repeated(text: str) -> None:
    with pytest.raises(SourceError) as failed:
        ClusterAddress.parse(text)
    assert "secret" not in str(failed.value)


def test_secrets_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    found = ClusterSettings.from_environment({"SLA_KIT_ELASTICSEARCH_API_KEY_FILE": str(tmp_path / "key")})
    assert found.api_key == "from-a-file"
    assert "from-a-file" not in repr(found)


def test_a_named_server_has_variables_of_its_own() -> None:
    environment = {"SLA_KIT_ELASTICSEARCH_TOKEN": "for all", "SLA_KIT_ELASTICSEARCH_EU_WEST_TOKEN": "for one"}
    assert ClusterSettings.from_environment(environment, "eu-west").token == "for one"
    assert ClusterSettings.from_environment(environment, "us").token == ""


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"API_KEY": "a", "TOKEN": "b"}, "an API key is set as well"),
        ({"PASSWORD": "a"}, "without a user name"),
        ({"FINGERPRINT": "12:34"}, "no fingerprint"),
        ({"CA_FILE": "/nowhere/ca.crt"}, "no such file"),
        ({"TIMEOUT": "soon"}, "no number of seconds"),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else "",
)
def test_contradictions_are_errors(variables: dict[str, str], says: str) -> None:
    environment = {f"SLA_KIT_ELASTICSEARCH_{name}": value for name, value in variables.items()}
    with pytest.raises(SourceError, match=says):
        ClusterSettings.from_environment(environment)
