"""Who may send, as the files of tokens say it while a router runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError
from sla_kit.routing import state
from sla_kit.routing.state import Tokens


def test_a_token_that_is_being_replaced_keeps_nobody_else_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_KNOWN_SECONDS", 0.0)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("token-of-one")
    two.write_text("token-of-two")
    tokens = Tokens([Secret(file=str(one)), Secret(file=str(two))])
    assert tokens() == ("token-of-one", "token-of-two")
    two.write_text("")
    assert tokens() == ("token-of-one",)


def test_where_no_token_can_be_read_nobody_is_let_in(tmp_path: Path) -> None:
    with pytest.raises(SecretError):
        Tokens([Secret(file=str(tmp_path / "one")), Secret(env="NO_SUCH_VARIABLE")])()
