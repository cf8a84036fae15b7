"""Slack as a destination: one message an incident, changed in place, and its thread for what people must hear of.

Every step is remembered once it is done, and looked up before it is done again where an attempt's outcome is unknown,
so that neither a lost answer nor a crash between Slack and the outbox makes a second message. It can't be excluded
where the channel can't be read (`sla_kit.routing.slack.lookup` names the scopes; then it is rather told twice than not
at all), nor where Slack shows an accepted message to readers only after the next attempt has looked for it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

from sla_kit.catalogue.routing import SlackSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError
from sla_kit.routing.delivering import TIMEOUT_SECONDS, Adapter, DeliveryError, Parcel, Remember
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.slack.api import SlackApi
from sla_kit.routing.slack.conversation import Conversation
from sla_kit.routing.slack.notices import change_message, notice_message
from sla_kit.routing.slack.sharing import share
from sla_kit.routing.slack.telling import tell

TOKEN = Secret(env="SLACK_BOT_TOKEN")
SIGNING_SECRET = Secret(env="SLACK_SIGNING_SECRET")
#: An attempt ends a little earlier than it must, so that what it did is remembered.
_SECONDS = TIMEOUT_SECONDS - 5.0
#: Where it is not known when a content came, an earlier attempt at it is looked for as far back as this.
_LOOK_BACK_SECONDS = 3 * 86400.0
#: An incident is looked for from a little before it was heard of.
_MARGIN_SECONDS = 3600.0


def open_adapter(
    settings: SlackSettings,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> Adapter:
    """Slack by its Web API. Messages have buttons where a signing secret is known, without which what people press
    could not be told from forgeries. ``now`` is the clock that incidents' times are of."""
    return SlackAdapter(settings, sleep, now)


class SlackAdapter:
    """See the module. Tokens are read anew for each delivery: their file may be replaced."""

    def __init__(self, settings: SlackSettings, sleep: Callable[[float], None], now: Callable[[], float]) -> None:
        self._settings = settings
        self._sleep = sleep
        self._now = now
        self._tls = ssl.create_default_context() if settings.url.startswith("https:") else None

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Brings a channel from what it was told to what the content says now. Raises `DeliveryError`."""
        deadline = time.monotonic() + _SECONDS
        try:
            token = (self._settings.token or TOKEN).read()
            api = SlackApi(token, self._settings.url, deadline, self._tls)
            self._deliver(parcel, Conversation(api, parcel, remember, self._sleep))
        except SecretError as error:
            raise DeliveryError(
                "no token for Slack",
                place=error.place or error.message,
                remedy=error.remedy,
                uncertain=parcel.uncertain,
            ) from error
        except DeliveryError as error:
            # Whatever happened to this attempt: what is not known of the one before still is not.
            error.uncertain = error.uncertain or parcel.uncertain
            raise

    def _deliver(self, parcel: Parcel, conversation: Conversation) -> None:
        content = parcel.content
        if isinstance(content, Incident):
            conversation.within_seconds = self._since(content.received_at)
            tell(conversation, content, buttons=self._reachable())
            return
        conversation.within_seconds = _LOOK_BACK_SECONDS
        if isinstance(content, Notice):
            conversation.open(notice_message(content))
            share(conversation, content)
        elif isinstance(content, Change):
            conversation.open(change_message(content))
        else:
            raise DeliveryError(f"Slack is not told of {type(content).__name__}", permanent=True)

    def _since(self, received_at: float) -> float:
        """How long ago that was, and a little more; where the clock was set back since, that can't be known."""
        ago = self._now() - received_at
        return ago + _MARGIN_SECONDS if ago >= 0 else _LOOK_BACK_SECONDS

    def _reachable(self) -> bool:
        try:
            return bool((self._settings.signing_secret or SIGNING_SECRET).read())
        except SecretError:
            return False

    def close(self) -> None:
        """Nothing is held."""
