"""Rules on a recorded history with no Prometheus at hand: the PromQL that histories are evaluated with."""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.backtest.asking import Answer, Failed
from sla_kit.errors import SourceError
from sla_kit.history.promql import evaluate_vector
from sla_kit.history.store import History
from sla_kit.history.vectors import VectorError
from sla_kit.timeline import Grid

_PIECE = 4096


class BuiltIn:
    """Evaluates expressions itself."""

    def __init__(self, history: History, name: str) -> None:
        self._history = history
        self.name = name

    def refusal(self, expression: str) -> str:
        """Why an expression can't be evaluated here, "" where it can."""
        try:
            evaluate_vector(self._history, expression, Grid(0, 60, 1))
        except SourceError as error:
            return error.message
        except VectorError:
            pass
        return ""

    def walk(self, expression: str, grid: Grid) -> Iterator[Answer | Failed]:
        """The expression over the whole grid, in pieces in order of time."""
        for begun in range(0, grid.count, _PIECE):
            piece = Grid(grid.start + begun * grid.step, grid.step, min(_PIECE, grid.count - begun))
            yield from self._piece(expression, piece)

    def _piece(self, expression: str, piece: Grid) -> Iterator[Answer | Failed]:
        try:
            vector = evaluate_vector(self._history, expression, piece)
        except VectorError as error:
            if piece.count == 1:
                yield Failed(piece, str(error))
                return
            half = piece.count // 2
            yield from self._piece(expression, Grid(piece.start, piece.step, half))
            yield from self._piece(expression, Grid(piece.start + half * piece.step, piece.step, piece.count - half))
            return
        yield Answer(piece, tuple(map(dict, vector.labels)), vector.values, vector.present)
