"""Requests and errors where a catalogue's ingress counts them, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue

#: Days back at the same hour of which the middle one is usual: a single event among them does not count.
_DAYS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Edge:
    """One kind of ingress.

    ``requests_read`` and ``failed_read`` read all requests and the failed ones, with a place for an offset; ``combine``
    and ``by`` put them together as its ``alert`` does, ``legend`` writes those labels; ``unit`` is that of requests.
    """

    requests_read: str
    failed_read: tuple[str, ...]
    combine: str
    by: str
    legend: str
    alert: str
    unit: str

    def requests(self, ago: str = "") -> str:
        """All requests, or those of some time ago."""
        return f"sum by ($keep) ({self._combined(self.requests_read, ago)})"

    def usual(self) -> str:
        """The requests at this hour of the middle one of the last days."""
        # Told apart by a label, or the first day's would stand for all.
        days = [f'label_replace({self.requests(f"{day}d")}, "day", "{day}", "", "")' for day in _DAYS]
        return "quantile by ($keep) (0.5,\n" + "\nor\n".join(days) + "\n)"

    def burst(self) -> str:
        """How many times the usual requests there are."""
        return f"{self.requests()}\n/\n({self.usual()} > 0)"

    def errors(self) -> str:
        """The share of requests that failed: zero where none ever did."""
        every = self._combined(self.requests_read)
        added = " + ".join(f"({self._combined(each)} or 0 * {every})" for each in self.failed_read)
        return f"({added})\n/\n({every} > 0)"

    def _combined(self, read: str, ago: str = "") -> str:
        return f"{self.combine} by ({self.by}, $keep) ({read % (f' offset {ago}' if ago else '')})"


def edge_of(catalogue: Catalogue) -> Edge:
    """The ingress that the catalogue names."""
    match catalogue.monitoring.ingress:
        case "nginx":
            requests, failed = "$ingress_nginx", '$ingress_nginx, status=~"5.."'
            return Edge(
                requests_read=f"rate(nginx_ingress_controller_requests{{{requests}}}[$__rate_interval]%s)",
                failed_read=(f"rate(nginx_ingress_controller_requests{{{failed}}}[$__rate_interval]%s)",),
                combine="sum",
                by="namespace, ingress",
                legend="{{ingress}}",
                alert="NginxErrorsHigh",
                unit="reqps",
            )
        case "envoy":
            requests = '$envoy, envoy_http_conn_manager_prefix!="admin"'
            failed = f'{requests}, envoy_response_code_class="5"'
            return Edge(
                requests_read=f"rate(envoy_http_downstream_rq_xx{{{requests}}}[$__rate_interval]%s)",
                failed_read=(f"rate(envoy_http_downstream_rq_xx{{{failed}}}[$__rate_interval]%s)",),
                combine="sum",
                by="envoy_http_conn_manager_prefix",
                legend="{{envoy_http_conn_manager_prefix}}",
                alert="EnvoyErrorsHigh",
                unit="reqps",
            )
        case _:
            return Edge(
                requests_read="aws_applicationelb_request_count_sum{$cloudwatch}%s",
                failed_read=(
                    "aws_applicationelb_httpcode_elb_5_xx_count_sum{$cloudwatch}%s",
                    "aws_applicationelb_httpcode_target_5_xx_count_sum{$cloudwatch}%s",
                ),
                combine="max",
                by="region, dimension_LoadBalancer",
                legend="{{dimension_LoadBalancer}}",
                alert="AlbErrorsHigh",
                unit="short",
            )
