"""Logs of a shop over some hours, with an outage and a bad release, and the truth about them, for trials and tests.

Numbers are drawn from a seed, so that the same call writes the same bytes anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sla_kit.logs import times

#: 2026-09-07T00:00:00Z, a Monday.
START = 1_788_739_200
SERVICE = "shop"
FILES = ("access.log", "application.log", "truth.json", "sla.yml")
_OUTAGE_AT, _OUTAGE_SHARE, _OUTAGE_BAD = 0.55, 1 / 72, 0.4
_BASELINE_BAD = 0.0004
_HOUR = 3600
_ROUTES = (
    ("GET", "/", 30, 0.010), ("GET", "/products", 25, 0.030), ("GET", "/products/%d", 20, 0.025),
    ("GET", "/cart", 8, 0.020), ("POST", "/cart/items", 7, 0.040),
    ("POST", "/checkout", 3, 0.180), ("GET", "/search?q=%d", 5, 0.060),
    ("GET", "/account?email=user%d%%40example.com", 2, 0.030),
)  # fmt: skip
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile Safari/604.1",
    "shop-app/3.2 (Android 16)",
    "curl/8.15.0",
)
_GOOD = (200, 301, 304, 404)
_GOOD_SHARES = (0.925, 0.01, 0.05, 0.015)
_STACK = """Traceback (most recent call last):
  File "/srv/shop/web/handlers.py", line {line}, in dispatch
    return handler(request)
  File "/srv/shop/{module}.py", line {line}, in {function}
    {code}
{type}: {message}"""


@dataclass(frozen=True, slots=True)
class _Error:
    """An error of the application: when it happens (which share of a request's time line), and what it says."""

    type: str
    module: str
    function: str
    code: str
    message: str


_TIMEOUT = _Error("PoolTimeout", "orders/store", "save", "connection = pool.get()", "no connection in {number} ms")
_KEY = _Error("KeyError", "cart/prices", "discounted", "return price * DISCOUNTS[code]", "'WELCOME{number}'")
_MAIL = _Error(
    "DeliveryError", "mail/sending", "confirm", "smtp.send(mail)", "can't deliver to user{number}@example.com"
)


@dataclass(slots=True)
class _Truth:
    statuses: Counter[int] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    users: dict[str, set[int]] = field(default_factory=dict)
    hours: list[dict[str, int]] = field(default_factory=list)
    durations_ms: list[NDArray[np.int64]] = field(default_factory=list)
    application: int = 0


def write_example(
    folder: Path,
    *,
    hours: float = 24,
    rps: float = 2,
    seed: int = 1,
    start: float = START,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Path]:
    """Writes ``access.log`` (nginx's, with request times), ``application.log`` (JSON lines with errors, their traces,
    users and releases), ``truth.json`` with what is in them, and ``sla.yml``, a catalogue of promises about them.

    ``rps`` are requests per second on average over ``hours``, more of them in the second half. The outage begins after
    55 % of the time and lasts a 72nd of it; a release with a bug runs from 30 % to 45 %. ``start`` is in epoch seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random, truth = np.random.default_rng(seed), _Truth()
    length = hours * _HOUR
    outage = start + length * _OUTAGE_AT, start + length * (_OUTAGE_AT + _OUTAGE_SHARE)
    releases = ((start, "2.4.0"), (start + length * 0.30, "2.4.1"), (start + length * 0.45, "2.4.2"))
    # An access log tells whole seconds, and a window has its end, not its start: all is after that second.
    pieces = [each for each in _pieces(start, start + length) if each[1] > start + 1]
    with (folder / FILES[0]).open("w") as access, (folder / FILES[1]).open("w") as application:
        for number, (begin, end) in enumerate(pieces):
            progress(number, len(pieces), "")
            drawn = _requests(random, max(begin, start + 1), end, start, length, rps, outage)
            _write_access(access, drawn, truth)
            truth.hours.append(
                {"start": round(begin), "total": len(drawn["at"]), "bad": int((drawn["status"] >= 500).sum())}
            )
            _write_application(application, drawn, random, releases, truth)
    _write_truth(folder / FILES[2], truth, start, length, outage, releases, seed)
    (folder / FILES[3]).write_text(_CATALOGUE)
    return [folder / name for name in FILES]


def _pieces(start: float, end: float) -> Iterator[tuple[float, float]]:
    while start < end:
        yield start, min(start + _HOUR, end)
        start += _HOUR


def _requests(
    random: np.random.Generator,
    begin: float,
    end: float,
    start: float,
    length: float,
    rps: float,
    outage: tuple[float, float],
) -> dict[str, NDArray[Any]]:
    """The requests of a piece, in order of time: ``at`` in milliseconds, and a column for everything else."""
    # A wave over the whole whose mean is one.
    middle = ((begin + end) / 2 - start) / length
    many = int(random.poisson(rps * (end - begin) * (1 + 0.6 * np.sin(2 * np.pi * (middle - 0.4)))))
    at = np.sort(random.integers(round(begin * 1000), round(end * 1000), many))
    weights = np.array([weight for *_, weight, _ in _ROUTES], dtype=float)
    route = random.choice(len(_ROUTES), many, p=weights / weights.sum())
    down = (at >= outage[0] * 1000) & (at < outage[1] * 1000)
    bad = random.random(many) < np.where(down, _OUTAGE_BAD, _BASELINE_BAD)
    status = np.where(bad, np.where(down, 503, 500), random.choice(_GOOD, many, p=_GOOD_SHARES))
    usual = np.array([seconds for *_, seconds in _ROUTES])[route]
    duration = np.maximum(1, random.lognormal(np.log(usual * 1000), 0.5) * np.where(down, 8, 1)).astype(np.int64)
    return {
        "at": at,
        "route": route,
        "status": status,
        "duration": duration,
        "bytes": random.integers(200, 40_000, many),
        "user": random.integers(1, 2000, many),
        "agent": random.choice(len(_AGENTS), many, p=(0.45, 0.3, 0.2, 0.05)),
        "bug": random.random(many),
    }


def _write_access(file: IO[str], drawn: dict[str, NDArray[Any]], truth: _Truth) -> None:
    targets = [path if "%d" in path else path.replace("%%", "%") for _, path, *_ in _ROUTES]
    methods = [method for method, *_ in _ROUTES]
    columns = (drawn[name].tolist() for name in ("at", "route", "status", "duration", "bytes", "user", "agent"))
    written: dict[int, str] = {}
    lines = []
    for at, route, status, duration, size, user, agent in zip(*columns, strict=True):
        second = at // 1000
        moment = written.get(second)
        if moment is None:
            moment = written[second] = datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        target = targets[route] % user if "%d" in targets[route] else targets[route]
        took = f"{duration // 1000}.{duration % 1000:03d}"
        lines.append(
            f'203.0.113.{user % 254 + 1} - - [{moment}] "{methods[route]} {target} HTTP/1.1" {status} {size} '
            f'"https://shop.example/" "{_AGENTS[agent]}" {took} {took}\n'
        )
    file.writelines(lines)
    values, counts = np.unique(drawn["status"], return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        truth.statuses[value] += count
    truth.durations_ms.append(drawn["duration"])


def _write_application(
    file: IO[str],
    drawn: dict[str, NDArray[Any]],
    random: np.random.Generator,
    releases: tuple[tuple[float, str], ...],
    truth: _Truth,
) -> None:
    """An error for each request that failed, the bug of a release for some carts, and an order for each checkout."""
    cart, checkout = 4, 5
    release = np.searchsorted([at * 1000 for at, _ in releases], drawn["at"], side="right") - 1
    failed = drawn["status"] >= 500
    buggy = (release == 1) & (drawn["route"] == cart) & (drawn["bug"] < 0.15) & ~failed
    ordered = (drawn["route"] == checkout) & ~failed
    undelivered = ordered & (drawn["bug"] < 0.01)
    lines = []
    for number in np.flatnonzero(failed | buggy | ordered).tolist():
        at, user = int(drawn["at"][number]), int(drawn["user"][number])
        record: dict[str, object] = {
            "timestamp": times.written(at),
            "level": "info",
            "logger": "shop.orders",
            "message": f"order of user {user} taken",
            "service": SERVICE,
            "version": releases[int(release[number])][1],
            "hostname": f"shop-{user % 3}",
            "trace_id": random.bytes(16).hex(),
            "user_id": str(user),
        }
        error = _TIMEOUT if failed[number] else _KEY if buggy[number] else _MAIL if undelivered[number] else None
        if error is not None:
            _add_error(record, error, user, truth)
        truth.levels[str(record["level"])] += 1
        lines.append(msgspec.json.encode(record).decode() + "\n")
    truth.application += len(lines)
    file.writelines(lines)


def _add_error(record: dict[str, object], error: _Error, user: int, truth: _Truth) -> None:
    message = error.message.format(number=user)
    stack = _STACK.format(
        line=40 + len(error.function),
        module=error.module,
        function=error.function,
        code=error.code,
        type=error.type,
        message=message,
    )
    record.update(level="error", logger=f"shop.{error.module.replace('/', '.')}", message=f"{error.function} failed")
    record.update(exc_type=error.type, exc_message=message, stack_trace=stack)
    truth.errors[error.type] += 1
    truth.users.setdefault(error.type, set()).add(user)


def _write_truth(
    path: Path,
    truth: _Truth,
    start: float,
    length: float,
    outage: tuple[float, float],
    releases: tuple[tuple[float, str], ...],
    seed: int,
) -> None:
    durations = np.concatenate(truth.durations_ms) if truth.durations_ms else np.zeros(0, dtype=np.int64)
    total = int(sum(truth.statuses.values()))
    bad = int(sum(count for status, count in truth.statuses.items() if status >= 500))
    quantiles = {
        f"p{percent}": float(np.quantile(durations, percent / 100, method="inverted_cdf")) / 1000
        for percent in ((50, 95, 99) if total else ())
    }
    content = {
        "seed": seed,
        "start": start,
        "end": start + length,
        "outage": {"start": outage[0], "end": outage[1]},
        "releases": [{"at": at, "version": version} for at, version in releases],
        "access": {
            "lines": total,
            "bad": bad,
            "availability": (total - bad) / total if total else None,
            "statuses": {str(status): count for status, count in sorted(truth.statuses.items())},
            "hours": truth.hours,
            "seconds": quantiles,
        },
        "application": {
            "lines": truth.application,
            "levels": dict(sorted(truth.levels.items())),
            "errors": dict(sorted(truth.errors.items())),
            "users": {kind: len(users) for kind, users in sorted(truth.users.items())},
        },
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


_CATALOGUE = """# Promises about the logs beside this file, once they are loaded into logs-shop.
name: shop
logs:
  index: logs-shop
services:
  - name: shop
    slos:
      - name: availability
        objective: 99.5%
        window: 7d
        sli:
          kind: log-events
          query: event.category:web
          bad: http.response.status_code:[500 TO *]
      - name: latency
        objective: 95%
        window: 7d
        sli:
          kind: log-latency
          query: event.category:web
          threshold: 500ms
"""
