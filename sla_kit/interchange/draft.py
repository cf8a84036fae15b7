"""A catalogue while it is being put together from many documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from sla_kit.catalogue.model import (
    Alert,
    Bound,
    Catalogue,
    Condition,
    Contact,
    ForeignSource,
    Probe,
    Server,
    Service,
    Sli,
    Slo,
)
from sla_kit.configuration.places import Place, Places
from sla_kit.interchange.fields import Fields, Notes


class Draft:
    """What has been read so far. Names are the catalogue's; what a document called something is remembered, so that
    others find it by that."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.services: dict[str, Service] = {}
        self.slis: dict[str, Sli] = {}
        self.alerts: list[Alert] = []
        self.conditions: list[Condition] = []
        self.contacts: list[Contact] = []
        self.sources: list[Server] = []
        self.external: list[ForeignSource] = []
        self._service_names: dict[str, str] = {}
        self._slo_places: dict[tuple[str, str], Place] = {}
        self._named_places: dict[tuple[str, str], Place] = {}
        self.sli_places: dict[str, Place] = {}

    def service(self, text: str, place: Place) -> str:
        """The catalogue's name of the service that a document calls ``text``; it is there from now on."""
        if text not in self._service_names:
            name = self.notes.name(text, place, self.services)
            self._service_names[text] = name
            self.services[name] = Service(name=name)
        return self._service_names[text]

    def put_service(self, service: Service) -> None:
        """Replaces a service by what is now known of it; its SLOs stay."""
        self.services[service.name] = replace(service, slos=self.services[service.name].slos)

    def add_slo(self, service: str, slo: Slo, place: Place, called: str) -> None:
        """Adds an SLO that its document calls ``called``; a second one of that name is a mistake."""
        first = self._slo_places.get((service, called))
        if first is not None and (first.file, first.line) != (place.file, place.line):
            hint = f"the first is at {first.file}:{first.line}"
            self.notes.wrong(place, f"two SLOs of {service} are called {called!r}", hint)
            return
        self._slo_places[service, called] = self._named_places[service, slo.name] = place
        owner = self.services[service]
        self.services[service] = replace(owner, slos=[*owner.slos, slo])

    def places(self, root: Place) -> Places:
        """Where the parts of the catalogue come from, for what its rules find wrong; the rest stands at ``root``."""
        found = Places(root)
        for name, place in self.sli_places.items():
            found.put(("slis", name), place)
        for number, service in enumerate(self.services.values()):
            for index, slo in enumerate(service.slos):
                written = self._named_places.get((service.name, slo.name))
                if written is not None:
                    found.put(("services", number, "slos", index), written)
        return found

    def slo_name(self, service: str, text: str, place: Place) -> str:
        """A free name for an SLO of a service."""
        taken = {slo.name for slo in self.services[service].slos}
        return self.notes.name(text, place, () if (service, text) in self._slo_places else taken)

    def catalogue(self, name: str) -> Catalogue:
        """All of it."""
        return Catalogue(
            name=name,
            services=list(self.services.values()),
            slis=self.slis,
            alerts=self.alerts,
            conditions=self.conditions,
            contacts=sorted(self.contacts, key=lambda contact: contact == Contact(name=contact.name)),
            sources=self.sources,
            external=self.external,
        )


def percent(fields: Fields, key: str) -> float:
    """An objective in percent, above 0 and below 100, as a ratio; a half where it is none, after noting that."""
    text = fields.text(key, required=True)
    if not text.strip():
        return 0.5
    try:
        ratio = Decimal(text.strip()) / 100
    except ArithmeticError:
        fields.notes.wrong(fields.value_place(key), f"{key}: {text[:60]!r} is no percentage", "such as 99.9")
        return 0.5
    return objective(ratio, fields.value_place(key), fields.notes)


def objective(ratio: Decimal, place: Place, notes: Notes) -> float:
    """An objective that leaves an error budget; a half where it leaves none, after noting that."""
    if not ratio.is_finite() or not 0 < ratio < 1:
        shown = f"{float(ratio) * 100:g} %" if ratio.is_finite() else str(ratio)
        hint = "an error budget needs more than 0 % and less than 100 %"
        notes.wrong(place, f"an objective of {shown} is impossible", hint)
        return 0.5
    return float(ratio)


def by_events(sli: Sli) -> Literal["occurrences"] | None:
    """The budgeting of tools that divide all bad samples by all samples, where it is not an indicator's own."""
    return "occurrences" if isinstance(sli, Probe | Bound) else None
