"""From a configuration's file to the collectors that it declares: what fails takes nothing from the others."""

from __future__ import annotations

from pathlib import Path

from sla_kit.catalogue.logs import ErrorTracking, Logs
from sla_kit.catalogue.model import Catalogue
from sla_kit.error_tracking.asking import as_query, error_query
from sla_kit.exporters.logs.configuration import LogsConfiguration, check
from sla_kit.exporters.logs.counting import CountingCollector, Pace
from sla_kit.exporters.logs.documents import Documents, Query
from sla_kit.exporters.logs.error_groups import GroupsCollector
from sla_kit.exporters.logs.late import LateCollector
from sla_kit.exporters.logs.shipping import Looking, ShippingCollector
from sla_kit.exporters.logs.totals import Room
from sla_kit.exporters.logs.volume import VolumeCollector
from sla_kit.exporters.sidecar.collector import Collector
from sla_kit.exporters.sidecar.configuration import read_configuration
from sla_kit.exporters.sidecar.exporter import Loaded


def load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    """Reads a configuration; connects to nothing. Raises `ConfigurationError`."""
    told = read_configuration(path, LogsConfiguration, check)
    folder = path.absolute().parent
    documents = _documents(told, folder)
    return Loaded(told, _collectors(told, documents, folder / told.state))


def _documents(told: LogsConfiguration, folder: Path) -> Documents:
    filters: list[Query] = []
    if told.query:
        filters.append(as_query(told.query))
    if told.services:
        filters.append({"terms": {told.fields.service: told.services}})
    return Documents(told.cluster.searcher(folder), told.index, told.fields, tuple(filters))


def _errors(told: LogsConfiguration) -> Query:
    """What is an error, by the rule of error tracking."""
    logs = Logs(fields=told.fields, errors=ErrorTracking(query=told.errors))
    return error_query(Catalogue(name="logs", services=[], logs=logs))


def _collectors(told: LogsConfiguration, documents: Documents, state: Path) -> list[Collector]:
    room, errors = Room(told.max_services, told.max_types), _errors(told)
    pace = Pace(told.settle, told.lag, told.backfill, told.catch_up, told.late.within)
    found: list[Collector] = [CountingCollector("counts", told.schedule(), documents, errors, pace, room, state)]
    if told.late.within:
        found.append(LateCollector("late", told.every(told.late.every), documents, room, state))
    groups, shipping = told.groups, told.shipping
    if groups.on and told.fields.group:
        found.append(
            GroupsCollector(
                "groups",
                told.every(groups.every),
                documents.of(errors),
                groups.window,
                groups.lookback,
                groups.most,
            )
        )
    if shipping.on:
        looking = Looking(shipping.window, shipping.sample, shipping.silence, shipping.skew)
        found.append(
            ShippingCollector("shipping", told.every(shipping.every), documents, looking, 10 * told.max_services)
        )
    if told.volume.on:
        found.append(VolumeCollector("volume", told.every(told.volume.every), documents.searcher, told.index))
    return found
