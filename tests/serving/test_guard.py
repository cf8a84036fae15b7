"""Who may ask what, and how much they may send, over a real socket."""

from __future__ import annotations

import base64
import logging

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Scope

from sla_kit.errors import SecretError
from sla_kit.serving.guard import Guard, Tokens, _is_token
from sla_kit.serving.web_config import WebConfig
from tests.serving.guarded import serving

USERS = WebConfig(users=(("alice", bcrypt.hashpw(b"pass:word", bcrypt.gensalt(4)).decode()),))
ALICE = "Basic " + base64.b64encode(b"alice:pass:word").decode()
TOKEN = "a-token-of-machines"
BEARER = f"Bearer {TOKEN}"


async def _take(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"took {len(await request.body())} bytes\n")


def _takes_data(scope: Scope) -> bool:
    return scope["path"] in ("/alerts", "/signed")


def guard(config: WebConfig = WebConfig(), tokens: Tokens = (), max_body_bytes: int = 1000) -> Guard:  # noqa: B008
    routes = [Route(path, _take, methods=["GET", "POST"]) for path in ("/healthz", "/alerts", "/signed", "/page")]
    made = Guard(
        Starlette(routes=routes),
        open_paths=("/healthz", "/signed"),
        takes_data=_takes_data,
        max_body_bytes=max_body_bytes,
        realm="router",
    )
    made.configure(config, tokens)
    return made


@pytest.mark.parametrize(
    ("config", "tokens", "admitted", "challenges"),
    [
        (USERS, (), {ALICE}, ['Basic realm="router", charset="UTF-8"']),
        (WebConfig(), ("other", TOKEN), {BEARER, f"bearer  {TOKEN}"}, ['Bearer realm="router"']),
        (
            USERS,
            (TOKEN,),
            {ALICE, BEARER},
            ['Basic realm="router", charset="UTF-8"', 'Bearer realm="router"'],
        ),
        (USERS, lambda: (TOKEN,), {ALICE, BEARER}, ['Basic realm="router", charset="UTF-8"', 'Bearer realm="router"']),
    ],
    ids=["users", "tokens", "both", "callable"],
)
def test_a_user_or_a_token_is_let_in_and_nobody_else(
    config: WebConfig, tokens: Tokens, admitted: set[str], challenges: list[str]
) -> None:
    with serving(guard(config, tokens), client="10.0.0.9") as server:
        for shown in ("", ALICE, ALICE[:-4], BEARER, f"bearer  {TOKEN}", BEARER[:-1], BEARER + "x", "Bearer ", TOKEN):
            for path in ("/page", "/alerts"):
                found = server.ask(path, authorization=shown) if shown else server.ask(path)
                good = shown in admitted or (shown == f"bearer  {TOKEN}" and BEARER in admitted)
                assert found.status == (200 if good else 401), (shown, path)
                if not good:
                    assert found.headers["www-authenticate"] == challenges
        assert server.ask("/healthz").status == 200
        assert server.ask("/healthz/").status != 200


def test_where_there_are_neither_nobody_is_asked() -> None:
    with serving(guard(tokens=lambda: ())) as server:
        assert server.ask("/page").status == 200


def test_an_empty_token_is_nobodys() -> None:
    with serving(guard(tokens=("",))) as server:
        for shown in ("Bearer ", "Bearer", "Bearer  "):
            assert server.ask("/page", authorization=shown).status == 401


def test_tokens_that_can_not_be_read_let_nobody_in_but_users(caplog: pytest.LogCaptureFixture) -> None:
    def unreadable() -> tuple[str, ...]:
        raise SecretError("a secret can't be read: No such file", place="/etc/token")

    with caplog.at_level(logging.ERROR), serving(guard(USERS, unreadable)) as server:
        for _ in range(3):
            assert server.ask("/page", authorization=BEARER).status == 503
        assert server.ask("/page").status == 503
        assert server.ask("/page", authorization=ALICE).status == 200
        assert server.ask("/healthz").status == 200
    assert len([record for record in caplog.records if "tokens can't be read" in record.message]) == 1


def test_tokens_and_users_are_exchanged_while_it_serves() -> None:
    one = guard(tokens=("before",))
    with serving(one) as server:
        assert server.ask("/page", authorization="Bearer before").status == 200
        one.configure(WebConfig(headers=(("X-Frame-Options", "deny"),)), ("after",))
        refused = server.ask("/page", authorization="Bearer before")
        assert (refused.status, refused.headers["x-frame-options"]) == (401, ["deny"])
        assert server.ask("/page", authorization="Bearer after").headers["x-frame-options"] == ["deny"]


@pytest.mark.parametrize("client", ["", "10.0.0.9"], ids=["here", "elsewhere"])
def test_what_takes_data_is_for_this_machine_unless_people_show_who_they_are(client: str) -> None:
    with serving(guard(), client=client) as server:
        assert server.ask("/alerts", "POST", b"x").status == (403 if client else 200)
        assert server.ask("/signed", "POST", b"x").status == 200
        assert server.ask("/page").status == 200
    with serving(guard(WebConfig(client_certificates="required")), client=client) as server:
        assert server.ask("/alerts", "POST", b"x").status == 200


@pytest.mark.parametrize("path", ["/alerts", "/signed"])
@pytest.mark.parametrize(
    "sent", [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}], ids=["origin", "site"]
)
def test_what_takes_data_is_closed_to_other_pages_in_browsers_whoever_has_them(path: str, sent: dict[str, str]) -> None:
    with serving(guard(tokens=(TOKEN,))) as server:
        assert server.ask(path, "POST", b"x", authorization=BEARER, **sent).status == 403
        assert server.ask(path, "POST", b"x", authorization=BEARER, sec_fetch_site="same-origin").status == 200
        assert server.ask("/page", "GET", None, authorization=BEARER, **sent).status == 200


def test_a_body_is_as_large_as_was_said_and_no_larger() -> None:
    with serving(guard(max_body_bytes=1000)) as server:
        assert server.ask("/alerts", "POST", b"x" * 1000).text == "took 1000 bytes\n"
        refused = server.ask("/alerts", "POST", b"x" * 1001)
        assert (refused.status, refused.text) == (413, "too large: at most 1000 bytes\n")
        chunks = server.ask("/signed", "POST", iter([b"x" * 600] * 2))
        assert chunks.status == 413


def test_headers_have_an_end() -> None:
    with serving(guard()) as server:
        assert server.ask("/page", x_long="y" * 10_000).status == 200
        assert server.ask("/page", x_long="y" * 17_000).status == 431


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_only_the_token_itself_is_the_token(token: str, other: str) -> None:
    """Whatever its letters are: they come as UTF-8, and frameworks read headers as Latin-1."""
    try:
        sent = token.encode().decode("latin-1")
    except UnicodeEncodeError:
        return
    stays = sent.strip() == sent
    assert _is_token(f"Bearer {sent}", ("x", token)) == (stays or token == "x")
    if other != token and sent.strip() != other.encode("utf-8", "replace").decode("latin-1"):
        assert not _is_token(f"Bearer {sent}", (other,))
