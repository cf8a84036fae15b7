"""A hand-built evaluation with everything that a report must cope with: Astral Field's week after a hard game day."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sla_kit.engine.results import (
    Budget,
    Burndown,
    BurnRate,
    Evaluation,
    Evidence,
    Exclusion,
    Figure,
    HeatMap,
    Incident,
    LiveEvent,
    Period,
    PromiseResult,
    PromiseRollup,
    Rollup,
    SloResult,
)
from sla_kit.timeline import Finding, Unit

ZONE = "America/New_York"
DAY = 86400


def at(text: str) -> int:
    """Local time in New York as epoch seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp())


WEEK = Period("2026-W38", at("2026-09-14T00:00"), at("2026-09-21T00:00"))
MONTH = Period("30d", WEEK.end - 30 * DAY, WEEK.end)
GAME = (at("2026-09-19T19:00"), at("2026-09-19T22:30"))
NASTY = "<script>alert(\"x\")</script> & 'quotes' | pipe"


def wilson(good: float, total: float) -> tuple[float, float]:
    """The 95 % Wilson score interval."""
    z = 1.959963984540054
    share = good / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def figure(
    bad: float,
    total: float,
    objective: float,
    *,
    coverage: float = 1.0,
    reason: str = "",
    value: float | None = None,
    days: float = 7,
    counted: bool = True,
) -> Figure:
    """The figure that follows from bad and total events; ``reason`` leaves the verdict open."""
    good = total - bad
    allowed = (1 - objective) * total
    minutes = (1 - objective) * days * 1440
    ratio = None if allowed == 0 else (allowed - bad) / allowed
    budget = Budget(allowed, bad, allowed - bad, ratio, minutes, None if allowed == 0 else minutes * bad / allowed)
    sli = None if total == 0 else good / total
    return Figure(
        sli=sli,
        good=good,
        bad=bad,
        total=total,
        coverage=coverage,
        met=None if reason or sli is None else sli >= objective,
        budget=budget,
        reason=reason or ("no data" if sli is None else ""),
        interval=wilson(good, total) if counted and total else None,
        value=value,
    )


def burndown(period: Period, drops: dict[str, float], slope: float = 0.15, seed: int = 1) -> Burndown:
    """A budget that erodes by ``slope`` over the period and falls by a share at each named moment."""
    times = np.arange(period.start, period.end + 1, 600, dtype=np.int64)
    noise = np.random.default_rng(seed).gamma(0.4, 1.0, len(times))
    left = 1 - slope * np.cumsum(noise) / noise.sum()
    for moment, drop in drops.items():
        # An incident spends its share over a quarter of an hour, not at once.
        left -= drop * np.clip((times - at(moment)) / 900, 0, 1)
    return Burndown(times, left)


def heat(period: Period, worst: dict[tuple[str, int], float], usual: float, seed: int = 2) -> HeatMap:
    """Quiet hours around ``usual``, some without an error, some without data, and the named day and hour as given."""
    random = np.random.default_rng(seed)
    start = datetime.fromtimestamp(period.start, ZoneInfo(ZONE)).date().toordinal()
    end = datetime.fromtimestamp(period.end - 1, ZoneInfo(ZONE)).date().toordinal()
    days = tuple(datetime.fromordinal(number).date().isoformat() for number in range(start, end + 1))
    ratio = random.exponential(usual, (len(days), 24)) * (random.random((len(days), 24)) > 0.45)
    ratio[min(2, len(days) - 1), 3:5] = np.nan
    for (day, hour), value in worst.items():
        ratio[days.index(day), hour] = value
    return HeatMap(days, ratio)


def burn_rates(hour: float, six_hours: float, three_days: float) -> tuple[BurnRate, ...]:
    """The windows of the SRE Workbook, table 5-8, long and short."""
    return (
        BurnRate(3600, hour, 14.4, "page"),
        BurnRate(300, hour / 2, 14.4, "page"),
        BurnRate(6 * 3600, six_hours, 6.0, "page"),
        BurnRate(1800, hour, 6.0, "page"),
        BurnRate(3 * DAY, three_days, 1.0, "ticket"),
        BurnRate(6 * 3600, six_hours, 1.0, "ticket"),
    )


def slo(
    service: str,
    name: str,
    objective: float,
    bad: float,
    total: float,
    *,
    own_bad: float | None = None,
    own_total: float | None = None,
    before_bad: float | None = None,
    kind: str = "requests",
    unit: Unit = "requests",
    promise: str = "",
    coverage: float = 1.0,
    reason: str = "",
    value: float | None = None,
    description: str = "",
    owner: str = "platform",
    action: str = "",
    incidents: tuple[Incident, ...] = (),
    evidence: tuple[Evidence, ...] = (),
    findings: tuple[Finding, ...] = (),
    threshold: float | None = None,
    quantile: float | None = None,
) -> SloResult:
    """An SLO whose figures all follow from a few counts."""
    counted = unit == "requests"
    this = figure(bad, total, objective, coverage=coverage, reason=reason, value=value, counted=counted)
    own = figure(
        bad * 1.6 if own_bad is None else own_bad,
        total * 4.2 if own_total is None else own_total,
        objective,
        coverage=coverage,
        reason=reason,
        value=value,
        days=30,
        counted=counted,
    )
    before = figure(before_bad if before_bad is not None else bad * 0.8, total * 0.96, objective, counted=counted)
    return SloResult(
        service=service,
        slo=name,
        kind=kind,
        unit=unit,
        objective=objective,
        window=WEEK,
        figure=this,
        without_exclusions=this,
        own_window=MONTH,
        own=own,
        promise=promise,
        description=description,
        owner=owner,
        severity="critical",
        consequence="Feature releases stop until the budget is positive",
        before=before if total else None,
        burn_rates=burn_rates(0.2, 0.6, 0.9),
        burndown=burndown(MONTH, {}, 1 - own.budget.left_ratio if own.budget.left_ratio is not None else 0, len(name)),
        heat=heat(WEEK, {}, (1 - objective) / 7, seed=len(name)) if total else None,
        incidents=incidents,
        evidence=evidence,
        findings=findings,
        action=action,
        threshold=threshold,
        quantile=quantile,
    )


def sample() -> Evaluation:
    """The week: the API fell over during the game, a restore was slow, Redis was not scraped for two days."""
    maintenance = Exclusion(
        "postgres-minor-upgrade",
        at("2026-09-16T03:00"),
        at("2026-09-16T04:30"),
        "Minor upgrade 15.8 → 15.9 with a planned failover",
        "dana@astralfield.com",
        ("postgres", "api"),
    )
    nasty = Exclusion(NASTY, at("2026-09-17T02:00"), at("2026-09-17T02:20"), "=cmd|' /C calc'!A0", "", ())
    game_outage = Incident(
        "api", "availability", at("2026-09-19T20:14"), at("2026-09-19T20:18"), at("2026-09-19T20:39"),
        61_350.0, 1.09, "page", "game-day <finals>",
    )  # fmt: skip
    slow_game = Incident(
        "api", "latency-p95", at("2026-09-19T20:11"), at("2026-09-19T20:19"), at("2026-09-19T20:47"),
        402_118.0, 0.31, "page", "game-day <finals>",
    )  # fmt: skip
    lasting = Incident(
        "web", "probe", at("2026-09-20T23:41"), at("2026-09-20T23:46"), None, 19.0, 0.44, "ticket", "", WEEK.end
    )
    api = replace(
        slo(
            "api", "availability", 0.9999, 62_917.0, 221_480_233.0, own_bad=80_118.0, own_total=562_870_412.0,
            before_bad=4_102.0, promise="availability",
            description="Requests of the public API that are answered without a server error",
            action="Freeze feature releases; every change needs the on-call engineer's approval",
            incidents=(game_outage,),
        ),
        without_exclusions=figure(118_440.0, 221_713_004.0, 0.9999),
        during_events=figure(61_702.0, 148_220_101.0, 0.9999),
        outside_events=figure(1_215.0, 73_260_132.0, 0.9999),
        burn_rates=burn_rates(0.1, 1.8, 22.4),
        burndown=burndown(MONTH, {"2026-09-19T20:14": 1.09, "2026-09-02T11:00": 0.12}, 0.21),
        heat=heat(
            WEEK,
            {("2026-09-19", 20): 0.0121, ("2026-09-19", 21): 0.0004, ("2026-09-16", 3): 0.00015},
            0.00002,
        ),
        exclusions=(maintenance, nasty),
        sla_objective=0.999,
        sla_met=True,
        sla_consequence="10 % of the monthly fee is credited",
    )  # fmt: skip
    latency = replace(
        slo(
            "api", "latency-p95", 0.95, 6_511_876.0, 221_480_233.0, own_bad=25_612_440.0,
            own_total=930_216_978.0, before_bad=3_988_112.0, promise="response-time",
            kind="latency", value=0.0873, threshold=0.1, quantile=0.95, incidents=(slow_game,),
        ),
        during_events=figure(6_190_112.0, 148_220_101.0, 0.95, value=0.0961),
        burndown=burndown(MONTH, {"2026-09-19T20:11": 0.31, "2026-09-06T21:30": 0.09}, 0.15),
        outside_events=figure(321_764.0, 73_260_132.0, 0.95, value=0.0412),
        exclusions=(maintenance,),
    )  # fmt: skip
    restores = (
        Evidence(at("2026-09-13T05:02"), 2_710.0, True, "orders, 61 GB, checksums equal"),
        Evidence(at("2026-09-20T05:11"), 4_266.0, False, "orders, 64 GB, longer than 1 h"),
    )
    backups = tuple(
        Evidence(at(f"2026-09-{day:02d}T01:{10 + day % 7:02d}"), 85_400.0 + 60 * day, True, "pg_basebackup to S3")
        for day in range(14, 21)
    )
    slos = (
        slo("web", "availability", 0.9999, 1_204.0, 38_114_202.0, promise="availability", owner="frontend"),
        replace(slo("web", "probe", 0.9999, 19.0, 40_320.0, own_bad=23.0, own_total=172_800.0, before_bad=1.0,
            kind="probe", unit="samples", promise="availability", incidents=(lasting,), owner="frontend",
            action="Freeze feature releases; every change needs the on-call engineer's approval"),
            burndown=burndown(MONTH, {"2026-09-20T23:41": 0.44, "2026-09-08T04:10": 0.23}, 0.66),
        ),
        slo("web", "largest-contentful-paint-of-the-live-scoreboard-on-slow-mobile-connections", 0.95, 61_003.0,
            2_114_870.0, kind="latency", value=1.84, threshold=2.5, quantile=0.95, owner="frontend",
            description="A long name: measured by real users' browsers, at the 95th percentile, on 3G"),
        api,
        latency,
        slo("api", "error-rate", 0.999, 62_917.0, 221_480_233.0, before_bad=4_102.0, promise="error-rate"),
        replace(
            slo("api", "recovery", 0.95, 1.0, 2.0, own_bad=1.0, own_total=5.0, before_bad=0.0, kind="recovery",
                unit="outages", promise="recovery-time", value=1_260.0, threshold=900.0,
                reason="too few events to say"),
            heat=None, burndown=None, before=None,
            evidence=(
                Evidence(at("2026-09-19T20:39"), 1_260.0, False, ""),
                Evidence(at("2026-09-15T10:21"), 540.0, True, ""),
            ),
        ),
        replace(
            slo("postgres", "availability", 0.9999, 0.0, 10_080.0, before_bad=0.0, kind="probe", unit="minutes",
                promise="availability", owner="database"),
            exclusions=(maintenance,), without_exclusions=figure(74.0, 10_080.0, 0.9999, counted=False),
        ),
        slo("redis", "availability", 0.999, 2.0, 7_190.0, kind="probe", unit="samples", coverage=0.7134,
            reason="coverage 71 % is under 90 %",
            findings=(
                Finding("no-data", "no samples: the exporter was not scraped", 2_889, at("2026-09-16T21:00"),
                        at("2026-09-18T21:09")),
            )),
        slo("ingress", "availability", 0.999, 31_404.0, 264_002_118.0, promise="availability",
            findings=(
                Finding("counter-backwards", f"a counter ran backwards without a restart: {NASTY}", 3,
                        at("2026-09-15T10:00"), at("2026-09-15T10:03")),
            )),
        slo("ingress", NASTY, 0.99, 0.0, 0.0, own_bad=0.0, own_total=0.0, coverage=0.0, owner=NASTY,
            description=NASTY,
            findings=(Finding("vanished", "the metric nginx_up<1> has no series any more", 10_080),)),
        replace(
            slo("backups", "restore-under-an-hour", 0.9, 1.0, 2.0, kind="duration", unit="samples", value=4_266.0,
                threshold=3_600.0, promise="backup-recovery", evidence=restores, owner="database",
                action="Rehearse a restore this week and write down where the time went"),
            heat=None,
        ),
        slo("backups", "fresh", 0.999, 0.0, 10_080.0, before_bad=41.0, kind="freshness", unit="minutes",
            value=86_980.0, threshold=93_600.0, promise="backup-recovery", evidence=backups, owner="database"),
    )  # fmt: skip
    return Evaluation(
        catalogue="Astral Field",
        environment="production",
        source="http://prometheus.monitoring.svc:9090",
        timezone=ZONE,
        at=WEEK.end,
        bucket=60,
        window=WEEK,
        slos=slos,
        promises=(
            _promise("availability", "Available whenever fans look", "99.99 %", slos, False),
            _promise("response-time", "Fast answers", "p95 < 100 ms", slos, True),
            _promise("error-rate", "Requests that succeed", "< 0.1 % errors", slos, True),
            _promise("recovery-time", "Back on our feet", "< 15 min", slos, None),
            _promise("backup-recovery", "Data that can be restored", "< 1 h, tested weekly", slos, False),
        ),
        events=(
            LiveEvent("game-day <finals>", *GAME, ("api", "web")),
            LiveEvent("friday-night-preseason", at("2026-09-18T20:00"), at("2026-09-18T23:00")),
        ),
        exclusions=(maintenance, nasty),
        findings=(Finding("partial-answer", "the server warned: 1 of 3 stores did not answer", 1),),
    )


def rolled() -> Evaluation:
    """The same week with the running month and quarter beside it; the history begins in August."""
    one = sample()
    periods = (Period("2026-09", at("2026-09-01T00:00"), WEEK.end), Period("2026-Q3", at("2026-07-01T00:00"), WEEK.end))
    slos = tuple(
        replace(
            slo,
            rollups=tuple(
                Rollup(period, figure(slo.figure.bad * n, slo.figure.total * (n + 1), slo.objective, coverage=1 / n))
                for n, period in enumerate(periods, 1)
            ),
        )
        for slo in one.slos
    )
    promises = tuple(
        replace(promise, rollups=(PromiseRollup(periods[0], True), PromiseRollup(periods[1], None)))
        for promise in one.promises
    )
    return replace(one, slos=slos, promises=promises)


def many(number: int) -> Evaluation:
    """A large estate: ``number`` SLOs, a tenth of them in trouble."""
    one = sample()
    slos = []
    for index in range(number):
        like = one.slos[3] if index % 10 == 0 else one.slos[0]
        service = f"service-{index // 10:03d}"
        incidents = tuple(replace(i, service=service, slo=f"slo-{index}") for i in like.incidents)
        slos.append(replace(like, service=service, slo=f"slo-{index}", incidents=incidents))
    return replace(one, slos=tuple(slos), promises=())


def _promise(name: str, title: str, target: str, slos: tuple[SloResult, ...], met: bool | None) -> PromiseResult:
    keys = tuple(slo.key for slo in slos if slo.promise == name)
    missed = [f"{slo.service}/{slo.slo}" for slo in slos if slo.promise == name and slo.figure.met is False]
    return PromiseResult(name, title, target, met, keys, f"missed by {', '.join(missed)}" if missed else "")
