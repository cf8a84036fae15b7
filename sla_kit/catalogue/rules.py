"""What a catalogue must hold beyond its types: names that exist once, objectives and windows that can be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from sla_kit.catalogue.alert_rules import check_alerts, check_alerts_of, check_external
from sla_kit.catalogue.capacity_rules import check_capacity
from sla_kit.catalogue.conforming import check_types
from sla_kit.catalogue.indicator_rules import check_indicator, check_sum_label
from sla_kit.catalogue.language_rules import check_language
from sla_kit.catalogue.log_rules import check_comparison, check_logs, check_server, check_source_of, is_cloud
from sla_kit.catalogue.model import (
    Catalogue,
    Composite,
    LogEvents,
    LogLatency,
    PolicyStep,
    Recovery,
    Requests,
    Service,
    Sli,
    Slo,
    Window,
)
from sla_kit.catalogue.model import External as ExternalSli
from sla_kit.catalogue.model import Latency as LatencySli
from sla_kit.catalogue.model import Promql as PromqlSli
from sla_kit.catalogue.monitoring_rules import check_monitoring
from sla_kit.catalogue.occasion_rules import check_occasion
from sla_kit.catalogue.resting_rules import check_circles, check_composite, check_dependencies, check_recovery
from sla_kit.catalogue.routing_rules import SECRET, check_routing
from sla_kit.configuration.places import Findings, Path, Places, nearest
from sla_kit.errors import Mistake

LONGEST_WINDOW = 10 * 365 * 86_400
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def check_catalogue(
    catalogue: Catalogue, places: Places | None = None, environments: Sequence[str] | None = None
) -> list[Mistake]:
    """Every mistake of meaning, in order. Those of a catalogue built in Python stand in "<python>", line 0, and begin
    with what they concern ("services[0].slos[1].objective"); values of a wrong type come first and alone.

    ``environments`` are those that routes may name, None where that is not known.
    """
    rules = _Rules(catalogue, places, environments)
    if places is None:
        check_types(catalogue, rules.findings)
    if not rules.findings.mistakes:
        rules.check()
    return sorted(set(rules.findings.mistakes))


class _Rules:
    def __init__(self, catalogue: Catalogue, places: Places | None, environments: Sequence[str] | None) -> None:
        self.catalogue = catalogue
        self.environments = environments
        self.findings = Findings(places)
        self.in_python = places is None  # decoding checks the form of names that are written
        self.services: dict[str, int] = {}

    def check(self) -> None:
        catalogue, say = self.catalogue, self.findings.say
        self.services = {service.name: index for index, service in enumerate(catalogue.services)}
        if not catalogue.name.strip():
            say(("name",), "the catalogue's name is empty")
        bucket = catalogue.bucket
        if bucket <= 0 or bucket != int(bucket) or 3600 % int(bucket):
            say(("bucket",), f"a bucket of {bucket:g} s does not divide an hour", "such as 15s, 30s, 1m or 5m")
        self._zone(catalogue.timezone or "''", ("timezone",))
        self._url(catalogue.runbooks, ("runbooks",))
        check_language(catalogue, self.findings)
        check_monitoring(catalogue, self.findings)
        check_logs(catalogue, self.findings, self.environments)
        for key in ("services", "promises", "contacts", "severities", "sources", "alerts", "conditions", "external"):
            self._unique(getattr(catalogue, key), (key,), key)
        for index, label in enumerate(catalogue.sum_labels):
            check_sum_label(label, ("sum_labels", index), self.findings)
        self._contacts()
        self._sources()
        self._policy(catalogue.policy, ("policy",))
        self._shared()
        for index, service in enumerate(catalogue.services):
            self._service(service, ("services", index))
        check_circles(catalogue, self.findings)
        self._any_slo()
        self._routes()
        check_routing(catalogue, self.findings)
        self._calendar()

    def _unique(self, things: Sequence[_Named], path: Path, what: str) -> None:
        first: dict[str, int] = {}
        for index, thing in enumerate(things):
            here = (*path, index, "name")
            self._name(thing.name, here)
            if thing.name in first and not self.findings.places.broken((*path, first[thing.name], "name")):
                line = self.findings.places.find((*path, first[thing.name], "name"))
                hint = f"the first is at {line.file}:{line.line}" if line.line else ""
                self.findings.say(here, f"two {what} are called {thing.name!r}", hint)
            first.setdefault(thing.name, index)

    def _name(self, name: str, path: Path) -> None:
        if self.in_python and not NAME.fullmatch(name):
            hint = 'letters, digits, "-", "_" and ".", a letter or digit first'
            self.findings.say(path, f"{name[:60]!r} can't be a name", hint)

    def _any_slo(self) -> None:
        complete = self.findings.places.complete
        pools: list[Path] = [("services",), *(("services", i, "slos") for i in range(len(self.catalogue.services)))]
        if not self.catalogue.slos() and all(complete(pool) for pool in pools):
            self.findings.say(("services",), "the catalogue promises nothing", "give a service an SLO under slos")

    # --- a service and its promises ---------------------------------------------------------------------------------

    def _service(self, service: Service, path: Path) -> None:
        if service.owner:
            contacts = [contact.name for contact in self.catalogue.contacts]
            self.findings.expect(service.owner, contacts, (*path, "owner"), "contact", [("contacts",)])
        self._url(service.runbook, (*path, "runbook"))
        self._source(service.source, (*path, "source"))
        for name, sli in service.slis.items():
            self._name(name, (*path, "slis", name))
            self._indicator(sli, service, (*path, "slis", name))
        self._unique(service.slos, (*path, "slos"), f"SLOs of {service.name}")
        for index, slo in enumerate(service.slos):
            self._slo(service, slo, (*path, "slos", index))
        check_capacity(service, path, self.findings)

    def _shared(self) -> None:
        nobody = Service(name="")
        for name, sli in self.catalogue.slis.items():
            self._name(name, ("slis", name))
            self._indicator(sli, nobody, ("slis", name))
        check_alerts(self.catalogue, self.findings)

    def _slo(self, service: Service, slo: Slo, path: Path) -> None:
        expect = self.findings.expect
        if isinstance(slo.sli, str):
            pool = (*path[:2], "slis")
            shared, own = self.catalogue.slis, service.slis
            pools: list[Path] = [pool, ("slis",)]
            known = expect(slo.sli, {**shared, **own}, (*path, "sli"), f"indicator of {service.name}", pools)
            sli = {**shared, **own}[slo.sli] if known else None
            pool = pool if slo.sli in own else ("slis",)
            whole = not self.findings.places.broken((*pool, slo.sli))
        else:
            sli = slo.sli
            whole = not self.findings.places.broken((*path, "sli"))
            self._indicator(sli, service, (*path, "sli"))
        self._objectives(slo, path)
        self._window(slo.window, (*path, "window"))
        if sli is not None and whole:
            self._slices(slo, sli, path)
        if slo.promise:
            promises = [promise.name for promise in self.catalogue.promises]
            expect(slo.promise, promises, (*path, "promise"), "promise", [("promises",)])
        self._severity(slo.severity, (*path, "severity"))
        self._share(slo.min_coverage, (*path, "min_coverage"), "a coverage")
        self._policy(slo.policy or [], (*path, "policy"))
        check_dependencies(slo.depends_on, service, (*path, "depends_on"), self.catalogue, self.findings)
        if not whole or not check_source_of(slo.source, sli, (*path, "source"), self.catalogue, self.findings):
            self._source(slo.source, (*path, "source"))
        check_comparison(service, slo, path, self.catalogue, self.findings)
        check_alerts_of(slo.alerts, (*path, "alerts"), self.catalogue, self.findings)

    def _objectives(self, slo: Slo, path: Path) -> None:
        places, say = self.findings.places, self.findings.say
        self._objective(slo.objective, (*path, "objective"))
        if slo.sla is None:
            return
        agreed = (*path, "sla", "objective")
        self._objective(slo.sla.objective, agreed)
        if slo.sla.objective > slo.objective and not places.broken((*path, "objective")):
            say(
                agreed,
                f"the SLA ({slo.sla.objective * 100:g} %) is stricter than its SLO ({slo.objective * 100:g} %)",
                "promise customers less than you aim for",
            )

    def _objective(self, objective: float, path: Path) -> None:
        if not 0 < objective < 1:
            hint = "an error budget needs more than 0 % and less than 100 %, such as 99.9%"
            self.findings.say(path, f"an objective of {objective * 100:g} % is impossible", hint)

    def _window(self, window: Window, path: Path) -> None:
        if window.start and not _is_local_time(window.start):
            self.findings.say((*path, "start"), f"{window.start[:60]!r} is no local time", "such as 2026-01-01T00:00")
        if (window.rolling is None) == (window.calendar is None):
            self.findings.say(path, "a window is either rolling or of the calendar", 'such as "30d" or "month"')
        elif window.rolling is not None and window.rolling < self.catalogue.bucket:
            if not self.findings.places.broken(("bucket",)):
                short = f"a window of {window.rolling:g} s is shorter than a bucket ({self.catalogue.bucket:g} s)"
                self.findings.say((*path, "rolling"), short)
        elif window.rolling is not None and window.rolling > LONGEST_WINDOW:
            self.findings.say((*path, "rolling"), "a window is ten years at most")  # each bucket of it is an event
        elif window.rolling is not None and window.rolling != int(window.rolling):
            self.findings.say((*path, "rolling"), "a window must be whole seconds")
        if window.timezone:
            self._zone(window.timezone, (*path, "timezone"))

    def _slices(self, slo: Slo, sli: Sli, path: Path) -> None:
        say, bucket = self.findings.say, self.catalogue.bucket
        counted = isinstance(
            sli, Requests | LatencySli | PromqlSli | LogEvents | LogLatency | Recovery | Composite
        ) or (isinstance(sli, ExternalSli) and sli.counts_events)
        if isinstance(sli, Composite) and slo.missing == "bad":
            say((*path, "missing"), "what is missing of a composite is missing of its parts", "say it of the parts")
        if isinstance(sli, Composite) and slo.budgeting is not None:
            say((*path, "budgeting"), "a composite counts what its parts count", "leave budgeting out")
        elif isinstance(sli, Recovery) and slo.budgeting not in (None, "occurrences"):
            say((*path, "budgeting"), "outages are counted one by one, not by time slices", "leave budgeting out")
        elif slo.budgeting == "occurrences" or (slo.budgeting is None and counted):
            if self.findings.places.broken((*path, "budgeting")):
                return
            for key in ("slice", "slice_target"):
                if getattr(slo, key):
                    say((*path, key), f"{key} means nothing where events are counted", "add budgeting: timeslices")
            return
        if slo.window.rolling is not None and slo.slice > slo.window.rolling:
            say((*path, "slice"), f"a slice of {slo.slice:g} s is longer than the window ({slo.window.rolling:g} s)")
            return
        known_bucket = bucket > 0 and not self.findings.places.broken(("bucket",))
        if slo.slice and known_bucket and (slo.slice < 0 or slo.slice % bucket):
            say((*path, "slice"), f"a slice of {slo.slice:g} s is no multiple of the bucket ({bucket:g} s)")
        if slo.slice_target is not None:
            if not 0 < slo.slice_target <= 1:
                say((*path, "slice_target"), "a slice_target must be above 0 % and at most 100 %")
        elif slo.budgeting == "timeslices" and isinstance(
            sli, Requests | LatencySli | PromqlSli | LogEvents | LogLatency | ExternalSli
        ):
            places = self.findings.places
            if not places.broken((*path, "slice_target")) and not places.broken((*path, "budgeting")):
                hint = "the share of good events that makes a slice good, such as 99%"
                say((*path, "budgeting"), "budgeting by timeslices needs a slice_target", hint)

    def _indicator(self, sli: Sli, service: Service, path: Path) -> None:
        check_indicator(sli, path, self.findings)
        if isinstance(sli, ExternalSli):
            check_external(sli, path, self.catalogue, self.findings)
        elif not check_source_of(sli.source, sli, (*path, "source"), self.catalogue, self.findings):
            self._source(sli.source, (*path, "source"))
        if isinstance(sli, Recovery):
            check_recovery(sli, service, path, self.catalogue, self.findings)
        elif isinstance(sli, Composite):
            check_composite(sli, service, path, self.catalogue, self.findings)

    def _contacts(self) -> None:
        for index, contact in enumerate(self.catalogue.contacts):
            for key in ("email", "slack", "pagerduty"):
                address, path = getattr(contact, key), ("contacts", index, key)
                if SECRET.search(address):  # which is not repeated in the message
                    hint = "name a channel or a rotation; secrets come from the environment or from files"
                    self.findings.say(path, f"{key} looks like a secret", hint)
                elif key == "email" and address and not all(map(_is_mailbox, address.split(","))):
                    self.findings.say(path, f"{address[:80]!r} is no e-mail address", "such as platform@example.com")

    def _sources(self) -> None:
        for index, server in enumerate(self.catalogue.sources):
            path = ("sources", index)
            if SECRET.search(server.url):  # which is not repeated in the message
                kind = "ELASTICSEARCH" if server.holds_logs else "PROMETHEUS"
                hint = f"credentials come from SLA_KIT_{kind}_<NAME>_TOKEN and its like"
                self.findings.say((*path, "url"), "the address holds a password", hint)
            elif not is_cloud(server.url):
                self._url(server.url.removeprefix("elasticsearch+"), (*path, "url"))
            check_server(server, path, self.findings)
            if "\n" in server.tenant or "\r" in server.tenant:
                self.findings.say((*path, "tenant"), "a tenant is one line")
        for key in ("lag", "keep"):
            length = getattr(self.catalogue.ledger, key)
            if length < 0 or length != int(length):
                self.findings.say(("ledger", key), f"{key} must be whole seconds, 0 or more", 'such as "1h"')

    def _source(self, name: str, path: Path) -> None:
        if name:
            names = [server.name for server in self.catalogue.sources]
            self.findings.expect(name, names, path, "source", [("sources",)])

    # --- what stands beside the services ----------------------------------------------------------------------------

    def _routes(self) -> None:
        contacts = [contact.name for contact in self.catalogue.contacts]
        for index, route in enumerate(self.catalogue.routes):
            path = ("routes", index)
            if not route.to and self.findings.places.complete((*path, "to")):
                self.findings.say((*path, "to"), "a route leads to nobody", "name a contact under to")
            self._each(route.to, contacts, (*path, "to"), "contact", "contacts")
            self._each(route.service, self.services, (*path, "service"), "service", "services")
            self._each(
                route.team,
                [contact.name for contact in self.catalogue.contacts],
                (*path, "team"),
                "contact",
                "contacts",
            )
            if self.environments is not None:
                self._each(route.environment, self.environments, (*path, "environment"), "environment", "environments")
            for number, severity in enumerate(route.severity):
                self._severity(severity, (*path, "severity", number))

    def _calendar(self) -> None:
        for kind in ("events", "maintenance", "incidents"):
            for index, occasion in enumerate(getattr(self.catalogue.calendar, kind)):
                path = ("calendar", kind, index)
                if occasion.timezone:
                    self._zone(occasion.timezone, (*path, "timezone"))
                zone = next((z for z in (occasion.timezone, self.catalogue.timezone) if _zone_exists(z)), "UTC")
                own = msgspec.structs.replace(occasion, timezone=zone)
                check_occasion(own, path, zone, self.catalogue.folder, self.findings)
                self._each(occasion.services, self.services, (*path, "services"), "service", "services")

    def _each(self, names: Sequence[str], known: Iterable[str], path: Path, what: str, pool: str) -> None:
        for number, name in enumerate(names):
            self.findings.expect(name, known, (*path, number), what, [(pool,)])

    def _severity(self, severity: str, path: Path) -> None:
        levels = [level.name for level in self.catalogue.severities]
        if levels:
            self.findings.expect(severity, levels, path, "severity", [("severities",)])

    def _policy(self, steps: Sequence[PolicyStep], path: Path) -> None:
        contacts = [contact.name for contact in self.catalogue.contacts]
        for index, step in enumerate(steps):
            here = (*path, index)
            if (step.left is None) == (step.incident is None):
                broken = self.findings.places.broken
                if not broken((*here, "left")) and not broken((*here, "incident")):
                    hint = "the budget left, or the share of it that one incident spends"
                    self.findings.say(here, "a step begins at either left or incident", hint)
            elif step.left is not None:
                self._share(step.left, (*here, "left"), "a budget left")
            elif step.incident is not None and not step.incident > 0:
                self.findings.say((*here, "incident"), "an incident must spend more than 0 %", "such as 20%")
            self._each(step.to, contacts, (*here, "to"), "contact", "contacts")
            whole = self.findings.places.complete((*here, "effects"))
            for key, effect in (("to", "escalate"), ("exempt", "freeze")):
                if getattr(step, key) and effect not in step.effects and whole:
                    self.findings.say((*here, key), f"{key} means nothing without {effect}", f"effects: [{effect}]")

    def _share(self, share: float, path: Path, what: str) -> None:
        if not 0 <= share <= 1:
            self.findings.say(path, f"{what} of {share * 100:g} % is impossible", "from 0 % to 100 %")

    def _zone(self, name: str, path: Path) -> None:
        if not _zone_exists(name):
            hint = nearest(name, sorted(available_timezones()))
            self.findings.say(
                path, f"there is no time zone {name!r}", hint if hint.startswith("did") else "such as Europe/Berlin"
            )

    def _url(self, url: str, path: Path) -> None:
        if not url:
            return
        try:
            parts = urlsplit(url)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", url)
        except ValueError:
            fine = False
        if not fine:
            self.findings.say(path, f"{url[:80]!r} is no http(s) address", "such as https://runbooks.example.com")


def _is_mailbox(text: str) -> bool:
    """An address, with a name before it or without."""
    written = re.fullmatch(r'(?:[^<>"]*<([^<>]+)>|([^<>]+))', text.strip())
    return written is not None and _EMAIL.fullmatch(written[1] or written[2]) is not None


def _is_local_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


@cache
def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
