"""Counters that are only there once they have counted: their first count is no increase of anything for Prometheus."""

from __future__ import annotations


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
