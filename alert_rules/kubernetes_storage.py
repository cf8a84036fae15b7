"""What workloads keep and are allowed: volumes, quotas, certificates."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_CLAIM = '$kubelet, namespace="shop", persistentvolumeclaim="data-0"'
_FREE = f"kubelet_volume_stats_available_bytes{{{_CLAIM}}}"
_SIZE = f"kubelet_volume_stats_capacity_bytes{{{_CLAIM}}}"
_INODES_FREE = f"kubelet_volume_stats_inodes_free{{{_CLAIM}}}"
_INODES = f"kubelet_volume_stats_inodes{{{_CLAIM}}}"
_CLAIM_PHASE = (
    'kube_persistentvolumeclaim_status_phase{$kube_state_metrics, namespace="shop", persistentvolumeclaim="data-0", '
    'phase="%s"}'
)
_QUOTA = (
    'kube_resourcequota{$kube_state_metrics, namespace="shop", resourcequota="team", resource="requests.cpu", '
    'type="%s"}'
)
_CERTIFICATE = (
    '$cert_manager, namespace="shop", name="shop-tls", issuer_name="letsencrypt", issuer_kind="ClusterIssuer", '
    'issuer_group="cert-manager.io"'
)
_EXPIRES = f"certmanager_certificate_expiration_timestamp_seconds{{{_CERTIFICATE}}}"
_RENEWED = f"certmanager_certificate_renewal_timestamp_seconds{{{_CERTIFICATE}}}"
_CERT_READY = f'certmanager_certificate_ready_status{{{_CERTIFICATE}, condition="%s"}}'
_CLAIM_LABELS = {"namespace": "shop", "persistentvolumeclaim": "data-0"}
_CERT_LABELS = {"namespace": "shop", "name": "shop-tls"}
_GIB = 1024.0**3
_DAY = 86400.0

HEALTHY = {
    _FREE: steady(60 * _GIB),
    _SIZE: steady(100 * _GIB),
    _INODES_FREE: steady(6e6),
    _INODES: steady(6.5e6),
    **{_CLAIM_PHASE % phase: steady(float(phase == "Bound")) for phase in ("Bound", "Pending", "Lost")},
    _QUOTA % "hard": steady(20),
    _QUOTA % "used": steady(8),
    _EXPIRES: steady(60 * _DAY),
    _RENEWED: steady(30 * _DAY),
    # One for two days, which is renewed each day.
    _EXPIRES.replace('name="shop-tls"', 'name="mesh"'): counting(60, start=1.5 * _DAY),
    _RENEWED.replace('name="shop-tls"', 'name="mesh"'): counting(60, start=0.5 * _DAY),
    **{_CERT_READY % condition: steady(float(condition == "True")) for condition in ("True", "False", "Unknown")},
}

ALERTS = (
    Alert(
        name="KubeVolumeNearlyFull",
        exporter="kubelet",
        expression="""
            min by ($keep, namespace, persistentvolumeclaim) (
              kubelet_volume_stats_available_bytes{$kubelet} / (kubelet_volume_stats_capacity_bytes{$kubelet} > 0)
            ) < $ratio""",
        thresholds={"ratio": Threshold(0.05, "ratio", "how much of a volume must be free")},
        pending=120,
        keep_firing_for=300,
        severity="critical",
        summary="Volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} is nearly full",
        description="Of volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} "
        "{{ $value | humanizePercentage }} are free, under [[ratio]].",
        promises=("availability", "error-rate"),
        cases=(
            Breach(
                series={
                    _FREE: gauge(
                        60 * _GIB, lambda t: 100 * _GIB * t.ratio / 2, near=lambda t: 100 * _GIB * t.ratio * 1.01
                    ),
                    _SIZE: steady(100 * _GIB),
                },
                labels=_CLAIM_LABELS,
                value=lambda t: t.ratio / 2,
                says="Of volume shop/data-0 2.5% are free, under 5 %.",
            ),
            Quiet(name="a size of nothing", series={_FREE: steady(0), _SIZE: steady(0)}),
        ),
    ),
    Alert(
        name="KubeVolumeFillsSoon",
        exporter="kubelet",
        expression="""
            max by ($keep, namespace, persistentvolumeclaim) (
              -deriv(kubelet_volume_stats_available_bytes{$kubelet}[$window]) * $horizon
              > kubelet_volume_stats_available_bytes{$kubelet}
            )
            and on ($keep, namespace, persistentvolumeclaim) min by ($keep, namespace, persistentvolumeclaim) (
              kubelet_volume_stats_available_bytes{$kubelet} / (kubelet_volume_stats_capacity_bytes{$kubelet} > 0)
            ) < $ratio""",
        thresholds={
            "window": Threshold(6 * 3600, "window", "over which its growth is looked at"),
            "horizon": Threshold(2 * _DAY, "seconds", "how far ahead is looked"),
            "ratio": Threshold(0.4, "ratio", "how much free space makes growth no matter"),
        },
        pending=3600,
        severity="warning",
        summary="Volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} will be full soon",
        description="At its present growth volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} takes "
        "{{ $value | humanize1024 }}B more within [[horizon]], which is more than it has left.",
        promises=("availability",),
        inhibited_by=("KubeVolumeNearlyFull",),
        inhibition_labels=("cluster", "namespace", "persistentvolumeclaim"),
        cases=(
            Breach(
                series={
                    _FREE: counter(0, -0.02 * _GIB, near=0, start=30 * _GIB),
                    _SIZE: steady(100 * _GIB),
                },
                labels=_CLAIM_LABELS,
                value=57.6 * _GIB,  # 0.02 GiB a minute, two days long
                healthy=6 * 3600,
                lag=10200,  # of six hours so many have to be steep
                settles=6 * 3600,
                says="At its present growth volume shop/data-0 takes 57.6GiB more within 2d, which is more than it has "
                "left.",
            ),
            Quiet(
                name="growth with much room",
                series={_FREE: counter(0, -0.02 * _GIB, start=55 * _GIB), _SIZE: steady(100 * _GIB)},
            ),
        ),
    ),
    Alert(
        name="KubeVolumeInodesLow",
        exporter="kubelet",
        expression="""
            min by ($keep, namespace, persistentvolumeclaim) (
              kubelet_volume_stats_inodes_free{$kubelet} / (kubelet_volume_stats_inodes{$kubelet} > 0)
            ) < $ratio""",
        thresholds={"ratio": Threshold(0.05, "ratio", "how many of a volume's inodes must be free")},
        pending=600,
        keep_firing_for=600,
        severity="warning",
        summary="Volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} can hold few more files",
        description="Of the inodes of volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} "
        "{{ $value | humanizePercentage }} are free, under [[ratio]].",
        promises=("error-rate",),
        cases=(
            Breach(
                series={
                    _INODES_FREE: gauge(6e6, lambda t: 1e6 * t.ratio / 2, near=lambda t: 1e6 * t.ratio * 1.01),
                    _INODES: steady(1e6),
                },
                labels=_CLAIM_LABELS,
                value=lambda t: t.ratio / 2,
                says="Of the inodes of volume shop/data-0 2.5% are free, under 5 %.",
            ),
            Quiet(name="a file system without inodes", series={_INODES_FREE: steady(0), _INODES: steady(0)}),
        ),
    ),
    Alert(
        name="KubeClaimUnbound",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, namespace, persistentvolumeclaim, phase) (
              kube_persistentvolumeclaim_status_phase{$kube_state_metrics, phase=~"Pending|Lost"}
            ) == 1""",
        pending=900,
        severity="warning",
        summary="Claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} has no volume",
        description="Claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} has been {{ $labels.phase }} "
        "for at least 15 minutes ({{ $value }}).",
        promises=("availability",),
        cases=(
            Breach(
                series={_CLAIM_PHASE % "Lost": gauge(0, 1), _CLAIM_PHASE % "Bound": gauge(1, 0)},
                labels=_CLAIM_LABELS | {"phase": "Lost"},
                value=1,
                says="Claim shop/data-0 has been Lost for at least 15 minutes (1).",
            ),
        ),
    ),
    Alert(
        name="KubeQuotaNearlyUsed",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, namespace, resourcequota, resource) (
              kube_resourcequota{$kube_state_metrics, type="used"}
              / ignoring (type) (kube_resourcequota{$kube_state_metrics, type="hard"} > 0)
            ) > $ratio""",
        thresholds={"ratio": Threshold(0.9, "ratio", "how much of a quota may be used")},
        pending=900,
        keep_firing_for=900,
        severity="warning",
        summary="{{ $labels.namespace }} has used most of its {{ $labels.resource }}",
        description="Namespace {{ $labels.namespace }} uses {{ $value | humanizePercentage }} of "
        "{{ $labels.resource }} in quota {{ $labels.resourcequota }}, over [[ratio]].",
        promises=("availability", "response-time"),
        cases=(
            Breach(
                series={
                    _QUOTA % "used": gauge(8, lambda t: 20 * t.ratio * 1.05, near=lambda t: 20 * t.ratio * 0.99),
                    _QUOTA % "hard": steady(20),
                },
                labels={"namespace": "shop", "resourcequota": "team", "resource": "requests.cpu"},
                value=lambda t: t.ratio * 1.05,
                says="Namespace shop uses 94.5% of requests.cpu in quota team, over 90 %.",
            ),
            Quiet(name="a quota of nothing", series={_QUOTA % "used": steady(3), _QUOTA % "hard": steady(0)}),
        ),
    ),
    Alert(
        name="CertificateExpiring",
        exporter="cert_manager",
        # One for days or hours is always near its end; it is late once its renewal is.
        expression="""
            (
              min by ($keep, namespace, name) (
                certmanager_certificate_expiration_timestamp_seconds{$cert_manager} > 0
              ) - time()
            ) / 86400 < $left / 86400
            unless on ($keep, namespace, name) (
              min by ($keep, namespace, name) (
                certmanager_certificate_renewal_timestamp_seconds{$cert_manager}
              ) > time()
            )""",
        thresholds={"left": Threshold(14 * _DAY, "seconds", "how long a certificate must still be good")},
        pending=3600,
        severity="warning",
        summary="Certificate {{ $labels.namespace }}/{{ $labels.name }} runs out and is not renewed",
        description="Certificate {{ $labels.namespace }}/{{ $labels.name }} is good for only "
        '{{ $value | printf "%.0f" }} days more, and should be renewed [[left]] before its end.',
        promises=("availability",),
        cases=(
            Breach(
                # The test's clock starts at 0, and a certificate's end is a time.
                series={_EXPIRES: gauge(90 * _DAY, lambda t: t.left, near=lambda t: t.left + _DAY)},
                labels=_CERT_LABELS,
                value=lambda t: t.left / _DAY - 0.06,
                says="Certificate shop/shop-tls is good for only 14 days more, and should be renewed 2w before its "
                "end.",
            ),
            Quiet(
                name="one for a few days, whose renewal is not due yet",
                series={_EXPIRES: steady(3 * _DAY), _RENEWED: steady(2 * _DAY)},
            ),
            Quiet(name="not issued yet", series={_EXPIRES: steady(0)}),
        ),
    ),
    Alert(
        name="CertificateNotReady",
        exporter="cert_manager",
        expression="""
            max by ($keep, namespace, name) (
              certmanager_certificate_ready_status{$cert_manager, condition=~"False|Unknown"}
            ) == 1""",
        pending=1800,
        keep_firing_for=600,
        severity="warning",
        summary="Certificate {{ $labels.namespace }}/{{ $labels.name }} can't be issued",
        description="Certificate {{ $labels.namespace }}/{{ $labels.name }} has not been ready for at least 30 minutes "
        "(not ready is {{ $value }}).",
        promises=("availability",),
        cases=(
            Breach(
                series={_CERT_READY % "False": gauge(0, 1), _CERT_READY % "True": gauge(1, 0)},
                labels=_CERT_LABELS,
                value=1,
                says="Certificate shop/shop-tls has not been ready for at least 30 minutes (not ready is 1).",
            ),
        ),
    ),
)
