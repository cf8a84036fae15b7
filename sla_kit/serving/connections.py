"""HTTP connections that can't be held for ever: uvicorn's protocol, with ends for clients that are slow or many."""

from __future__ import annotations

import asyncio
import logging
import time

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sla_kit.serving.descriptors import for_clients

_log = logging.getLogger(__name__)
MAX_CONNECTIONS = 512
#: How long a client may take to send a request's line and headers, from the connection's first moment or the byte
#: after the answer before.
HEAD_SECONDS = 10.0
#: How long a client may go without reading anything of its answer.
STALLED_SECONDS = 30.0


class BoundedProtocol(H11Protocol):
    """A connection. Where there are too many, the one that has waited longest without a request makes room."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came."""
        super().connection_made(transport)
        self._since = time.monotonic()
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > for_clients(MAX_CONNECTIONS):
            self._make_room()
        self._time_head()

    def data_received(self, data: bytes) -> None:
        """Some of a request came."""
        super().data_received(data)
        self._time_head()

    def on_response_complete(self) -> None:
        """An answer was written, as far as the client lets it."""
        super().on_response_complete()
        self._time_head()
        self._time_reading()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP; an answer that is under way to what came before has no end then."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:  # some of an answer was sent already
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client reads slower than is written."""
        super().pause_writing()
        self._time_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: nothing is being answered."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.conn.their_state is not h11.DONE

    def _make_room(self) -> None:
        waiting = [
            each
            for each in self.connections
            if isinstance(each, BoundedProtocol) and each.waits and not each.transport.get_write_buffer_size()
        ]
        oldest = min(waiting, key=lambda each: each._since, default=self)
        _log.debug("too many connections", extra={"connections": len(self.connections)})
        oldest.transport.abort()
        self.connections.discard(oldest)

    def _time_head(self) -> None:
        if not self.waits or self.transport.is_closing():
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        # After an answer, what has not begun is ended by the shorter time of keep-alive.
        elif self._head_timer is None and self.timeout_keep_alive_task is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _time_reading(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALLED_SECONDS, self._stalled, left)

    def _stalled(self, before: int) -> None:
        self._stall_timer = None
        if self.transport.get_write_buffer_size() >= before:
            _log.debug("a client stopped reading")
            self.transport.abort()
        else:
            self._time_reading()
