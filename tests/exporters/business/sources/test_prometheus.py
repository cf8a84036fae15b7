"""Answers of a real Prometheus to instant queries, and of what is less than whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.business.sources.prometheus import PrometheusSource
from tests.exporters.business.sources.asking import changed, mistakes, refusal, rows
from tests.exporters.business.sources.test_elasticsearch import speaking
from tests.servers import prometheus, prometheus_versions
from tests.servers.process import refusing_port


@pytest.fixture(scope="module", params=prometheus_versions())
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusSource]:
    now = int(time.time())
    history = ["# TYPE requests counter"]
    for plan, rate in [("free", 2), ("pro", 5)]:
        history += [
            f'requests_total{{plan="{plan}"}} {rate * 15 * step} {now - 15 * (240 - step)}' for step in range(241)
        ]
    history += ["# TYPE odd gauge"]
    history += [f'odd{{value="x"}} 1 {now - 15 * back}' for back in range(240, -1, -1)]
    path = tmp_path_factory.mktemp("history") / "history.om"
    path.write_text("\n".join([*history, "# EOF", ""]))
    hashed = bcrypt.hashpw(b"pass-of-reader", bcrypt.gensalt(4)).decode()
    # The data lies in the past of the server's clock: the last sample is younger than five minutes for a while only.
    flags = ("--query.lookback-delta=2h",)
    with prometheus(
        request.param, openmetrics=path, flags=flags, web_config=f"basic_auth_users: {{reader: {hashed}}}"
    ) as one:
        (path.parent / "secret").write_text("pass-of-reader")
        yield PrometheusSource(url=one.url, username="reader", password=Secret(file=str(path.parent / "secret")))


def test_a_vector_is_a_row_for_each_series(source: PrometheusSource) -> None:
    found = rows(source, "sum by (plan) (requests_total)")
    assert {row["plan"]: row["value"] for row in found} == {"free": 7200.0, "pro": 18000.0}
    assert all(set(row) == {"plan", "value"} for row in rows(source, "requests_total"))


def test_a_scalar_is_one_row_and_nothing_is_none(source: PrometheusSource) -> None:
    assert rows(source, "scalar(sum(requests_total))") == [{"value": 25200.0}]
    assert rows(source, "no_such_metric") == []


def test_what_is_no_number_at_one_time_is_refused(source: PrometheusSource) -> None:
    for query in ("sum(", "requests_total[5m]", '"text"', "requests_total * on() group_left requests_total"):
        assert refusal(source, query).kind == "query", query
    assert refusal(source, "odd").kind == "data"


def test_a_wrong_password_is_told_by_its_kind(source: PrometheusSource, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("pass-of-nobody")
    told = refusal(changed(source, password=Secret(file=str(tmp_path / "wrong"))), "1")
    assert told.kind == "auth"
    assert "pass-of" not in str(told)
    assert refusal(changed(source, password=None, username=""), "1").kind == "auth"


def answer(result: Any, kind: str = "vector", **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


ONE = [{"metric": {"__name__": "a", "plan": "pro"}, "value": [1.0, "5"]}]


def test_warnings_are_errors_unless_they_are_to_be_ignored() -> None:
    with speaking(200, answer(ONE, warnings=["store 10.0.0.1 did not answer"])) as url:
        told = refusal(PrometheusSource(url=url), "a")
        assert (told.kind, "store 10.0.0.1" in told.message) == ("data", True)
        assert rows(PrometheusSource(url=url, ignore_warnings=True), "a") == [{"plan": "pro", "value": 5.0}]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}, "timeout"),
        (422, {"status": "error", "errorType": "execution", "error": "many-to-many"}, "query"),
        (503, {"status": "error", "errorType": "unavailable", "error": "starting"}, "connect"),
        (500, b"oops", "connect"),
        (404, b"not here", "data"),
        (200, b"{}", "data"),
        (200, {"status": "success"}, "data"),
        (200, answer([{"metric": {}, "histogram": [1.0, {}]}]), "data"),
        (200, answer([{"metric": {}, "value": [1.0, "many"]}]), "data"),
        (200, answer([], "matrix"), "query"),
        (200, answer([[]]), "data"),
        (200, answer([{"value": [1.0, "1"]}]), "data"),
        (403, {}, "auth"),
    ],
)
def test_each_bad_answer_has_its_kind(status: int, body: Any, kind: str) -> None:
    with speaking(status, body) as url:
        assert refusal(PrometheusSource(url=url), "a").kind == kind


def test_token_and_tenant_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUERY_TOKEN", "very-secret")
    seen: list[dict[str, str]] = []
    with speaking(200, answer(ONE), seen) as url:
        rows(PrometheusSource(url=url, token=Secret(env="QUERY_TOKEN"), tenant="shop"), "a")
    assert seen[0]["Authorization"] == "Bearer very-secret"
    assert seen[0]["X-Scope-Orgid".replace("id", "ID")] == "shop"


def test_nobody_there() -> None:
    with refusing_port() as port:
        assert refusal(PrometheusSource(url=f"http://127.0.0.1:{port}"), "1").kind == "connect"


def test_mistakes_of_the_configuration() -> None:
    good = PrometheusSource(url="http://prometheus:9090")
    assert mistakes(good, "up") == []
    assert len(mistakes(good, " ")) == 1
    assert len(mistakes(good, "up", "window", "window_seconds")) == 1
    assert len(mistakes(changed(good, token=Secret(env="A"), username="a", password=Secret(env="B")))) == 1
    assert len(mistakes(changed(good, tenant="a\nb"))) == 1
