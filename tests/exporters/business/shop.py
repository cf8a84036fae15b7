"""A shop's history of which every figure is known, since it is counted here in Python, and the tables that hold it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

TABLES = """
CREATE TABLE users (id bigint PRIMARY KEY, cohort text NOT NULL);
CREATE TABLE events (user_id bigint NOT NULL, occurred_at timestamptz NOT NULL);
CREATE TABLE api_calls (id bigint GENERATED ALWAYS AS IDENTITY, route text NOT NULL, client text NOT NULL,
  plan text NOT NULL, called_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE feature_uses (user_id bigint NOT NULL, feature text NOT NULL, used_at timestamptz NOT NULL);
CREATE TABLE signups (id bigint GENERATED ALWAYS AS IDENTITY, signed_up_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE payments (id bigint GENERATED ALWAYS AS IDENTITY, outcome text NOT NULL, paid_at timestamptz NOT NULL);
CREATE TABLE live_events (id bigint PRIMARY KEY, name text NOT NULL, begins_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL);
CREATE TABLE attendances (event_id bigint NOT NULL, user_id bigint NOT NULL, left_at timestamptz);
CREATE ROLE reader LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
"""
WINDOWS = {"1m": 60, "5m": 300, "1h": 3600, "1d": 86400, "30d": 2592000}
#: What happened ages while a test runs: nothing is so close to a window's end that it would leave it meanwhile.
_EDGE_SECONDS = 120
Labels = frozenset[tuple[str, str]]


def labelled(**labels: str) -> Labels:
    """Labels as the keys of `Truth` are."""
    return frozenset(labels.items())


@dataclass
class Truth:
    """What must be published, by metric and labels; and the rows, by table."""

    figures: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(dict))
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))


def history(seed: int, users: int = 400) -> Truth:
    """A history that ends now, with its figures."""
    chance, now, truth = random.Random(seed), datetime.now(UTC), Truth()
    edges = [0, *WINDOWS.values(), 3_456_000]
    cohorts = {user: chance.choice(["2025-Q4", "2026-Q1", 'odd "cohort"\\']) for user in range(users)}
    truth.rows["users"] = list(cohorts.items())
    seen: dict[int, float] = {}
    for user in range(users):
        for _ in range(chance.randrange(4)):
            which = chance.randrange(len(edges) - 1)
            # some are yet to come, which counts as now
            ago = chance.uniform(edges[which] + 1, edges[which + 1] - _EDGE_SECONDS)
            seen[user] = min(ago, seen.get(user, ago))
            truth.rows["events"].append((user, now - timedelta(seconds=ago)))
    for window, seconds in WINDOWS.items():
        inside = sum(ago < seconds for ago in seen.values())
        truth.figures["sla_business_active_users"][labelled(window=window)] = inside
    _features(chance, now, truth, cohorts, {user for user, ago in seen.items() if ago < 86400})
    _counted(chance, now, truth)
    return truth


def _features(chance: random.Random, now: datetime, truth: Truth, cohorts: dict[int, str], active: set[int]) -> None:
    used: dict[tuple[str, str], set[int]] = defaultdict(set)
    for user, cohort in cohorts.items():
        for feature in ("draft", "replay"):
            for ago in chance.sample([600, 40_000, 80_000, 90_000, 900_000], chance.randrange(4)):
                truth.rows["feature_uses"].append((user, feature, now - timedelta(seconds=ago)))
                if ago < 86400 and user in active:
                    used[feature, cohort].add(user)
    sizes = Counter(cohorts[user] for user in active)
    for (feature, cohort), who in used.items():
        at = labelled(feature=feature, cohort=cohort)
        truth.figures["sla_business_feature_users"][at] = len(who)
        truth.figures["sla_business_feature_adoption_ratio"][at] = len(who) / sizes[cohort]


def _counted(chance: random.Random, now: datetime, truth: Truth) -> None:
    def ago() -> datetime:
        return now - timedelta(seconds=chance.uniform(60, 400_000))

    calls = [
        (
            chance.choice(["/scores", "/teams/{id}", "/draft"]),
            chance.choice(["web", "mobile"]),
            chance.choice(["free", "pro"]),
        )
        for _ in range(3000)
    ]
    truth.rows["api_calls"] = [(*call, ago()) for call in calls]
    for (route, client, plan), count in Counter(calls).items():
        truth.figures["sla_business_api_requests_total"][labelled(route=route, client=client, plan=plan)] = count
    truth.rows["signups"] = [(ago(),) for _ in range(chance.randrange(200, 300))]
    truth.figures["sla_business_signups_total"][labelled()] = len(truth.rows["signups"])
    outcomes = chance.choices(["succeeded", "declined"], [9, 1], k=500)  # none failed yet
    truth.rows["payments"] = [(outcome, ago()) for outcome in outcomes]
    for outcome in ("succeeded", "declined", "failed"):
        truth.figures["sla_business_payments_total"][labelled(outcome=outcome)] = outcomes.count(outcome)
    hour = timedelta(hours=1)
    truth.rows["live_events"] = [
        (1, "final", now - hour, now + hour),
        (2, "over", now - 2 * hour, now - hour),
        (3, "empty", now - hour, now + hour),
    ]
    attending = [(chance.choice([1, 2]), user, chance.choice([None, now])) for user in range(200)]
    truth.rows["attendances"] = list(attending)
    audience = sum(event == 1 and left is None for event, _, left in attending)
    truth.figures["sla_business_event_audience"] = {labelled(event="final"): audience, labelled(event="empty"): 0}


_COLUMNS = {
    "api_calls": "(route, client, plan, called_at)",
    "signups": "(signed_up_at)",
    "payments": "(outcome, paid_at)",
}


def fill(url: str, truth: Truth) -> None:
    """Makes the tables in an empty database, and puts the history there."""
    with psycopg.connect(url) as connection:
        for statement in filter(str.strip, TABLES.split(";")):
            if "CREATE ROLE" in statement:
                found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'").fetchone()
                if found:
                    continue
            connection.execute(statement.encode())
        for table in truth.rows:
            copy(connection, table, truth.rows[table])


def copy(connection: psycopg.Connection[Any], table: str, rows: list[tuple[Any, ...]]) -> None:
    """Puts rows into a table."""
    with connection.cursor().copy(f"COPY {table} {_COLUMNS.get(table, '')} FROM STDIN".encode()) as copying:
        for row in rows:
            copying.write_row(row)


def reader(url: str) -> str:
    """The address for the role that may only read."""
    return url.replace("//sla@", "//reader@")
