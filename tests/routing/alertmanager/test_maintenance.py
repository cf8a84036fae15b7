"""Maintenance windows as silences, with a real Alertmanager."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sla_kit.catalogue.model import Calendar, Catalogue, Occasion, Service
from sla_kit.catalogue.routing import AlertmanagerSettings, Routing
from sla_kit.errors import SlaKitError
from sla_kit.routing.alertmanager import Client, MaintenanceSilences, Silence, Synced, parse_matchers, sync
from sla_kit.routing.alertmanager.maintenance import matchers_of, plan, scope_of, wanted
from sla_kit.routing.clock import SteadyClock
from tests.routing.alertmanager.alertmanagers import client_of, eventually, fire
from tests.servers.monitoring import Alertmanager, alertmanager

NOW = 1_788_220_800.0


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


def text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def window(start: float, end: float, name: str = "upgrade", **more: object) -> Occasion:
    return Occasion(name=name, start=text(start), end=text(end), **more)  # type: ignore[arg-type]


def catalogue(*windows: Occasion, name: str = "shop", environment: str = "production") -> Catalogue:
    return Catalogue(
        name=name,
        environment=environment,
        services=[Service(name="api"), Service(name="web.front")],
        calendar=Calendar(maintenance=list(windows)),
    )


def live(client: Client) -> list[Silence]:
    return [each for each in client.silences() if each.state != "expired"]


def counts(done: Synced) -> tuple[int, int, int, int, int]:
    return len(done.created), len(done.changed), len(done.expired), len(done.kept), len(done.by_hand)


def test_windows_become_silences_once_and_follow_the_calendar(client: Client) -> None:
    now = float(int(time.time()))
    going_on = window(now - 600, now + 3600, services=["api"], reason="new kernel", approved_by="R. Byrd")
    tomorrow = window(now + 86_400, now + 90_000, "database")
    far = window(now + 30 * 86_400, now + 31 * 86_400, "far")
    before = catalogue(going_on, tomorrow, far)
    assert counts(sync(client, before, now, dry_run=True)) == (2, 0, 0, 0, 0)
    assert live(client) == []
    assert counts(sync(client, before, now)) == (2, 0, 0, 0, 0)
    assert counts(sync(client, before, time.time())) == (0, 0, 0, 2, 0)
    by_state = {each.state: each for each in live(client)}
    assert by_state["active"].matchers == tuple(parse_matchers('service="api",environment=~"production|"'))
    assert by_state["active"].created_by == "sla-kit"
    assert by_state["active"].comment.startswith("Maintenance upgrade: new kernel, approved by R. Byrd [sla-kit:")
    assert by_state["pending"].starts_at == now + 86_400

    longer = catalogue(window(now - 600, now + 7200, services=["api"], reason="new kernel"), tomorrow, far)
    assert counts(sync(client, longer, time.time())) == (0, 1, 0, 1, 0)
    assert max(each.ends_at for each in live(client) if each.state == "active") == now + 7200
    assert counts(sync(client, catalogue(tomorrow, far), time.time())) == (0, 0, 1, 1, 0)
    moved = catalogue(window(now + 172_800, now + 180_000, "database"), far)
    assert counts(sync(client, moved, time.time())) == (1, 0, 1, 0, 0)
    assert counts(sync(client, moved, time.time(), days=40)) == (1, 0, 0, 1, 0)
    assert counts(sync(client, moved, time.time())) == (0, 0, 0, 1, 0)  # what is further away is left
    assert len(live(client)) == 2


def test_silences_of_others_are_never_touched(client: Client) -> None:
    now = time.time()
    mine, theirs = catalogue(window(now, now + 3600)), catalogue(window(now, now + 3600), name="bank")
    by_hand = Silence(
        matchers=tuple(parse_matchers('service="api"')), starts_at=now, ends_at=now + 600, created_by="sla-kit",
        comment="not from the calendar",
    )  # fmt: skip
    client.make(by_hand)
    pretender = replace(by_hand, created_by="somebody", comment=f"x [sla-kit:{scope_of(mine)}:{'0' * 16}:{int(now)}]")
    client.make(pretender)
    assert counts(sync(client, theirs, now)) == (1, 0, 0, 0, 0)
    assert counts(sync(client, replace(mine, environment="staging"), now)) == (1, 0, 0, 0, 0)
    assert counts(sync(client, mine, now)) == (1, 0, 0, 0, 0)
    assert counts(sync(client, catalogue(), time.time())) == (0, 0, 1, 0, 0)
    assert len(live(client)) == 4


def test_what_somebody_ended_is_not_made_again_until_it_is_extended_elsewhere(client: Client) -> None:
    now = time.time()
    planned = catalogue(window(now - 60, now + 3600))
    [made] = sync(client, planned, now).created
    there = time.time()
    eventually(lambda: time.time() - there > 1.2)  # so that it was there for longer than nothing
    client.expire(made.id)
    assert counts(sync(client, planned, time.time())) == (0, 0, 0, 0, 1)
    assert live(client) == []


def test_two_that_were_made_at_once_become_one(client: Client) -> None:
    now = time.time()
    planned = catalogue(window(now, now + 3600))
    [made] = sync(client, planned, now).created
    client.make(replace(made, id="", ends_at=made.ends_at))
    assert len(live(client)) == 2
    assert counts(sync(client, planned, time.time())) == (0, 0, 1, 1, 0)
    assert len(live(client)) == 1


def test_a_calendar_that_cannot_be_read_changes_nothing(client: Client) -> None:
    now = time.time()
    sync(client, catalogue(window(now, now + 3600)), now)
    broken = catalogue(Occasion(name="lost", ical="gone.ics"))
    with pytest.raises(SlaKitError, match=r"gone\.ics"):
        sync(client, broken, now)
    assert len(live(client)) == 1


def test_maintenance_silences_what_it_concerns_and_never_the_heartbeat(server: Alertmanager, client: Client) -> None:
    fire(
        server.url,
        {"alertname": "Slow", "service": "api", "environment": "production"},
        {"alertname": "DiskFills", "environment": "production"},
        {"alertname": "Watchdog", "environment": "production"},
        {"alertname": "Slow", "service": "web.front", "environment": "staging"},
        {"alertname": "Slow", "service": "webxfront", "environment": "production"},
    )
    now = time.time()
    sync(client, catalogue(window(now - 60, now + 3600)), now)

    def silenced() -> set[tuple[str, str]]:
        found = (each.labels for each in client.firing() if each.silenced_by)
        return {(each["alertname"], each.get("service", "")) for each in found}

    eventually(lambda: silenced() == {("Slow", "api"), ("DiskFills", "")})


@pytest.mark.parametrize(
    ("services", "environment", "expected"),
    [
        (["api"], "", 'service="api"'),
        (["api", "web.front"], "", r'service=~"api|web\\.front"'),
        (["api"], "production", 'service="api",environment=~"production|"'),
        ([], "", r'service=~"api|web\\.front"'),
        ([], "production", r'service=~"api|web\\.front|",environment="production",alertname!="Watchdog"'),
    ],
)
def test_matchers_name_services_and_environment(services: list[str], environment: str, expected: str) -> None:
    assert matchers_of(services, catalogue(environment=environment)) == tuple(parse_matchers(expected))


@given(
    st.lists(
        st.tuples(st.integers(-5, 200), st.integers(1, 50), st.sampled_from(["a", "b"]), st.booleans()), max_size=6
    ),
    st.lists(st.tuples(st.integers(-5, 200), st.integers(1, 50), st.sampled_from(["a", "b"])), max_size=6),
    st.integers(1, 200),
)
def test_after_what_is_planned_was_done_nothing_is_left_to_do(
    existing: list[tuple[int, int, str, bool]], windows: list[tuple[int, int, str]], hours: int
) -> None:
    def occasion(start: int, length: int, name: str) -> Occasion:
        return window(NOW + start * 3600, NOW + (start + length) * 3600, name)

    horizon = NOW + hours * 3600
    made = [
        replace(each, id=str(number), state="active" if each.starts_at <= NOW else "pending")
        for number, each in enumerate(
            wanted(catalogue(*(occasion(*one[:3]) for one in existing)), NOW, NOW + 10_000 * 3600)
        )
    ]
    foreign = [replace(each, id=f"f{each.id}", created_by="somebody") for each in made]
    after = catalogue(*(occasion(*one) for one in windows))
    asked = wanted(after, NOW, horizon)
    scope = scope_of(after)
    done = plan(asked, [*made, *foreign], scope, horizon)
    assert not {each.id for each in done.expired} & {each.id for each in foreign}
    gone = {each.id for each in done.expired} | {each.id for each in done.changed}
    then = [each for each in made if each.id not in gone] + list(done.changed)
    then += [replace(each, id=f"n{number}") for number, each in enumerate(done.created)]
    again = plan(asked, then, scope, horizon)
    assert counts(again)[:3] == (0, 0, 0)
    assert len(again.kept) == len(asked)
    assert all(re.search(r"\[sla-kit:\w{8}:\w{16}:\d+\]$", each.comment) for each in asked)


def test_the_router_keeps_silences_in_step_and_gets_over_trouble(
    server: Alertmanager, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sla_kit")

    def by(planned: Catalogue, url: str, maintenance: bool = True) -> Catalogue:
        settings = AlertmanagerSettings(url=url, maintenance=maintenance)
        return replace(planned, routing=Routing(alertmanager=settings))

    now = time.time()
    planned = catalogue(window(now, now + 3600))
    keeper = MaintenanceSilences(by(planned, "no address"), SteadyClock(), every_seconds=0.05)
    keeper.start()
    try:
        eventually(lambda: "can't be kept in step" in caplog.text)
        keeper.exchange(by(planned, server.url))
        eventually(lambda: len(live(client)) == 1)
        keeper.exchange(by(catalogue(), server.url))
        eventually(lambda: live(client) == [])
        keeper.exchange(by(planned, server.url, maintenance=False))
    finally:
        keeper.stop(30)
    assert caplog.text.count("can't be kept in step:") == 1
    assert live(client) == []
