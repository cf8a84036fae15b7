"""An outbox in which a million notifications are finished, and one in which a million wait, beside an empty one.

    python -m bench.routing_outbox [--rows N] [--times N] [--small] [--no-postgresql]

For SQLite and PostgreSQL: accepting ten events, planning ten, claiming eight deliveries and recording that they
succeeded, the figures that /metrics shows, and a page of a list; in turns, medians in milliseconds, and how many times
as long it takes as in an empty one. The peer is the queue that is written first: one table with a state and an index on
it, the same steps, the same rows, the same durability.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import Connection, text

from bench.routing_setting import DURABLE
from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.outbox.accepting import accept
from sla_kit.routing.outbox.claiming import claim, succeed
from sla_kit.routing.outbox.looking import figures, page
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.planner import Planner
from tests.servers.postgresql import Postgresql, postgresql

_CATALOGUE = """\
name: bench
contacts: [{name: web, slack: "#web"}]
routes: [{to: [web]}]
services: [{name: api, slos: [{name: up, sli: {kind: probe, matchers: {job: api}}, objective: 99%}]}]
routing: {storm: {incidents: 0}, escalate: false}
"""
_EVENTS, _CLAIMS = 10, 8
_SERIES = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
#: Copies of what one event became, as it would be after a long time, or a long outage of Slack.
_COPIES = (
    "INSERT INTO event (received_at, kind, state, urgent, body)"
    " SELECT received_at - 0.001 * i, kind, 'planned', urgent, body FROM event, n WHERE event.id = :event",
    "INSERT INTO incident (dedup_key, open, kind, severity, service, team, opened_at, received_at, updated_at, version,"
    " body) SELECT dedup_key || i, {pending}, kind, severity, service, team, opened_at, received_at,"
    " updated_at - 0.001 * i, version, body FROM incident, n WHERE incident.id = :incident",
    "INSERT INTO delivery (key, incident_id, kind, destination, contact, queue, priority, state, pending, wanted,"
    " told_version, attempts, uncertain, fell_back, due_at, created_at, told_at)"
    " SELECT 'copy ' || i, :incident + i, kind, destination, contact, queue || i, priority, 'open', {pending}, 1,"
    " {told}, 0, FALSE, FALSE, due_at - 0.001 * i, created_at - 0.001 * i, {told_at}"
    " FROM delivery, n WHERE incident_id = :incident AND kind = 'slack'",
    "INSERT INTO history (delivery_id, at, what, version, words)"
    " SELECT :delivery + i, 0, 'delivered', 1, '' FROM n WHERE NOT {pending}",
)
_PEER = """
CREATE TABLE queue (id {key}, state VARCHAR(10) NOT NULL, priority INTEGER NOT NULL, due_at FLOAT NOT NULL,
  body {blob} NOT NULL)
"""
_PEER_CLAIM = """
SELECT id FROM queue WHERE state = 'pending' AND due_at <= :now ORDER BY priority, due_at LIMIT :limit
"""
_BODY = b"x" * 800


Step = Callable[[], object]


@dataclass
class Case:
    """One outbox, and the peer's table that holds as much; seconds by operation, ours and the peer's."""

    name: str
    outbox: Outbox
    peer: Outbox
    planner: Planner
    ours: dict[str, list[float]] = field(default_factory=dict)
    theirs: dict[str, list[float]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1))


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--no-postgresql", action="store_true")
    parser.add_argument("--small", action="store_true", help="only to see that it runs")
    options = parser.parse_args()
    rows, times = (500, 3) if options.small else (options.rows, options.times)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        (folder / "sla.yml").write_text(_CATALOGUE)
        catalogue = load(folder / "sla.yml")
        _measure("SQLite", _cases(stack, folder, None, catalogue, rows), rows, times)
        if not options.no_postgresql:
            server = stack.enter_context(postgresql(DURABLE))
            _measure("PostgreSQL", _cases(stack, folder, server, catalogue, rows), rows, times)


def _cases(stack: ExitStack, folder: Path, server: Postgresql | None, catalogue: Catalogue, rows: int) -> list[Case]:
    def opened(name: str) -> Outbox:
        return stack.enter_context(open_outbox(server.database(name) if server else str(folder / f"{name}.db")))

    cases = []
    for name in ("empty", "finished", "pending"):
        outbox, peer = opened(name), opened(f"peer-{name}")
        case = Case(name, outbox, peer, Planner(catalogue, outbox.clock))
        peer.write(_make_peer)
        _accept(case, 1)
        _plan(case)
        if name != "empty":
            began = time.monotonic()
            outbox.write(partial(_fill, rows=rows, pending=name == "pending"))
            peer.write(partial(_fill_peer, rows=rows, state="pending" if name == "pending" else "done"))
            print(f"{rows} {name} rows were made in {time.monotonic() - began:.0f} s", flush=True)
        if server is not None:
            for database in (name, f"peer-{name}"):
                with psycopg.connect(server.url.rpartition("/")[0] + f"/{database}", autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
        cases.append(case)
    return cases


def _fill(connection: Connection, rows: int, *, pending: bool) -> None:
    values: dict[str, int] = {"rows": rows}
    for table in ("event", "incident", "delivery"):
        values[table] = connection.execute(text(f"SELECT max(id) FROM {table}")).scalar_one()
    words = {
        "pending": "TRUE" if pending else "FALSE",
        "told": "0" if pending else "1",
        "told_at": "NULL" if pending else "created_at",
    }
    for statement in _COPIES:
        connection.execute(text(_SERIES + statement.format(**words)), values)


def _make_peer(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    key = "INTEGER PRIMARY KEY" if sqlite else "BIGSERIAL PRIMARY KEY"
    connection.execute(text(_PEER.format(key=key, blob="BLOB" if sqlite else "BYTEA")))
    connection.execute(text("CREATE INDEX queue_state ON queue (state)"))


def _fill_peer(connection: Connection, rows: int, state: str) -> None:
    connection.execute(
        text(f"{_SERIES} INSERT INTO queue (state, priority, due_at, body) SELECT :state, 2, 0.001 * i, :body FROM n"),
        {"rows": rows, "state": state, "body": _BODY},
    )


def _measure(database: str, cases: list[Case], rows: int, times: int) -> None:
    for _ in range(times):
        for case in cases:
            for name, ours, theirs in _steps(case):
                _timed(case.ours, name, ours)
                if theirs is not None:
                    _timed(case.theirs, name, theirs)
    print(f"\n{database}, {rows} rows, ms{'':8} {'empty':>8} {'finished':>9} {'':>7} {'pending':>9} {'':>7}", end="")
    print(f"   {'peer:':7}{'empty':>8} {'finished':>9} {'':>7} {'pending':>9} {'':>7}")
    worst = {side: {case.name: 0.0 for case in cases} for side in ("ours", "the peer")}
    for name in cases[0].ours:
        print(f"{name:30} {_row(name, [case.ours for case in cases])}", end="")
        print(f"          {_row(name, [case.theirs for case in cases])}" if name in cases[0].theirs else "")
        for side, found in (("ours", [case.ours for case in cases]), ("the peer", [case.theirs for case in cases])):
            for case, each in zip(cases, found, strict=True):
                if name in each:
                    worst[side][case.name] = max(worst[side][case.name], _median(each[name]) / _median(found[0][name]))
    for side, ratios in worst.items():
        print(
            f"ratio, {database}: {side} takes at most {ratios['finished']:.1f} times as long with {rows} finished rows,"
            f" {ratios['pending']:.1f} times with as many pending ones"
        )


def _steps(case: Case) -> list[tuple[str, Step, Step | None]]:
    """What is done, in its order: by us, and by the peer."""
    now = case.outbox.clock.now()

    def put(connection: Connection) -> None:
        values = {"now": now, "body": _BODY}
        statement = text("INSERT INTO queue (state, priority, due_at, body) VALUES ('pending', 2, :now, :body)")
        connection.execute(statement, [values] * _EVENTS)

    return [
        (f"accept {_EVENTS} events", lambda: _accept(case, _EVENTS), lambda: case.peer.write(put)),
        (f"plan {_EVENTS} events", lambda: _plan(case), None),
        (f"claim {_CLAIMS}, then record them", lambda: _deliver(case), lambda: _deliver_peer(case, now)),
        (
            "figures",
            lambda: _figures(case),
            lambda: _read(case.peer, "SELECT state, count(*) FROM queue GROUP BY state"),
        ),
        (
            "a page of those pending",
            lambda: _page(case),
            lambda: _read(case.peer, "SELECT * FROM queue WHERE state = 'pending' ORDER BY id DESC LIMIT 50"),
        ),
    ]


def _accept(case: Case, events: int) -> None:
    now = time.time()
    futures = []
    for _ in range(events):
        labels = {"alertname": f"Bench{next(case.numbers)}", "service": "api", "severity": "warning"}
        alert = Alert(labels=labels, fingerprint=labels["alertname"], firing=True, starts_at=now)
        futures.append(accept(case.outbox, Alerts(alerts=[alert], sender="alertmanager")))
    for future in futures:
        future.result()


def _plan(case: Case) -> None:
    case.outbox.write(lambda connection: case.planner.plan(connection))


def _deliver(case: Case) -> None:
    now = case.outbox.clock.now() + 1
    claimed = case.outbox.write(partial(claim, owner="bench", limit=_CLAIMS, now=now, lease_seconds=60.0))
    assert len(claimed) == _CLAIMS

    def record(connection: Connection) -> None:
        for each in claimed:
            succeed(connection, each, None, now)

    case.outbox.write(record)


def _deliver_peer(case: Case, now: float) -> None:
    def take(connection: Connection) -> list[int]:
        ids = list(connection.execute(text(_PEER_CLAIM), {"now": now, "limit": _CLAIMS}).scalars())
        connection.execute(text("UPDATE queue SET state = 'taken' WHERE id = :id"), [{"id": each} for each in ids])
        return ids

    def record(connection: Connection) -> None:
        connection.execute(text("UPDATE queue SET state = 'done' WHERE id = :id"), [{"id": each} for each in taken])

    taken = case.peer.write(take)
    assert len(taken) == _CLAIMS
    case.peer.write(record)


def _figures(case: Case) -> None:
    with case.outbox.reading() as connection:
        figures(connection, case.outbox.clock.now())


def _page(case: Case) -> None:
    with case.outbox.reading() as connection:
        page(connection, state="pending", limit=50)


def _read(outbox: Outbox, statement: str) -> None:
    with outbox.reading() as connection:
        connection.execute(text(statement)).all()


def _timed(found: dict[str, list[float]], name: str, step: Step) -> None:
    began = time.perf_counter()
    step()
    found.setdefault(name, []).append(time.perf_counter() - began)


def _median(times: list[float]) -> float:
    return statistics.median(times)


def _row(name: str, cases: list[dict[str, list[float]]]) -> str:
    empty, finished, pending = (1e3 * _median(each[name]) for each in cases)
    return f"{empty:>8.2f} {finished:>9.2f} {finished / empty:>6.1f}x {pending:>9.2f} {pending / empty:>6.1f}x"


if __name__ == "__main__":
    main()
