"""A silence that somebody asked for by a message: its message says that it is there, or that there will be none."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.routing import AlertmanagerSettings, Routing
from sla_kit.routing.adapters import open_adapters
from sla_kit.routing.delivering import DeliveryError, Parcel, SilenceWanted
from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Incident, Silence
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.alertmanager.alertmanagers import client_of
from tests.servers import alertmanager

HERE, CHANNEL = Destination("alertmanager"), Destination("slack", "#incidents")


def _opened(outbox: Outbox, quiet: Silence) -> None:
    now = outbox.clock.now()
    opened = Incident(
        group="g", dedup_key="key", title="Down", severity="critical", status="firing", opened_at=now, received_at=now,
        silence=quiet,
    )  # fmt: skip

    def work(connection: Connection) -> None:
        stored = incidents.insert(connection, opened, now)
        deliveries.want(connection, stored, CHANNEL, contact="on-call", priority=0, now=now)

    outbox.write(work)


def _now(outbox: Outbox) -> tuple[Incident, int]:
    """The incident, and which version of it the channel is to be told."""
    with outbox.reading() as connection:
        stored = incidents.find_open(connection, "key")
        assert stored is not None
        [told] = deliveries.told_of(connection, stored.id)
    return stored.incident, told.wanted


def _deliver(outbox: Outbox, url: str, wanted: SilenceWanted, references: dict[str, str]) -> dict[str, str]:
    catalogue = Catalogue(name="c", services=[], routing=Routing(alertmanager=AlertmanagerSettings(url=url)))
    adapter = open_adapters(catalogue, outbox)["alertmanager"]
    try:
        adapter.deliver(
            Parcel(id=1, key="k", destination=HERE, content=wanted, references=references), references.update
        )
    finally:
        adapter.close()
    return references


def test_what_became_of_a_silence_is_said_in_the_incident(tmp_path: Path) -> None:
    with alertmanager() as server, client_of(server.url) as client, open_outbox(str(tmp_path / "outbox.db")) as outbox:
        quiet = Silence(until=outbox.clock.now() + 3600, by="erin")
        _opened(outbox, quiet)
        wanted = SilenceWanted(incident="key", matchers={"service": "api"}, silence=quiet, comment="c")
        kept = _deliver(outbox, server.url, wanted, {})
        incident, version = _now(outbox)
        [made] = client.silences()
        assert incident.silence == Silence(until=quiet.until, by="erin", id=made.id)
        assert version == 2
        _deliver(outbox, server.url, wanted, kept)
        assert _now(outbox) == (incident, 2)

        nothing = SilenceWanted(incident="key", matchers={"service": ""}, silence=quiet, comment="c")
        with pytest.raises(DeliveryError):
            _deliver(outbox, server.url, nothing, {})
        incident, version = _now(outbox)
        assert incident.silence is None
        assert [note.partition(":")[0] for note in incident.notes] == ["It is not silenced, though erin asked for it"]
        assert version == 3


def test_where_no_alertmanager_is_named_nobody_takes_an_incident_for_silenced(tmp_path: Path) -> None:
    with open_outbox(str(tmp_path / "outbox.db")) as outbox:
        quiet = Silence(until=outbox.clock.now() + 3600, by="erin")
        _opened(outbox, quiet)
        wanted = SilenceWanted(incident="key", matchers={"service": "api"}, silence=quiet, comment="c")
        with pytest.raises(DeliveryError, match="no Alertmanager is named") as caught:
            _deliver(outbox, "", wanted, {})
        incident, version = _now(outbox)
    assert caught.value.permanent
    assert "routing.alertmanager.url" in caught.value.remedy
    assert incident.silence is None
    assert incident.notes == ["It is not silenced, though erin asked for it: no Alertmanager is named."]
    assert version == 2


def test_a_silence_of_before_says_nothing_of_the_one_that_was_asked_for_since(tmp_path: Path) -> None:
    with alertmanager() as server, open_outbox(str(tmp_path / "outbox.db")) as outbox:
        now = outbox.clock.now()
        _opened(outbox, Silence(until=now + 7200, by="ada"))
        before = Silence(until=now + 3600, by="erin")
        wanted = SilenceWanted(incident="key", matchers={"service": "api"}, silence=before, comment="c")
        _deliver(outbox, server.url, wanted, {})
        assert _now(outbox)[0].silence == Silence(until=now + 7200, by="ada")
