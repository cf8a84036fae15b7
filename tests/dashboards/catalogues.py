"""The first user's catalogue, and odd ones, which dashboards have to bear."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.gate import Fault, faults
from sla_kit.dashboards.model import Dashboard
from sla_kit.generate.plan import rule_files

ROOT = Path(__file__).parent.parent.parent
ASTRAL = ROOT / "examples" / "astralfield"
#: When the calendar is read, for rules that follow from it.
AT = 1_790_568_000.0
SHOP = """\
name: shop
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {job: api}, bad: {status_code: "~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99.9%, window: 28d}
"""
_PROBED = """\
name: probed
services:
  - name: site
    slis: {up: {kind: probe, metric: probe_success, matchers: {job: blackbox}}}
    slos: [{name: reachable, sli: up, objective: 99%, window: 7d}]
"""
_GROWN = """\
name: grown
promises: [{name: there, title: It is there, target: 99 %}]
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {job: api}, good: {status_code: "!~5.."}}
      fast: {kind: latency, metric: http_request_duration_seconds, matchers: {job: api}, threshold: 100ms}
      outages: {kind: recovery, of: availability, within: 15m}
    slos:
      - {name: availability, promise: there, sli: requests, objective: 99.9%, window: 28d}
      - {name: p95, sli: fast, objective: 95%, window: month}
      - {name: recovery, sli: outages, objective: 99%, window: 28d}
calendar:
  events: [{name: launch, start: "2026-10-01T18:00:00Z", duration: 2h}]
  maintenance: [{name: upgrade, start: "2026-10-02T03:00:00Z", duration: 1h}]
"""
_AREAS = (
    "application business live_events kubernetes postgresql redis ingress probes hosts logging backups delivery "
    "security cloud monitoring"
)
_ADDRESSES = "grafana: https://grafana.example.com, kibana: https://kibana.example.com"
ODD: Mapping[str, str] = {
    "no calendar and no promises": SHOP,
    "a probe only": _PROBED,
    "all kinds of promises": _GROWN,
    "envoy": f"{SHOP}monitoring: {{ingress: envoy, {_ADDRESSES}}}\n",
    "alb": f"{SHOP}monitoring: {{ingress: alb}}\n",
    "areas off": f"{_GROWN}monitoring: {{areas: {{{', '.join(f'{each}: off' for each in _AREAS.split())}}}, "
    f"{_ADDRESSES}}}\n",
    "labels renamed": f"{SHOP}monitoring: {{labels: {{namespace: exported_namespace, pod: exported_pod, "
    "service: exported_service, instance: host}}\n",
    "jobs renamed": f"{SHOP}monitoring: {{jobs: {{postgres: [pg-a, pg-b], redis: cache, application: api}}}}\n",
    "a service's own jobs": SHOP.replace(
        "    slis:", "    monitoring: {jobs: {redis: cart, application: api}}\n    slis:"
    ),
    "no label kept": f"{SHOP}monitoring: {{keep_labels: []}}\n",
    "many labels kept": f"{_GROWN}monitoring: {{keep_labels: [cluster, region, tenant], {_ADDRESSES}}}\n",
    "alerts and dashboards off": f"{SHOP}monitoring: {{rules: {{RedisMemoryHigh: off, AppErrorsHigh: off}}, "
    f"dashboards: {{redis: off, slo-detail: off, alerts: off, shop-overview: off}}, {_ADDRESSES}}}\n",
    "thresholds": f"{SHOP}monitoring: {{rules: {{RedisMemoryHigh: {{thresholds: {{ratio: 61%}}, severity: warning}}, "
    "AppErrorsHigh: {thresholds: {ratio: 3%}, during_events: {thresholds: {ratio: 7%}}}}}\n",
}


def catalogue_of(text: str, folder: Path) -> Catalogue:
    """The catalogue that a text holds."""
    (folder / "sla.yml").write_text(text)
    return load(folder / "sla.yml")


def found_in(catalogue: Catalogue, *dashboards: Dashboard) -> list[Fault]:
    """What the gate finds in some dashboards, or in all that the catalogue has."""
    return faults(catalogue, dashboards or dashboards_of(catalogue), rule_files(catalogue, AT))
