"""What Slack and PagerDuty send: who they are is shown by a signature of the body, under a secret that they share with
the router."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

import msgspec

from sla_kit.catalogue.routing import PagerDutySettings, Routing, SlackSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError, SlaKitError
from sla_kit.routing.events import Acknowledgement, Closing, Event
from sla_kit.routing.web.app import PAGERDUTY_PATH, SLACK_PATH, Signed
from sla_kit.routing.web.intake import UnavailableError
from sla_kit.routing.web.native import Arrival
from sla_kit.routing.web.reading import RefusedError

_SLACK_VARIABLE, _PAGERDUTY_VARIABLE = "SLACK_SIGNING_SECRET", "PAGERDUTY_WEBHOOK_SECRET"


def signed_paths(routing: Routing, environment: Mapping[str, str] = os.environ) -> dict[str, Signed]:
    """Where services are heard: those of which a secret is named, or in the environment."""
    found: dict[str, Signed] = {}
    if routing.slack.signing_secret is not None or environment.get(_SLACK_VARIABLE):
        found[SLACK_PATH] = _slack(routing.slack)
    if routing.pagerduty.webhook_secrets or environment.get(_PAGERDUTY_VARIABLE):
        found[PAGERDUTY_PATH] = _pagerduty(routing.pagerduty)
    return found


def _slack(settings: SlackSettings) -> Signed:
    from sla_kit.routing.slack.actions import SignatureError, action_key, read_action

    secret = settings.signing_secret or Secret(env=_SLACK_VARIABLE)

    def read(headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Arrival]:
        # Slack signs by the time that it is; what was done is kept by the outbox's.
        try:
            event = read_action(headers, body, secret.read(), time.time())
        except SignatureError as error:
            raise _refused(error, 401) from None
        except SecretError:
            raise UnavailableError("the signing secret can't be read") from None
        if event is None:
            return []
        return [Arrival(msgspec.structs.replace(event, at=now), action_key(body))]

    return read


def _pagerduty(settings: PagerDutySettings) -> Signed:
    from sla_kit.routing.pagerduty.keys import webhook_secrets
    from sla_kit.routing.pagerduty.webhooks import WebhookError, read_webhook

    def read(headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Arrival]:
        try:
            secrets = webhook_secrets(settings)
            events: Sequence[tuple[str, Event]] = read_webhook(headers, body, secrets)
        except WebhookError as error:
            if error.status == 401 and len(secrets) < len(settings.webhook_secrets):
                raise UnavailableError("a webhook secret can't be read") from None  # it may be the one that fits
            raise RefusedError(error.message, hint=error.remedy, status=error.status) from None
        except SecretError:
            raise UnavailableError("the webhook secrets can't be read") from None
        wall = time.time()
        return [Arrival(_by_our_clock(event, now, wall), idempotency) for idempotency, event in events]

    return read


def _by_our_clock(event: Event, now: float, wall: float) -> Event:
    """As long ago by the outbox's clock (``now``) as by the machine's (``wall``), which may have been put right since
    the outbox's began; or when it says, where that is later."""
    if not isinstance(event, Acknowledgement | Closing):
        return event
    ago = max(0.0, wall - event.at)
    return msgspec.structs.replace(event, at=min(now, max(event.at, now - ago)))


def _refused(error: SlaKitError, status: int) -> RefusedError:
    return RefusedError(error.message, hint=error.remedy, status=status)
