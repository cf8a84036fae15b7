"""The writers on what the engine really says: every kind of indicator, gaps, exclusions, live events."""

from __future__ import annotations

import json
import re
from gettext import NullTranslations

import numpy as np
import pytest

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import (
    Agreement,
    Bound,
    Freshness,
    LastDuration,
    Latency,
    PolicyStep,
    Probe,
    Recovery,
    Requests,
    Slo,
)
from sla_kit.engine.context import grid_for
from sla_kit.engine.evaluate import conclude, judge, judge_recovery
from sla_kit.engine.results import Evaluation
from sla_kit.report import TEXTS, render
from sla_kit.report.language import Language, speaking
from sla_kit.report.told import told
from sla_kit.timeline import Finding, Grid, Histogram, Timeline
from tests.engine.builders import DAY, MONDAY, catalogue, context
from tests.report.page import Page

REQUESTS = Slo(
    name="availability",
    sli=Requests(metric="http_requests_total", bad={"code": "=~5.."}),
    objective=0.9999,
    promise="availability",
    sla=Agreement(objective=0.999, consequence="10 % credited"),
    policy=[PolicyStep(left=0.0, action="Stop <releases>"), PolicyStep(left=0.5, action="Slow down")],
)
LATENCY = Slo(name="p95", sli=Latency(metric="http_seconds", threshold=0.1), objective=0.95)
PROBE = Slo(name="probe", sli=Probe(), objective=0.999, missing="fail")
AGE = Slo(name="backup-age", sli=Freshness(metric="backup_time", max_age=93600.0), objective=0.99)
RESTORE = Slo(
    name="restore", sli=LastDuration(metric="restore_seconds", max=3600.0, completed_metric="done"), objective=0.9
)
QUEUE = Slo(name="queue", sli=Bound(metric="queue_length", max=1000.0), objective=0.99)
SILENT = Slo(name="silent", sli=Probe(metric="up"), objective=0.999)
BACK = Slo(name="recovery", sli=Recovery(of="availability", within=900.0), objective=0.95)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    of = catalogue(REQUESTS, LATENCY, PROBE, AGE, RESTORE, QUEUE, SILENT, BACK, timezone="Europe/Berlin")
    maintenance = Interval(MONDAY - 2 * DAY, MONDAY - 2 * DAY + 1800, "upgrade", (), "planned", "dana@example.com")
    game = Interval(MONDAY - DAY, MONDAY - DAY + 3 * 3600, "final", ())
    asked = context(of, maintenance=[maintenance], events=[game])
    grid = grid_for(asked)
    service = of.services[0]
    timelines = timelines_on(grid)
    judged = [judge(asked, service, slo, timelines[slo.name]) for slo in service.slos[:-1]]
    judged.append(judge_recovery(asked, service, BACK, judged[0]))
    return conclude(asked, "history.om.gz", judged)


def timelines_on(grid: Grid) -> dict[str, Timeline]:
    """A week with a 25-minute outage during the game, a slow restore and a gap in probing."""
    ends, ones, none = grid.ends, np.ones(grid.count), np.zeros(grid.count)
    total = np.full(grid.count, 1000.0)
    outage = (ends > MONDAY - DAY + 3600) & (ends <= MONDAY - DAY + 3600 + 1500)
    bad = 0.02 * ones
    bad[outage] = 400.0
    counts = np.stack([total * 0.5, total * 0.97, total], axis=1)
    histogram = Histogram(np.array([0.05, 0.1, np.inf]), counts)
    gap = (ends > MONDAY - 3 * DAY) & (ends <= MONDAY - 2 * DAY)
    seen, up = np.where(gap, none, ones), np.where(outage, none, ones)
    done = np.floor((ends - 3600) / DAY) * DAY + 3600
    age, took = ends - done, np.where(done % (2 * DAY) == 3600, 4000.0 * ones, 2500.0 * ones)
    fresh, quick = np.where(age <= 93600, ones, none), np.where(took <= 3600, ones, none)
    return {
        "availability": Timeline(grid, total - bad, total, ones),
        "p95": Timeline(grid, total * 0.97, total, ones, histogram=histogram),
        "probe": Timeline(grid, 4 * up * seen, 4 * seen, seen, "samples", value=np.where(gap, np.nan * ones, up)),
        "backup-age": Timeline(grid, fresh, ones, ones, "samples", value=age, completed=done),
        "restore": Timeline(grid, quick, ones, ones, "samples", value=took, completed=done),
        "queue": Timeline(grid, ones, ones, ones, "samples", value=np.full(grid.count, 123.4)),
        "silent": Timeline(grid, none, none, none, "samples", findings=(Finding("no-data", "no series match"),)),
    }  # fmt: skip


@pytest.mark.parametrize("format", list(TEXTS))
def test_every_format_is_written(evaluation: Evaluation, format: str) -> None:
    text = render(evaluation, format)
    assert "availability" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_measured_figures_are_in_their_own_unit(evaluation: Evaluation) -> None:
    text = render(evaluation, "md")
    assert "worst bucket 0 %" in text
    assert "longest 1 h 7 min, limit 1 h" in text
    assert "worst 123.4, limit 1,000" in text
    assert "p95 " in text
    assert "slowest 2" in text


def test_outage_is_told_once_with_its_game_and_its_verdict(evaluation: Evaluation) -> None:
    document = json.loads(render(evaluation, "json"))
    mine = [incident for incident in document["incidents"] if incident["slo"] == "availability"]
    assert [incident["during_event"] for incident in mine] == ["final"]
    assert mine[0]["seconds"] == 1500
    page = Page.of(render(evaluation, "html"))
    (judged,) = [rows for caption, rows in page.tables.items() if caption.startswith("web / recovery")]
    assert [cell.text for cell in judged[1]][2] == "Too late"
    assert "Stop &lt;releases&gt;" in render(evaluation, "html")


def test_backups_are_evidence_and_outages_are_not(evaluation: Evaluation) -> None:
    page = Page.of(render(evaluation, "html"))
    captions = [caption for caption in page.tables if caption.startswith(("web / restore", "web / backup-age"))]
    assert len(captions) >= 2
    text = render(evaluation, "md")
    evidence = text.split("## Backup and restore evidence")[1].split("\n## ")[0]
    assert "web / restore" in evidence
    assert "web / recovery" not in evidence


class Shouted(NullTranslations):
    """A language that shows that a message is known."""

    def gettext(self, message: str) -> str:
        return f"!{message}"


def test_every_reason_and_finding_of_the_engine_can_be_said_in_another_language(evaluation: Evaluation) -> None:
    figures = [figure for slo in evaluation.slos for figure in (slo.figure, slo.own, slo.without_exclusions)]
    said = {figure.reason for figure in figures} | {run.note for slo in evaluation.slos for run in slo.evidence}
    said |= {finding.message for slo in evaluation.slos for finding in slo.findings} - {"no series match"}
    said -= {""}
    assert len(said) >= 3
    with speaking(Language("xx", Shouted())):
        assert {sentence for sentence in said if not told(sentence).startswith("!")} == set()
