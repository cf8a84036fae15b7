"""What is rented from AWS, as CloudWatch tells it, some minutes late and in gauges only.

yet-another-cloudwatch-exporter names a metric ``aws_<namespace>_<metric>_<statistic>``; each has to be asked for in its
configuration with that statistic.
"""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Severity, Threshold, gauge, steady

_GIB = 1024.0**3
_WHERE = '$cloudwatch, name="arn:aws:x", account_id="111111111111", region="eu-central-1"'
_RDS = f'{{{_WHERE}, dimension_DBInstanceIdentifier="shop"}}'
_CACHE = f'{{{_WHERE}, dimension_CacheClusterId="shop-001", dimension_CacheNodeId="0001"}}'
_BUCKET = f'{{{_WHERE}, dimension_BucketName="media", dimension_FilterId="all"}}'
_NAT = f'{{{_WHERE}, dimension_NatGatewayId="nat-1"}}'
_KINDS = {
    "dimension_DBInstanceIdentifier": ("RDS", _RDS, "shop"),
    "dimension_CacheClusterId": ("ElastiCache", _CACHE, "shop-001"),
    "dimension_NatGatewayId": ("NAT gateway", _NAT, "nat-1"),
}
_BUSY = "aws_rds_cpuutilization_average"
_STORAGE = "aws_rds_free_storage_space_average"
_MEMORY = "aws_rds_freeable_memory_average"
_LAG = "aws_rds_replica_lag_average"
_CACHE_BUSY = "aws_elasticache_engine_cpuutilization_average"
_CACHE_MEMORY = "aws_elasticache_database_memory_usage_percentage_average"
_PORTS = "aws_natgateway_error_port_allocation_sum"
_S3_ERRORS = f"aws_s3_5xx_errors_sum{_BUCKET}"
_S3_REQUESTS = f"aws_s3_all_requests_sum{_BUCKET}"


def _threshold(
    name: str,
    metric: str,
    dimension: str,
    sign: str,
    threshold: Threshold,
    *,
    what: str,
    shown: str,
    said: str,
    pending: float,
    severity: Severity = "warning",
    good: float = 0.0,
) -> Alert:
    """An alert of one metric that is above (or below) a threshold; a ratio is a percentage for CloudWatch. ``shown`` is
    how its value is written, ``said`` what a breach twice as far then says."""
    kind, labels, instance = _KINDS[dimension]
    percent = threshold.unit == "ratio"
    scale = 100.0 if percent else 1.0
    factor, near = (1.05, 0.99) if sign == ">" else (0.5, 1.01)
    return Alert(
        name=name,
        exporter="cloudwatch",
        expression=f"max by ($keep, region, {dimension}) ({metric}{{$cloudwatch}}){' / 100' if percent else ''} "
        f"{sign} $level",
        thresholds={"level": threshold},
        pending=pending,
        keep_firing_for=900,
        severity=severity,
        summary=f"{kind} {{{{ $labels.{dimension} }}}}: {what}",
        description=f"{kind} {{{{ $labels.{dimension} }}}} in {{{{ $labels.region }}}}: {what}, {shown}, "
        f"{'over' if sign == '>' else 'under'} [[level]].",
        promises=("availability", "response-time"),
        cases=(
            Breach(
                series={
                    f"{metric}{labels}": gauge(
                        good, lambda t: t.level * scale * factor + (t.level == 0), near=lambda t: t.level * scale * near
                    )
                },
                labels={"region": "eu-central-1", dimension: instance},
                value=lambda t: t.level * factor + (t.level == 0),
                says=said,
            ),
        ),
    )


AREA = Area(
    name="cloud",
    title="AWS (yet-another-cloudwatch-exporter)",
    dashboard="cloud",
    healthy={
        f"{_BUSY}{_RDS}": steady(30),
        f"{_STORAGE}{_RDS}": steady(80 * _GIB),
        f"{_MEMORY}{_RDS}": steady(4 * _GIB),
        f"{_LAG}{_RDS}": steady(0.02),
        f"{_CACHE_BUSY}{_CACHE}": steady(12),
        f"{_CACHE_MEMORY}{_CACHE}": steady(48),
        f"{_PORTS}{_NAT}": steady(0),
        _S3_ERRORS: steady(0),
        _S3_REQUESTS: steady(12000),
    },
    alerts=(
        _threshold(
            "RdsCpuHigh",
            _BUSY,
            "dimension_DBInstanceIdentifier",
            ">",
            Threshold(0.9, "ratio", "how busy its processors may be"),
            what="its processors are busy",
            shown="{{ $value | humanizePercentage }}",
            said="RDS shop in eu-central-1: its processors are busy, 94.5%, over 90 %.",
            pending=1800,
            good=30,
        ),
        _threshold(
            "RdsStorageLow",
            _STORAGE,
            "dimension_DBInstanceIdentifier",
            "<",
            Threshold(10 * _GIB, "bytes", "how much storage must be free"),
            what="its storage is nearly full",
            shown="{{ $value | humanize1024 }}B are free",
            said="RDS shop in eu-central-1: its storage is nearly full, 5GiB are free, under 10 GiB.",
            pending=600,
            severity="critical",
            good=80 * _GIB,
        ),
        _threshold(
            "RdsMemoryLow",
            _MEMORY,
            "dimension_DBInstanceIdentifier",
            "<",
            Threshold(0.25 * _GIB, "bytes", "how much memory must be free"),
            what="its memory runs out",
            shown="{{ $value | humanize1024 }}B are free",
            said="RDS shop in eu-central-1: its memory runs out, 128MiB are free, under 256 MiB.",
            pending=1200,
            good=4 * _GIB,
        ),
        _threshold(
            "RdsReplicaLagging",
            _LAG,
            "dimension_DBInstanceIdentifier",
            ">",
            Threshold(300, "seconds", "how far a replica may be behind"),
            what="it is far behind its primary",
            shown="{{ $value | humanizeDuration }}",
            said="RDS shop in eu-central-1: it is far behind its primary, 5m 15s, over 5m.",
            pending=600,
        ),
        _threshold(
            "ElasticacheCpuHigh",
            _CACHE_BUSY,
            "dimension_CacheClusterId",
            ">",
            Threshold(0.85, "ratio", "how busy its one engine thread may be"),
            what="its engine is busy",
            shown="{{ $value | humanizePercentage }}",
            said="ElastiCache shop-001 in eu-central-1: its engine is busy, 89.25%, over 85 %.",
            pending=900,
            good=12,
        ),
        _threshold(
            "ElasticacheMemoryHigh",
            _CACHE_MEMORY,
            "dimension_CacheClusterId",
            ">",
            Threshold(0.85, "ratio", "how much of its memory may be used"),
            what="its memory is nearly used",
            shown="{{ $value | humanizePercentage }}",
            said="ElastiCache shop-001 in eu-central-1: its memory is nearly used, 89.25%, over 85 %.",
            pending=900,
            good=48,
        ),
        _threshold(
            "NatPortsExhausted",
            _PORTS,
            "dimension_NatGatewayId",
            ">",
            Threshold(0, "count", "how many connections may be refused for want of a port"),
            what="it has no port left for new connections",
            shown="{{ $value | humanize }} were refused",
            said="NAT gateway nat-1 in eu-central-1: it has no port left for new connections, 1 were refused, over 0.",
            pending=300,
        ),
        Alert(
            name="S3ErrorsHigh",
            exporter="cloudwatch",
            expression="""
                sum by ($keep, region, dimension_BucketName) (aws_s3_5xx_errors_sum{$cloudwatch})
                / (sum by ($keep, region, dimension_BucketName) (aws_s3_all_requests_sum{$cloudwatch}) > $requests)
                > $ratio""",
            thresholds={
                "ratio": Threshold(0.01, "ratio", "how many requests may fail"),
                "requests": Threshold(100, "count", "how few requests in a period prove nothing"),
            },
            pending=600,
            keep_firing_for=600,
            severity="warning",
            summary="S3 fails at bucket {{ $labels.dimension_BucketName }}",
            description="{{ $value | humanizePercentage }} of the requests to bucket "
            "{{ $labels.dimension_BucketName }} in {{ $labels.region }} fail at S3, over [[ratio]].",
            promises=("error-rate",),
            cases=(
                Breach(
                    series={
                        _S3_ERRORS: gauge(0, lambda t: 12000 * t.ratio * 2, near=lambda t: 12000 * t.ratio * 0.99),
                        _S3_REQUESTS: steady(12000),
                    },
                    labels={"region": "eu-central-1", "dimension_BucketName": "media"},
                    value=lambda t: t.ratio * 2,
                    says="2% of the requests to bucket media in eu-central-1 fail at S3, over 1 %.",
                ),
                Quiet(name="one of a few", series={_S3_ERRORS: steady(1), _S3_REQUESTS: steady(20)}),
            ),
        ),
    ),
)
