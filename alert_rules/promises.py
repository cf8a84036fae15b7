"""Promises as the engine judges them: with exclusions, missing data and composites, which recording rules can't tell.

What must wake somebody is told by the burn-rate alerts of the SLOs, within minutes. These read the promise itself.
"""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, gauge, steady
from sla_kit.alert_rules.backups_age import age, finished

_AT = '$slo_exporter, instance="sla-kit-slo:9119"'
_SLO = f'{_AT}, service="shop", slo="journey", window="%s"'
_MET = f"sla_slo_met{{{_SLO}}}"
_OBJECTIVE = f"sla_slo_objective_ratio{{{_SLO}}}"
#: A ledger that is brought up to date once a day, with time to do so.
_DAILY = 26 * 3600.0
_EVALUATED = f'sla_slo_evaluated_timestamp_seconds{{{_AT}, source="promises"}}'

AREA = Area(
    name="promises",
    title="Promises as the engine judges them (sla-kit exporter slo)",
    dashboard="slo-overview",
    healthy={
        _MET % "30d": steady(1),
        _MET % "1d": steady(1),
        _OBJECTIVE % "30d": steady(0.999),
        _EVALUATED: steady(1_790_000_000),
    },
    alerts=(
        Alert(
            name="SloFiguresMissing",
            exporter="slo_exporter",
            # Not with absent(): who never had this exporter misses nothing.
            expression="""
            count by ($keep) (present_over_time(sla_slo_evaluated_timestamp_seconds{$slo_exporter}[$ago]))
            unless on ($keep)
            count by ($keep) (present_over_time(sla_slo_evaluated_timestamp_seconds{$slo_exporter}[$window]))
            > 0""",
            thresholds={
                "window": Threshold(900, "window", "how long nothing may be told"),
                "ago": Threshold(86400, "window", "within which figures must have been there"),
            },
            severity="warning",
            summary="Nothing is known of the promises any more",
            description="For [[window]] the exporter of SLOs has told nothing of any promise, though {{ $value }} of "
            "its collectors did within [[ago]]: it is down, not scraped, or its source is.",
            cases=(
                Breach(
                    series={_EVALUATED: gauge(1_790_000_000, None)},
                    labels={},
                    value=1,
                    lag=900,  # the last sample, a minute before, has left the window
                    clears=0,
                    says="For 15m the exporter of SLOs has told nothing of any promise, though 1 of its collectors did "
                    "within 1d: it is down, not scraped, or its source is.",
                ),
                Quiet(
                    name="it was taken away days ago",
                    series={_EVALUATED: gauge(1_790_000_000, None)},
                    healthy=0,
                    lasts=7200,
                ),
            ),
        ),
        Alert(
            name="SloFiguresOld",
            exporter="slo_exporter",
            # The exporter is well: it is what it reads that does not go on, such as a ledger that nobody updates.
            expression="""
            time() - max by ($keep, source) (
              last_over_time(sla_slo_evaluated_timestamp_seconds{$slo_exporter}[$window])
            ) > $seconds""",
            thresholds={
                "seconds": Threshold(_DAILY, "seconds", "how long ago the last events that are judged may be"),
                "window": Threshold(900, "window", "how long the exporter may be silent without anybody minding"),
            },
            severity="warning",
            summary="The promises are judged by old events",
            description="What the exporter of SLOs tells of {{ $labels.source }} counts no events of the last "
            "{{ $value | humanizeDuration }}, over [[seconds]]: its figures stand still.",
            cases=(
                Breach(
                    series={_EVALUATED: finished(_DAILY)},
                    labels={"source": "promises"},
                    value=age(_DAILY),
                    says="What the exporter of SLOs tells of promises counts no events of the last 1d 15h 0m 0s, over "
                    "26h: its figures stand still.",
                ),
            ),
        ),
        Alert(
            name="PromiseMissed",
            exporter="slo_exporter",
            # The objective has the SLO's own window only: a bad day is no missed month.
            expression="""
            max by ($keep, service, slo, window) (
              sla_slo_met{$slo_exporter}
              and on ($keep, job, instance, service, slo, window) sla_slo_objective_ratio{$slo_exporter}
            ) == 0""",
            pending=900,
            severity="warning",
            summary="{{ $labels.service }} does not keep {{ $labels.slo }}",
            description="{{ $labels.service }} has missed {{ $labels.slo }} over {{ $labels.window }} (kept is "
            "{{ $value }}), by the figures that its report will show.",
            dashboard="slo-detail",
            promises=("availability",),
            cases=(
                Breach(
                    series={_MET % "30d": gauge(1, 0), _OBJECTIVE % "30d": steady(0.999)},
                    labels={"service": "shop", "slo": "journey", "window": "30d"},
                    value=0,
                    says="shop has missed journey over 30d (kept is 0), by the figures that its report will show.",
                ),
                Quiet(
                    name="a bad day of a month that is kept",
                    series={
                        _MET % "30d": steady(1),
                        _OBJECTIVE % "30d": steady(0.999),
                        _MET % "1d": gauge(1, 0),
                    },
                ),
                Quiet(name="nobody can tell", series={_OBJECTIVE % "30d": steady(0.999)}),
            ),
        ),
    ),
)
