"""Proof, or what is wrong: of every row, of the chain of corrections, and of a report by computing it again."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, Table, func, select

from sla_kit.chaining import broken_link
from sla_kit.engine.conclusion import conclude
from sla_kit.engine.context import Context, grid_for
from sla_kit.engine.results import Evaluation, Period
from sla_kit.errors import LedgerError
from sla_kit.evaluation import results
from sla_kit.ledger import Ledger
from sla_kit.ledger.corrections import corrections
from sla_kit.ledger.drills import drills, mismatched
from sla_kit.ledger.proofs import kept_calendar, kept_catalogue, kept_inputs
from sla_kit.ledger.reading import day_name
from sla_kit.ledger.records import mismatched as mismatched_records
from sla_kit.ledger.records import records
from sla_kit.ledger.reporting_responses import responses_of
from sla_kit.ledger.rows import DAY_SECONDS, changed, cut, digest, unpack
from sla_kit.ledger.tables import content as contents
from sla_kit.ledger.tables import daily as sums
from sla_kit.ledger.tables import day as days
from sla_kit.ledger.tables import error_state, response
from sla_kit.ledger.tables import indicator as indicators
from sla_kit.ledger.tables import mark as mark_table
from sla_kit.report.document import Report, to_document
from sla_kit.report.formats import rfc3339
from sla_kit.report.owners import for_owner
from sla_kit.sources import Progress, no_progress
from sla_kit.timeline import Grid, Timeline

_ROW = (
    days.c.indicator,
    days.c.day,
    days.c.correction,
    days.c.first,
    days.c.count,
    days.c.digest,
    days.c.payload,
)
#: Rows that are looked at between two reports of progress.
_STEP = 500
#: How many buckets that changed are told one by one.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written: ``what`` it is about, and what is wrong with it."""

    what: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.what}: {self.wrong}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of verifying a report. ``proven``: computed again from the same buckets it says the same. ``problems``
    are what stands against that; ``notes`` what came later and does not."""

    proven: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def verify_ledger(ledger: Ledger, progress: Progress = no_progress) -> list[Problem]:
    """Reads everything and returns what is damaged or altered: rows whose content is not what their digests say
    or that were taken away, corrections that are missing or altered, contents of reports that are not what they were.

    Raises `LedgerError` where the database itself can't be read.
    """
    problems: list[Problem] = []
    with ledger.store.reading() as connection:
        problems.extend(_file(connection))
        link = broken_link(corrections(connection))
        if link is not None:
            wrong = "it, or one before it, was altered or taken away"
            problems.append(Problem(f"correction {link.number}", wrong))
        problems.extend(_drills(connection))
        problems.extend(_records(connection, response, "response {}", "incident or its time"))
        problems.extend(_records(connection, error_state, "saying {} of errors", "group"))
        for found, kind, body in connection.execute(select(contents.c.digest, contents.c.kind, contents.c.body)):
            if not _is(body, found):
                problems.append(Problem(f"the {kind} {found[:12]}… of a report", "damaged or altered"))
        held: set[bytes] = set()
        problems.extend(_rows(connection, progress, held))
        problems.extend(_lost(connection, held))
    return problems


def verify_report(ledger: Ledger, path: Path, progress: Progress = no_progress) -> Verdict:
    """Computes a report.json again from the catalogue, the exclusions and the buckets that it was made of, which the
    ledger keeps, and compares every figure. Raises `LedgerError` for a report that can't be verified at all."""
    said, report = _read(path)
    proof = report.proof
    if proof is None:
        raise LedgerError(
            "this report was made without a ledger, so that nothing proves it",
            place=str(path),
            remedy="make reports with --ledger",
        )
    with ledger.store.reading() as connection:
        catalogue = kept_catalogue(connection, proof.catalogue)
        maintenance, events = kept_calendar(connection, proof.exclusions)
        inputs = kept_inputs(connection, proof.inputs)
        chain = corrections(connection)
    later = [one for one in chain if one.number > proof.corrections]
    window = Period(report.window.name, _seconds(report.window.start), _seconds(report.window.end))
    rolled = {
        Period(one.window.name, _seconds(one.window.start), _seconds(one.window.end)): None
        for slo in report.slos
        for one in slo.rollups
    }
    context = Context(catalogue, _seconds(report.at), window, maintenance, events, tuple(rolled))
    wanted = [(slo.service, slo.slo) for slo in report.slos]
    chosen = [(service, slo) for service, slo in catalogue.slos() if (service.name, slo.name) in set(wanted)]
    source = ledger.source(catalogue, None, proof.corrections, distrust=True)
    again = conclude(context, report.source, results(context, source, progress, chosen))
    if report.responses is not None:
        told = responses_of(
            ledger, catalogue, window, services=report.responses.services, until_record=report.responses.records
        )
        again = replace(again, responses=told)
    if report.owner is not None:
        again = for_owner(again, catalogue, report.owner)
    # An owner's report states what the whole one was made of; its own part of that is looked at.
    inputs = {key: days for key, days in inputs.items() if key in source.proofs}
    problems = _changed(ledger, inputs, source.proofs, source.silent, context)
    if source.damages:
        problems = [Problem(ledger.name, damage.message) for damage in source.damages]
    else:
        problems += _differences(said, again)
    for number in sorted(set(range(1, proof.corrections + 1)) - {one.number for one in chain}):
        wrong = "the report was made after it, and the ledger does not hold it (any more)"
        problems.append(Problem(f"correction {number}", wrong))
    mine = [one for one in later if (one.catalogue, one.environment) == (catalogue.name, catalogue.environment)]
    notes = [
        f"since then correction {one.number} ({one.kind}) was made by {one.author}, {one.made_at}: {one.reason}"
        for one in mine
    ]
    return Verdict(not problems, tuple(problems), tuple(notes))


# --- rows -----------------------------------------------------------------------------------------------------------


def _file(connection: Connection) -> Iterator[Problem]:
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
            if line != "ok":
                yield Problem("the file", str(line))


def _drills(connection: Connection) -> Iterator[Problem]:
    link = broken_link(drills(connection))
    if link is not None:
        yield Problem(f"restore drill {link.number}", "it, or one before it, was altered or taken away")
    for number in mismatched(connection):
        yield Problem(f"restore drill {number}", "its target or outcome was altered: its evidence says another")


def _records(connection: Connection, table: Table, what: str, altered: str) -> Iterator[Problem]:
    """What is wrong with the records of a table; ``what`` names one by its number, ``altered`` what it is found by."""
    link = broken_link(records(connection, table))
    if link is not None:
        yield Problem(what.format(link.number), "it, or one before it, was altered or taken away")
    for number in mismatched_records(connection, table):
        yield Problem(what.format(number), f"its {altered} was altered: its content says another")


def _rows(connection: Connection, progress: Progress, held: set[bytes]) -> Iterator[Problem]:
    """What is wrong with rows; collects their digests in ``held``."""
    known = {
        row.id: (f"{row.service}/{row.name}", row.bucket)
        for row in connection.execute(
            select(indicators.c.id, indicators.c.service, indicators.c.name, indicators.c.bucket)
        )
    }
    everything = int(connection.execute(select(func.count()).select_from(days)).scalar_one())
    query = select(*_ROW).order_by(days.c.indicator, days.c.day, days.c.correction)
    found = connection.execution_options(yield_per=_STEP).execute(query)
    for done, (id, day, correction, first, count, proof, payload) in enumerate(found, 1):
        held.add(bytes(proof))
        name, step = known.get(id, (f"indicator {id}", 0))
        what = f"{name}, {day_name(day)}" + (f", correction {correction}" if correction else "")
        if not step:
            yield Problem(what, "nothing says which indicator this row belongs to")
            continue
        try:
            timeline = unpack(payload, Grid(day * DAY_SECONDS + first * step, step, count))
            if digest(timeline, first) != bytes(proof):
                yield Problem(what, "the row was altered: its content is not what its digest says")
        except (LedgerError, ValueError) as error:
            yield Problem(what, error.message if isinstance(error, LedgerError) else f"the row can't be read: {error}")
        if done % _STEP == 0 or done == everything:
            progress(done, everything, name)


def _lost(connection: Connection, held: set[bytes]) -> Iterator[Problem]:
    """Days of which there are sums but no longer the row that they were made of: no correction takes a row away, and
    pruning takes the sums along."""
    gone = {day for day, proof in connection.execute(select(sums.c.day, sums.c.digest)) if bytes(proof) not in held}
    if not gone:
        return
    edges = select(days.c.indicator, func.min(days.c.day), func.max(days.c.day)).group_by(days.c.indicator)
    spans = {id: (first, last) for id, first, last in connection.execute(edges)}
    names = {
        row.id: f"{row.service}/{row.name}"
        for row in connection.execute(select(indicators.c.id, indicators.c.service, indicators.c.name))
    }
    for day in sorted(gone):
        there = set(connection.scalars(select(days.c.indicator).where(days.c.day == day)))
        inside = [id for id, (first, last) in spans.items() if first < day < last and id not in there]
        # At an edge of an indicator's rows nothing tells whose row it was.
        for what in [names.get(id, f"indicator {id}") for id in inside] or ["some indicator"]:
            yield Problem(f"{what}, {day_name(day)}", "the row was taken away or replaced, not by a correction")


def _is(body: bytes, digest_of: str) -> bool:
    try:
        return hashlib.sha256(zlib.decompress(body)).hexdigest() == digest_of
    except zlib.error:
        return False


# --- a report -------------------------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[dict[str, Any], Report]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"the report can't be read: {error.strerror}", place=str(path)) from error
    try:
        return msgspec.json.decode(text, type=dict[str, Any]), msgspec.json.decode(text, type=Report)
    except msgspec.MsgspecError as error:
        remedy = "give the report.json that `sla-kit report --ledger` wrote"
        raise LedgerError(f"this is no report.json: {error}", place=str(path), remedy=remedy) from error


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _changed(
    ledger: Ledger,
    then: Mapping[tuple[str, str], Mapping[int, bytes]],
    now: Mapping[tuple[str, str], Mapping[int, bytes]],
    silent: Mapping[tuple[str, str], Mapping[int, bytes]],
    context: Context,
) -> list[Problem]:
    """The days whose buckets are not those that the report was made of, and which buckets those are where the ledger
    still has the day as it was."""
    problems: list[Problem] = []
    grid = grid_for(context)
    for key, days_then in sorted(then.items()):
        days_now = now.get(key, {})
        everything = {**silent.get(key, {}), **days_now}
        for day, proof in sorted(days_then.items()):
            if everything.get(day) != proof:
                what = f"{key[0]}/{key[1]}, {day_name(day)}"
                problems.append(Problem(what, _how(ledger, context, key, day, proof, grid, day in everything)))
        for day in sorted(set(days_now) - set(days_then)):
            wrong = "nothing was known of it then, and something is in the ledger now"
            problems.append(Problem(f"{key[0]}/{key[1]}, {day_name(day)}", wrong))
    return problems


def _how(
    ledger: Ledger,
    context: Context,
    key: tuple[str, str],
    day: int,
    proof: bytes,
    grid: Grid,
    there: bool,
) -> str:
    if not there:
        return "its buckets are not in the ledger (any more)"
    versions = list(_versions(ledger, context, key, day, grid))
    was = next((timeline for timeline in versions if digest(timeline, _first(timeline)) == proof), None)
    if was is not None:
        return f"changed by a correction since: {_named(versions[-1], _differing(was, versions[-1]))}"
    altered = "altered in the ledger, and not by a correction"
    with ledger.store.reading() as connection:
        then = connection.execute(select(mark_table.c.body).where(mark_table.c.digest == proof)).scalar()
    if then is None or not versions:
        return altered
    return f"{altered}: {_named(versions[-1], changed(bytes(then), versions[-1]))}"


def _versions(ledger: Ledger, context: Context, key: tuple[str, str], day: int, grid: Grid) -> Iterator[Timeline]:
    """The buckets of one day that lie on the report's grid, as each correction left them, oldest first."""
    identity = ledger.identities(context.catalogue)[key]
    with ledger.store.reading() as connection:
        query = select(days.c.first, days.c.count, days.c.payload).where(
            (days.c.indicator == identity.id) & (days.c.day == day)
        )
        for first, count, payload in connection.execute(query.order_by(days.c.correction)):
            start = day * DAY_SECONDS + first * identity.bucket
            try:
                timeline = unpack(payload, Grid(start, identity.bucket, count))
            except (LedgerError, ValueError):
                continue
            yield cut(timeline, max(start, grid.start), min(timeline.grid.end, grid.end))


def _first(timeline: Timeline) -> int:
    return (timeline.grid.start % DAY_SECONDS) // timeline.grid.step


def _differing(was: Timeline, now: Timeline) -> list[int]:
    """The positions of the buckets in which two versions of a day differ."""
    count = min(was.grid.count, now.grid.count)
    differ = np.zeros(count, dtype=np.bool_)
    for name in ("good", "total", "coverage", "value", "completed"):
        left, right = getattr(was, name), getattr(now, name)
        if left is not None and right is not None:
            differ |= left[:count].view(np.uint64) != right[:count].view(np.uint64)
    left, right = was.histogram, now.histogram
    if left is not None and right is not None and left.counts.shape[1] == right.counts.shape[1]:
        differ |= (left.counts[:count] != right.counts[:count]).any(axis=1)
    return [int(position) for position in np.flatnonzero(differ)]


def _named(timeline: Timeline, positions: Sequence[int]) -> str:
    """Some buckets as people find them: by their ends."""
    if not positions:
        return "how many buckets it has, or a histogram's bounds"
    ends = [str(rfc3339(int(timeline.grid.ends[position]))) for position in positions[:_TOLD]]
    more = f" and {len(positions) - _TOLD} more" if len(positions) > _TOLD else ""
    return f"the bucket{'s' if len(positions) > 1 else ''} ending at {', '.join(ends)}{more}"


def _differences(said: Mapping[str, Any], again: Evaluation) -> list[Problem]:
    """Where the report says something else than the same computation now. What it says beyond that (comparisons,
    forecasts, errors) is not looked at."""
    document = to_document(replace(again, proof=None))
    problems: list[Problem] = []
    names = ["met", "promises", "slos", "incidents", "events", "exclusions"]
    if said.get("responses") is not None:  # reports of earlier versions have none
        said = {**said, "responses": {**said["responses"], "compared": None}}
        names.append("responses")
    for name in names:
        for place, then, now in _unlike(said.get(name), document.get(name), name):
            problems.append(Problem(place, f"the report says {_short(then)}, computed again it is {_short(now)}"))
    return problems


def _unlike(then: Any, now: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(then, dict) and isinstance(now, dict):
        named = "/".join(str(then[key]) for key in ("service", "slo") if key in then)
        here = f"{named} {place.rpartition('.')[2]}" if named and "." not in place else place
        for key in now:  # a report may say more than is computed here
            if key in then:
                yield from _unlike(then[key], now[key], f"{here}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (left, right) in enumerate(zip(then, now, strict=True)):
            yield from _unlike(left, right, place if isinstance(left, dict) and "slo" in left else f"{place}[{number}]")
    elif then != now and not _same_number(then, now):
        yield place, then, now


def _same_number(then: Any, now: Any) -> bool:
    """Sums of days and sums of buckets may differ in their last digit."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (then, now))
    return numbers and math.isclose(then, now, rel_tol=1e-12)


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"
