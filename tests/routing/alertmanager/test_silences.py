"""The client and the adapter, with a real Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sla_kit.catalogue.routing import AlertmanagerSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.routing.alertmanager import AlertmanagerError, Client, Silence, access, open_adapter, parse_matchers
from sla_kit.routing.delivering import DeliveryError, SilenceWanted
from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Silence as Wanted
from tests.routing.alertmanager.alertmanagers import client_of, eventually, fire, proxy, webhooks
from tests.routing.mail.incidents import Box, incident
from tests.servers.monitoring import Alertmanager, alertmanager
from tests.servers.process import refusing_port

HERE = Destination("alertmanager")


@pytest.fixture(scope="module")
def server() -> Iterator[Alertmanager]:
    with alertmanager() as running:
        yield running


@pytest.fixture
def client(server: Alertmanager) -> Iterator[Client]:
    with client_of(server.url) as found:
        for each in found.silences():
            if each.state != "expired":
                found.expire(each.id)
        yield found


def live(client: Client) -> list[Silence]:
    return [each for each in client.silences() if each.state != "expired"]


def silence(matchers: str = 'service="api"', **changed: object) -> Silence:
    now = time.time()
    values: dict[str, object] = {
        "matchers": tuple(parse_matchers(matchers)),
        "starts_at": now,
        "ends_at": now + 3600,
        "created_by": "R. Byrd",
        "comment": "being looked at",
    }
    return Silence(**{**values, **changed})  # type: ignore[arg-type]


def wanted(seconds: float = 3600.0) -> SilenceWanted:
    return SilenceWanted(
        incident="sla-kit-1",
        matchers={"alertname": 'Say "no"', "service": "api"},
        silence=Wanted(until=time.time() + seconds, by="R. Byrd"),
        comment="asked for in Slack",
    )


def test_a_silence_is_made_read_extended_and_ended(client: Client) -> None:
    assert client.version()
    made = silence('service="api",pod!~"a\\\\.b|c",x!="y",z=~"é.*"')
    found = client.make(made)
    [read] = live(client)
    assert read.id == found
    assert read.state == "active"
    assert read.same(made)
    longer = client.make(replace(read, ends_at=read.ends_at + 600))
    assert longer == found
    [read] = live(client)
    assert abs(read.ends_at - made.ends_at - 600) < 1
    client.expire(found)
    client.expire(found)
    assert live(client) == []


def test_what_alertmanager_refuses_is_told_in_its_words(client: Client) -> None:
    with pytest.raises(AlertmanagerError) as caught:
        client.make(silence('service=~".*"'))
    assert caught.value.status == 400
    assert "matcher" in str(caught.value)
    with pytest.raises(AlertmanagerError, match="404") as caught:
        client.expire("6f1c5b1c-0000-0000-0000-000000000000")
    assert "no such silence" in caught.value.remedy


def test_firing_alerts_are_those_that_matchers_take(server: Alertmanager, client: Client) -> None:
    fire(server.url, {"alertname": "A", "service": "s1"}, {"alertname": "B", "service": "s2"})
    client.make(silence('service="s1"'))
    eventually(lambda: len(client.firing(parse_matchers('service=~"s."'))) == 2)
    eventually(lambda: sum(len(each.silenced_by) for each in client.firing()) == 1)
    assert {each.labels["alertname"] for each in client.firing(parse_matchers('service=~"s."'))} == {"A", "B"}
    assert [each.labels["alertname"] for each in client.firing(parse_matchers('service="s2",alertname!="C"'))] == ["B"]


def test_a_silenced_alert_is_not_sent_and_one_that_is_not_is() -> None:
    with webhooks() as received:
        config = (
            "route: {receiver: hook, group_by: [alertname], group_wait: 10ms, group_interval: 50ms}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{received.url}'}}]}}]\n"
        )
        with alertmanager(config=config) as running, client_of(running.url) as client:
            adapter = open_adapter(AlertmanagerSettings(url=running.url))
            Box(adapter, HERE).deliver(wanted())
            fire(running.url, {"alertname": 'Say "no"', "service": "api"})
            eventually(lambda: any(each.silenced_by for each in client.firing()))
            fire(running.url, {"alertname": 'Say "no"', "service": "web"})
            fire(running.url, {"alertname": "Other", "service": "api"})
            eventually(lambda: {name for each in received.told for name in each} == {'Say "no"', "Other"})
            # One alert of the two that have this name: the other one is silenced.
            assert all(len(each) == 1 for each in received.told)
            adapter.close()


def test_silences_outlive_a_restart(tmp_path: Path) -> None:
    with alertmanager(data=tmp_path) as running, client_of(running.url) as client:
        found = client.make(silence())
    with alertmanager(data=tmp_path) as running, client_of(running.url) as client:
        assert [each.id for each in live(client)] == [found]


def test_what_was_asked_for_is_silenced_once_and_remembered(server: Alertmanager, client: Client) -> None:
    box = Box(open_adapter(AlertmanagerSettings(), server.url), HERE)
    box.deliver(wanted())
    box.deliver(wanted(), uncertain=True)
    [made] = live(client)
    assert box.references == {"id": made.id}
    assert made.created_by == "R. Byrd by sla-kit"
    assert box.key in made.comment


def test_after_a_crash_the_silence_is_found_and_not_made_again(server: Alertmanager, client: Client) -> None:
    box, asked = Box(open_adapter(AlertmanagerSettings(url=server.url)), HERE), wanted()
    box.deliver(asked)
    first = box.references.pop("id")
    box.deliver(asked, uncertain=True)
    assert box.references == {"id": first}
    assert len(live(client)) == 1


def test_an_answer_that_is_lost_gives_no_second_silence(server: Alertmanager, client: Client) -> None:
    with proxy(server.url) as between:
        between.lose = 1
        box = Box(open_adapter(AlertmanagerSettings(url=between.url)), HERE)
        box.deliver(wanted())
        assert [each.id for each in live(client)] == [box.references["id"]]
        between.before = 1
        other = Box(box.adapter, HERE, key="delivery-18")
        other.deliver(wanted())
        assert {each.id for each in live(client)} == {box.references["id"], other.references["id"]}


def test_where_one_of_a_cluster_is_gone_the_next_serves(server: Alertmanager, client: Client) -> None:
    with refusing_port() as port:
        box = Box(open_adapter(AlertmanagerSettings(url=f"http://127.0.0.1:{port},{server.url}")), HERE)
        box.deliver(wanted())
    assert len(live(client)) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_passing_and_arrives_later(server: Alertmanager, client: Client, status: int) -> None:
    with proxy(server.url) as between:
        between.statuses = [status]
        box = Box(open_adapter(AlertmanagerSettings(url=between.url)), HERE)
        with pytest.raises(DeliveryError, match=str(status)) as caught:
            box.deliver(wanted())
        assert not caught.value.permanent
        box.deliver(wanted())
        between.statuses = [status, status]
        with client_of(between.url) as patient:
            assert len(patient.silences()) >= 1
    assert len(live(client)) == 1


def test_nobody_there_is_unreachable() -> None:
    with refusing_port() as port, pytest.raises(DeliveryError) as caught:
        Box(open_adapter(AlertmanagerSettings(url=f"http://127.0.0.1:{port}")), HERE).deliver(wanted())
    assert caught.value.unreachable
    assert not caught.value.uncertain
    assert not caught.value.permanent


def test_what_can_never_be_is_permanent_and_what_is_over_is_done(server: Alertmanager, client: Client) -> None:
    box = Box(open_adapter(AlertmanagerSettings(url=server.url)), HERE)
    box.deliver(wanted(-5))
    for content in (replace(wanted(), matchers={}), replace(wanted(), matchers={"service": ""}), incident()):
        with pytest.raises(DeliveryError) as caught:
            box.deliver(content)
        assert caught.value.permanent
    assert live(client) == []


@pytest.mark.parametrize("kind", ["token", "password"])
def test_a_proxy_that_asks_who_it_is_is_told(server: Alertmanager, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("gehëim-geheim")
    secret = Secret(file=str(tmp_path / "secret"))
    users = {"user": "sla", "password": "gehëim-geheim"} if kind == "password" else {"token": "geheim-token"}
    if kind == "token":
        (tmp_path / "secret").write_text("geheim-token")
    with proxy(server.url, **users) as between:
        settings = AlertmanagerSettings(
            url=between.url,
            token=secret if kind == "token" else None,
            user="sla" if kind == "password" else "",
            password=secret if kind == "password" else None,
        )
        box = Box(open_adapter(settings), HERE)
        box.deliver(wanted())
        assert box.references["id"]
        (tmp_path / "secret").write_text("wrong-and-secret")
        with pytest.raises(DeliveryError, match="401") as caught:
            Box(box.adapter, HERE).deliver(wanted())
        assert caught.value.unreachable
        assert not caught.value.permanent
        assert "wrong-and-secret" not in str(caught.value)
        if kind == "token":
            (tmp_path / "secret").write_text("geheim tö\r\nX: y")
            with pytest.raises(DeliveryError, match="this is no token"):
                Box(box.adapter, HERE).deliver(wanted())
        (tmp_path / "secret").unlink()
        with pytest.raises(DeliveryError, match="a secret can't be read"):
            Box(box.adapter, HERE).deliver(wanted())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (AlertmanagerSettings(), "no Alertmanager is named"),
        (AlertmanagerSettings(url="http://sla:geheim@localhost:9093"), "holds more than an address"),
        (AlertmanagerSettings(url="localhost:9093"), "the address is none"),
        (AlertmanagerSettings(url="http://alerts.example.com", token=Secret(env="T")), "unencrypted"),
    ],
)
def test_settings_that_cannot_serve_are_refused_without_quoting_secrets(
    settings: AlertmanagerSettings, words: str
) -> None:
    with pytest.raises(AlertmanagerError, match=words) as caught:
        open_adapter(settings)
    assert "geheim" not in str(caught.value)


def test_what_is_no_alertmanager_is_told(server: Alertmanager) -> None:
    with Client(access(AlertmanagerSettings(url=f"{server.url}/metrics"), patience_seconds=0)) as client:
        with pytest.raises(AlertmanagerError) as caught:
            client.silences()
        assert "without /api/v2" in caught.value.remedy
