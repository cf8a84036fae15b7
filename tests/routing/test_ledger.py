"""The destination ``ledger``: a response is kept once, whatever happens, and a ledger that is away is waited for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sla_kit.ledger import open_ledger
from sla_kit.routing import ledger as routing_ledger
from sla_kit.routing.delivering import Content, DeliveryError, Parcel, Response
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Notice
from sla_kit.routing.ledger import open_adapter

RESPONSE = Response(
    dedup_key="k",
    title="api is down",
    labels={"service": "api"},
    severity="critical",
    opened_at=1_790_000_000.0,
    told_at=1_790_000_010.0,
    acknowledged_at=None,
    acknowledged_by="",
    resolved_at=1_790_000_900.0,
)


def parcel(content: Content = RESPONSE, **fields: Any) -> Parcel:
    return Parcel(id=1, key="k1", destination=Destination("ledger"), content=content, **fields)


def test_a_response_is_kept_once_when_it_is_delivered_again(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    adapter = open_adapter(path)
    adapter.deliver(parcel(), lambda references: None)
    adapter.deliver(parcel(uncertain=True), lambda references: None)
    adapter.close()
    with open_ledger(path) as ledger:
        assert ledger.responses() == [RESPONSE]


def test_a_ledger_that_can_t_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "there" / "ledger.db"
    adapter = open_adapter(str(path))
    with pytest.raises(DeliveryError) as caught:
        adapter.deliver(parcel(), lambda references: None)
    assert (caught.value.permanent, caught.value.uncertain, caught.value.unreachable) == (False, False, True)
    assert "mkdir" in caught.value.remedy
    path.parent.mkdir()
    adapter.deliver(parcel(), lambda references: None)
    monkeypatch.setattr(routing_ledger, "_PATIENCE_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DeliveryError, match="another program holds the ledger"):
            adapter.deliver(parcel(), lambda references: None)
        other.execute("ROLLBACK")
    adapter.deliver(parcel(), lambda references: None)


def test_nothing_else_is_taken(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        open_adapter(str(tmp_path / "ledger.db")).deliver(parcel(Notice(title="x")), lambda references: None)
    assert caught.value.permanent


def test_a_password_is_in_no_error() -> None:
    adapter = open_adapter("postgresql://sla:hunter22@127.0.0.1:1/ledger")
    with pytest.raises(DeliveryError) as caught:
        adapter.deliver(parcel(), lambda references: None)
    assert "hunter22" not in str(caught.value) + repr(caught.value)
    assert caught.value.unreachable


def test_a_router_that_keeps_no_ledger_imports_nothing_of_it() -> None:
    heavy = {"numpy", "sqlalchemy", "alembic", "requests"}
    code = f"import sys, sla_kit.routing.ledger; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"
