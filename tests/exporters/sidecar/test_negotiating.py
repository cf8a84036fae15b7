"""Which format and encoding a client gets, by what it says it accepts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.sidecar.negotiating import wants_gzip, wants_openmetrics

#: What Prometheus 2.45, 3.5 and 3.5 with native histograms send.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, PROMETHEUS_PROTOBUF])
def test_prometheus_gets_openmetrics(accept: str) -> None:
    assert wants_openmetrics(accept)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        (BROWSER, False),
        ("text/plain", False),
        ("application/json", False),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text; version=0.0.1", False),
        ("application/openmetrics-text; version=2.0.0, text/plain", False),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0.9, text/plain;q=0.5", True),
        ("application/openmetrics-text, text/plain", True),
        ("application/openmetrics-text;q=0, */*", False),
        ("application/openmetrics-text;q=0", False),
        ("application/*", True),
        ("application/*;q=0.2, text/*;q=0.1", True),
        ("text/plain;q=0, */*", True),
        ("application/openmetrics-text;q=high, text/plain;q=0.1", False),
        (",,;;q=,", False),
    ],
)
def test_the_better_liked_format_is_sent(accept: str, openmetrics: bool) -> None:
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("gzip; q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.2", True),
        ("gzip, identity;q=0", True),
        ("gzip;q=many", False),
        ("gzip;q=2", False),
        ("notgzip", False),
    ],
)
def test_gzip_is_sent_where_it_is_accepted_and_not_less_liked(accepted: str, gzip: bool) -> None:
    assert wants_gzip(accepted) is gzip


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from('abgzip*/;=,q.01 \t"-'), max_size=80))
def test_no_header_is_too_odd(header: str) -> None:
    assert wants_openmetrics(header) in (True, False)
    assert wants_gzip(header) in (True, False)
