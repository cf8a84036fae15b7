"""What a forked router's life may begin with: shorter waits, so that faults of services and databases pass quickly.

What one of them shortens a machine that stands still for a while may exceed. With `hang_up_soon` a call that only is
late fails: it is for services that hang, and routers that share an outbox.
"""

from __future__ import annotations


def hurry() -> None:
    """What fails is tried again soon, as services on this machine may be."""
    from sla_kit.routing.dispatching import backoff, breakers, calls, dispatcher, recorder

    backoff.START_SECONDS, backoff.CAP_SECONDS, backoff.URGENT_CAP_SECONDS = 0.1, 0.5, 0.5
    breakers.OPEN_SECONDS, breakers.OPEN_CAP_SECONDS = 0.2, 0.5
    calls._REMEMBER_SECONDS = 2.0
    recorder._CAP_SECONDS = 0.3
    dispatcher.POLL_SECONDS = 0.2


def hang_up_soon() -> None:
    """Nobody waits for long for a service that hangs, and what a router had begun that died is soon another one's."""
    from sla_kit.routing.dispatching import dispatcher
    from sla_kit.routing.pagerduty import sending
    from sla_kit.routing.slack import adapter, api

    api.CALL_SECONDS, adapter._SECONDS = 1.0, 4.0
    assert sending.open_adapter.__kwdefaults__ is not None
    sending.open_adapter.__kwdefaults__["timeout_seconds"] = 1.0
    # A lease stays longer than any call may take.
    dispatcher.HANGING_SECONDS, dispatcher.LEASE_SECONDS = 8.0, 10.0


def be_patient() -> None:
    """Waits for who holds the outbox for as long as a test may take."""
    from sla_kit.routing.outbox import connecting
    from sla_kit.routing.web import intake

    connecting.PATIENCE_SECONDS = intake.COMMIT_SECONDS = 200.0


def give_up_soon() -> None:
    """Waits for who holds the outbox only for a moment."""
    from sla_kit.routing.outbox import connecting, writing
    from sla_kit.routing.web import intake

    connecting.PATIENCE_SECONDS = 0.3
    writing._TROUBLED_SECONDS = 0.2
    intake.COMMIT_SECONDS = 1.0


def break_on_poison() -> None:
    """What names poison breaks planning, in several ways."""
    from sqlalchemy import text

    from sla_kit.routing.planning import batch
    from sla_kit.routing.planning.merging import Delivered

    merge = batch.Batch._merge

    def broken(self: batch.Batch, delivered: Delivered) -> None:
        name = delivered.alerts[0].name
        if "PoisonError" in name:
            raise RuntimeError(f"{name} is more than it can take")
        if "PoisonRecursion" in name:
            broken(self, delivered)
        if "PoisonStatement" in name:
            self._connection.execute(text("SELECT " + "1 + " * 2000 + "1"))
        merge(self, delivered)
        if "PoisonLate" in name:
            raise MemoryError("there is no more of it")

    batch.Batch._merge = broken  # type: ignore[method-assign]


def see_another_clock() -> None:
    """The machine's clock is as far from ours as the file ``clock-offset`` says at each moment, in seconds."""
    import time
    from pathlib import Path

    ours, offset = time.time, Path("clock-offset").absolute()

    def theirs() -> float:
        return ours() + float(offset.read_text())

    time.time = theirs
