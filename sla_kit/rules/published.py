"""What the rules of SLOs on logs read: figures that ``sla-kit exporter slo`` publishes, since no rule can count logs.

It publishes burn rates, from which the error ratios follow; recorded under the names that alerts and dashboards read,
they make SLOs on logs like any others. Which windows there are is settled here for both, the exporter and the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sla_kit.catalogue.model import Catalogue, Composite, Service, Slo
from sla_kit.configuration.quantities import format_duration
from sla_kit.engine.alert_windows import BURN_WINDOWS, duration_name, nominal_seconds, window_label
from sla_kit.rules.conditions import BurnCondition, allowed_ratio, conditions_of, declared_conditions
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.recordings import ratio_name
from sla_kit.selectors import quote

BURN_RATE, BAD_EVENTS = "sla_slo_burn_rate_ratio", "sla_slo_burn_window_bad_events"
OBSERVED = "sla_slo_observed_timestamp_seconds"
#: So long Prometheus takes a series to be there after its last sample; figures may be as old, in seconds.
_STALE_SECONDS = 300
_Key = tuple[str, str]


def read_from_exporter(catalogue: Catalogue) -> frozenset[_Key]:
    """The SLOs whose rules read what the exporter publishes: those on logs, and composites with any of them."""
    slis = {(service.name, slo.name): catalogue.sli(service, slo) for service, slo in catalogue.slos()}
    found = {key for key, sli in slis.items() if catalogue.of_logs(sli)}
    composites = {key: sli for key, sli in slis.items() if isinstance(sli, Composite)} if found else {}
    while (
        more := {key for key, sli in composites.items() if any(part.target(key[0]) in found for part in sli.of)} - found
    ):
        found |= more
    return frozenset(found)


def published_conditions(catalogue: Catalogue, slo: Slo) -> tuple[BurnCondition, ...]:
    """The conditions under which the alerts of an SLO fire that the exporter tells of: it counts by whole buckets."""
    return conditions_of(catalogue, slo, int(catalogue.bucket))


def published_windows(catalogue: Catalogue, service: Service, slo: Slo) -> frozenset[int]:
    """The windows in seconds over which the exporter publishes how fast an SLO's budget burns, beside those of the
    usual pairs of an SLO on metrics."""
    sli = catalogue.sli(service, slo)
    if not (slo.alerts or catalogue.of_logs(sli) or isinstance(sli, Composite)):
        return frozenset(BURN_WINDOWS)
    conditions = published_conditions(catalogue, slo)
    return frozenset((*BURN_WINDOWS, *(seconds for each in conditions for seconds in each.windows)))


def counted_windows(catalogue: Catalogue, service: Service, slo: Slo) -> frozenset[int]:
    """The windows in seconds over which the bad events of an SLO are published: the long ones of alerts that want some
    least number of them. Those of metrics are recorded by rules; slices of time are no events."""
    if (
        not catalogue.of_logs(catalogue.sli(service, slo))
        or slo.budgeting not in (None, "occurrences")
        or slo.objective >= 1
        or catalogue.monitoring.slo.min_bad_events <= 0
    ):
        return frozenset()
    return frozenset(each.long for each in published_conditions(catalogue, slo) if each.operator[0] == ">")


def published_rule(service: Service, slo: Slo, name: str, seconds: int) -> RecordingRule:
    """The error ratio over one window. That over the SLO's own window is the exporter's figure itself; a calendar month
    is then the running one. Of several exporters the worst counts."""
    labels = _labels(service, slo.name)
    if seconds == nominal_seconds(slo.window):
        expression = f"max(1 - sla_slo_sli_ratio{{{labels}, window={quote(window_label(slo.window))}}})"
    else:
        series = f"{BURN_RATE}{{{labels}, burn_window={quote(duration_name(seconds))}}}"
        expression = f"max({series}) * {allowed_ratio(slo.objective)!r}"
    return RecordingRule(ratio_name(seconds), expression, {"sli": name})


def published_bad_events(service: Service, slo: Slo, seconds: int) -> str:
    """How many bad events there were over a window of `counted_windows`."""
    return f"max({BAD_EVENTS}{{{_labels(service, slo.name)}, burn_window={quote(duration_name(seconds))}}})"


def unknown(catalogue: Catalogue, service: Service, slos: Sequence[str]) -> str:
    """PromQL without labels that has a value where nothing is known of one of some SLOs: nothing is published of it, or
    what there is of its events ended longer ago than `unknown_seconds`."""
    series = [f"{OBSERVED}{{{_labels(service, name)}}}" for name in slos]
    gone = [f"absent(group({each}))" for each in series]
    old = [f"(time() - max({each}) > {unknown_seconds(catalogue)})" for each in series]
    return "\nor\n".join(gone + old)


def unknown_seconds(catalogue: Catalogue) -> int:
    """How long ago what is known of an SLO may have ended while all is well, in seconds: a bucket that goes on, and as
    long as a series may go without a sample."""
    return _STALE_SECONDS + int(catalogue.bucket)


def left_out(catalogue: Catalogue, service: Service, slo: Slo) -> Iterator[str]:
    """The burn alerts that an SLO declares and that can't be made of what is published, for people to read."""
    if slo.objective >= 1:
        return
    bucket, declared = int(catalogue.bucket), declared_conditions(catalogue, slo)
    uneven = [each for each in declared if not each.is_whole(bucket)]
    instead = "the usual pairs take its place" if len(uneven) == len(declared) else "no such alert of it"
    for each in uneven:
        over = " and ".join(str(format_duration(seconds)) for seconds in each.windows)
        are = "are no whole numbers" if len(each.windows) > 1 else "is no whole number"
        yield (
            f"{service.name}/{slo.name} is counted in buckets of {format_duration(bucket)}, of which {over} {are}: "
            f"{instead}"
        )


def _labels(service: Service, slo: str) -> str:
    return f"service={quote(service.name)}, slo={quote(slo)}"
