"""A ledger that was damaged or altered: `verify` names what and when, and no figure is made of it in silence."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sla_kit
from sla_kit.cli import main
from sla_kit.errors import LedgerError
from sla_kit.history import HistorySource
from sla_kit.ledger import open_ledger
from sla_kit.ledger.reading import day_name
from sla_kit.ledger.rereading import reread
from sla_kit.ledger.rows import digest, unpack
from sla_kit.ledger.verifying import verify_ledger, verify_report
from sla_kit.report import write
from sla_kit.timeline import Grid
from tests.ledger.keeping import DAY, END, LATER, START, STEP, Counting, asof, content, shop, update

LAST = END // DAY - 1


def run(*words: object, code: int) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def change(path: Path, statement: str, *values: object) -> None:
    """Changes a ledger behind its back."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()


def named(path: Path, id: int) -> str:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT service, name FROM indicator WHERE id = ?", [id]).fetchone()
    return "/".join(found)


def rows(path: Path) -> list[tuple[int, int, int, int, bytes, bytes]]:
    """indicator, day, first, count, digest and payload of each row."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT indicator, day, first, count, digest, payload FROM day ORDER BY indicator, day"
        ).fetchall()


def report(path: Path, folder: Path, source: HistorySource | None = None, window: str = "7d") -> Path:
    with open_ledger(str(path)) as ledger:
        (written,) = write(sla_kit.evaluate(shop(), source, window, END, ledger=ledger), folder, ["json"])
    return written


def test_any_changed_byte_of_any_row_is_named_with_its_day(filled: Path) -> None:
    chance = random.Random(7)
    everything = rows(filled)
    for id, day, first, count, proof, payload in chance.sample(everything, 60):
        column = chance.choice(["payload", "payload", "digest", "first", "count"])
        was: Any = {"payload": payload, "digest": proof, "first": first, "count": count}[column]
        if isinstance(was, bytes):
            at, changed = chance.randrange(len(was)), bytearray(was)
            changed[at] ^= chance.randint(1, 255)
            now: Any = bytes(changed)
        else:
            now = was ^ chance.choice([1, 2, 4, 128])
        where = f'UPDATE day SET "{column}" = ? WHERE indicator = ? AND day = ?'
        change(filled, where, now, id, day)
        with open_ledger(str(filled)) as ledger:
            told = [str(problem) for problem in verify_ledger(ledger)]
        what = f"{named(filled, id)}, {day_name(day)}"
        # The last bits of a compressed row are padding: where they change, what it holds does not.
        assert any(line.startswith(what) for line in told) or (column == "payload" and holds(now, day, count, proof))
        change(filled, where, was, id, day)
    with open_ledger(str(filled)) as ledger:
        assert verify_ledger(ledger) == []


def holds(payload: bytes, day: int, count: int, proof: bytes) -> bool:
    return digest(unpack(payload, Grid(day * DAY, STEP, count)), 0) == proof


def test_the_command_leaves_with_1_and_names_the_row(filled: Path) -> None:
    assert "Every row" in run("ledger", "verify", "-l", filled, code=0)
    id, day, *_, payload = rows(filled)[40]
    change(filled, "UPDATE day SET payload = ? WHERE indicator = ? AND day = ?", payload[:-9], id, day)
    assert f"{named(filled, id)}, {day_name(day)}" in run("ledger", "verify", "-l", filled, code=1)


def test_a_row_that_was_taken_away_is_named_with_its_day(filled: Path) -> None:
    id, day, *_ = rows(filled)[40]
    change(filled, "DELETE FROM day WHERE indicator = ? AND day = ?", id, day)
    assert f"{named(filled, id)}, {day_name(day)}" in run("ledger", "verify", "-l", filled, code=1)


def test_no_report_is_made_of_a_damaged_row_in_silence(filled: Path, tmp_path: Path) -> None:
    before = report(filled, tmp_path / "before")
    id, day, *_, payload = next(row for row in reversed(rows(filled)) if row[1] == LAST - 2)
    broken = bytearray(payload)
    broken[len(broken) // 2] ^= 255
    change(filled, "UPDATE day SET payload = ? WHERE indicator = ? AND day = ?", bytes(broken), id, day)
    with open_ledger(str(filled)) as ledger, pytest.raises(LedgerError) as caught:
        sla_kit.evaluate(shop(), None, "6d", END, ledger=ledger)
    assert named(filled, id) in caught.value.message
    assert day_name(day) in caught.value.message
    assert "verify" in (caught.value.remedy or "")
    told = run("ledger", "verify", before, "-l", filled, code=1)
    assert named(filled, id) in told
    assert day_name(day) in told


def test_a_row_altered_with_its_digest_is_found_by_the_report_made_of_it(
    filled: Path, recording: HistorySource, tmp_path: Path
) -> None:
    """Who alters the digest too deceives `verify` of the ledger, but not that of a report."""
    written = report(filled, tmp_path)
    assert "Proven" in run("ledger", "verify", written, "-l", filled, code=0)
    (requests,) = (row[0] for row in rows(filled) if row[1] == LAST and named(filled, row[0]) == "api/requests")
    other = next(row for row in rows(filled) if row[0] == requests and row[1] == LAST - 3)
    grid = Grid(LAST * DAY, STEP, other[3])
    forged = digest(unpack(other[5], grid), 0)
    change(
        filled,
        "UPDATE day SET payload = ?, digest = ? WHERE indicator = ? AND day = ?",
        other[5],
        forged,
        requests,
        LAST,
    )
    told = run("ledger", "verify", written, "-l", filled, code=1)
    assert f"api/requests, {day_name(LAST)}" in told
    assert "not by a correction" in told
    change(filled, "DELETE FROM day WHERE indicator = ? AND day = ?", requests, LAST)
    told = run("ledger", "verify", written, "-l", filled, code=1)
    assert f"api/requests, {day_name(LAST)}" in told
    assert "not in the ledger" in told


@pytest.mark.parametrize(
    "statement", ["UPDATE correction SET reason = 'none' WHERE number = 1", "DELETE FROM correction WHERE number = 1"]
)
def test_a_correction_that_was_altered_or_taken_away_shows(filled: Path, statement: str) -> None:
    with open_ledger(str(filled)) as ledger:
        for number in range(2):
            ledger.exclude(shop(), END - 3600 * (number + 2), END - 3600, author="ann", reason="a drill")
    with closing(sqlite3.connect(filled)) as connection:
        for action in ("update", "delete"):
            connection.execute(f"DROP TRIGGER correction_no_{action}")
        connection.execute(statement)
        connection.commit()
    told = run("ledger", "verify", "-l", filled, code=1)
    assert "correction" in told
    assert "altered or taken away" in told


def test_the_last_correction_taken_away_shows_in_the_report_that_counted_it(filled: Path, tmp_path: Path) -> None:
    with open_ledger(str(filled)) as ledger:
        ledger.exclude(shop(), END - 7200, END - 3600, author="ann", reason="a drill")
    written = report(filled, tmp_path)
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("DROP TRIGGER correction_no_delete")
        connection.execute("DELETE FROM correction")
        connection.commit()
    assert "correction" in run("ledger", "verify", written, "-l", filled, code=1)


@pytest.mark.parametrize("kind", ["catalogue", "calendar", "inputs"])
def test_what_a_report_was_made_of_is_named_where_it_was_altered_or_is_missing(
    filled: Path, tmp_path: Path, kind: str
) -> None:
    written = report(filled, tmp_path)
    with closing(sqlite3.connect(filled)) as connection:
        (body,) = connection.execute("SELECT body FROM content WHERE kind = ?", [kind]).fetchone()
    change(filled, "UPDATE content SET body = ? WHERE kind = ?", body[:5] + bytes([body[5] ^ 64]) + body[6:], kind)
    assert f"the {kind}" in run("ledger", "verify", "-l", filled, code=1)
    with open_ledger(str(filled)) as ledger, pytest.raises(LedgerError, match=f"the {kind} .*(damaged|altered)"):
        verify_report(ledger, written)
    change(filled, "DELETE FROM content WHERE kind = ?", kind)
    with open_ledger(str(filled)) as ledger, pytest.raises(LedgerError, match=f"does not hold the {kind}"):
        verify_report(ledger, written)


def test_a_truncated_file_is_told(filled: Path) -> None:
    with filled.open("r+b") as file:
        file.truncate(filled.stat().st_size * 2 // 3)
    result = CliRunner().invoke(main, ["ledger", "verify", "-l", str(filled)])
    assert result.exit_code in (1, 2), result.output
    assert "damaged" in result.output or "the file" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("page", range(2, 18, 3))
def test_a_damaged_page_is_told(filled: Path, page: int) -> None:
    with filled.open("r+b") as file:
        file.seek(16384 * page + 4096)
        kept = file.read(512)
        file.seek(16384 * page + 4096)
        file.write(bytes(byte ^ 90 for byte in kept))
        if not any(kept):  # nothing was there: damage what says where everything is
            file.seek(16384 * page)
            file.write(bytes(8))
    result = CliRunner().invoke(main, ["ledger", "verify", "-l", str(filled)])
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_days_read_again_say_which_buckets_changed_and_the_old_report_is_still_proven(
    recording: HistorySource, tmp_path: Path
) -> None:
    path, moment = tmp_path / "ledger.db", END - 12 * 3600
    lacking = asof(recording, END, missing=(moment, moment + 2 * STEP))
    update(str(path), lacking)
    old = report(path, tmp_path / "old", lacking)
    with open_ledger(str(path)) as ledger:
        made, changed = reread(ledger, shop(), recording, moment, END, author="ann", reason="the server was behind")
        assert made is not None
        assert changed >= 3
        assert verify_ledger(ledger) == []
        verdict = verify_report(ledger, old)
        assert verdict.proven, verdict.problems
        assert any(f"correction {made.number} (reading)" in note for note in verdict.notes)
        again = sla_kit.evaluate(shop(), None, "7d", END, ledger=ledger)["api", "availability"]
    straight = sla_kit.evaluate(shop(), recording, "7d", END)["api", "availability"]
    assert (again.figure.total, again.figure.bad) == (straight.figure.total, straight.figure.bad)


def test_a_later_run_heals_nothing_and_harms_nothing_of_a_damaged_ledger(
    filled: Path, recording: HistorySource
) -> None:
    id, day, *_, payload = rows(filled)[40]
    change(filled, "UPDATE day SET payload = ? WHERE indicator = ? AND day = ?", payload[:-9], id, day)
    before = content(str(filled))
    with open_ledger(str(filled)) as ledger:
        ledger.update(shop(), Counting(recording), until=END, now=LATER)
        assert content(ledger) == before
        # Reading the day again puts a sound row beside the damaged one.
        reread(ledger, shop(), recording, day * DAY, day * DAY + DAY, author="ann", reason="damaged")
        found = sla_kit.evaluate(shop(), None, "26d", END, ledger=ledger)
    assert (
        found["api", "availability"].figure
        == sla_kit.evaluate(shop(), recording, "26d", END)["api", "availability"].figure
    )
    assert START // DAY <= day <= LAST
