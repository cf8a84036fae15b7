"""Counters that are only there once they have counted: their first count is no increase of anything for Prometheus."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Quiet, gauge, steady


def rise(metric: str, exporter: str, matchers: str = "") -> str:
    """PromQL for how much a counter rose in ``$window``. One that was not there before the window, although its target
    was scraped then, counts from nothing; one of a target that is itself new may be old and does not."""
    selector = f"{metric}{{${exporter}{', ' + matchers if matchers else ''}}}"
    return f"""(
                  increase({selector}[$window]) > 0
                  or (
                    {selector} unless {selector} offset $window
                    and on ($keep, job, instance) (up{{${exporter}}} offset $window == 1)
                  )
                )"""


def not_new(series: str, up: str) -> tuple[Quiet, ...]:
    """Cases for `rise`: what was counted long ago, by a target that was there, just came, or could not be scraped."""
    return (
        Quiet(name="counted long ago", series={series: steady(7), up: steady(1)}),
        Quiet(
            name="its target is new, and what it counted may be old",
            series={series: gauge(None, 7), up: gauge(None, 1)},
            healthy=1800,
            lasts=480,
        ),
        Quiet(
            name="its target could not be scraped for a while",
            series={series: gauge(None, 7), up: gauge(0, 1)},
            healthy=1800,
            lasts=480,
        ),
    )
