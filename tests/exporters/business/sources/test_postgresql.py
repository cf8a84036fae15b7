"""Asking a real PostgreSQL: what it answers, how it fails, and that it is neither changed nor held up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.business.sources import Opened, Opening, Question
from sla_kit.exporters.business.sources.postgresql import PostgresqlSource
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from tests.exporters.business.sources.asking import PATIENCE_SECONDS, mistakes, refusal, rows
from tests.servers.postgresql import GUEST, PASSWORD, Postgresql, postgresql, started_again
from tests.servers.process import refusing_port

pytestmark = pytest.mark.xdist_group("business_postgresql")


@contextmanager
def opened(source: PostgresqlSource, name: str = "test", interval: float = 30.0) -> Iterator[Opened]:
    found = source.open(Opening(name, Schedule(interval), Path("/")))
    try:
        yield found
    finally:
        found.close()


def ask(to: Opened, sql: str, seconds: float = PATIENCE_SECONDS, **parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in to.rows(Question(sql, parameters), time.monotonic() + seconds)]


def sessions(url: str, name: str) -> list[tuple[Any, ...]]:
    """What sessions of an application the server has: process, state, and what they run."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(
            "SELECT pid, state, query FROM pg_stat_activity WHERE application_name = %s", (f"sla-kit business {name}",)
        ).fetchall()


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks


def test_rows_have_the_types_of_their_columns(database: str) -> None:
    (row,) = rows(
        PostgresqlSource(url=database),
        """SELECT 1 AS i, 2.5::float8 AS f, 1.10::numeric AS d, true AS b, NULL::int AS nothing, 'ü''"\\' AS t,
           timestamptz '2026-01-01 00:00Z' AS at, interval '1 minute' AS long""",
    )
    assert row == {
        "i": 1,
        "f": 2.5,
        "d": Decimal("1.10"),
        "b": True,
        "nothing": None,
        "t": "ü'\"\\",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "long": timedelta(minutes=1),
    }


def test_no_rows_are_an_answer(database: str) -> None:
    assert rows(PostgresqlSource(url=database), "SELECT 1 AS n WHERE false") == []


def test_parameters_are_bound_and_never_pasted(database: str) -> None:
    evil = "'; DROP TABLE users; --"
    sql = "SELECT %(name)s::text AS name, now() - make_interval(secs => %(window_seconds)s) < now() AS earlier"
    found = rows(PostgresqlSource(url=database), sql, name=evil, window_seconds=60)
    assert found == [{"name": evil, "earlier": True}]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO kept VALUES (2)",
        "WITH gone AS (DELETE FROM kept RETURNING n) SELECT n FROM gone",
        "SELECT nextval('numbers') AS n",
        "SELECT set_config('transaction_read_only', 'off', false) AS n",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT 1 AS n; DELETE FROM kept",
        "SELECT 1 AS n; COMMIT; DELETE FROM kept",
    ],
)
def test_what_would_write_is_refused_by_the_server(database: str, sql: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute("INSERT INTO kept VALUES (1)")
        with opened(PostgresqlSource(url=database)) as source:
            for _ in range(2):
                with pytest.raises(CollectError) as caught:
                    ask(source, sql)
                assert caught.value.kind == "query"
            with pytest.raises(CollectError):
                ask(source, "INSERT INTO kept VALUES (3)")
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        assert connection.execute("SELECT is_called FROM numbers").fetchall() == [(False,)]


def test_a_session_made_writable_by_a_query_still_only_reads(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        with opened(PostgresqlSource(url=database)) as source:
            ask(source, "SELECT set_config('default_transaction_read_only', 'off', false) AS n")
            with pytest.raises(CollectError, match="read-only"):
                ask(source, "INSERT INTO kept VALUES (1)")
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]


def test_a_slow_query_is_ended_on_the_server(database: str) -> None:
    for seconds in (1.0, 10.0, 100.0):  # on a busy machine the first may be over before the server looks
        error = refusal(PostgresqlSource(url=database), "SELECT pg_sleep(600) AS n", seconds=seconds)
        assert error.kind == "timeout"
        if error.remedy:
            break
    assert "raise timeout" in error.remedy
    wait_until(lambda: not sessions(database, "test"))


def test_a_slow_query_takes_its_connection_but_not_the_next_answer(database: str) -> None:
    with opened(PostgresqlSource(url=database)) as source:
        with pytest.raises(CollectError) as caught:
            ask(source, "SELECT n, pg_sleep(600) FROM generate_series(1, 9) AS n", seconds=1.0)
        assert caught.value.kind == "timeout"
        assert ask(source, "SELECT 1 AS n") == [{"n": 1}]


def test_an_answer_dropped_half_way_ends_on_the_server(database: str) -> None:
    with opened(PostgresqlSource(url=database)) as source:
        answer = iter(
            source.rows(
                Question("SELECT n, pg_sleep(0.001) AS s FROM generate_series(1, 100000) AS n", {}),
                time.monotonic() + PATIENCE_SECONDS,
            )
        )
        assert next(answer)["n"] == 1
        answer.close()  # type: ignore[attr-defined]
        wait_until(lambda: not sessions(database, "test"))


def test_a_server_that_no_longer_answers_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with postgresql() as stopped, opened(PostgresqlSource(url=stopped.url)) as source:
        assert ask(source, "SELECT 1 AS n") == [{"n": 1}]
        ((backend, _, _),) = sessions(stopped.url, "test")
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(CollectError) as caught:
                ask(source, "SELECT 2 AS n", seconds=1.0)
            assert caught.value.kind == "timeout"
            assert "did not answer" in caught.value.message
        finally:
            os.kill(backend, signal.SIGCONT)
        assert ask(source, "SELECT 3 AS n") == [{"n": 3}]


def test_queries_on_one_database_do_not_wait_for_each_other(database: str) -> None:
    source = PostgresqlSource(url=database)
    with opened(source, "slow") as slow, opened(source, "quick") as quick:
        ended: list[CollectError] = []

        def sleep() -> None:
            try:
                ask(slow, "SELECT pg_sleep(600) AS n", seconds=PATIENCE_SECONDS)
            except CollectError as error:
                ended.append(error)

        thread = threading.Thread(target=sleep)
        thread.start()
        wait_until(lambda: [state for _, state, _ in sessions(database, "slow") if state == "active"])
        assert ask(quick, "SELECT 1 AS n") == [{"n": 1}]
        assert thread.is_alive()
        ((backend, _, _),) = sessions(database, "slow")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SELECT pg_cancel_backend(%s)", (backend,))
        thread.join(PATIENCE_SECONDS)
        assert [error.kind for error in ended] == ["timeout"]


def test_a_connection_is_kept_where_it_is_soon_needed_again(database: str) -> None:
    source = PostgresqlSource(url=database, keep=60)
    with opened(source, "often", interval=30) as often, opened(source, "seldom", interval=3600) as seldom:
        for _ in range(2):
            ask(often, "SELECT 1 AS n")
            ask(seldom, "SELECT 1 AS n")
        ((backend, state, _),) = sessions(database, "often")
        assert state == "idle"
        wait_until(lambda: not sessions(database, "seldom"))
        ask(often, "SELECT 1 AS n")
        assert [process for process, _, _ in sessions(database, "often")] == [backend]
    wait_until(lambda: not sessions(database, "often"))


def test_a_kept_connection_that_was_ended_is_made_anew_unnoticed(database: str) -> None:
    with opened(PostgresqlSource(url=database)) as source, psycopg.connect(database, autocommit=True) as connection:
        ask(source, "SELECT 1 AS n")
        ((backend, _, _),) = sessions(database, "test")
        connection.execute("SELECT pg_terminate_backend(%s)", (backend,))
        wait_until(lambda: not sessions(database, "test"))
        assert ask(source, "SELECT 2 AS n") == [{"n": 2}]


def test_a_server_killed_and_started_again_is_asked_again() -> None:
    with postgresql() as server, opened(PostgresqlSource(url=server.url)) as asked:
        assert ask(asked, "SELECT 1 AS n") == [{"n": 1}]
        server.stop()
        wait_until(lambda: not _answers(server))
        for _ in range(2):
            with pytest.raises(CollectError) as caught:
                ask(asked, "SELECT 1 AS n")
            assert caught.value.kind == "connect"
        with started_again(server):
            assert ask(asked, "SELECT 2 AS n") == [{"n": 2}]
        with pytest.raises(CollectError):
            ask(asked, "SELECT 3 AS n")


def _answers(server: Postgresql) -> bool:
    try:
        psycopg.connect(server.url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_password_is_read_when_it_is_needed_and_never_told(business_server: Postgresql, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a wrong one that is secret\n")
    url = business_server.url.replace("//sla@", f"//{GUEST}@")
    source = PostgresqlSource(url=url, password=Secret(file=str(file)))
    error = refusal(source, "SELECT 1 AS n")
    assert error.kind == "auth"
    assert "secret" not in str(error)
    assert GUEST in str(error)
    file.write_text(PASSWORD + "\n")
    assert rows(source, "SELECT 1 AS n") == [{"n": 1}]
    assert PASSWORD not in repr(source)
    assert refusal(PostgresqlSource(url=url), "SELECT 1 AS n").kind == "auth"


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELECT 1 / 0 AS n", "query", "division by zero"),
        ("SELECT count(1), count(2)", "query", "2 columns of the answer are called count"),
        ("SELECT nothing FROM nowhere", "query", "does not exist"),
        ("SELECT timestamp 'infinity' AS n", "data", "too large"),
        ("SELECT pg_read_file('/etc/passwd') AS n", "auth", "permission denied"),
    ],
)
def test_errors_say_of_what_kind_they_are(
    business_server: Postgresql, sql: str, kind: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = business_server.url.replace("//sla@", f"//{GUEST}@")
    monkeypatch.setenv("SLA_KIT_TEST_GUEST", PASSWORD)
    error = refusal(PostgresqlSource(url=url, password=Secret(env="SLA_KIT_TEST_GUEST")), sql)
    assert error.kind == kind
    assert said in error.message


def test_nobody_there_and_no_such_database_are_of_kind_connect(business_server: Postgresql) -> None:
    with refusing_port() as port:
        nobody = PostgresqlSource(url=f"postgresql://x@127.0.0.1:{port}/x")
        assert refusal(nobody, "SELECT 1 AS n").kind == "connect"
    missing = business_server.url.rpartition("/")[0] + "/missing"
    assert refusal(PostgresqlSource(url=missing), "SELECT 1 AS n").kind == "connect"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 that is its own authority, readable by the server."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt"]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    return folder


def test_tls_is_verified_as_the_address_says(certificate: Path) -> None:
    with postgresql() as server:
        for name in ("server.key", "server.crt"):
            target = server.data / name
            shutil.copy(certificate / name, target)
            target.chmod(0o600)
            owner = server.data.stat()
            os.chown(target, owner.st_uid, owner.st_gid)
        server.run("ALTER SYSTEM SET ssl = on")
        server.run("SELECT pg_reload_conf()")
        sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        verified = f"{server.url}?sslmode=verify-full&sslrootcert="
        wait_until(lambda: rows(PostgresqlSource(url=f"{server.url}?sslmode=prefer"), sql) == [{"ssl": True}])
        assert rows(PostgresqlSource(url=f"{verified}{certificate}/server.crt"), sql) == [{"ssl": True}]
        other = PostgresqlSource(url=f"{verified}/etc/ssl/certs/ca-certificates.crt")
        error = refusal(other, sql)
        assert error.kind == "connect"
        assert "certificate" in error.message


def test_tls_is_asked_for_as_the_address_says(business_server: Postgresql) -> None:
    error = refusal(PostgresqlSource(url=business_server.url + "?sslmode=require"), "SELECT 1 AS n")
    assert error.kind == "connect"
    assert "SSL" in error.message


def told(source: PostgresqlSource, sql: str | None = None, *parameters: str) -> list[str]:
    """What is said, without where."""
    return [message.partition(": ")[2] for message in mistakes(source, sql, *parameters)]


def test_mistakes_in_an_address_or_a_query_are_told() -> None:
    assert told(PostgresqlSource(url="host=db user=u")) == ["is no address of a PostgreSQL"]
    assert told(PostgresqlSource(url="postgresql://u:p@db/x")) == ["holds a password"]
    assert told(PostgresqlSource(url="postgresql://u@db/x?password=p")) == ["holds a password"]
    good = PostgresqlSource(url="postgresql://u@db/x?sslmode=verify-full")
    assert told(good, "SELECT n FROM t WHERE a LIKE 'x%'") == []
    assert told(good, "SELECT n FROM t WHERE a LIKE 'x%' AND b = %(b)s", "b") == ["has a % beside its parameters"]
    assert told(good, "SELECT n FROM t WHERE a LIKE 'x%%' AND b = %(b)s", "b") == []
    assert told(good, "SELECT n FROM t WHERE b = %(c)s", "b") == ["names %(c)s, which is no parameter"]


def test_more_queries_than_connections_take_turns(database: str) -> None:
    """None of them keeps the others out with the connection that it has kept."""
    source = PostgresqlSource(url=database, connections=2)
    most = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'sla-kit business turn %%'"
    seen, failed = [], []

    def work(number: int) -> None:
        with opened(source, f"turn {number}") as asked:
            try:
                for _ in range(5):
                    seen.append(ask(asked, most + " AND %(n)s > 0", n=1)[0]["n"])
            except CollectError as error:
                failed.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_SECONDS)
    assert not failed
    assert len(seen) == 12 * 5
    # A server forgets a session a moment after its connection was closed; that of who asks is always there.
    assert min(seen) >= 1
    with opened(source, "turn a") as first, opened(source, "turn b") as second, opened(source, "turn c") as third:
        for asked in (first, second, third, first, second, third):
            ask(asked, "SELECT 1 AS n")
        wait_until(lambda: len([name for name in "abc" if sessions(database, f"turn {name}")]) == 2)
    wait_until(lambda: not any(sessions(database, f"turn {name}") for name in "abc"))


def test_who_finds_no_connection_free_in_time_says_so_and_others_go_on(database: str) -> None:
    source = PostgresqlSource(url=database, connections=1)
    with opened(source, "busy") as busy, opened(source, "waiting") as waiting:
        answer = iter(
            busy.rows(Question("SELECT n FROM generate_series(1, 2) AS n", {}), time.monotonic() + PATIENCE_SECONDS)
        )
        next(answer)
        with pytest.raises(CollectError, match="no connection was free in time: there may be 1") as caught:
            ask(waiting, "SELECT 1 AS n", seconds=0.1)
        assert caught.value.kind == "timeout"
        assert [row["n"] for row in answer] == [2]
        assert ask(waiting, "SELECT 1 AS n") == [{"n": 1}]
        assert ask(busy, "SELECT 2 AS n") == [{"n": 2}]


def test_a_failed_query_gives_its_place_back(database: str) -> None:
    source = PostgresqlSource(url=database, connections=1)
    with opened(source, "bad") as bad, opened(source, "good") as good:
        for _ in range(3):
            with pytest.raises(CollectError, match="does not exist"):
                ask(bad, "SELECT nothing AS n FROM nowhere")
        assert ask(good, "SELECT 1 AS n") == [{"n": 1}]
    assert mistakes(PostgresqlSource(url=database, connections=0)) == ["source.connections: must be at least 1"]


def test_a_server_without_room_says_what_to_do(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS crowded")
        connection.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
        try:
            told = refusal(PostgresqlSource(url=database.replace("sla@", "crowded@")), "SELECT 1 AS n")
        finally:
            connection.execute("DROP ROLE crowded")
    assert told.kind == "connect"
    assert "connections" in (told.remedy or "")
    missing = PostgresqlSource(url=database + "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
    assert refusal(missing, "SELECT 1 AS n").kind == "connect"
