"""Tells a channel of an incident: the steps from what it knows to what is so now, each of which is done once."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.incident import Incident
from sla_kit.routing.slack.api import SlackError
from sla_kit.routing.slack.blocks import Block, Message, image
from sla_kit.routing.slack.conversation import FROZEN, GONE, Conversation
from sla_kit.routing.slack.incidents import (
    escalated_words,
    graph_title,
    incident_message,
    raised_words,
    resolved_words,
    state_words,
    unreached_words,
)
from sla_kit.routing.slack.uploads import complete, stage

_log = logging.getLogger(__name__)
_ESCALATIONS, _FALLBACKS = "escalations", "fallbacks"
#: With less time left, a graph waits for the next change of the message.
_GRAPH_SECONDS = 12.0
#: Slack goes on for a moment after an upload before a message may show the picture.
_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0)


def tell(conversation: Conversation, incident: Incident, *, buttons: bool) -> None:
    """Brings the channel up to date. Raises `DeliveryError`."""
    message = incident_message(incident, buttons=buttons)
    try:
        _tell(conversation, incident, message)
    except SlackError as error:
        if error.code not in GONE or not conversation.remembered.get("ts"):
            raise
        conversation.forget()
        _tell(conversation, incident, message)
    _show_graph(conversation, incident, message)


def _tell(conversation: Conversation, incident: Incident, message: Message) -> None:
    known = {
        "posted": incident.status,
        "severity": incident.severity[:100],
        _ESCALATIONS: str(len(incident.escalations)),
        _FALLBACKS: str(incident.fallbacks),
    }
    picture = _picture(conversation, incident)
    if conversation.open(message, image=picture, **known):
        _update(conversation, incident, message, picture)
        _reply(conversation, incident)


def _update(conversation: Conversation, incident: Incident, message: Message, picture: Block | None) -> None:
    if not conversation.remembered.get("frozen"):
        try:
            conversation.update(message, image=picture)
            return
        except SlackError as error:
            if error.code not in FROZEN:
                raise
        conversation.note(frozen="yes", state="")
    words = state_words(incident)
    if incident.status == "firing" and words != conversation.remembered.get("state"):
        # The state itself names the step: the same is told once, and again only after another one.
        before = conversation.remembered.get("state", "")
        step = "state-" + hashlib.sha256(f"{before}\n{words}".encode()).hexdigest()[:16]
        conversation.reply(step, words, state=words)


def _reply(conversation: Conversation, incident: Incident) -> None:
    known = conversation.remembered
    if incident.status == "resolved":
        if known.get("posted") == "firing" and not known.get("resolved"):
            conversation.reply("resolved", resolved_words(incident), resolved="yes")
        return
    severity = incident.severity[:100]
    if known.get("severity", severity) != severity:
        step = "severity-" + hashlib.sha256(severity.encode()).hexdigest()[:16]
        conversation.reply(step, raised_words(incident), severity=severity)
    if incident.fallbacks > int(known.get(_FALLBACKS) or 0):
        # Somebody's pager is silent: a message that only changes in place would be silent, too.
        if words := unreached_words(incident):
            conversation.reply(f"{_FALLBACKS}-{incident.fallbacks}", words, broadcast=True)
        conversation.note(fallbacks=str(incident.fallbacks))
    count, so_far = len(incident.escalations), int(known.get(_ESCALATIONS) or 0)
    if count > so_far:
        # An attempt before may have told of some of them, and more may have come since.
        so_far = max([so_far, *(int(each[_ESCALATIONS]) for each in conversation.replied() if _escalates(each))])
        if count > so_far:
            words, carried = escalated_words(incident, so_far), {_ESCALATIONS: str(count)}
            conversation.reply(f"{_ESCALATIONS}-{count}", words, carrying=carried, escalations=str(count))
        else:
            conversation.note(escalations=str(count))


def _escalates(payload: dict[str, Any]) -> bool:
    return str(payload.get("step", "")).startswith(f"{_ESCALATIONS}-")


def _picture(conversation: Conversation, incident: Incident) -> Block | None:
    file = conversation.remembered.get("graph_file")
    return image(file, graph_title(incident)) if file and incident.context and incident.context.graph else None


def _show_graph(conversation: Conversation, incident: Incident, message: Message) -> None:
    """Uploads the graph and shows it. Last of all, and no failure of it is one of the delivery: the message is told."""
    digest = incident.context.graph if incident.context else ""
    known = conversation.remembered
    if (
        not digest
        or known.get("graph") == digest
        or known.get("frozen")
        or conversation.api.seconds_left < _GRAPH_SECONDS
    ):
        return
    try:
        body = conversation.parcel.read(digest)
    except Exception as error:  # whatever it is, it must not hold a page up
        _log.warning("a graph is not shown in Slack, since it can't be read: %s", error)
        return
    try:
        file = stage(conversation.api, "graph.png", body)
        complete(conversation.api, [(file, graph_title(incident))])
    except DeliveryError as error:
        _log.warning("a graph is not shown in Slack: %s", error)
        if error.permanent:
            conversation.note(graph=digest, graph_file="")
        return
    conversation.note(graph=digest, graph_file=file)
    picture = image(file, graph_title(incident))
    for wait in (*_WAITS_SECONDS, 0.0):
        try:
            conversation.update(message, image=picture, strict=True)
            return
        except SlackError as error:
            passing = error.code.startswith("invalid_") or error.retry_after_seconds is not None
            if not passing or not wait or conversation.api.seconds_left < _GRAPH_SECONDS:
                _log.warning("a graph is shown with the next change only: %s", error)
                return
            conversation.sleep(max(wait, min(error.retry_after_seconds or 0.0, 5.0)))
