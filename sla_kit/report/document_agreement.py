"""SLOs beside others that measure the same, as plain values in report.json."""

from __future__ import annotations

from msgspec import Struct

from sla_kit.engine.agreement import Divergence, Measured, SideBySide
from sla_kit.report.document_figures import sure
from sla_kit.report.formats import number, rfc3339


class MeasuredDocument(Struct, frozen=True, kw_only=True):
    """One of the two; ``means`` is logs or metrics, ``without_exclusions_sli`` the SLI with nothing excluded."""

    service: str
    slo: str
    kind: str
    means: str
    sli: float | None
    good: float | None
    bad: float | None
    total: float | None
    coverage: float | None
    without_exclusions_sli: float | None


class DivergenceDocument(Struct, frozen=True, kw_only=True):
    """A stretch in which the two counted differently: events of the first and of the second."""

    start: str
    end: str
    bad: list[float | None]
    total: list[float | None]


class AgreementDocument(Struct, frozen=True, kw_only=True):
    """Two SLOs that measure the same by different means. ``difference`` is the first SLI less the second,
    ``total_difference`` that of the totals as a share of the larger; ``agree`` is null where it can't be told, and
    ``reason`` says why, or by what they disagree. ``most`` are the stretches that differ most."""

    first: MeasuredDocument
    second: MeasuredDocument
    within: float
    total_within: float | None
    difference: float | None
    difference_without_exclusions: float | None
    total_difference: float | None
    agree: bool | None
    reason: str
    most: list[DivergenceDocument]


def agreement_of(compared: SideBySide) -> AgreementDocument:
    """A comparison as those values."""
    return AgreementDocument(
        first=_measured(compared.first),
        second=_measured(compared.second),
        within=sure(compared.within),
        total_within=number(compared.total_within),
        difference=number(compared.difference),
        difference_without_exclusions=number(compared.whole_difference),
        total_difference=number(compared.total_difference),
        agree=compared.agree,
        reason=compared.reason,
        most=[_divergence(each) for each in compared.most],
    )


def _measured(one: Measured) -> MeasuredDocument:
    return MeasuredDocument(
        service=one.service,
        slo=one.slo,
        kind=one.kind,
        means=one.means,
        sli=number(one.figure.sli),
        good=number(one.figure.good),
        bad=number(one.figure.bad),
        total=number(one.figure.total),
        coverage=number(one.figure.coverage),
        without_exclusions_sli=number(one.without_exclusions.sli),
    )


def _divergence(one: Divergence) -> DivergenceDocument:
    return DivergenceDocument(
        start=rfc3339(one.start) or "",
        end=rfc3339(one.end) or "",
        bad=[number(each) for each in one.bad],
        total=[number(each) for each in one.total],
    )
