"""An exporter that runs: from its first moment to an orderly end, with its configuration exchanged in between."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Sequence
from typing import NoReturn

from sla_kit.errors import SlaKitError
from sla_kit.exporters.sidecar.collecting import Collecting
from sla_kit.exporters.sidecar.exporter import Exporter, Service
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.state import Asked, State, read_state
from sla_kit.exporters.sidecar.store import Store
from sla_kit.exporters.sidecar.web import Web
from sla_kit.serving import logs
from sla_kit.serving.descriptors import raise_limit
from sla_kit.serving.leaving import leave
from sla_kit.serving.lifetime import Lifetime
from sla_kit.serving.listening import Listener, bind
from sla_kit.serving.reloading import Watch
from sla_kit.serving.systemd import notify, notify_reloading

_log = logging.getLogger(__name__)
#: How long services and collections may take to end; with that of the web server less than the 30 seconds that
#: Kubernetes grants before it kills.
_SERVICES_SECONDS = 8.0
_COLLECTIONS_SECONDS = 4.0
_END_SECONDS = 26.0


def serve(exporter: Exporter, asked: Asked, state: State) -> NoReturn:
    """Runs until SIGTERM or SIGINT; never returns, since a thread that hangs must not keep the process.

    Raises `SlaKitError` where it can't begin.
    """
    logs.configure(state.log)
    raise_limit()
    sockets = bind(state.address)
    with asyncio.Runner() as runner:
        trouble = runner.run(_Sidecar(exporter, asked, state).run(sockets))
        if trouble is None:
            leave(0)
    raise trouble


class _Sidecar:
    def __init__(self, exporter: Exporter, asked: Asked, state: State) -> None:
        self._exporter = exporter
        self._asked = asked
        self._state = state
        self._metrics = SelfMetrics(exporter.name)
        self._store = Store(state.loaded.configuration.max_series, self._metrics)
        self._collecting = Collecting(self._store)
        self._web = Web(exporter.name, exporter.summary, self._store, self._metrics)
        self._services: list[Service] = []
        self._watch = Watch(state.files)
        self._lifetime = Lifetime(_END_SECONDS)
        self._failed = ""

    async def run(self, sockets: list[socket.socket]) -> SlaKitError | None:
        """Runs until it is told to end; returns why it could not begin."""
        self._lifetime.begin()
        self._listener = Listener(self._web, sockets)
        try:
            await self._exchange_services(self._state.loaded.services)
        except SlaKitError as error:
            return error
        self._web.configure(self._state.web, self._state.loaded.routes)
        await self._collecting.reconcile(self._state.loaded.collectors)
        self._metrics.reloaded(True)
        await self._listener.start(self._state.web.tls)
        self._tell_of_start()
        notify("READY=1")
        gc.collect()
        gc.freeze()  # what is there now stays: it need not be looked through again
        reloads = asyncio.create_task(self._lifetime.reloads(self._watch, self._reload), name="reloads")
        await self._lifetime.ended()
        reloads.cancel()
        await self._drain()
        return None

    async def _drain(self) -> None:
        notify("STOPPING=1")
        self._web.stopping = True
        await self._listener.stop()
        await self._stop(self._services)
        await self._collecting.stop(_COLLECTIONS_SECONDS)
        _log.info("ended")

    async def _reload(self, why: str) -> bool:
        """Takes over what the files say now; where that is not good, all stays as it is. Returns whether the files were
        good: what is not theirs, such as a port that is in use, is not tried again by itself."""
        notify_reloading()
        good = False
        try:
            state = await asyncio.to_thread(read_state, self._exporter, self._asked, self._state)
            good = True
            await self._take_over(state)
        except Exception as error:
            self._metrics.reloaded(False)
            if str(error) != self._failed or why == "SIGHUP":
                told = "the configuration was read again and is not good; the one before goes on: %s"
                _log.error(told, error, exc_info=not isinstance(error, SlaKitError), extra={"reason": why})
            self._failed = str(error) or type(error).__name__
        else:
            self._failed = ""
            self._metrics.reloaded(True)
            collectors = len(state.loaded.collectors)
            _log.info("the configuration was read again", extra={"reason": why, "collectors": collectors})
        finally:
            notify("READY=1")
        return good

    async def _take_over(self, state: State) -> None:
        await self._exchange_services(state.loaded.services)
        await self._listener.exchange(state.web.tls)
        self._web.configure(state.web, state.loaded.routes)
        self._store.max_series_per_metric = state.loaded.configuration.max_series
        if state.log != self._state.log:
            logs.configure(state.log)
        if state.address != self._state.address:
            addresses = {"configured": str(state.address), "listening": ",".join(self._listener.addresses)}
            _log.warning("another address to listen on needs a restart", extra=addresses)
        self._state = state
        self._watch.look_at(state.files)
        await self._collecting.reconcile(state.loaded.collectors)

    async def _exchange_services(self, wanted: Sequence[Service]) -> None:
        """Ends services that are no longer wanted and starts new ones; where one can't, all are as before."""
        before = self._services
        gone = [service for service in before if service not in wanted]
        kept = [service for service in before if service in wanted]
        new = [service for service in wanted if service not in before]
        await self._stop(gone)
        started: list[Service] = []
        try:
            for service in new:
                await service.start()
                started.append(service)
        except Exception:
            await self._stop(started)
            self._services = kept
            for service in gone:
                try:
                    await service.start()
                    self._services.append(service)
                except Exception:
                    _log.exception("a service could not be started again", extra={"service": type(service).__name__})
            raise
        self._services = [*kept, *started]

    async def _stop(self, services: Sequence[Service]) -> None:
        async def stop(service: Service) -> None:
            try:
                await asyncio.wait_for(service.stop(), _SERVICES_SECONDS)
            except Exception:
                _log.exception("a service did not end well", extra={"service": type(service).__name__})

        await asyncio.gather(*(stop(service) for service in services))

    def _tell_of_start(self) -> None:
        state, scheme = self._state, "https" if self._state.web.tls else "http"
        told = {"exporter": self._exporter.name, "collectors": len(state.loaded.collectors), "pid": os.getpid()}
        _log.info("listening", extra={"address": ",".join(self._listener.addresses), "scheme": scheme, **told})
        safe = state.web.users or state.web.client_certificates == "required"
        if state.loaded.routes and not state.address.loopback and not safe:
            _log.warning("routes that take data answer this machine only: no basic auth, no client certificates")
