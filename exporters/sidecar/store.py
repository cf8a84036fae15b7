"""The newest snapshot of every collector, and the page that is made of them.

Everything here runs in the event loop and takes no time to speak of: pages are put together from text that is there.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sla_kit.exporters.sidecar.collector import Kind
from sla_kit.exporters.sidecar.rendering import Format, joined
from sla_kit.exporters.sidecar.self_metrics import CollectorState, SelfMetrics
from sla_kit.exporters.sidecar.snapshot import Snapshot


@dataclass(slots=True)
class _State:
    """What is known of one collector."""

    snapshot: Snapshot | None = None
    up: bool | None = None
    errors: Counter[Kind] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    collections: int = 0
    seconds: float = 0.0


#: The head of a gzip member without a name or a time (RFC 1952, section 2.3).
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"


class Store:
    """Snapshots by collector. ``clock`` is `time.monotonic`, but for tests."""

    def __init__(
        self, max_series_per_metric: int, self_metrics: SelfMetrics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_series_per_metric = max_series_per_metric
        self.self_metrics = self_metrics
        #: The forms that scrapes have asked for; collections write these at once.
        self.forms: set[Format] = {Format.TEXT}
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._bodies: dict[Format, bytes] = {}
        self._blocks: dict[Format, tuple[bytes, int]] = {}

    def expect(self, names: Iterable[str]) -> None:
        """These are the collectors from now on: others are forgotten with their values."""
        states = {name: self._states.get(name, _State()) for name in names}
        if states.keys() != self._states.keys():
            self._forget()
        self._states = states

    def before(self, name: str) -> Snapshot | None:
        """The newest snapshot of a collector, None where the last collection failed or there was none."""
        state = self._states.get(name)
        return state.snapshot if state else None

    def succeeded(self, name: str, snapshot: Snapshot, seconds: float) -> None:
        """A collection came to a good end after ``seconds``."""
        state = self._states.get(name)
        if state is None:  # it was taken out of the configuration meanwhile
            return
        state.snapshot, state.up, state.seconds = snapshot, True, seconds
        state.collections += 1
        state.dropped.update(dict.fromkeys((family.name for family in snapshot.families), 0))
        state.dropped.update(snapshot.dropped)
        if snapshot.repeated:
            state.errors["data"] += 1
        self._forget()

    def failed(self, name: str, kind: Kind, seconds: float) -> None:
        """A collection failed after ``seconds``: its values of before are let go."""
        state = self._states.get(name)
        if state is None:
            return
        state.snapshot, state.up, state.seconds = None, False, seconds
        state.collections += 1
        state.errors[kind] += 1
        self._forget()

    def ready(self) -> bool:
        """Whether every collector has come to an end once, good or bad."""
        return all(state.up is not None for state in self._states.values())

    def page(self, openmetrics: bool, compressed: bool) -> bytes:
        """The whole answer to a scrape; gzip where ``compressed``."""
        form = Format.OPENMETRICS if openmetrics else Format.TEXT
        self.forms.add(form)
        self._let_go()
        own = self.self_metrics.rendered(form, self._seen()) + form.end
        body = self._body(form)
        if not compressed:
            return body + own
        packed, check = self._packed(form)
        check = zlib.crc32(own, check)
        size = (len(body) + len(own)) & 0xFFFFFFFF
        # One member (RFC 1952), since curl and browsers end at the first: blocks of the body, then the last ones.
        tail = check.to_bytes(4, "little") + size.to_bytes(4, "little")
        return _GZIP + packed + _deflated(own, zlib.Z_FINISH) + tail

    def _body(self, form: Format) -> bytes:
        found = self._bodies.get(form)
        if found is None:
            snapshots = [state.snapshot for state in self._states.values() if state.snapshot]
            found = self._bodies[form] = joined(chunk for snapshot in snapshots for chunk in snapshot.chunks(form))
        return found

    def _packed(self, form: Format) -> tuple[bytes, int]:
        """The body as blocks of DEFLATE that others may follow, and its CRC-32."""
        found = self._blocks.get(form)
        if found is None:
            body = self._body(form)
            found = self._blocks[form] = _deflated(body, zlib.Z_FULL_FLUSH), zlib.crc32(body)
        return found

    def _forget(self) -> None:
        """What was put together is no longer so."""
        self._bodies.clear()
        self._blocks.clear()

    def _let_go(self) -> None:
        """Forgets values whose collector should have brought newer ones long ago, as after the process was halted."""
        now = self._clock()
        for state in self._states.values():
            if state.snapshot and state.snapshot.expires <= now:
                state.snapshot, state.up = None, False
                self._forget()

    def _seen(self) -> Iterator[CollectorState]:
        now = self._clock()
        for name, state in self._states.items():
            age = now - state.snapshot.taken if state.snapshot else None
            series = state.snapshot.series if state.snapshot else 0
            yield CollectorState(
                name, state.up, age, series, state.collections, state.seconds, state.errors, state.dropped
            )


def _deflated(text: bytes, end: int) -> bytes:
    """Text as blocks of DEFLATE. Level 1: a tenth of level 9's time for a few per cent more bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush(end)
