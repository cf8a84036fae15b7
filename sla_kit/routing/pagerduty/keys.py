"""The secrets of PagerDuty: a routing key for each rotation, and what signs its webhooks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sla_kit.catalogue.routing import PagerDutySettings
from sla_kit.configuration.secrets import read_any
from sla_kit.errors import SecretError
from sla_kit.redacting import remember_secret
from sla_kit.routing.delivering import DeliveryError

KEY_CHARACTERS = 32
WEBHOOK_VARIABLE = "PAGERDUTY_WEBHOOK_SECRET"


def variable_of(rotation: str) -> str:
    """The name of the variable that has a rotation's key: ``PAGERDUTY_KEY_WEB_PRIMARY`` for ``web-primary``."""
    return "PAGERDUTY_KEY_" + re.sub(r"[^A-Z0-9]", "_", rotation.upper())


def routing_key(settings: PagerDutySettings, rotation: str, environment: Mapping[str, str] = os.environ) -> str:
    """The integration key of a rotation, read anew each time. Raises `DeliveryError`: a passing one where it is said
    where the key is and it is not there just now, a permanent one where nothing says so or it can't be a key."""
    place = f"pagerduty:{rotation}"
    if rotation in settings.keys:
        try:
            found = settings.keys[rotation].read().strip()
        except SecretError as error:
            raise DeliveryError(
                f"the integration key can't be read: {error.message}", place=error.place or place, remedy=error.remedy
            ) from None
        said = f"routing.pagerduty.keys.{rotation}"
    else:
        names = (variable_of(rotation), "PAGERDUTY_KEY")
        said = next((name for name in names if environment.get(name, "").strip()), "")
        if not said:
            raise DeliveryError(
                "there is no integration key for this rotation",
                permanent=True,
                place=place,
                remedy=f"set {names[0]} (or PAGERDUTY_KEY for all), or say routing.pagerduty.keys.{rotation}",
            )
        found = environment[said].strip()
    remember_secret(found)
    if len(found) != KEY_CHARACTERS or not (found.isascii() and found.isalnum()):
        raise DeliveryError(
            f"what {said} holds is no integration key: it has {len(found)} characters",
            permanent=True,
            place=place,
            remedy=f"it must be the {KEY_CHARACTERS} letters and digits that PagerDuty shows as Integration Key",
        )
    return found


def webhook_secrets(settings: PagerDutySettings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What may sign webhooks: several while one is being replaced. Empty where none is set, and no webhook is believed.

    Raises `SecretError` where there are some, and none can be read.
    """
    if settings.webhook_secrets:
        return read_any(settings.webhook_secrets)
    found = environment.get(WEBHOOK_VARIABLE, "")
    if found:
        remember_secret(found)
    return [found] if found else []
