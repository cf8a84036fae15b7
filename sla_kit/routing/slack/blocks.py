"""How a message is put together: what stands above, what stands beside a bar of colour below, and what a notification
says. Pure; every text in here is within Block Kit's limits (https://docs.slack.dev/reference/block-kit/blocks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sla_kit.routing.events import Link
from sla_kit.routing.slack.texts import clean, clipped, escaped, length, link

Block = dict[str, Any]
#: The longest text that one block is given; Slack allows 3,000.
TEXT = 2900
#: All texts of a message together: Slack refuses blocks as too long (msg_blocks_too_long) from 13,200 characters on.
WHOLE = 12_000
#: Slack allows 50 blocks; one is kept for the word that something was left out.
BLOCKS = 49
COLORS = {"critical": "#c0392b", "warning": "#e8a317", "info": "#2f7ed8"}
RESOLVED = "#2e9e4f"
OTHER = "#7f8c8d"
_SIGNS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
RESOLVED_SIGN = ":large_green_circle:"
_LINKS = 4000


class Message(Struct, frozen=True, kw_only=True):
    """A message: ``text`` is for notifications and screen readers, ``headline`` stands above, ``body`` beside the
    colour."""

    text: str
    headline: str
    color: str
    body: list[Block]

    def arguments(self, *, image: Block | None = None, doubt: str = "") -> dict[str, Any]:
        """What the Web API wants. ``image`` is added before the links and buttons at the end; ``doubt`` is a word for
        those who may see the message twice."""
        body = list(self.body)
        if image:
            ends = ("actions", "context")
            place = next((n for n, block in enumerate(body) if block["type"] in ends), len(body))
            body.insert(place, image)
        if doubt:
            body.append(context(escaped(doubt, 500)))
        attachment: Block = {"color": self.color, "blocks": body}
        return {
            "text": self.text,
            "blocks": [section(self.headline)],
            "attachments": [attachment] if body else [],
        }


def message(*, text: str, sign: str, headline: str, color: str, body: Iterable[Block | None]) -> Message:
    """A message of these parts, each of which is within its limits; what would make it too long as a whole is left out
    from the end, buttons last of all."""
    title = escaped(headline, 600, one_line=True).replace("*", "∗") or "no title"
    blocks = [block for block in body if block is not None]
    actions = [block for block in blocks if block["type"] == "actions"]
    others = [block for block in blocks if block["type"] != "actions"]
    kept: list[Block] = []
    left = WHOLE - 2000 - sum(_size(block) for block in actions)
    for block in others:
        left -= _size(block)
        if left < 0 or len(kept) + len(actions) >= BLOCKS - 2:
            kept.append(context("There is more that does not fit into a message."))
            break
        kept.append(block)
    return Message(
        text=escaped(text, 600, one_line=True) or title, headline=f"{sign} *{title}*", color=color, body=kept + actions
    )


def _size(part: Any) -> int:
    if isinstance(part, dict):
        return sum(length(value) if isinstance(value, str) else _size(value) for value in part.values())
    return sum(_size(item) for item in part) if isinstance(part, list) else 0


def color_of(severity: str) -> str:
    """The colour of a severity."""
    return COLORS.get(severity, OTHER)


def sign_of(severity: str) -> str:
    """The sign of a severity, for those who do not tell colours apart."""
    return _SIGNS.get(severity, ":white_circle:")


def section(text: str) -> Block:
    """A paragraph of escaped text, not empty and within `TEXT`. ``verbatim``: Slack makes no links or mentions of its
    own from words like @here."""
    return {"type": "section", "text": _mrkdwn(text)}


def context(text: str) -> Block:
    """A paragraph in small print."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def fields(facts: Mapping[str, str]) -> Block | None:
    """Short facts in two columns, ten of them at most; their values are escaped already."""
    shown = [f"*{name}*\n{value}" for name, value in facts.items() if value][:10]
    return {"type": "section", "fields": [_mrkdwn(text) for text in shown]} if shown else None


def paragraphs(text: str, most: int) -> list[Block]:
    """A text of paragraphs, ``most`` characters of it at most."""
    blocks = []
    left = most
    for paragraph in clean(text).split("\n\n"):
        shown = escaped(paragraph, min(TEXT, max(left, 1)))
        left -= length(shown)
        if shown:
            blocks.append(section(shown))
        if left <= 0:
            break
    return blocks


def listed(lines: Sequence[str], most: int, left_out: int = 0) -> str:
    """Lines one below the other, as many as fit, and how many more there are: ``left_out`` besides those that do not
    fit. Each line must be shorter than ``most`` less 40."""
    kept: list[str] = []
    room = most - 40
    for line in lines:
        room -= length(line) + 1
        if room < 0:
            break
        kept.append(line)
    more = len(lines) - len(kept) + left_out
    return "\n".join([*kept, *([f"and {more:,} more"] if more > 0 else [])])


def links(found: Iterable[Link]) -> Block | None:
    """Links beside each other; those whose address is none of the web's are left out."""
    texts = [text for each in found if (text := link(each.url, each.text, TEXT)).startswith("<")]
    elements: list[str] = []
    left = _LINKS
    for text in texts:
        left -= length(text) + 3
        if left < 0:
            break
        if elements and length(elements[-1]) + length(text) + 3 <= TEXT:
            elements[-1] += f" · {text}"
        else:
            elements.append(text)
    return {"type": "context", "elements": [_mrkdwn(text) for text in elements[:10]]} if elements else None


def button(text: str, action: str, value: str, style: str = "") -> Block:
    """A button that people press; ``value`` comes back as it is (2,000 characters at most)."""
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": text, "emoji": False},
        "action_id": action,
        "value": value,
    }
    return made | ({"style": style} if style else {})


def image(file: str, title: str) -> Block:
    """A picture that was uploaded to Slack."""
    return {"type": "image", "slack_file": {"id": file}, "alt_text": clipped(title, 1900) or "graph"}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
