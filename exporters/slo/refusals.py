"""Indicators whose query the source refuses: found one by one and left out, so that the others keep their figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.needed import needed_for
from sla_kit.errors import SourceError
from sla_kit.sources import Indicator, Progress, Source
from sla_kit.timeline import Grid

_log = logging.getLogger(__name__)
Key = tuple[str, str]
#: After so long a refused query is tried again.
_AGAIN_SECONDS = 600.0


class Refusals:
    """What a source has refused lately."""

    def __init__(self) -> None:
        self._refused: dict[Key, float] = {}  # by indicator, until when of time.monotonic

    def without(self, catalogue: Catalogue, chosen: Sequence[tuple[Service, Slo]]) -> list[tuple[Service, Slo]]:
        """The SLOs that do not need an indicator which is refused."""
        now = time.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        if not self._refused:
            return list(chosen)
        return [
            one
            for one in chosen
            if all(
                Indicator.of(catalogue, *each).key not in self._refused
                for each in needed_for(catalogue, [one]).measured
            )
        ]

    def found(
        self, source: Source, catalogue: Catalogue, asked: Sequence[tuple[Service, Slo]], at: int, progress: Progress
    ) -> bool:
        """Whether there are indicators that the source refuses while it answers others; they are left out from now on,
        for a while. Raises `SourceError` where it fails otherwise."""
        step = int(catalogue.bucket)
        grid = Grid(at - step, step, 1)
        indicators = {
            one.key: one for each in needed_for(catalogue, asked).measured for one in [Indicator.of(catalogue, *each)]
        }
        refused = _refused(source, list(indicators.values()), grid, progress)
        if not refused or len(refused) == len(indicators):
            return False
        for key, reason in refused.items():
            self._refused[key] = time.monotonic() + _AGAIN_SECONDS
            _log.warning("the source refuses a query: %s", reason, extra={"service": key[0], "indicator": key[1]})
        return True


def _refused(source: Source, indicators: Sequence[Indicator], grid: Grid, progress: Progress) -> dict[Key, str]:
    """Those that are refused, with the reason: halves are asked until each stands alone."""
    try:
        for _ in source.fetch(indicators, grid, progress):
            pass
    except SourceError as error:
        if error.kind != "query":
            raise
        if len(indicators) == 1:
            return {indicators[0].key: error.message}
        half = len(indicators) // 2
        return _refused(source, indicators[:half], grid, progress) | _refused(source, indicators[half:], grid, progress)
    return {}
