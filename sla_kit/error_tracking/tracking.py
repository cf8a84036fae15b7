"""The errors of a window from a cluster: counted by group, compared with the time before, linked, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from sla_kit.catalogue.model import Catalogue
from sla_kit.elastic.cluster import Cluster, ClusterError
from sla_kit.error_tracking.asking import Span, both, counted, error_query, of_services
from sla_kit.error_tracking.bounds import added, without
from sla_kit.error_tracking.classifying import rank
from sla_kit.error_tracking.deploying import deployments
from sla_kit.error_tracking.describing import described
from sla_kit.error_tracking.found import Key, united
from sla_kit.error_tracking.judging import Judged, States, judged
from sla_kit.error_tracking.keyed import Keyed, keyed_groups
from sla_kit.error_tracking.question import Counts, Question
from sla_kit.error_tracking.reading import read_logs
from sla_kit.error_tracking.results import ErrorReport, Estimate, IncidentLink
from sla_kit.error_tracking.sampling import Drawn, draw, looked_up, unkeyed_groups
from sla_kit.error_tracking.searching import Searches, anew_where_lost, searching, total
from sla_kit.sources import Progress, no_progress
from sla_kit.timeline import Finding

#: So many groups are described at most, however many are new.
MOST_DESCRIBED = 200
_NOTHING: States = MappingProxyType({})


@anew_where_lost
def track(
    cluster: Cluster,
    catalogue: Catalogue,
    start: float,
    end: float,
    *,
    services: Sequence[str] = (),
    states: States = _NOTHING,
    incidents: Sequence[IncidentLink] = (),
    exact: bool | None = None,
    sample: int = 10_000,
    slices: int = 24,
    groups: int | None = None,
    progress: Progress = no_progress,
) -> ErrorReport:
    """The errors in (start, end], epoch seconds, of all services or of some, by group.

    Documents that bring a key (``error.grouping_key``) are counted exactly by the server. Those without one are given
    theirs here: all of them where they are no more than ``sample`` (or with ``exact``), else a random sample of about
    that size, whose counts have bounds. At most ``groups`` are shown (``logs.errors.groups`` where None), and every one
    that is new, came back or surges. Raises `ClusterError` where the logs can't be read at all; what is partly missing
    is a finding.
    """
    if not start < end:
        raise ValueError(f"a window of errors ends after it starts: {start} to {end}")
    settings = catalogue.logs.errors
    progress(0, 4, "mappings of logs")
    logs = read_logs(cluster, catalogue)
    if services and not logs.readable.service:
        raise ClusterError(
            f"{logs.pattern}: services can't be told apart: no index has {catalogue.logs.fields.service} as a keyword",
            place=cluster.name,
            remedy="map it as a keyword, or name the field under logs.fields.service",
            kind="query",
        )
    everything = both(logs.all(), of_services(logs.readable.service, services))
    question = Question(
        catalogue=catalogue,
        logs=logs,
        window=Span(start, end),
        before=Span(start - (end - start), start),
        history=Span(min(end - settings.lookback, start - (end - start)), start),
        everything=everything,
        errors=both(everything, error_query(catalogue)),
    )
    with searching(cluster, logs.opened) as search:
        counts = Counts.read(search, question)
        progress(1, 4, "errors by group")
        keyed = keyed_groups(search, logs, question.errors, question.window, question.before, question.history)
        now, before, past, unknown = _without_key(search, question, sample, exact, progress)
        found = united([*keyed.groups, *unkeyed_groups(logs, now, before, past)])
        progress(2, 4, "deployments")
        of = sorted({each.service for each in found})
        released, told = deployments(cluster, catalogue, search, logs, everything, question.whole(), of)
        ranked = judged(search, question, found, states, released, counts)
        shown = _shown(ranked, settings.groups if groups is None else groups)
        progress(3, 4, "groups in detail")
        told_of = described(search, question, shown, released, incidents, slices)
        findings = [*logs.findings, *search.findings(), *counts.findings(question), *told]
    findings += _limits(keyed, now, before, unknown, len(shown), sum(bool(each.kinds) for each in ranked))
    if search.partial:
        findings.append(Finding("new-unknown", "with a part of the answer missing, no group is called new or surging"))
        told_of = [replace(each, kinds=each.kinds & {"regressed"}) for each in told_of]
    progress(4, 4, "groups in detail")
    return ErrorReport(
        source=cluster.name,
        start=start,
        end=end,
        lookback_start=question.history.start,
        groups=tuple(sorted(told_of, key=rank)),
        total=Estimate.exactly(float(counts.total)),
        before=Estimate.exactly(float(counts.before)),
        documents=Estimate.exactly(float(counts.documents)),
        elsewhere=without(Estimate.exactly(float(counts.total)), added([each.count for each in told_of])),
        method=_method(keyed, now, search.partial),
        deployments=tuple(released),
        findings=tuple(findings),
        services=tuple(services),
    )


def _without_key(
    search: Searches, question: Question, sample: int, exact: bool | None, progress: Progress
) -> tuple[Drawn, Drawn, dict[Key, tuple[bool | None, float | None]], int]:
    logs, fields, unkeyed = question.logs, question.catalogue.logs.fields, question.unkeyed

    def of(span: Span) -> Drawn:
        return draw(search, logs, fields, unkeyed, span, sample=sample, exact=exact, progress=progress)

    now = of(question.window)
    if not now.gathered:
        return now, Drawn({}, {}, {}, 0, 0), {}, 0
    before = of(question.before)
    older = both(unkeyed, question.history.within(logs.readable.time))
    if exact or (exact is None and total(search.one("count errors", counted(older))) <= sample):
        known = of(question.history).gathered
        return now, before, {key: (key in known, known[key].first if key in known else None) for key in now.gathered}, 0
    past, unknown = looked_up(search, logs, fields, unkeyed, question.history, now, before)
    return now, before, past, unknown


def _shown(ranked: Sequence[Judged], most: int) -> list[Judged]:
    """The first ones, and everything that is new, came back or surges, as far as `MOST_DESCRIBED`."""
    told = sum(bool(each.kinds) for each in ranked)
    return list(ranked[: max(most, min(told, MOST_DESCRIBED))])


def _limits(keyed: Keyed, now: Drawn, before: Drawn, unknown: int, shown: int, told: int) -> list[Finding]:
    found = []
    if not keyed.complete:
        said = "there are more groups than are read: beyond the most frequent ones they are in none that is shown"
        found.append(Finding("too-many-groups", f"{said}, and which of them are new is not known"))
    if told > shown:
        said = f"{told:,} groups are new, came back or surge: the first {shown:,} are shown"
        found.append(Finding("too-many-groups", said, told - shown))
    if not now.exact:
        said = f"{now.of:,} errors have no key: {now.looked_at:,} of them, drawn at random, were grouped"
        said += ". Groups that are in none of these are in none that is shown, first and last seen are of what was read"
        found.append(Finding("sampled", said))
    elif not before.exact:
        said = f"{before.of:,} errors of the time before have no key: {before.looked_at:,} of them were grouped"
        found.append(Finding("sampled", said))
    if unknown:
        said = "group was" if unknown == 1 else "groups were"
        found.append(
            Finding(
                "new-unknown",
                f"of {unknown:,} groups without a key it is not known whether the {said} there before",
                unknown,
            )
        )
    return found


def _method(keyed: Keyed, now: Drawn, partial: bool) -> str:
    which = "those of the shards that answered" if partial else "all of them"
    counted = f"Errors with a key were counted by the server, {which}."
    if not now.of:
        return counted if keyed.groups else f"Errors were counted by the server, {which}."
    if now.exact:
        grouped = f"{now.of:,} errors without a key were all read and grouped here."
    else:
        grouped = (
            f"{now.of:,} errors without a key were counted by service and type; their groups are estimated from "
            f"{now.looked_at:,} documents drawn at random, with 95 % bounds (Clopper-Pearson)."
        )
    return f"{counted} {grouped}" if keyed.groups else grouped
