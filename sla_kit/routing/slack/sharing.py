"""Files of a notice, such as a report's: shared once, in the thread of its message."""

from __future__ import annotations

import logging

from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.events import Notice
from sla_kit.routing.slack.api import SlackError
from sla_kit.routing.slack.conversation import Conversation
from sla_kit.routing.slack.uploads import complete, completed, stage

_log = logging.getLogger(__name__)
#: What Slack may say of files that were completed already, or that it threw away; it documents no single word for it.
_SPENT = frozenset(("file_not_found", "invalid_arguments", "file_deleted", "files_not_found", "file_update_failed"))


def share(conversation: Conversation, notice: Notice) -> None:
    """Shares all files of a notice together. Raises `DeliveryError`, and what reading a file raises.

    Their ids are remembered before they are completed, which shares them: afterwards an attempt of unknown outcome can
    be told by the ids, in the thread or (the scope files:read) from the files themselves.
    """
    if not notice.files or conversation.remembered.get("shared"):
        return
    for _ in range(2):
        staged = _stage(conversation, notice)
        if not _shared(conversation, staged) and not _complete(conversation, notice, staged):
            # Slack threw them away, as it does with what waits too long: once more from the start.
            conversation.note(files="")
            continue
        conversation.note(shared="yes")
        return
    raise DeliveryError("Slack did not keep the files of a notice", remedy="they are sent once more")


def _stage(conversation: Conversation, notice: Notice) -> list[str]:
    staged = conversation.remembered.get("files", "").split()
    for file in notice.files[len(staged) :]:
        body = conversation.parcel.read(file.digest)
        staged.append(stage(conversation.api, file.name, body))
        conversation.note(files=" ".join(staged))
    return staged


def _shared(conversation: Conversation, staged: list[str]) -> bool:
    shown = {file.get("id") for message in conversation.thread() for file in message.get("files") or []}
    return not shown.isdisjoint(staged)


def _complete(conversation: Conversation, notice: Notice, staged: list[str]) -> bool:
    titled = [(id, file.name) for id, file in zip(staged, notice.files, strict=True)]
    known = conversation.remembered
    try:
        complete(conversation.api, titled, channel=known["channel"], thread=known["ts"])
    except SlackError as error:
        passing = error.unreachable or error.uncertain or error.retry_after_seconds is not None
        if passing or (error.permanent and error.code not in _SPENT):
            raise
        _log.info("files may be in Slack already: %s", error)
        return completed(conversation.api, staged[0])
    return True
