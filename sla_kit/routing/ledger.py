"""The destination ``ledger``: how incidents were responded to goes where it is kept for years.

What the ledger is made of is imported when the first response is written, so that a router without one stays small.
"""

from __future__ import annotations

from sla_kit.errors import LedgerError, MissingExtraError
from sla_kit.routing.delivering import DeliveryError, Parcel, Remember, Response

#: How long to wait for another writer, such as a nightly update.
_PATIENCE_SECONDS = 20.0


def open_adapter(address: str) -> LedgerAdapter:
    """The adapter that writes to the ledger at ``address`` (a path, or ``postgresql://…``), which is made where it is
    missing."""
    return LedgerAdapter(address)


class LedgerAdapter:
    """Appends to a ledger; see `sla_kit.routing.delivering.Adapter`. The same response twice is kept once.

    It is opened for each: incidents end seldom, and a ledger that was moved, restored or locked is then as it is.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Keeps a response. Raises `DeliveryError`."""
        response = parcel.content
        if not isinstance(response, Response):
            raise DeliveryError(f"the ledger takes no {type(response).__name__}", permanent=True, place="ledger")
        try:
            self._append(response)
        except MissingExtraError as error:
            raise DeliveryError(error.message, unreachable=True, place="ledger", remedy=error.remedy) from None
        except ModuleNotFoundError as error:
            remedy = "pip install 'sla-kit[ledger]'"
            raise DeliveryError(f"no module {error.name}", unreachable=True, place="ledger", remedy=remedy) from None
        except LedgerError as error:
            raise DeliveryError(error.message, unreachable=True, place=error.place, remedy=error.remedy) from None

    def close(self) -> None:
        """Nothing is held open."""

    def _append(self, response: Response) -> None:
        from sla_kit.ledger import open_ledger

        with open_ledger(self._address, patience_seconds=_PATIENCE_SECONDS) as kept:
            kept.record(response)
