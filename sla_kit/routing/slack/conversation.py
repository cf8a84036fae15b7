"""One message of ours in a channel and its thread: posted once, changed in place, replied to once a step."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from sla_kit.routing.delivering import Parcel, Remember
from sla_kit.routing.slack import lookup
from sla_kit.routing.slack.api import SlackApi, SlackError
from sla_kit.routing.slack.blocks import Block, Message

_log = logging.getLogger(__name__)
_POSTED = "message"
#: What Slack refuses for what a message holds, which a plainer one would not be refused for.
_CONTENT = frozenset(
    ("invalid_blocks", "invalid_attachments", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long",
     "too_many_attachments")
)  # fmt: skip
#: The message is gone: somebody deleted it.
GONE = frozenset(("message_not_found", "thread_not_found", "cannot_reply_to_message"))
#: The message stays as it is: the workspace allows no changes after a while.
FROZEN = frozenset(("edit_window_closed", "cant_update_message"))
#: How long Slack is given to show what it accepted.
_SETTLE_SECONDS = 2.0
_ID = re.compile(r"[CGDU][A-Z0-9]{8,}\Z")
_DOUBT = "This may be told twice: whether it arrived before could not be looked up."


class Conversation:
    """``remembered`` is what is known of the message: ``channel`` and ``ts`` name it, ``posted`` is the status that it
    was posted with. ``within_seconds``: no attempt at it was made longer ago."""

    def __init__(self, api: SlackApi, parcel: Parcel, remember: Remember, sleep: Callable[[float], None]) -> None:
        self.api = api
        self.parcel = parcel
        self.sleep = sleep
        self.within_seconds = 0.0
        self.remembered = dict(parcel.references)
        self._remember = remember
        self._thread: list[dict[str, Any]] | None = None
        self._settled = False

    def note(self, **known: str) -> None:
        """Remembers more, for good."""
        self.remembered.update(known)
        self._remember(dict(self.remembered))

    def open(self, message: Message, *, image: Block | None = None, **known: str) -> bool:
        """Posts the message where it does not stand yet. ``known`` is remembered with it; where an earlier attempt had
        posted it, as that attempt knew it. True where it stood already."""
        if self.remembered.get("ts"):
            return True
        doubt = ""
        if self.parcel.uncertain:
            found, doubt = self._find()
            if found is not None:
                payload = lookup.payload_of(found, self.parcel.key)
                known = {name: str(payload.get(name, value)) for name, value in known.items()}
                self.note(channel=self.remembered["channel"], ts=str(found["ts"]), **known)
                return True
        answer = self._send(
            "chat.postMessage",
            message,
            image,
            doubt,
            channel=self.remembered.get("channel") or self.parcel.destination.address,
            metadata=lookup.metadata(self.parcel.key, _POSTED, **known),
            unfurl_links=False,
            unfurl_media=False,
        )
        if not answer.get("ts") or not answer.get("channel"):
            raise SlackError("what answers to chat.postMessage is not Slack", unreachable=True, uncertain=True)
        self.note(channel=str(answer["channel"]), ts=str(answer["ts"]), **known)
        return False

    def update(self, message: Message, *, image: Block | None = None, strict: bool = False) -> None:
        """Changes the message. ``strict``: rather not at all than without the image."""
        # Said anew, since a message must be found after a change, too.
        carried = {name: self.remembered.get(name, "") for name in ("posted", "severity", "escalations", "fallbacks")}
        where = {
            "channel": self.remembered["channel"],
            "ts": self.remembered["ts"],
            "metadata": lookup.metadata(self.parcel.key, _POSTED, **carried),
        }
        if strict:
            self.api.call("chat.update", **message.arguments(image=image), parse="none", link_names=False, **where)
        else:
            self._send("chat.update", message, image, "", **where)

    def reply(
        self,
        step: str,
        words: str,
        *,
        carrying: dict[str, str] | None = None,
        broadcast: bool = False,
        **done: str,
    ) -> None:
        """Replies in the thread, once for ``step``; with ``broadcast`` the channel sees it, too. ``done`` is remembered
        then."""
        if not any(payload.get("step") == step for payload in self.replied()):
            self.api.call(
                "chat.postMessage",
                channel=self.remembered["channel"],
                thread_ts=self.remembered["ts"],
                text=words,
                **({"reply_broadcast": True} if broadcast else {}),
                metadata=lookup.metadata(self.parcel.key, step, **(carrying or {})),
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        self.note(**done)

    def replied(self) -> list[dict[str, Any]]:
        """What the replies in the thread carry that an attempt of unknown outcome may have made; none where there was
        no such attempt."""
        return [lookup.payload_of(message, self.parcel.key) for message in self.thread()]

    def thread(self) -> list[dict[str, Any]]:
        """The messages of the thread; none where no attempt before has an unknown outcome, or it can't be read."""
        if not self.parcel.uncertain:
            return []
        if self._thread is None:
            self._settle()
            try:
                self._thread = lookup.thread(self.api, self.remembered["channel"], self.remembered["ts"])
            except SlackError as error:
                if not error.permanent or error.code in GONE:
                    raise
                _log.warning("Slack may be told twice, since its thread can't be read: %s", error)
                self._thread = []
        return self._thread

    def forget(self) -> None:
        """The message is gone. Committed before another one is posted, which then can be told from it."""
        self.note(ts="", posted="", severity="", escalations="", fallbacks="", resolved="", frozen="", state="")
        self._thread = None

    def _settle(self) -> None:
        """What Slack has just accepted it may not show yet: waits a moment, once."""
        if not self._settled:
            self.sleep(_SETTLE_SECONDS)
        self._settled = True

    def _find(self) -> tuple[dict[str, Any] | None, str]:
        """The message, if an earlier attempt posted it, and a word of doubt where that can't be known."""
        address = self.parcel.destination.address
        channel = self.remembered.get("channel") or (address if _ID.match(address) else "")
        try:
            channel = channel or lookup.channel_id(self.api, address)
            if not channel:
                _log.warning("Slack may be told twice: the bot is in no channel %s that it could read", address)
                return None, _DOUBT
            found = lookup.posted(self.api, channel, self.parcel.key, _POSTED, self.within_seconds)
            if found is None:
                self._settle()
                found = lookup.posted(self.api, channel, self.parcel.key, _POSTED, self.within_seconds)
        except SlackError as error:
            if not error.permanent:
                raise
            _log.warning("Slack may be told twice, since its channel can't be read: %s", error)
            return None, _DOUBT
        if found is not None:
            self.remembered["channel"] = channel
        return found, ""

    def _send(self, method: str, message: Message, image: Block | None, doubt: str, **where: Any) -> dict[str, Any]:
        """Sends the message, plainer where Slack refuses what it holds: rather a plain page than none."""
        plain = {"text": f"{message.headline}\n{message.text}", "blocks": [], "attachments": []}
        forms = [message.arguments(image=image, doubt=doubt)] if image else []
        for form in (*forms, message.arguments(doubt=doubt)):
            try:
                return self.api.call(method, **form, parse="none", link_names=False, **where)
            except SlackError as error:
                if error.code not in _CONTENT:
                    raise
                _log.warning("Slack refuses what a message holds, and gets a plainer one: %s", error)
        return self.api.call(method, **plain, parse="none", link_names=False, **where)
