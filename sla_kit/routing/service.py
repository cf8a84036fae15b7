"""A router that runs: outbox, planner, dispatcher and web server, from its first moment to an orderly end, with its
catalogue exchanged in between."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from sqlalchemy import Connection

from sla_kit.errors import OutboxError, SlaKitError
from sla_kit.routing.adapters import open_adapters, unreachable
from sla_kit.routing.deciding.deciding import Deciding
from sla_kit.routing.delivering import TIMEOUT_SECONDS, Adapter
from sla_kit.routing.destinations import Kind
from sla_kit.routing.dispatching.dispatcher import Dispatcher
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.dispatching.watching import Watcher
from sla_kit.routing.forgetting import Forgetting
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.falling_back import fall_back, reached_again
from sla_kit.routing.planning.planner import Planner
from sla_kit.routing.planning.urgency import is_urgent
from sla_kit.routing.rounds import Rounds
from sla_kit.routing.state import Asked, State, Tokens, catalogue_files, check_access, read_state
from sla_kit.routing.web.app import Web
from sla_kit.routing.web.intake import Intake
from sla_kit.routing.web.signed import signed_paths
from sla_kit.serving import logs
from sla_kit.serving.descriptors import raise_limit
from sla_kit.serving.leaving import leave
from sla_kit.serving.lifetime import Lifetime
from sla_kit.serving.listening import Listener, bind
from sla_kit.serving.reloading import Watch
from sla_kit.serving.systemd import notify, notify_reloading

if TYPE_CHECKING:
    from sla_kit.routing.alertmanager.keeping import MaintenanceSilences
    from sla_kit.routing.alertmanager.watching import Watching

_log = logging.getLogger(__name__)
#: How long what is under way may take to end; less than the 30 seconds that Kubernetes grants before it kills.
_END_SECONDS = 26.0
_DELIVERIES_SECONDS = 15.0
_PLANNING_SECONDS = 10.0
_CLOSING_SECONDS = 5.0
#: How long a thread that plans keeps others from going on: of 5 ms, as Python has it, each call of a socket would wait.
_SWITCH_SECONDS = 0.0005
#: Whether the outbox can be written is tried so often at most, and must be known within so long.
_PROBE_SECONDS, _PROBE_PATIENCE_SECONDS = 5.0, 5.0


def serve(asked: Asked, state: State) -> NoReturn:
    """Runs until SIGTERM or SIGINT; never returns, since a thread that hangs must not keep the process.

    Raises `SlaKitError` where it can't begin.
    """
    logs.configure(asked.log)
    raise_limit()
    sys.setswitchinterval(_SWITCH_SECONDS)
    sockets = bind(state.address)
    outbox = open_outbox(state.outbox, password=state.outbox_password, exclusive=True)
    with asyncio.Runner() as runner:
        runner.run(_Service(asked, state, outbox).run(sockets))
        leave(0)


class _Service:
    def __init__(self, asked: Asked, state: State, outbox: Outbox) -> None:
        self._asked = asked
        self._state = state
        self._bound = state.address
        self._outbox = outbox
        self._metrics = RouterMetrics()
        self._intake = Intake(outbox, self._metrics)
        self._health = _Health(outbox)
        self._web = Web(self._intake, self._metrics, self._health)
        self._rounds = Rounds(outbox, self._planner(state), lambda: self._dispatcher.wake())
        self._dispatcher, self._adapters = self._delivering(state)
        self._watcher = Watcher(outbox, self._metrics)
        self._forgetting = Forgetting(outbox, state.routing.keep)
        self._silences: MaintenanceSilences | None = None
        self._watching: Watching | None = None
        self._lifetime = Lifetime(_END_SECONDS)
        self._watch = _Files(asked.catalogue, state.files)
        self._failed = ""

    async def run(self, sockets: list[socket.socket]) -> None:
        """Runs until it is told to end."""
        self._lifetime.begin()
        self._listener = Listener(self._web, sockets)
        self._configure(self._state)
        self._intake.committed = self._rounds.wake
        self._health.rounds, self._health.dispatcher = self._rounds, self._dispatcher
        self._rounds.start()
        self._dispatcher.start()
        self._watcher.start()
        self._forgetting.start()
        self._look_after_alertmanager(self._state)
        await self._listener.start(self._state.web.tls)
        self._tell_of_start()
        notify("READY=1")
        gc.collect()
        gc.freeze()  # what is there now stays: it need not be looked through again
        reloads = asyncio.create_task(self._lifetime.reloads(self._watch, self._reload), name="reloads")
        await self._lifetime.ended()
        reloads.cancel()
        await self._drain()

    async def _drain(self) -> None:
        notify("STOPPING=1")
        self._health.stopping = self._intake.stopping = True
        await asyncio.gather(
            self._listener.stop(),
            asyncio.to_thread(self._rounds.stop, _PLANNING_SECONDS),
            asyncio.to_thread(self._dispatcher.stop, _DELIVERIES_SECONDS),
            asyncio.to_thread(self._watcher.stop),
            asyncio.to_thread(self._forgetting.stop, _PLANNING_SECONDS),
            *([asyncio.to_thread(self._silences.stop, _PLANNING_SECONDS)] if self._silences else []),
            *([asyncio.to_thread(self._watching.stop, _PLANNING_SECONDS)] if self._watching else []),
        )
        try:
            await asyncio.wait_for(asyncio.to_thread(self._outbox.close), _CLOSING_SECONDS)
        except TimeoutError:
            _log.warning("the outbox did not close in time; what was acknowledged is in it")
        _log.info("ended")

    async def _reload(self, why: str) -> bool:
        """Takes over what the files say now; where that is not good, all stays as it is."""
        notify_reloading()
        try:
            state = await asyncio.to_thread(read_state, self._asked)
            await self._take_over(state)
        except Exception as error:
            if str(error) != self._failed or why == "SIGHUP":
                told = "the catalogue was read again and is not good; the one before goes on: %s"
                _log.error(told, error, exc_info=not isinstance(error, SlaKitError), extra={"reason": why})
            self._failed = str(error) or type(error).__name__
            return False
        else:
            self._failed = ""
            _log.info("the catalogue was read again", extra={"reason": why})
            self._tell_of_unreachable()
            return True
        finally:
            notify("READY=1")

    async def _take_over(self, state: State) -> None:
        """Everything that can fail is made first."""
        check_access(self._bound, state.web, state.routing)  # it listens there until it ends, whatever is said by now
        planner = await asyncio.to_thread(self._planner, state)
        dispatcher, adapters = await asyncio.to_thread(self._delivering, state)
        await self._listener.exchange(state.web.tls)
        if state.outbox != self._state.outbox:
            _log.warning("another outbox needs a restart", extra={"outbox": self._outbox.name})
        if state.address != self._state.address:
            addresses = {"configured": str(state.address), "listening": ",".join(self._listener.addresses)}
            _log.warning("another address to listen on needs a restart", extra=addresses)
        self._state = state
        self._configure(state)
        self._rounds.exchange(planner)
        self._forgetting.keep_seconds = state.routing.keep
        self._look_after_alertmanager(state)
        # The new one delivers at once; what the one before has begun is its own until it ends.
        dispatcher.start()
        before = self._dispatcher, self._adapters
        self._health.dispatcher = self._dispatcher = dispatcher
        self._adapters = adapters
        threading.Thread(target=_stop, args=before, name="dispatcher before", daemon=True).start()
        self._watch.look_at(state.files)

    def _configure(self, state: State) -> None:
        self._intake.urgent = partial(is_urgent, Deciding(state.catalogue))
        tokens = Tokens(state.routing.tokens) if state.routing.tokens else ()
        contacts = frozenset(contact.name for contact in state.catalogue.contacts)
        names = [urlsplit(state.routing.url).hostname or ""]
        self._web.configure(state.web, tokens, contacts=contacts, signed=signed_paths(state.routing), names=names)

    def _planner(self, state: State) -> Planner:
        return Planner(state.catalogue, self._outbox.clock, self._metrics)

    def _delivering(self, state: State) -> tuple[Dispatcher, dict[Kind, Adapter]]:
        deciding, routing = Deciding(state.catalogue), state.routing

        def on_failure(connection: Connection, claimed: Claimed, reason: str, now: float) -> None:
            fall_back(connection, claimed, deciding, routing, reason, now)

        adapters = open_adapters(state.catalogue, self._outbox)
        dispatcher = Dispatcher(self._outbox, adapters, routing, self._metrics, on_failure, on_recovery=reached_again)
        return dispatcher, adapters

    def _look_after_alertmanager(self, state: State) -> None:
        """Keeps silences in step, and looks for ends that are not told; libraries are loaded where that is wanted."""
        if self._silences is not None:
            self._silences.exchange(state.catalogue)
        elif state.routing.alertmanager.maintenance:
            from sla_kit.routing.alertmanager.keeping import MaintenanceSilences

            self._silences = MaintenanceSilences(state.catalogue, self._outbox.clock)
            self._silences.start()
        settings = state.routing.alertmanager
        if self._watching is not None:
            self._watching.exchange(state.catalogue)
        elif settings.watch and (settings.url or state.catalogue.monitoring.alertmanager):
            from sla_kit.routing.alertmanager.watching import Watching

            self._watching = Watching(state.catalogue, self._outbox, self._rounds.wake)
            self._watching.start()

    def _tell_of_start(self) -> None:
        state, scheme = self._state, "https" if self._state.web.tls else "http"
        told = {"outbox": self._outbox.name, "contacts": len(state.catalogue.contacts), "pid": os.getpid()}
        _log.info("listening", extra={"address": ",".join(self._listener.addresses), "scheme": scheme, **told})
        self._tell_of_unreachable()

    def _tell_of_unreachable(self) -> None:
        for warning in self._state.warnings:
            _log.warning("a secret is missing: %s", warning)
        for each in unreachable(self._state.catalogue, self._adapters):
            where = {"contact": each.contact, "destination": str(each.destination)}
            _log.warning("a contact can't be reached there: %s", each.why, extra=where)


def _stop(dispatcher: Dispatcher, adapters: Mapping[Kind, Adapter]) -> None:
    dispatcher.stop(2 * TIMEOUT_SECONDS)
    for adapter in adapters.values():
        adapter.close()


class _Files(Watch):
    """The files of a catalogue, and which there are: one that is added matters, too."""

    def __init__(self, catalogue: Path, files: Iterable[Path]) -> None:
        self._catalogue = catalogue
        self._there = catalogue_files(catalogue)
        super().__init__(files)

    def changed(self) -> bool:
        """Whether files are others, or other files."""
        there = catalogue_files(self._catalogue)
        other, self._there = there != self._there, there
        return super().changed() or other


class _Health:
    """How a router is: what a load balancer and Kubernetes ask."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.rounds: Rounds | None = None
        self.dispatcher: Dispatcher | None = None
        self.stopping = False
        self._probed_at = -_PROBE_SECONDS
        self._probed = ""

    async def trouble(self) -> str:
        """Why it is not ready, in words that everybody may read; empty where it is."""
        if self.stopping:
            return "stopping"
        if self.rounds is None or self.dispatcher is None:
            return "starting"
        if self.rounds.trouble:
            return self.rounds.trouble.partition(":")[0]
        if not self.dispatcher.alive:
            return "the dispatcher has ended"
        if self._outbox.trouble is not None:
            return "the outbox can't be written"
        return await self._probe()

    async def _probe(self) -> str:
        """Whether anything can be committed at all."""
        now = time.monotonic()
        if now - self._probed_at >= _PROBE_SECONDS:
            self._probed_at = now
            try:
                committed = asyncio.wrap_future(self._outbox.submit(lambda connection: None))
                await asyncio.wait_for(committed, _PROBE_PATIENCE_SECONDS)
                self._probed = ""
            except (TimeoutError, OutboxError):
                self._probed = "the outbox can't be written"
        return self._probed
