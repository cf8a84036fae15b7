"""Rows of the dashboard on logs from what sla-kit's exporter of logs counts: they outlive the logs themselves, and
alerts read the same."""

from __future__ import annotations

from sla_kit.dashboards.model import Row
from sla_kit.dashboards.vocabulary import alert_limit, kibana, query, row, runbook, timeseries

_DOCUMENTS = "sum by (service, $keep) (rate(sla_logs_documents_total{$logs}[$__rate_interval]))"
_ERRORS = "sum by (service, type, $keep) (rate(sla_logs_errors_total{$logs}[$__rate_interval]%s))"
_ALL_ERRORS = "sum by (service, $keep) (rate(sla_logs_errors_total{$logs}[$__rate_interval]))"


def counted_errors(errors: str, least: float) -> Row:
    """What is counted of errors; ``errors`` finds them in Kibana, ``least`` is how many a second a surge has."""
    in_kibana = kibana("In Kibana", errors)
    return row(
        "Errors, as the exporter of logs counts them",
        timeseries(
            "Errors by type over time",
            query(f"topk(20, {_ERRORS % ''} > 0)", "{{service}} {{type}}"),
            unit="cps",
            stack="normal",
            links=(in_kibana, runbook("LogErrorsSurging")),
            description="Errors a second by service and type, the twenty most frequent. Counted once they have "
            "arrived, half a minute late; other is what there are too many types of.",
            no_value="No errors",
        ),
        timeseries(
            "Types beside an hour before",
            query(
                f"({_ERRORS % ''} > {least:g}) / on (service, type, $keep) ({_ERRORS % ' offset 1h'} > 0)",
                "{{service}} {{type}}",
            ),
            unit="short",
            decimals=1,
            limits=(alert_limit("LogErrorsSurging", "factor"),),
            links=(runbook("LogErrorsSurging"),),
            description=f"How many times as many errors of a type as an hour before, while there are more than "
            f"{least:g} a second; about 1 is as ever.",
            no_value="Few errors",
        ),
        timeseries(
            "Share of documents that are errors",
            query(f"{_ALL_ERRORS} / on (service, $keep) ({_DOCUMENTS} > 0)", "{{service}}"),
            unit="percentunit",
            minimum=0,
            links=(in_kibana,),
            description="How much of what a service logs tells of an error. It does not follow the traffic, so that a "
            "step in it is something that broke.",
        ),
        timeseries(
            "Groups of errors",
            query("sum by (service, $keep) (sla_logs_error_groups{$logs})", "{{service}}"),
            unit="short",
            minimum=0,
            stack="normal",
            description="How many different errors (by type, message without its numbers, and place in the code) "
            "there were within a quarter of an hour.",
        ),
        timeseries(
            "New groups of errors",
            query("max by (service, $keep) (sla_logs_new_error_groups{$logs})", "{{service}}"),
            unit="short",
            minimum=0,
            limits=(alert_limit("NewErrorGroups", "groups"),),
            links=(runbook("NewErrorGroups"),),
            description="Groups of errors within a quarter of an hour that the 30 days before had not. After a "
            "release, this is where a regression begins.",
        ),
        timeseries(
            "Documents from the future",
            query("max by (service, $keep) (sla_logs_future_documents{$logs})", "{{service}}"),
            unit="short",
            minimum=0,
            limits=(alert_limit("LogDocumentsFromFuture", "documents"),),
            links=(runbook("LogDocumentsFromFuture"),),
            description="Documents whose time is yet to come: a clock that is ahead, or a time zone that is read "
            "wrongly.",
        ),
        height=8,
    )


def arriving() -> Row:
    """Whether what is written arrives, how late, and how much of it is stored."""
    return row(
        "What arrives, and how late",
        timeseries(
            "Documents by service",
            query(_DOCUMENTS, "{{service}}"),
            unit="cps",
            links=(runbook("LogsSilent"),),
            description="Documents a second that arrived in Elasticsearch, by service. They follow the traffic.",
        ),
        timeseries(
            "Shipping lag",
            query(
                'max by (service, $keep) (sla_logs_shipping_lag_seconds{$logs, percentile="99"})', "{{service}} 99 %"
            ),
            query(
                'max by ($keep) (sla_logs_shipping_lag_seconds{$logs, percentile="50"})',
                "50 % of the slowest",
                color="blue",
            ),
            unit="s",
            limits=(alert_limit("LogsShippingLate", "seconds"),),
            links=(runbook("LogsShippingLate"),),
            description="How long it takes from writing a document to its arrival, from a sample: 99 of 100 take no "
            "longer than this. Seconds are normal; minutes mean that buffers fill.",
        ),
        timeseries(
            "Age of the newest document",
            query(
                "time() - max by (service, $keep) (sla_logs_newest_document_timestamp_seconds{$logs})", "{{service}}"
            ),
            unit="s",
            limits=(alert_limit("LogsSilent", "seconds"),),
            links=(runbook("LogsSilent"),),
            description="How long ago each service wrote its newest document that arrived. A slope is silence.",
        ),
        timeseries(
            "Documents that came late",
            query(
                "sum by (service, $keep) (rate(sla_logs_late_documents_total{$logs}[$__rate_interval]))", "{{service}}"
            ),
            unit="cps",
            description="Documents that could be found only after their time was counted: they are missing in the "
            "counters above. Many mean that the exporter's lag is too short for these shippers.",
        ),
        timeseries(
            "How far the counters are behind",
            query("time() - min by (by, $keep) (sla_logs_counted_timestamp_seconds{$logs})", "{{by}}"),
            unit="s",
            limits=(alert_limit("LogCountsBehind", "seconds"),),
            links=(runbook("LogCountsBehind"),),
            description="Half a minute for documents that tell when they arrived, the exporter's lag for others. More "
            "is an outage that is being caught up.",
        ),
        timeseries(
            "What is stored",
            query("sum by (stream, $keep) (sla_logs_stored_bytes{$logs})", "{{stream}}"),
            unit="bytes",
            stack="normal",
            description="What the logs take on disk with all copies, by data stream. It falls when old ones are "
            "deleted; a steady rise is retention that is too long.",
        ),
        height=8,
    )
