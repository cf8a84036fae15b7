"""Live events: what must be ready before one begins, and what must hold while it goes on. The calendar's rules tell
when that is; without a calendar all of these are silent. `live_events_stores` is about what keeps the data."""

from __future__ import annotations

from sla_kit.alert_rules import live_events_stores
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import rise
from sla_kit.alert_rules.live_events_stores import NEAR_OR_ON

_HOUR = 3600.0
_STARTS = "sla_event_starts_in_seconds"
_ACTIVE = 'sla_event_active{service="web"}'
_HPA = '{$kube_state_metrics, namespace="shop", horizontalpodautoscaler="web"}'
_CURRENT = f"kube_horizontalpodautoscaler_status_current_replicas{_HPA}"
_MAX = f"kube_horizontalpodautoscaler_spec_max_replicas{_HPA}"
_CRON = (
    'keda_scaler_active{$keda, namespace="shop", scaledObject="web", scaler="%s", metric="s0-cron", triggerIndex="0", '
    'type="scaledobject"}'
)
_PAUSED = 'keda_scaled_object_paused{$keda, namespace="shop", scaledObject="web"}'
_CDN = '{$cloudwatch, name="arn:aws:x", account_id="1", dimension_DistributionId="E1", dimension_Region="Global"}'
_HITS = f"aws_cloudfront_cache_hit_rate_average{_CDN}"
_REQUESTS = f"aws_cloudfront_requests_sum{_CDN}"
_SYNCS = (
    'argocd_app_sync_total{$argocd, instance="argocd-0:8082", namespace="argocd", name="web", project="default", '
    'dest_server="https://kubernetes.default.svc", phase="Succeeded"}'
)
_ARGOCD_UP = 'up{$argocd, instance="argocd-0:8082"}'
_SCALED = {"namespace": "shop", "horizontalpodautoscaler": "web"}

AREA = Area(
    name="live_events",
    title="Live events (calendar; kube-state-metrics, KEDA, CloudFront, PostgreSQL, Redis, Argo CD)",
    dashboard="live-events",
    healthy={
        _STARTS: steady(900),  # the hardest quarter of an hour: all is ready, none of these may speak
        _CURRENT: steady(20),
        _MAX: steady(40),
        _CRON % "cronScaler": steady(1),
        _CRON % "prometheusScaler": steady(0),
        _PAUSED: steady(0),
        _HITS: steady(93),
        _REQUESTS: steady(50000),
        **live_events_stores.HEALTHY,
        _SYNCS: counting(0),
        _ARGOCD_UP: steady(1),
    },
    alerts=(
        Alert(
            name="EventNotScaledUp",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, horizontalpodautoscaler) (
                  kube_horizontalpodautoscaler_status_current_replicas{$kube_state_metrics}
                )
                / on ($keep, namespace, horizontalpodautoscaler) (
                  max by ($keep, namespace, horizontalpodautoscaler) (
                    kube_horizontalpodautoscaler_spec_max_replicas{$kube_state_metrics}
                  ) >= $large
                ) < $ratio
                and on () sla_event_starts_in_seconds < $before""",
            thresholds={
                "ratio": Threshold(0.3, "ratio", "how much of its maximum a workload must have ready"),
                "large": Threshold(20, "count", "how small a maximum needs nothing ready"),
                "before": Threshold(2 * _HOUR, "seconds", "how long before a live event it must be ready"),
            },
            pending=120,
            keep_firing_for=300,
            severity="critical",
            summary="{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} is not scaled up for the live event",
            description="A live event begins in less than [[before]], and {{ $labels.namespace }}/"
            "{{ $labels.horizontalpodautoscaler }} has {{ $value | humanizePercentage }} of its maximum ready, under "
            "[[ratio]].",
            promises=("availability", "response-time"),
            cases=(
                Breach(
                    series={
                        _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before - 600),
                        _CURRENT: gauge(3, lambda t: 50 * t.ratio, near=lambda t: 101 * t.ratio),
                        _MAX: gauge(100, lambda t: 100 + t.large, near=lambda t: 100.0),
                    },
                    labels=_SCALED,
                    value=lambda t: 50 * t.ratio / (100 + t.large),
                    says="A live event begins in less than 2h, and shop/web has 12.5% of its maximum ready, under "
                    "30 %.",
                ),
                Quiet(
                    name="the event is still far",
                    series={_STARTS: steady(lambda t: t.before + 600), _CURRENT: steady(3), _MAX: steady(100)},
                ),
                Quiet(name="no event at all", series={_CURRENT: steady(3), _MAX: steady(100)}),
                Quiet(
                    name="a workload that stays small",
                    series={_STARTS: steady(600), _CURRENT: steady(1), _MAX: steady(lambda t: t.large - 1)},
                ),
            ),
        ),
        Alert(
            name="EventKedaInactive",
            exporter="keda",
            expression=f"""
                max by ($keep, namespace, scaledObject) (keda_scaler_active{{$keda, scaler="cronScaler"}}) == 0
                {NEAR_OR_ON}""",
            thresholds={
                "before": Threshold(1800, "seconds", "how long before a live event the schedule must have begun")
            },
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="KEDA's schedule for {{ $labels.namespace }}/{{ $labels.scaledObject }} is not active at the event",
            description="A live event goes on or begins in less than [[before]], and no cron trigger of "
            "{{ $labels.namespace }}/{{ $labels.scaledObject }} is active (active is {{ $value }}).",
            promises=("availability", "response-time"),
            cases=(
                Breach(
                    series={
                        _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before / 2),
                        _CRON % "cronScaler": gauge(0, 0, near=1),
                    },
                    labels={"namespace": "shop", "scaledObject": "web"},
                    value=0,
                    says="A live event goes on or begins in less than 30m, and no cron trigger of shop/web is active "
                    "(active is 0).",
                ),
                Breach(
                    name="while the event goes on",
                    series={_ACTIVE: gauge(None, 1), _CRON % "cronScaler": gauge(1, 0)},
                    labels={"namespace": "shop", "scaledObject": "web"},
                    value=0,
                    says="A live event goes on or begins in less than 30m, and no cron trigger of shop/web is active "
                    "(active is 0).",
                ),
                Quiet(name="no event", series={_CRON % "cronScaler": steady(0)}),
                Quiet(
                    name="a queue that is empty, which no schedule scales",
                    series={_ACTIVE: steady(1), _CRON % "prometheusScaler": steady(0)},
                ),
            ),
        ),
        Alert(
            name="EventKedaPaused",
            exporter="keda",
            expression=f"""
                max by ($keep, namespace, scaledObject) (keda_scaled_object_paused{{$keda}}) == 1
                {NEAR_OR_ON}""",
            thresholds={
                "before": Threshold(2 * _HOUR, "seconds", "how long before a live event nothing may be paused")
            },
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="KEDA is paused for {{ $labels.namespace }}/{{ $labels.scaledObject }} at the event",
            description="A live event goes on or begins in less than [[before]], and the scaling of "
            "{{ $labels.namespace }}/{{ $labels.scaledObject }} is paused (paused is {{ $value }}): it will not grow.",
            promises=("availability", "response-time"),
            cases=(
                Breach(
                    series={_ACTIVE: steady(1), _PAUSED: gauge(0, 1, near=0)},
                    labels={"namespace": "shop", "scaledObject": "web"},
                    value=1,
                    says="A live event goes on or begins in less than 2h, and the scaling of shop/web is paused "
                    "(paused is 1): it will not grow.",
                ),
                Breach(
                    name="before the event",
                    series={
                        _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before / 2),
                        _PAUSED: steady(1),
                    },
                    labels={"namespace": "shop", "scaledObject": "web"},
                    value=1,
                    says="A live event goes on or begins in less than 2h, and the scaling of shop/web is paused "
                    "(paused is 1): it will not grow.",
                ),
                Quiet(name="paused, and no event", series={_PAUSED: steady(1)}),
            ),
        ),
        Alert(
            name="EventPodsNearMaximum",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, horizontalpodautoscaler) (
                  kube_horizontalpodautoscaler_status_current_replicas{$kube_state_metrics}
                )
                / on ($keep, namespace, horizontalpodautoscaler) (
                  max by ($keep, namespace, horizontalpodautoscaler) (
                    kube_horizontalpodautoscaler_spec_max_replicas{$kube_state_metrics}
                  ) >= $large
                ) > $ratio
                and on () sla_event_active""",
            thresholds={
                "ratio": Threshold(0.85, "ratio", "how much of its maximum a workload may have reached"),
                "large": Threshold(10, "count", "how small a maximum is not looked at"),
            },
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} nears its maximum during the event",
            description="{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has reached "
            "{{ $value | humanizePercentage }} of its maximum while a live event goes on, over [[ratio]].",
            promises=("availability", "response-time"),
            inhibited_by=("HpaAtMaximum",),
            inhibition_labels=("cluster", "namespace", "horizontalpodautoscaler"),
            cases=(
                Breach(
                    series={
                        _ACTIVE: gauge(None, 1),
                        _CURRENT: gauge(20, lambda t: 100 * t.ratio + 1, near=lambda t: 99 * t.ratio),
                        _MAX: steady(100),
                    },
                    labels=_SCALED,
                    value=lambda t: t.ratio + 0.01,
                    says="shop/web has reached 86% of its maximum while a live event goes on, over 85 %.",
                ),
                Quiet(
                    name="a workload that stays small",
                    series={
                        _ACTIVE: steady(1),
                        _CURRENT: steady(lambda t: t.large - 1),
                        _MAX: steady(lambda t: t.large - 1),
                    },
                ),
                Quiet(name="as high, and no event", series={_CURRENT: steady(99), _MAX: steady(100)}),
            ),
        ),
        Alert(
            name="EventCdnCold",
            exporter="cloudwatch",
            expression=f"""
                max by ($keep, dimension_DistributionId) (aws_cloudfront_cache_hit_rate_average{{$cloudwatch}}) / 100
                < $ratio
                and on ($keep, dimension_DistributionId) (
                  max by ($keep, dimension_DistributionId) (aws_cloudfront_requests_sum{{$cloudwatch}}) > $requests
                )
                {NEAR_OR_ON}""",
            thresholds={
                "ratio": Threshold(0.85, "ratio", "how much the CDN must have at hand"),
                "requests": Threshold(500, "count", "how few requests in a period prove nothing"),
                "before": Threshold(1800, "seconds", "how long before a live event it must be warm"),
            },
            pending=300,
            keep_firing_for=600,
            severity="warning",
            summary="CDN {{ $labels.dimension_DistributionId }} is cold at the event",
            description="A live event goes on or begins in less than [[before]], and distribution "
            "{{ $labels.dimension_DistributionId }} answers {{ $value | humanizePercentage }} of its requests itself, "
            "under [[ratio]].",
            promises=("response-time", "availability"),
            cases=(
                Breach(
                    series={
                        _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before / 2),
                        _HITS: gauge(60, lambda t: 50 * t.ratio, near=lambda t: 101 * t.ratio),
                        _REQUESTS: steady(lambda t: 10 * t.requests),
                    },
                    labels={"dimension_DistributionId": "E1"},
                    value=lambda t: t.ratio / 2,
                    says="A live event goes on or begins in less than 30m, and distribution E1 answers 42.5% of its "
                    "requests itself, under 85 %.",
                ),
                Breach(
                    name="while the event goes on",
                    series={
                        _ACTIVE: gauge(None, 1),
                        _HITS: steady(lambda t: 50 * t.ratio),
                        _REQUESTS: steady(lambda t: 10 * t.requests),
                    },
                    labels={"dimension_DistributionId": "E1"},
                    value=lambda t: t.ratio / 2,
                    clears=300,  # a series that is gone is seen for five minutes more
                    says="A live event goes on or begins in less than 30m, and distribution E1 answers 42.5% of its "
                    "requests itself, under 85 %.",
                ),
                Quiet(name="cold, and no event", series={_HITS: steady(20), _REQUESTS: steady(50000)}),
                Quiet(
                    name="hardly a visitor yet",
                    series={_STARTS: steady(600), _HITS: steady(20), _REQUESTS: steady(30)},
                ),
            ),
        ),
        *live_events_stores.ALERTS,
        Alert(
            name="EventDeployment",
            exporter="argocd",
            expression=f"""
                sum by ($keep, name) (
                {rise("argocd_app_sync_total", "argocd")}
                ) > $syncs
                and on () sla_event_active""",
            thresholds={
                "syncs": Threshold(0, "count", "how many deployments are borne in the window"),
                "window": Threshold(600, "window", "in which deployments are counted"),
            },
            severity="info",
            summary="{{ $labels.name }} is deployed during the live event",
            description="{{ $labels.name }} was deployed {{ $value | humanize }} times in [[window]] while a live "
            "event goes on.",
            promises=("availability",),
            cases=(
                Breach(
                    series={_ACTIVE: gauge(1, 1), _SYNCS: counter(0, lambda t: t.syncs + 1, near=0)},
                    labels={"name": "web"},
                    value=lambda t: (t.syncs + 1) * t.window / 60,
                    settles=600,
                    says="web was deployed 10 times in 10m while a live event goes on.",
                ),
                Breach(
                    name="the first deployment ever",
                    series={_ACTIVE: steady(1), _SYNCS: gauge(None, lambda t: t.syncs + 1), _ARGOCD_UP: steady(1)},
                    labels={"name": "web"},
                    value=lambda t: t.syncs + 1,
                    clears=300,
                    says="web was deployed 1 times in 10m while a live event goes on.",
                ),
                Quiet(name="deployed, and no event", series={_SYNCS: counting(1)}),
            ),
        ),
    ),
)
