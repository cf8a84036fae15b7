"""The adapter of destination ``alertmanager``: a silence that somebody asked for is made once, and what became of it is
told to who asks for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sla_kit.catalogue.routing import AlertmanagerSettings
from sla_kit.errors import SecretError
from sla_kit.routing.alertmanager.connection import AlertmanagerError, access
from sla_kit.routing.alertmanager.silences import Client, Silence
from sla_kit.routing.clock import Clock, SteadyClock
from sla_kit.routing.delivering import TIMEOUT_SECONDS, Adapter, DeliveryError, Parcel, Remember, SilenceWanted
from sla_kit.selectors import Matcher

#: Under this key the silence's id is remembered.
ID = "id"
#: One request may take so long, with all the members of a cluster; at most four are made (look, make, look, make).
_ANSWER_SECONDS = (TIMEOUT_SECONDS - 5.0) / 4


#: Told of a silence that was asked for its id, or, where it will never be made, why.
Settled = Callable[[SilenceWanted, str, str], object]


def open_adapter(
    settings: AlertmanagerSettings, url: str = "", *, clock: Clock | None = None, settled: Settled | None = None
) -> Adapter:
    """The adapter for silences. ``url`` is `monitoring.alertmanager`, for where the settings say none; several are of
    one cluster. ``settled`` may be told the same twice. Raises `AlertmanagerError` where the settings can't be used."""
    reach = access(settings, url, patience_seconds=0.0)
    reach = replace(reach, timeout_seconds=max(1.0, _ANSWER_SECONDS / len(reach.urls)))
    return _Silences(Client(reach), clock or SteadyClock(), settled or (lambda wanted, made, why: None))


class _Silences:
    def __init__(self, client: Client, clock: Clock, settled: Settled) -> None:
        self._client = client
        self._clock = clock
        self._settled = settled

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Makes the silence, unless it is remembered, over, or found there after an attempt whose end is not known."""
        try:
            self._deliver(parcel, remember)
        except DeliveryError as error:
            if error.permanent and isinstance(parcel.content, SilenceWanted):
                self._settled(parcel.content, "", error.message)
            raise

    def _deliver(self, parcel: Parcel, remember: Remember) -> None:
        wanted = parcel.content
        if not isinstance(wanted, SilenceWanted):
            raise DeliveryError(
                f"Alertmanager can't be told {type(wanted).__name__}", permanent=True, place=str(parcel.destination)
            )
        now = self._clock.now()
        if known := parcel.references.get(ID):
            self._settled(wanted, known, "")
            return
        if wanted.silence.until <= now:
            return
        matchers = tuple(Matcher(name, "=", value) for name, value in sorted(wanted.matchers.items()))
        if not any(matcher.value for matcher in matchers):
            raise DeliveryError(
                "a silence of nothing in particular would silence everything",
                permanent=True,
                place=self._client.name,
                remedy="name labels in routing.group_by that the alerts have",
            )
        silence = Silence(
            matchers=matchers,
            starts_at=now,
            ends_at=wanted.silence.until,
            created_by=f"{wanted.silence.by} by sla-kit" if wanted.silence.by else "sla-kit",
            comment=f"{wanted.comment} [sla-kit:{parcel.key}]".strip(),
        )
        try:
            made = self._client.make(silence, look_first=parcel.uncertain)
        except SecretError as error:
            raise DeliveryError(error.message, unreachable=True, place=error.place, remedy=error.remedy) from None
        except AlertmanagerError as error:
            raise DeliveryError(
                error.message,
                # A refused token may be replaced by a right one; a silence that is refused stays so.
                permanent=not error.passing and error.status in (400, 404, 413, 422),
                uncertain=error.uncertain,
                unreachable=error.passing or error.status in (0, 401, 403),
                retry_after_seconds=error.wait_seconds,
                place=error.place,
                remedy=error.remedy,
            ) from None
        remember({**parcel.references, ID: made})
        self._settled(wanted, made, "")

    def close(self) -> None:
        """Lets go of connections."""
        self._client.close()
