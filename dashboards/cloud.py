"""What is rented from AWS, as CloudWatch tells it through yet-another-cloudwatch-exporter: RDS, ElastiCache, S3, NAT
gateways and load balancers."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.counts import more_than
from sla_kit.dashboards.ingress_kinds import ALB_ERRORS, alb_targets, alb_traffic
from sla_kit.dashboards.marks import LIVE_EVENTS, MAINTENANCE, firing
from sla_kit.dashboards.model import Dashboard, Limit, Panel, Row
from sla_kit.dashboards.vocabulary import alert_limit, leads_to, query, row, runbook, stat, timeseries

_LATE = "CloudWatch tells it some minutes late."


def _of(metric: str, dimension: str, scale: str = "") -> str:
    """What a metric of CloudWatch is for each instance of a kind, as its alert reads it."""
    return f"max by (region, {dimension}, $keep) ({metric}{{$cloudwatch}}){scale}"


_RDS, _CACHE, _NAT, _BUCKET = (
    "dimension_DBInstanceIdentifier",
    "dimension_CacheClusterId",
    "dimension_NatGatewayId",
    "dimension_BucketName",
)
_BUSY = _of("aws_rds_cpuutilization_average", _RDS, " / 100")
_STORAGE = _of("aws_rds_free_storage_space_average", _RDS)
_CACHE_BUSY = _of("aws_elasticache_engine_cpuutilization_average", _CACHE, " / 100")
_CACHE_MEMORY = _of("aws_elasticache_database_memory_usage_percentage_average", _CACHE, " / 100")
_PORTS = _of("aws_natgateway_error_port_allocation_sum", _NAT)
_S3_REQUESTS = f"sum by (region, {_BUCKET}, $keep) (aws_s3_all_requests_sum{{$cloudwatch}})"
_S3_ERRORS = f"""
    (sum by (region, {_BUCKET}, $keep) (aws_s3_5xx_errors_sum{{$cloudwatch}}) or 0 * {_S3_REQUESTS})
    / ({_S3_REQUESTS} > 0)
"""


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    refused = more_than(catalogue, "NatPortsExhausted", "level")
    return Dashboard(
        name="cloud",
        title="Cloud",
        description="What is rented from AWS: databases, caches, buckets, the way out and the way in. Figures come "
        "from CloudWatch, some minutes late and for whole periods.",
        folder="Platform",
        annotations=(LIVE_EVENTS, MAINTENANCE, firing("cloud")),
        rows=(
            row("Now", *_now(refused), height=5),
            _databases(),
            _caches(),
            row("Buckets (S3) and the way out (NAT)", _buckets(), *_gateways(refused)),
            row(
                "Load balancers (ALB)",
                *alb_traffic(),
                alb_targets(more_than(catalogue, "AlbTargetsUnhealthy", "targets")),
            ),
        ),
    )


def _now(refused: tuple[Limit, ...]) -> tuple[Panel, ...]:
    return (
        stat(
            "Database processors",
            query(f"max({_BUSY})", "busiest"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("RdsCpuHigh", "level"),),
            description=f"How busy the processors of the busiest RDS instance are. {_LATE}",
        ),
        stat(
            "Database storage free",
            query(f"min({_STORAGE})", "fullest"),
            unit="bytes",
            limits=(alert_limit("RdsStorageLow", "level", "below"),),
            description="What is free of the storage of the RDS instance with the least. A full one takes no writes.",
        ),
        stat(
            "Cache memory",
            query(f"max({_CACHE_MEMORY})", "fullest"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("ElasticacheMemoryHigh", "level"),),
            description=f"How much of its memory the fullest ElastiCache node uses. {_LATE}",
        ),
        stat(
            "Connections without a port",
            query(f"max({_PORTS})", "most"),
            unit="short",
            decimals=0,
            limits=refused,
            links=(runbook("NatPortsExhausted"),),
            description="Connections that a NAT gateway refused in the last period for want of a port. Calls to "
            "others' services then fail at random.",
        ),
        stat(
            "S3 errors",
            query(f"max({_S3_ERRORS})", "worst bucket"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit("S3ErrorsHigh", "ratio"),),
            description="The share of requests that fail at S3 itself, of the bucket with the most.",
        ),
        stat(
            "Load balancer errors",
            query(f"max({ALB_ERRORS})", "worst"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit("AlbErrorsHigh", "ratio"),),
            description="The share of requests that end with a 5xx, of the load balancer with the most.",
        ),
    )


def _databases() -> Row:
    name = f"{{{{{_RDS}}}}}"
    postgresql = (leads_to("postgresql", "PostgreSQL"),)
    return row(
        "Databases (RDS)",
        timeseries(
            "Processors",
            query(f"topk(8, {_BUSY})", name),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("RdsCpuHigh", "level"),),
            links=postgresql,
            description="How busy processors are. At full load look for the queries that take most.",
        ),
        timeseries(
            "Free memory",
            query(f"bottomk(8, {_of('aws_rds_freeable_memory_average', _RDS)})", name),
            unit="bytes",
            minimum=0,
            limits=(alert_limit("RdsMemoryLow", "level", "below"),),
            links=postgresql,
            description="What is free or could be. Each connection takes some, so it falls as pods grow more.",
        ),
        timeseries(
            "Free storage",
            query(f"bottomk(8, {_STORAGE})", name),
            unit="bytes",
            minimum=0,
            limits=(alert_limit("RdsStorageLow", "level", "below"),),
            description="What is free. A steep fall is often a log or an archive that nobody fetches.",
        ),
        timeseries(
            "Replica lag",
            query(f"topk(8, {_of('aws_rds_replica_lag_average', _RDS)})", name),
            unit="s",
            minimum=0,
            limits=(alert_limit("RdsReplicaLagging", "level"),),
            links=postgresql,
            description="How far replicas are behind their primary: what would be lost if it failed now, and how old "
            "what they answer is.",
        ),
        timeseries(
            "Connections",
            query(f"topk(8, {_of('aws_rds_database_connections_average', _RDS)})", name),
            unit="short",
            minimum=0,
            links=postgresql,
            description="Connections that are open. They follow the number of pods; a pool keeps them level.",
        ),
        timeseries(
            "Time of a read and a write",
            query(f"topk(4, {_of('aws_rds_read_latency_average', _RDS)})", f"{name}: read"),
            query(f"topk(4, {_of('aws_rds_write_latency_average', _RDS)})", f"{name}: write"),
            unit="s",
            minimum=0,
            description="How long the disk takes. A few milliseconds are usual; more at the same load means that its "
            "credits or its throughput are used up.",
        ),
    )


def _caches() -> Row:
    name = f"{{{{{_CACHE}}}}}"
    redis = (leads_to("redis", "Redis"),)
    return row(
        "Caches (ElastiCache)",
        timeseries(
            "Engine",
            query(f"topk(8, {_CACHE_BUSY})", name),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("ElasticacheCpuHigh", "level"),),
            links=redis,
            description="How busy the one thread is that executes commands. Slow commands or too many; see which.",
        ),
        timeseries(
            "Memory",
            query(f"topk(8, {_CACHE_MEMORY})", name),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("ElasticacheMemoryHigh", "level"),),
            links=redis,
            description="How much of its memory a node uses. When there is none left keys are evicted, or writes "
            "refused.",
        ),
        timeseries(
            "Connections and evictions",
            query(
                f"topk(4, {_of('aws_elasticache_curr_connections_average', _CACHE)})",
                f"{name}: connections",
            ),
            query(f"topk(4, {_of('aws_elasticache_evictions_sum', _CACHE)})", f"{name}: evicted"),
            unit="short",
            minimum=0,
            links=redis,
            description="Connections that are open, and keys that were thrown out for want of memory in each period.",
        ),
    )


def _buckets() -> Panel:
    return timeseries(
        "Errors by bucket",
        query(f"topk(8, {_S3_ERRORS})", f"{{{{{_BUCKET}}}}}"),
        unit="percentunit",
        minimum=0,
        limits=(alert_limit("S3ErrorsHigh", "ratio"),),
        description="The share of requests that fail at S3 itself (5xx), of buckets that have request metrics. A few "
        "are usual and are tried again.",
    )


def _gateways(refused: tuple[Limit, ...]) -> tuple[Panel, ...]:
    name = f"{{{{{_NAT}}}}}"
    return (
        timeseries(
            "Connections refused at NAT gateways",
            query(f"topk(8, {_PORTS})", name),
            unit="short",
            minimum=0,
            limits=refused,
            links=(runbook("NatPortsExhausted"),),
            description="Connections that were refused in each period for want of a port. Usually one service opens "
            "many to one address: let it keep them.",
        ),
        timeseries(
            "Connections at NAT gateways",
            query(f"topk(8, {_of('aws_natgateway_active_connection_count_maximum', _NAT)})", name),
            unit="short",
            minimum=0,
            description="Connections that are open at once. A gateway has 55,000 ports for each address at the other "
            "end.",
        ),
    )
