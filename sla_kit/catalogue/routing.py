"""How notifications are delivered: what `sla-kit route` is told beyond contacts and routes. All of it has defaults; a
catalogue says what differs, and where secrets are, never what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import msgspec
from msgspec import field

from sla_kit.configuration.secrets import Secret, anchored
from sla_kit.configuration.values import Duration, Name, Value


class Digest(Value, frozen=True, kw_only=True):
    """Alerts of these severities are told together, ``every`` so often, instead of one by one, and never page."""

    severities: list[str] = field(default_factory=lambda: ["info"])
    every: Duration = 3600.0


class Storm(Value, frozen=True, kw_only=True):
    """Where a contact would be told of more than ``incidents`` new ones of one severity ``within`` that time, the rest
    becomes one message with counts and the likely root. ``quiet`` without a new one ends it. 0 incidents: never."""

    incidents: int = 10
    within: Duration = 60.0
    quiet: Duration = 600.0


class DeadMan(Value, frozen=True, kw_only=True):
    """Alertmanager silent for ``after`` pages the contacts ``to`` (the first that has a pager where empty).

    It is armed by the first sign of life, and from the start where ``after`` is set. 0 with ``off`` is never.
    """

    after: Duration | None = None
    to: list[str] = field(default_factory=list)
    off: bool = False


class Fallback(Value, frozen=True, kw_only=True):
    """What could not be delivered for ``after`` is told through the other addresses of the same contacts and of those
    in ``to``, with word of what can't be reached."""

    after: Duration = 60.0
    to: list[str] = field(default_factory=list)


class SlackSettings(Value, frozen=True, kw_only=True):
    """Slack's Web API: a bot's ``token`` (SLACK_BOT_TOKEN where it is not said) and the ``signing_secret`` by which its
    buttons are known to be Slack's (SLACK_SIGNING_SECRET)."""

    token: Secret | None = None
    signing_secret: Secret | None = None
    url: str = "https://slack.com/api/"
    per_second: float = 1.0  # messages to one channel, as Slack asks for


class PagerDutySettings(Value, frozen=True, kw_only=True):
    """PagerDuty's Events API v2: the integration ``keys`` by the name of the rotation that contacts have (the variable
    PAGERDUTY_KEY_<ROTATION> or PAGERDUTY_KEY where one is not said), and the ``webhook_secrets`` that sign what comes
    back (PAGERDUTY_WEBHOOK_SECRET)."""

    keys: dict[Name, Secret] = field(default_factory=dict)
    webhook_secrets: list[Secret] = field(default_factory=list)
    url: str = "https://events.pagerduty.com"
    per_second: float = 2.0  # events of one key: PagerDuty takes about 120 a minute


class EmailSettings(Value, frozen=True, kw_only=True):
    """A mail server. ``host`` may name a port (``mail.example.com:587``). ``security`` is ``starttls`` (must be
    offered), ``tls`` from the first byte, or ``none``, which only a server on this machine may have with a password."""

    host: str = ""
    sender: str = ""
    user: str = ""
    password: Secret | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    per_second: float = 5.0


class AlertmanagerSettings(Value, frozen=True, kw_only=True):
    """Alertmanager's API v2, for silences: ``url`` is `monitoring.alertmanager` where empty. ``token``, or ``user`` and
    ``password``, where it asks for them. ``maintenance`` makes silences of the calendar's maintenance windows.
    ``watch`` looks at its list of alerts for ends that it does not tell, such as those of what is silenced."""

    url: str = ""
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    maintenance: bool = False
    watch: bool = True


class Graphs(Value, frozen=True, kw_only=True):
    """The picture beside an alert, of what it measures over the last ``window``, from ``prometheus``, which is also
    asked for the budget that is left; none of both without it."""

    prometheus: str = ""
    token: Secret | None = None
    window: Duration = 3 * 3600.0
    off: bool = False


class Routing(Value, frozen=True, kw_only=True):
    """The router: where it listens, where its outbox is, and how each destination is reached.

    ``listen`` is ``host:port`` (127.0.0.1:9099), ``web_config`` a file as Prometheus's exporters have it (TLS, basic
    auth), ``tokens`` the bearer tokens of those who may send. ``outbox`` is a file or ``postgresql://…`` whose password
    is ``outbox_password``. ``group_by`` names the labels that make alerts one incident. An incident that is not
    acknowledged within its severity's ``respond_within`` goes to the next route that fits, where ``escalate`` is on.
    ``keep`` is how long delivered notifications are kept. ``update_every`` is how often one message may change.
    ``ledger`` is where times to acknowledge and to recover are kept for years. ``url`` is where people and services
    reach the router, for links.
    """

    listen: str = ""
    web_config: str = ""
    tokens: list[Secret] = field(default_factory=list)
    outbox: str = "outbox.db"
    outbox_password: Secret | None = None
    ledger: str = ""
    url: str = ""
    group_by: list[str] = field(default_factory=lambda: ["alertname", "service", "cluster", "environment"])
    escalate: bool = True
    update_every: Duration = 15.0
    keep: Duration = 30 * 86400.0
    digest: Digest = field(default_factory=Digest)
    storm: Storm = field(default_factory=Storm)
    dead_man: DeadMan = field(default_factory=DeadMan)
    fallback: Fallback = field(default_factory=Fallback)
    slack: SlackSettings = field(default_factory=SlackSettings)
    pagerduty: PagerDutySettings = field(default_factory=PagerDutySettings)
    email: EmailSettings = field(default_factory=EmailSettings)
    alertmanager: AlertmanagerSettings = field(default_factory=AlertmanagerSettings)
    graphs: Graphs = field(default_factory=Graphs)


def anchored_routing(routing: Routing, folder: str) -> Routing:
    """The same, with files of configuration that are told by a relative path in the catalogue's folder: secrets,
    ``web_config`` and ``ca_file``. What is written (the outbox, the ledger) is where the process runs."""
    found = cast(Routing, anchored(routing, Path(folder)))
    if found.web_config:
        found = msgspec.structs.replace(found, web_config=str(Path(folder) / found.web_config))
    if found.email.ca_file:
        email = msgspec.structs.replace(found.email, ca_file=str(Path(folder) / found.email.ca_file))
        found = msgspec.structs.replace(found, email=email)
    return found


def written_routing(routing: Routing, folder: str) -> Routing:
    """The opposite: paths inside the catalogue's folder are relative to it again, as somebody would write them."""
    if not folder:
        return routing

    def relative(part: object) -> object:
        if isinstance(part, Secret):
            return Secret(env=part.env, file=_inside(part.file, folder)) if part.file else part
        if isinstance(part, msgspec.Struct):
            return msgspec.structs.replace(
                part, **{name: relative(getattr(part, name)) for name in part.__struct_fields__}
            )
        if isinstance(part, dict):
            return {key: relative(value) for key, value in part.items()}
        return [relative(value) for value in part] if isinstance(part, list) else part

    found = cast(Routing, relative(routing))
    email = msgspec.structs.replace(found.email, ca_file=_inside(found.email.ca_file, folder))
    return msgspec.structs.replace(found, web_config=_inside(found.web_config, folder), email=email)


def _inside(path: str, folder: str) -> str:
    return str(Path(path).relative_to(folder)) if path and Path(path).is_relative_to(folder) else path
