"""Where requests come in: the ingress, its certificates, and the CDN before it. `ingress_kinds` has the ingresses."""

from __future__ import annotations

from sla_kit.alert_rules import ingress_kinds
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Severity, Threshold, Values, gauge, steady

_DAY = 86400.0
_EXPIRY = 'probe_ssl_earliest_cert_expiry{$blackbox, instance="https://www.example.com/"}'
_CDN = '{$cloudwatch, name="arn:aws:x", account_id="1", dimension_DistributionId="E1", dimension_Region="Global"}'
_CDN_ERRORS = f"aws_cloudfront_5xx_error_rate_average{_CDN}"
_CDN_HITS = f"aws_cloudfront_cache_hit_rate_average{_CDN}"
_CDN_REQUESTS = f"aws_cloudfront_requests_sum{_CDN}"
_REQUESTS = Threshold(1000, "count", "how few requests in a period prove nothing")


def _certificate(
    name: str, days: int, severity: Severity, pending: float, what: str, said: str, graver: str = ""
) -> Alert:
    """A certificate that is good for so many days only, which wakes nobody before its last ones."""
    return Alert(
        name=name,
        exporter="blackbox",
        expression="(probe_ssl_earliest_cert_expiry{$blackbox} - time()) / 86400 < $left / 86400",
        thresholds={"left": Threshold(days * _DAY, "seconds", "how long a certificate must still be good")},
        pending=pending,
        severity=severity,
        summary=f"The certificate of {{{{ $labels.instance }}}} {what}",
        description="A certificate that {{ $labels.instance }} shows to customers is good for only "
        '{{ $value | printf "%.1f" }} days more, and should be renewed [[left]] before its end.',
        promises=("availability",),
        inhibited_by=(graver,) if graver else (),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                # The test's clock starts at 0, and a certificate's end is a time.
                series={_EXPIRY: gauge(90 * _DAY, lambda t: _tenths(t) * _DAY + 3600, near=lambda t: t.left + _DAY)},
                labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                value=_tenths,
                says="A certificate that https://www.example.com/ shows to customers is good for only "
                f"{days - 1}.9 days more, and should be renewed {said} before its end.",
            ),
        ),
    )


def _tenths(t: Values) -> float:
    """Whole tenths of days, under what must be left: so read until an hour before and after they are true."""
    return (t.left * 10 // _DAY - 1) / 10


AREA = Area(
    name="ingress",
    title="Ingress, TLS and CDN (ingress-nginx, Envoy or ALB; blackbox exporter; CloudFront)",
    dashboard="ingress",
    healthy={
        **ingress_kinds.HEALTHY,
        _EXPIRY: steady(90 * _DAY),
        _CDN_ERRORS: steady(0.02),
        _CDN_HITS: steady(93),
        _CDN_REQUESTS: steady(50000),
    },
    alerts=(
        *ingress_kinds.ALERTS,
        _certificate("TlsCertificateExpiring", 14, "warning", 1800, "is not renewed", "2w", "TlsCertificateEnds"),
        _certificate("TlsCertificateEnds", 2, "critical", 600, "is about to end", "2d"),
        Alert(
            name="CdnErrorsHigh",
            exporter="cloudwatch",
            expression="""
                max by ($keep, dimension_DistributionId) (aws_cloudfront_5xx_error_rate_average{$cloudwatch}) / 100
                > $ratio
                and on ($keep, dimension_DistributionId) (aws_cloudfront_requests_sum{$cloudwatch} > $requests)""",
            thresholds={"ratio": Threshold(0.02, "ratio", "how many requests may fail"), "requests": _REQUESTS},
            pending=600,
            keep_firing_for=600,
            severity="warning",
            summary="CDN {{ $labels.dimension_DistributionId }} answers with errors",
            description="{{ $value | humanizePercentage }} of the requests at distribution "
            "{{ $labels.dimension_DistributionId }} end with a 5xx, over [[ratio]].",
            promises=("error-rate", "availability"),
            cases=(
                Breach(
                    series={
                        _CDN_ERRORS: gauge(0, lambda t: t.ratio * 200, near=lambda t: t.ratio * 99),
                        _CDN_REQUESTS: steady(50000),
                    },
                    labels={"dimension_DistributionId": "E1"},
                    value=lambda t: t.ratio * 2,
                    says="4% of the requests at distribution E1 end with a 5xx, over 2 %.",
                ),
                Quiet(name="hardly any traffic", series={_CDN_ERRORS: steady(50), _CDN_REQUESTS: steady(12)}),
            ),
        ),
        Alert(
            name="CdnCacheHitsLow",
            exporter="cloudwatch",
            expression="""
                max by ($keep, dimension_DistributionId) (aws_cloudfront_cache_hit_rate_average{$cloudwatch}) / 100
                < $ratio
                and on ($keep, dimension_DistributionId) (aws_cloudfront_requests_sum{$cloudwatch} > $requests)""",
            thresholds={
                "ratio": Threshold(0.7, "ratio", "how much the CDN should have at hand"),
                "requests": _REQUESTS,
            },
            pending=1800,
            keep_firing_for=900,
            severity="warning",
            summary="CDN {{ $labels.dimension_DistributionId }} passes too much on",
            description="Distribution {{ $labels.dimension_DistributionId }} answers only "
            "{{ $value | humanizePercentage }} of its requests itself, under [[ratio]]; the rest reaches the origin.",
            promises=("response-time",),
            cases=(
                Breach(
                    series={
                        _CDN_HITS: gauge(93, lambda t: t.ratio * 50, near=lambda t: t.ratio * 101),
                        _CDN_REQUESTS: steady(50000),
                    },
                    labels={"dimension_DistributionId": "E1"},
                    value=lambda t: t.ratio / 2,
                    says="Distribution E1 answers only 35% of its requests itself, under 70 %; the rest reaches the "
                    "origin.",
                ),
                Quiet(name="cold, but nobody is there", series={_CDN_HITS: steady(5), _CDN_REQUESTS: steady(12)}),
            ),
        ),
    ),
)
