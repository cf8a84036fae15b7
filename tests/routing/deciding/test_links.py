"""Where to read on: only what is known, and only what a browser may open."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.model import Promise, Window
from sla_kit.catalogue.monitoring import Monitoring
from sla_kit.catalogue.routing import AlertmanagerSettings, Routing
from sla_kit.routing.deciding import links_of, promise_of
from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident
from tests.routing.deciding.shop import NOW, SERVICES, shop


def incident(annotations: dict[str, str] | None = None, **other: Any) -> Incident:
    alert = Alert(
        labels={}, fingerprint="1", firing=True, starts_at=NOW, annotations=annotations or {}, generator_url=""
    )
    whole: dict[str, Any] = {
        "group": "g",
        "dedup_key": "k",
        "title": "t",
        "severity": "critical",
        "status": "firing",
        "opened_at": NOW,
        "received_at": NOW,
        "alerts": {"1": alert},
    }
    return Incident(**{**whole, **other})


def links(found: Incident, **other: Any) -> dict[str, str]:
    return {link.text: link.url for link in links_of(shop(**other), found)}


def test_without_anything_known_there_are_no_links() -> None:
    assert links(incident()) == {}
    assert links(incident(alerts={})) == {}


def test_runbook_and_dashboard_are_the_alerts_own() -> None:
    told = {"runbook_url": "https://r.example.com/A.md", "dashboard_url": "https://g.example.com/d/x?var-a=b"}
    assert links(incident(told)) == {"Runbook": told["runbook_url"], "Dashboard": told["dashboard_url"]}


def test_a_service_has_a_runbook_where_the_alert_has_none_that_can_be_opened() -> None:
    service = msgspec.structs.replace(SERVICES[0], runbook="https://r.example.com/api")
    found = incident({"runbook_url": "runbooks/A.md"}, labels={"service": "api"})
    assert links(found, services=[service]) == {"Runbook": "https://r.example.com/api"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "runbooks/A.md",
        "//example.com/x",
        "https://",
        "https://user:word@example.com/",
        "https://example.com/a b",
        "https://example.com/\nx",
        "https://example.com/>|<",
        'https://example.com/"',
        "https://[::1",
        "https://example.com/" + "a" * 3000,
        "",
    ],
)
def test_what_a_browser_must_not_open_is_no_link(url: str) -> None:
    assert links(incident({"runbook_url": url, "dashboard_url": url})) == {}


def test_logs_are_those_of_the_service_from_before_it_began_to_now_or_after_its_end() -> None:
    monitoring = Monitoring(kibana="https://kibana.example.com/")
    found = incident(labels={"service": "api", "pod": "api-1"})
    url = unquote(links(found, monitoring=monitoring)["Logs"])
    assert url == (
        "https://kibana.example.com/app/discover#/?_g=(time:(from:'2026-09-07T11:45:00.000Z',to:now))"
        '&_a=(query:(language:lucene,query:\'service.name:"api" AND kubernetes.pod.name:"api-1"\'))'
    )
    over = unquote(links(msgspec.structs.replace(found, resolved_at=NOW + 60), monitoring=monitoring)["Logs"])
    assert "to:'2026-09-07T12:16:00.000Z'" in over
    assert links(incident(), monitoring=monitoring) == {}


def test_a_storm_has_no_form_that_would_silence_much_else() -> None:
    storm = incident(kind="storm", group_labels={"severity": "critical"}, external_url="http://am:9093/")
    assert "Silence" not in links(storm)


def test_a_silence_has_the_matchers_of_the_group() -> None:
    found = incident(
        group_labels={"alertname": 'A "b" \\ c', "service": "api", "cluster": ""}, external_url="http://am:9093/"
    )
    url = links(found)["Silence"]
    assert url.startswith("http://am:9093/#/silences/new?filter=")
    assert unquote(url.partition("filter=")[2]) == '{alertname="A \\"b\\" \\\\ c",service="api"}'


def test_alertmanagers_address_is_the_one_that_people_open() -> None:
    found = incident(group_labels={"alertname": "A"}, external_url="http://pod:9093")
    opened = Monitoring(alertmanager="https://am.example.com")
    assert links(found, monitoring=opened)["Silence"].startswith("https://am.example.com/#/")
    own = Routing(alertmanager=AlertmanagerSettings(url="http://am:9093"))
    bare = msgspec.structs.replace(found, external_url="")
    assert links(bare, routing=own)["Silence"].startswith("http://am:9093/#/")
    assert "Silence" not in links(bare)


def test_the_query_is_the_one_of_what_fires() -> None:
    def alert(number: int, *, firing: bool) -> Alert:
        url = f"https://p.example.com/graph?g0.expr=up{number}"
        return Alert(labels={}, fingerprint=str(number), firing=firing, starts_at=NOW - number, generator_url=url)

    found = incident(alerts={"2": alert(2, firing=False), "1": alert(1, firing=True)})
    assert links(found) == {"Query": "https://p.example.com/graph?g0.expr=up1"}


@given(st.dictionaries(st.sampled_from(["service", "pod", "alertname"]), st.text()), st.floats())
def test_whatever_labels_say_links_are_whole_and_stay_on_their_hosts(labels: dict[str, str], moment: float) -> None:
    found = incident(labels=labels, group_labels=labels, external_url="http://am:9093", opened_at=moment)
    told = links(found, monitoring=Monitoring(kibana="https://kibana.example.com"))
    hosts = {"Logs": "kibana.example.com", "Silence": "am"}
    for text, url in told.items():
        assert urlsplit(url).hostname == hosts[text]
        assert url.isprintable()
        assert not set(url) & set(" <>|\"'")


def test_the_promise_at_stake_is_told_in_the_catalogues_words() -> None:
    first = msgspec.structs.replace(SERVICES[0].slos[0], promise="up")
    monthly = msgspec.structs.replace(first, name="monthly", promise="", window=Window(calendar="month"))
    service = msgspec.structs.replace(SERVICES[0], slos=[first, monthly])
    promises = [Promise(name="up", title="The shop is open", target="99.9 %")]
    catalogue = shop(services=[service], promises=promises)
    assert promise_of(catalogue, {"service": "api", "slo": "availability"}) == (
        "The shop is open, 99.9 % (api/availability: 99.9 % over 30d)"
    )
    assert promise_of(catalogue, {"service": "api", "slo": "monthly"}) == "api/monthly: 99.9 % each month"
    assert promise_of(catalogue, {"service": "api"}) == "api: The shop is open"
    assert promise_of(catalogue, {"service": "api", "slo": "gone"}) == "api: The shop is open"
    assert promise_of(catalogue, {"service": "gone", "slo": "availability"}) == ""
    assert promise_of(catalogue, {}) == ""
