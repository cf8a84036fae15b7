"""Where requests come in: the ingress, what a customer sees from outside, certificates, and the CDN before it.

`ingress_kinds` has what each kind of ingress publishes."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import ingress_kinds
from sla_kit.dashboards.marks import LIVE_EVENTS, MAINTENANCE, firing
from sla_kit.dashboards.model import Dashboard, Panel, Row
from sla_kit.dashboards.vocabulary import (
    UP,
    State,
    alert_limit,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)

#: What is left of each certificate, in seconds.
_LEFT = "min by (instance, $keep) (probe_ssl_earliest_cert_expiry{$blackbox}) - time()"
_CERTIFICATE = (
    alert_limit("TlsCertificateExpiring", "left", "below"),
    alert_limit("TlsCertificateEnds", "left", "below"),
)
_CDN_HITS = """
    max by (dimension_DistributionId, $keep) (aws_cloudfront_cache_hit_rate_average{$cloudwatch}) / 100
"""
_BY_TLS = {"1": State(text="yes", meaning="good"), "0": State(text="no", meaning="warning")}


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    kind = ingress_kinds.kind_of(catalogue)
    cdn = has_cdn(catalogue)
    return Dashboard(
        name="ingress",
        title="Ingress, TLS and CDN",
        description="Whether requests come in: what the ingress answers and how fast, what probes see from outside, "
        "how long certificates are good, and how much the CDN takes off the origin.",
        folder="Edge",
        variables=kind.variables,
        annotations=(LIVE_EVENTS, MAINTENANCE, firing("ingress", "probes")),
        rows=(
            row("Now", *kind.now, *_outside_now(), *((_cdn_now(),) if cdn else ()), height=5),
            *kind.rows,
            _outside(),
            *((_cdn(),) if cdn else ()),
        ),
    )


def has_cdn(catalogue: Catalogue) -> bool:
    """Whether there may be a CDN that CloudWatch tells of: whoever has nothing at AWS switches that area off."""
    return catalogue.monitoring.areas.get("cloud", True) or catalogue.monitoring.ingress == "alb"


def _outside_now() -> tuple[Panel, ...]:
    return (
        stat(
            "Targets that don't answer",
            query("count(probe_success{$blackbox} == 0) or vector(0)", "not answering"),
            unit="none",
            limits=(limit(1, "above", "critical"),),
            links=(runbook("ProbeFailed"),),
            description="How many addresses that are probed from outside fail now. Any is an outage that customers "
            "see; which one, the states below say.",
        ),
        stat(
            "Next certificate ends in",
            query(f"min({_LEFT})", "first to end"),
            unit="dtdurations",
            decimals=0,
            limits=_CERTIFICATE,
            description="How long the certificate that ends first is still good. They are renewed weeks before.",
        ),
    )


def _cdn_now() -> Panel:
    return stat(
        "CDN hit ratio",
        query(f"min({_CDN_HITS})", "worst distribution"),
        unit="percentunit",
        decimals=1,
        limits=(alert_limit("CdnCacheHitsLow", "ratio", "below"),),
        description="The share of requests that the CDN answers itself, of the distribution with the least; the rest "
        "reaches the origin.",
    )


def _outside() -> Row:
    return row(
        "From outside",
        states(
            "Targets",
            query("min by (instance, $keep) (probe_success{$blackbox})", "{{instance}}"),
            states=UP,
            links=(runbook("ProbeFailed"), runbook("ProbeFlapping"), runbook("ProbesMissing")),
            description="Whether each probed address answers as it should. A stretch without a colour is one without "
            "probes: then nobody looks from outside.",
        ),
        timeseries(
            "Time a probe takes",
            query("topk(10, max by (instance, $keep) (probe_duration_seconds{$blackbox}))", "{{instance}}"),
            unit="s",
            minimum=0,
            limits=(alert_limit("ProbeSlow", "seconds"),),
            description="How long a whole probe takes, of the ten that take longest: look-up, connection, TLS, answer.",
        ),
        timeseries(
            "Where a probe's time goes",
            query("avg by (phase, $keep) (probe_http_duration_seconds{$blackbox})", "{{phase}}"),
            unit="s",
            stack="normal",
            links=(runbook("ProbeLookupSlow"),),
            description="The mean time of each part of a probe. Processing is the server's own time; resolve is DNS; "
            "connect and tls are the way there.",
        ),
        table(
            "Probed addresses",
            query("min by (instance, $keep) (probe_success{$blackbox})", "Answers"),
            query("max by (instance, $keep) (1 - avg_over_time(probe_success{$blackbox}[1h]))", "Failed in an hour"),
            query("max by (instance, $keep) (probe_http_status_code{$blackbox})", "Status"),
            query("min by (instance, $keep) (probe_http_ssl{$blackbox})", "By TLS"),
            query("max by (instance, $keep) (avg_over_time(probe_dns_lookup_time_seconds{$blackbox}[10m]))", "Look-up"),
            query(_LEFT, "Certificate ends in"),
            description="Every address that is probed, its last answer and what is left of its certificate. An address "
            "without TLS has no certificate to show.",
            columns=(
                column("instance", "Address"),
                column("Answers", states=UP),
                column(
                    "Failed in an hour",
                    unit="percentunit",
                    decimals=1,
                    limits=(alert_limit("ProbeFlapping", "ratio"),),
                ),
                column("Status", unit="none"),
                column("By TLS", states=_BY_TLS),
                column("Look-up", unit="s", limits=(alert_limit("ProbeLookupSlow", "seconds"),)),
                column("Certificate ends in", unit="dtdurations", decimals=0, limits=_CERTIFICATE),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Certificate ends in",
            sort_descending=False,
            links=(runbook("ProbeUnencrypted"),),
            width=24,
            height=6,
        ),
        height=8,
    )


def _cdn() -> Row:
    distributions = "dimension_DistributionId, $keep"
    return row(
        "CDN",
        timeseries(
            "Requests at the CDN",
            query(
                f"max by ({distributions}) (aws_cloudfront_requests_sum{{$cloudwatch}})", "{{dimension_DistributionId}}"
            ),
            unit="short",
            minimum=0,
            links=(leads_to("cloud", "Cloud"),),
            description="Requests in each period for which CloudWatch is asked (five minutes, unless the exporter is "
            "told otherwise). It tells them some minutes late.",
        ),
        timeseries(
            "Hit ratio",
            query(_CDN_HITS, "{{dimension_DistributionId}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("CdnCacheHitsLow", "ratio", "below"),),
            description="The share of requests that the CDN answers itself. It falls when the cache is emptied, and "
            "when something is new to everybody, as a game begins.",
        ),
        timeseries(
            "Errors at the CDN",
            query(
                f"max by ({distributions}) (aws_cloudfront_5xx_error_rate_average{{$cloudwatch}}) / 100",
                "{{dimension_DistributionId}}",
            ),
            unit="percentunit",
            minimum=0,
            limits=(alert_limit("CdnErrorsHigh", "ratio"),),
            description="The share of requests that end with a 5xx, whether the CDN's own or the origin's. The "
            "ingress above tells which.",
        ),
    )
