"""Secrets do not get into logs, in whichever way they are written there."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError
from sla_kit.redacting import redacted, remember_secret

SECRET = "hunter2-Tr0ub4dor"
pytestmark = pytest.mark.usefixtures("passing_secrets")


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://shop:{SECRET}@db.example:5432/shop",
        f"redis://:{SECRET}@cache:6379/0 refused",
        f"could not reach 'https://user:{SECRET}@host/path?x=1'",
        f"amqp://user:{SECRET}/x@host",
        f"https://user:{SECRET}@more@host/",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Basic {base64.b64encode(SECRET.encode()).decode()}'}}",
        f"host=db password={SECRET} user=shop",
        f"host=db password='{SECRET} and more' user=shop",
        f'{{"password": "{SECRET}", "user": "shop"}}',
        f'{{"client_secret":"{SECRET}"}}',
        f"PGPASSWORD={SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"aws_secret_access_key = {SECRET}",
        f"https://bucket.s3/key?X-Amz-Credential=a&X-Amz-Signature={SECRET}&x=1",
        f"https://account.blob/x?sv=1&sig={SECRET}",
        f"api_key: {SECRET}",
        f"X-Api-Key: {SECRET}",
        f"db_password={SECRET}",
        f"passphrase={SECRET}",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
        repr({"password": SECRET}),
        json.dumps(json.dumps({"token": SECRET})),
        json.dumps(json.dumps({"token": f"{SECRET} and more", "x": 1}))[1:-1],
        f'password="{SECRET} and more',
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    found = redacted(text)
    assert SECRET not in found
    assert base64.b64encode(SECRET.encode()).decode() not in found
    assert "***" in found


@pytest.mark.parametrize(
    "text",
    [
        "connection to 127.0.0.1:5432 failed",
        "http://prometheus:9090/api/v1/query?query=up refused",
        "/run/secrets/password: a secret can't be read: No such file or directory",
        "/etc/tokens/api-token: holds no secret: it is empty",
        "the environment has no SHOP_PASSWORD",
        "password authentication failed for user",
        "listening on [::1]:9117",
        "SELECT count(*) FROM users WHERE seen > now() - interval '1 day'",
        "https://user@host/path",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_bcrypt_hash_is_taken_out() -> None:
    assert redacted("x $2b$04$CWjI2BIhz.9YgU2BZythhOK5wDUmhUEdOBNQCJQzjPeiQ8E7BKUAW y") == "x *** y"


def test_every_secret_that_was_read_is_taken_out_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "pl a/in+ta'le")
    (tmp_path / "secret").write_text("kept-in-a-file\n")
    for secret in (Secret(env="A_SECRET").read(), Secret(file=str(tmp_path / "secret")).read()):
        for written in (secret, quote(secret), quote(secret, safe=""), repr(secret), f"so {secret}, it is"):
            assert secret not in redacted(written)
            assert quote(secret, safe="") not in redacted(written)


def test_a_short_secret_is_taken_out_as_a_word_and_leaves_the_rest_readable() -> None:
    remember_secret("it")
    assert redacted("is it? with wit") == "is ***? with wit"


def test_a_secret_that_is_not_there_is_told_without_it(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="No such file"):
        Secret(file=str(tmp_path / "none")).read()


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=6, max_size=40))
def test_a_known_secret_never_stays(secret: str) -> None:
    if secret.strip("*") == "":
        return
    remember_secret(secret)
    assert secret not in redacted(f"<{secret}>")


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 60_000,
        "password" * 15_000,
        "://" * 40_000,
        "token=" * 20_000,
        "://a:" * 20_000,
        'token=\\"a' * 14_000,
        "token='\\" * 15_000,
    ],
)
def test_hostile_text_takes_no_time_to_speak_of(text: str) -> None:
    redacted(text)  # quadratic patterns would take longer than the test may
