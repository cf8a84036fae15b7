"""Figures from the ledger: the same as from the source, corrected by what is added, and proven afterwards."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import select

import sla_kit
from sla_kit.catalogue.model import Catalogue, Latency, Probe, Recovery, Requests, Service, Slo, Window
from sla_kit.cli import main
from sla_kit.errors import LedgerError
from sla_kit.history import HistorySource
from sla_kit.ledger import Ledger, open_ledger
from sla_kit.ledger.auditing import versions
from sla_kit.ledger.identity import indicators_of
from sla_kit.ledger.migrations import known_revisions
from sla_kit.ledger.pruning import prune
from sla_kit.ledger.rows import digest, pack, unpack
from sla_kit.ledger.store import REVISION
from sla_kit.ledger.tables import day as days
from sla_kit.ledger.tables import metadata
from sla_kit.ledger.verifying import verify_ledger, verify_report
from sla_kit.report import write
from sla_kit.report.document import to_document
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.timeline import Grid

START = 1_788_220_800  # a UTC midnight
DAYS = 4
END = START + DAYS * 86400
OUTAGE = START + 2 * 86400 + 43_200


def catalogue(**changes: Any) -> Catalogue:
    requests = Requests(metric="http_requests_total", matchers={"service": "api"}, bad={"status_code": "=~5.."})
    latency = Latency(metric="http_request_duration_seconds", matchers={"service": "api"}, threshold=0.1)
    window = Window(rolling=2 * 86400.0)
    slos = [
        Slo(name="availability", sli="requests", objective=0.998, window=window),
        Slo(name="strict", sli="requests", objective=0.999, window=Window(calendar="week")),
        Slo(name="fast", sli=latency, objective=0.9, window=window),
        Slo(name="recovers", sli=Recovery(of="availability", within=900.0), objective=0.9, window=window),
    ]
    services = [
        Service(name="api", slis={"requests": requests}, slos=slos),
        Service(name="idle", slos=[Slo(name="up", sli=Probe(matchers={"job": "nobody"}), objective=0.9)]),
    ]
    return msgspec.structs.replace(Catalogue(name="shop", services=services), **changes)


@pytest.fixture(scope="module")
def history() -> HistorySource:
    workload = parts.Workload(
        name="api",
        labels={"service": "api"},
        rps=10,
        error_ratio=0.0005,
        latency=parts.Latency(median=0.02, p95=0.08, labels={"service": "api"}),
        outages=[parts.Outage(start=OUTAGE, length=1200, error_ratio=0.5)],
        restarts=[parts.Restart(at=START + 100_000, pod=0)],
    )
    gaps = [parts.Gap(start=START + 86_000, length=1500)]
    scenario = Scenario(start=START, days=DAYS, scrape_interval=60.0, services=[workload], gaps=gaps)
    return HistorySource(simulate(scenario).history, "recording")


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with open_ledger(str(tmp_path / "ledger.db")) as opened:
        yield opened


def document(evaluation: Any) -> dict[str, Any]:
    """What a report says, without where it was read and the proof of it."""
    found = to_document(evaluation)
    for slo in found["slos"]:
        slo["findings"] = sorted(slo["findings"], key=json.dumps)
    return {name: value for name, value in found.items() if name not in ("source", "proof")}


def reported(ledger: Ledger, history: HistorySource, folder: Path, shop: Catalogue) -> Path:
    (path,) = write(sla_kit.evaluate(shop, history, "2d", END, ledger=ledger), folder, ["json"])
    return path


@pytest.mark.parametrize("at", [END, END - 86400, END - 12_345])
def test_a_report_from_the_ledger_is_that_from_the_source(ledger: Ledger, history: HistorySource, at: int) -> None:
    straight = document(sla_kit.evaluate(catalogue(), history, "1d", at))
    assert document(sla_kit.evaluate(catalogue(), history, "1d", at, ledger=ledger)) == straight
    alone = sla_kit.evaluate(catalogue(), None, "1d", at, ledger=ledger)
    assert document(alone) == straight
    assert alone.source == f"the ledger {ledger.name}"


def test_results_that_were_judged_before_are_the_same_and_need_no_rows(
    ledger: Ledger, history: HistorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sla_kit.evaluate(catalogue(), history, "2d", END, services=["api"], ledger=ledger)
    read: list[int] = []
    monkeypatch.setattr("sla_kit.ledger.reading.unpack", lambda payload, grid: read.append(grid.start))
    again = sla_kit.evaluate(catalogue(), history, "2d", END, services=["api"], ledger=ledger)
    assert not read
    assert document(again) == document(first)
    assert again.proof == first.proof


def test_a_result_is_judged_again_where_anything_is_different(ledger: Ledger, history: HistorySource) -> None:
    sla_kit.evaluate(catalogue(), history, "2d", END, ledger=ledger)
    promised = catalogue()
    laxer = msgspec.structs.replace(promised.services[0].slos[0], objective=0.9)
    service = msgspec.structs.replace(promised.services[0], slos=[laxer, *promised.services[0].slos[1:]])
    other = msgspec.structs.replace(promised, services=[service, *promised.services[1:]])
    found = sla_kit.evaluate(other, None, "2d", END, ledger=ledger)
    assert document(found) == document(sla_kit.evaluate(other, history, "2d", END))
    ledger.exclude(catalogue(), OUTAGE, OUTAGE + 1200, author="ann", reason="drill")
    corrected = sla_kit.evaluate(catalogue(), None, "2d", END, ledger=ledger)
    assert corrected["api", "availability"].figure.bad < found["api", "availability"].figure.bad


def test_an_exclusion_added_later_counts_and_the_earlier_report_is_still_proven(
    ledger: Ledger, history: HistorySource, tmp_path: Path
) -> None:
    before = reported(ledger, history, tmp_path / "before", catalogue())
    made = ledger.exclude(catalogue(), OUTAGE, OUTAGE + 1200, author="ann", reason="the provider's", services=["api"])
    after = reported(ledger, history, tmp_path / "after", catalogue())
    said = [json.loads(path.read_text())["slos"][0] for path in (before, after)]
    assert said[0]["met"] is False
    assert said[1]["met"] is True
    assert said[1]["without_exclusions"]["bad"] == said[0]["bad"]
    assert said[1]["exclusions"][0] | {"start": 0, "end": 0} == {
        "name": "correction 1",
        "start": 0,
        "end": 0,
        "reason": "the provider's",
        "approved_by": "ann",
        "services": ["api"],
    }
    old, new = verify_report(ledger, before), verify_report(ledger, after)
    assert (old.problems, new.problems) == ((), ())
    assert (old.proven, new.proven) == (True, True)
    assert [f"correction {made.number}" in note for note in old.notes] == [True]
    assert not new.notes


def test_a_withdrawn_exclusion_counts_no_more_and_every_version_can_be_seen(
    ledger: Ledger, history: HistorySource
) -> None:
    shop = catalogue()
    sla_kit.evaluate(shop, history, "2d", END, ledger=ledger)
    ledger.exclude(shop, OUTAGE, OUTAGE + 1200, author="ann", reason="thought it was the provider's")
    ledger.withdraw(shop, 1, author="bob", reason="it was ours")
    seen = list(versions(ledger, shop, "api", "availability", "2d", END))
    assert [None if one.correction is None else one.correction.author for one in seen] == [None, "ann", "bob"]
    bad = [one.figure.bad for one in seen]
    assert bad[0] == bad[2] > bad[1]
    assert sla_kit.evaluate(shop, None, "2d", END, ledger=ledger)["api", "availability"].figure.bad == bad[0]


def test_corrections_are_of_their_own_catalogue_and_environment(ledger: Ledger, history: HistorySource) -> None:
    staging = catalogue(environment="staging")
    ledger.exclude(staging, OUTAGE, OUTAGE + 1200, author="ann", reason="a drill")
    assert ledger.exclusions(catalogue()) == []
    assert len(ledger.exclusions(staging)) == 1
    with pytest.raises(LedgerError, match="belongs to another catalogue"):
        ledger.withdraw(catalogue(), 1, author="bob", reason="wrong place")


@pytest.mark.parametrize(
    ("author", "reason", "services", "start", "message"),
    [
        ("", "why", [], OUTAGE, "needs an author"),
        ("ann", " ", [], OUTAGE, "needs a reason"),
        ("ann", "why", ["nobody"], OUTAGE, "no service 'nobody'"),
        ("ann", "why", [], OUTAGE + 9999, "ends before it starts"),
    ],
)
def test_a_correction_says_who_why_and_what(
    ledger: Ledger, author: str, reason: str, services: list[str], start: int, message: str
) -> None:
    with pytest.raises(LedgerError, match=message):
        ledger.exclude(catalogue(), start, OUTAGE + 1200, author=author, reason=reason, services=services)
    assert ledger.corrections() == []


def test_corrections_can_be_neither_changed_nor_deleted(ledger: Ledger) -> None:
    ledger.exclude(catalogue(), OUTAGE, OUTAGE + 1200, author="ann", reason="a drill")
    with sqlite3.connect(ledger.name) as connection:
        for statement in ("UPDATE correction SET reason = ''", "DELETE FROM correction"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(statement)
    assert verify_ledger(ledger) == []


def test_a_report_that_was_altered_is_not_proven(ledger: Ledger, history: HistorySource, tmp_path: Path) -> None:
    path = reported(ledger, history, tmp_path, catalogue())
    said = json.loads(path.read_text())
    said["slos"][0]["sli"], said["slos"][0]["met"] = 0.9999, True
    path.write_text(json.dumps(said))
    verdict = verify_report(ledger, path)
    assert not verdict.proven
    assert any("availability" in problem.what and problem.what.endswith("sli") for problem in verdict.problems)


def test_a_bucket_that_was_altered_in_the_ledger_is_named(
    ledger: Ledger, history: HistorySource, tmp_path: Path
) -> None:
    path = reported(ledger, history, tmp_path, catalogue())
    identity = ledger.identities(catalogue())["api", "requests"]
    day = START // 86400 + 3
    with ledger.store.writing() as connection:
        mine = (days.c.indicator == identity.id) & (days.c.day == day)
        timeline = unpack(
            connection.execute(select(days.c.payload).where(mine)).scalar_one(), Grid(day * 86400, 60, 1440)
        )
        good = timeline.good.copy()
        good[754] -= 1
        altered = replace(timeline, good=good)
        connection.execute(days.update().where(mine).values(payload=pack(altered), digest=digest(altered, 0)))
    assert verify_ledger(ledger) == []  # whoever did it knew how
    verdict = verify_report(ledger, path)
    assert not verdict.proven
    assert str(verdict.problems[0]) == (
        "api/requests, 2026-09-04: altered in the ledger, and not by a correction: "
        "the bucket ending at 2026-09-04T12:35:00Z"
    )


def test_a_report_without_a_ledger_can_not_be_proven(ledger: Ledger, history: HistorySource, tmp_path: Path) -> None:
    (path,) = write(sla_kit.evaluate(catalogue(), history, "2d", END), tmp_path, ["json"])
    with pytest.raises(LedgerError, match="made without a ledger"):
        verify_report(ledger, path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(LedgerError, match=r"no report\.json"):
        verify_report(ledger, tmp_path / "other.json")


def test_what_is_older_than_it_must_be_kept_goes_and_leaves_a_trace(ledger: Ledger, history: HistorySource) -> None:
    shop = catalogue()
    sla_kit.evaluate(shop, history, "2d", END, ledger=ledger)
    with open_ledger(ledger.name) as kept:
        wanted = len(list(kept.source(shop).fetch(indicators_of(shop), _grid())))
        would = prune(kept, shop, START + 86400, author="ann", reason="the law", dry_run=True)
        assert kept.corrections() == []
        done = prune(kept, shop, START + 86400, author="ann", reason="the law")
        assert would.rows == done.rows > 0
        assert [one.kind for one in kept.corrections()] == ["pruning"]
        found = dict(kept.source(shop).fetch(indicators_of(shop), _grid()))
    assert len(found) == wanted
    requests = next(timeline for indicator, timeline in found.items() if indicator.key == ("api", "requests"))
    assert not requests.coverage[: 1440 - 1].any()
    assert requests.coverage[1440 + 60 :].mean() > 0.9


def _grid() -> Any:
    return Grid(START, 60, DAYS * 1440)


def test_the_export_holds_every_bucket_once(ledger: Ledger, history: HistorySource, tmp_path: Path) -> None:
    from sla_kit.ledger.exporting import export

    shop = catalogue()
    ledger.close_buckets(shop, history, since=START, until=END, now=END + 99_999)
    written = export(ledger, tmp_path / "all.parquet")
    frame = pd.read_parquet(tmp_path / "all.parquet")
    assert len(frame) == written
    mine = frame[(frame["service"] == "api") & (frame["indicator"] == "requests")]
    assert mine["time"].is_unique
    assert mine["time"].is_monotonic_increasing
    grid = _grid()
    timeline = next(t for i, t in ledger.source(shop).fetch(indicators_of(shop), grid) if i.key == ("api", "requests"))
    assert np.array_equal(mine["good"].to_numpy(), timeline.good)
    assert mine["total"].sum() == timeline.total.sum()
    assert export(ledger, tmp_path / "part.parquet", END - 3600, END - 60) < written
    with pytest.raises(LedgerError, match="can't be written"):
        export(ledger, tmp_path / "nowhere" / "all.parquet")


def test_migrations_make_the_tables_that_the_code_reads(ledger: Ledger) -> None:
    with ledger.store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    assert REVISION in known_revisions()


def test_an_indicator_s_identity_is_what_it_measures_not_what_is_said_of_it() -> None:
    from sla_kit.ledger.identity import Identity

    (plain,) = {Identity.of(catalogue(), one) for one in indicators_of(catalogue()) if one.key == ("idle", "up:sli")}
    described = catalogue()
    sli = Probe(matchers={"job": "nobody"}, description="a probe")
    slo = Slo(name="up", sli=sli, objective=0.5, description="for people")
    described = msgspec.structs.replace(described, services=[Service(name="idle", slos=[slo])])
    (same,) = {Identity.of(described, one) for one in indicators_of(described)}
    assert same.id == plain.id
    other = msgspec.structs.replace(sli, combine="any")
    changed = msgspec.structs.replace(
        described, services=[Service(name="idle", slos=[msgspec.structs.replace(slo, sli=other)])]
    )
    assert Identity.of(changed, indicators_of(changed)[0]).id != plain.id


def test_the_commands_tell_what_they_did(tmp_path: Path, history: HistorySource, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    simulated = Scenario(
        start=START,
        days=2,
        scrape_interval=60.0,
        services=[parts.Workload(name="api", labels={"service": "api"}, rps=10, error_ratio=0.001)],
    )
    simulate(simulated).write(tmp_path / "history")
    Path("sla.yml").write_text(
        "name: shop\nservices:\n  - name: api\n    slos:\n      - name: availability\n        objective: 99%\n"
        "        window: 1d\n        sli: {kind: requests, metric: http_requests_total, matchers: {service: api},"
        ' bad: {status_code: "=~5.."}}\n'
    )

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner(env={"COLUMNS": "140"}).invoke(main, words)
        assert result.exit_code == code, result.output
        return result.output

    assert "there is no ledger" in run("ledger", "list", code=2)
    assert "2 rows with 2880 buckets" in run("ledger", "update", "--source", "history")
    assert "0 rows" in run("ledger", "update", "--source", "history")
    assert "api/availability:sli" in run("ledger", "list")
    run("report", "--source", "history", "--ledger", "ledger.db", "-w", "1d", "-f", "json", "-o", "out")
    assert run("ledger", "verify", "out/report.json").startswith("Proven")
    assert "Every row" in run("ledger", "verify")
    when = ["--start", "2026-09-02T03:00:00Z", "--end", "2026-09-02T04:00:00Z"]
    said = ["--author", "ann", "--reason", "a drill"]
    assert "correction 1: api is left out" in run("ledger", "exclude", *when, "--service", "api", *said)
    assert "since then correction 1" in run("ledger", "verify", "out/report.json")
    assert "correction 2: correction 1 no longer counts" in run("ledger", "withdraw", "1", *said)
    audit = run("ledger", "audit", "api/availability", "-w", "1d")
    assert "as it was first" in " ".join(audit.replace("│", " ").split())
    assert json.loads(run("ledger", "list", "--json"))["corrections"][0]["author"] == "ann"
    assert "2880 buckets written" in run("ledger", "export")
    again = run("ledger", "reread", "--source", "history", "--since", str(START), "--until", str(START + 86400), *said)
    assert "nothing has changed" in again
    assert "Would delete 1 rows" in run("ledger", "prune", "--before", str(START + 86400), "--dry-run", *said)
    assert "Deleted 1 rows" in run("ledger", "prune", "--before", str(START + 86400), "--yes", *said)
    assert "it is not said what is old" in run("ledger", "prune", *said, code=2)
