"""Block Kit's limits as Slack documents them: what a local Slack refuses a message for.

https://docs.slack.dev/reference/block-kit/blocks and …/reference/messaging/attachments
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_ELEMENTS = {"button", "image", "overflow", "static_select"}
_KEYS = {
    "header": {"text"},
    "section": {"text", "fields", "accessory", "expand"},
    "context": {"elements"},
    "divider": set(),
    "image": {"alt_text", "image_url", "slack_file", "title"},
    "actions": {"elements"},
}
_ATTACHMENT_KEYS = {"color", "blocks", "fallback", "text", "pretext", "title", "mrkdwn_in"}


def attachment_faults(attachments: Any) -> Iterator[str]:
    """What is wrong with the attachments of a message, in Slack's manner of speaking; nothing where all is right."""
    if not isinstance(attachments, list):
        yield "attachments must be an array"
        return
    if len(attachments) > 100:
        yield "too many attachments"
    for attachment in attachments:
        if not isinstance(attachment, dict):
            yield "an attachment must be an object"
            continue
        for key in attachment.keys() - _ATTACHMENT_KEYS:
            yield f"no such key of an attachment: {key}"
        color = attachment.get("color", "good")
        if color not in ("good", "warning", "danger") and not (
            isinstance(color, str)
            and len(color) == 7
            and color[0] == "#"
            and set(color[1:]) <= set("0123456789abcdefABCDEF")
        ):
            yield f"no color: {color}"
        if "blocks" in attachment:
            yield from block_faults(attachment["blocks"])


def block_faults(blocks: Any) -> Iterator[str]:
    """What is wrong with blocks; nothing where all is right."""
    if not isinstance(blocks, list):
        yield "blocks must be an array"
        return
    if len(blocks) > 50:
        yield f"no more than 50 items allowed [json-pointer:/blocks], got {len(blocks)}"
    identities = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(set(identities)) < len(identities):
        yield "block_id already exists"
    for number, block in enumerate(blocks):
        place = f"[json-pointer:/blocks/{number}]"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in _KEYS:
            yield f"unsupported type: {kind} {place}"
            continue
        for key in block.keys() - _KEYS[kind] - {"type", "block_id"}:
            yield f"no such key: {key} {place}"
        if not isinstance(block.get("block_id", "x"), str) or not 0 < len(block.get("block_id", "x")) <= 255:
            yield f"invalid block_id {place}"
        for fault in _contents(kind, block):
            yield f"{fault} {place}"


def _contents(kind: str, block: dict[str, Any]) -> Iterator[str]:
    if kind == "header":
        yield from _text(block.get("text"), 150, {"plain_text"})
    elif kind == "section":
        if "text" not in block and "fields" not in block:
            yield "missing required field: text or fields"
        if "text" in block:
            yield from _text(block["text"], 3000)
        if "fields" in block:
            yield from _many(block["fields"], 10)
            for item in block["fields"]:
                yield from _text(item, 2000)
        if "accessory" in block:
            yield from _element(block["accessory"])
    elif kind == "context":
        yield from _many(block.get("elements"), 10)
        for element in block.get("elements") or []:
            yield from _image(element) if element.get("type") == "image" else _text(element, 3000)
    elif kind == "actions":
        yield from _many(block.get("elements"), 25)
        elements = block.get("elements") or []
        actions = [element.get("action_id") for element in elements]
        if len(set(actions)) < len(actions):
            yield "action_id already exists"
        for element in elements:
            yield from _element(element)
    elif kind == "image":
        yield from _image(block)
        if "title" in block:
            yield from _text(block["title"], 2000, {"plain_text"})


def _many(items: Any, most: int) -> Iterator[str]:
    if not isinstance(items, list) or not items:
        yield "must have at least one item"
    elif len(items) > most:
        yield f"no more than {most} items allowed"


def _text(
    text: Any, most: int, kinds: frozenset[str] | set[str] = frozenset(("plain_text", "mrkdwn"))
) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"must be a text object of {sorted(kinds)}"
        return
    for key in text.keys() - {"type", "text", "emoji", "verbatim"}:
        yield f"no such key of a text: {key}"
    if (text["type"] == "plain_text" and "verbatim" in text) or (text["type"] == "mrkdwn" and "emoji" in text):
        yield "a key of the other kind of text"
    words = text.get("text")
    if not isinstance(words, str) or not words.strip():
        yield "must be more than 0 characters"
    elif len(words.encode("utf-16-le", "surrogatepass")) // 2 > most:
        yield f"must be less than {most + 1} characters"


def _image(image: dict[str, Any]) -> Iterator[str]:
    if not isinstance(image.get("alt_text"), str) or len(image["alt_text"]) > 2000:
        yield "invalid alt_text"
    if ("image_url" in image) == ("slack_file" in image):
        yield "one of image_url and slack_file is required"
    if "image_url" in image and not _url(image["image_url"]):
        yield "invalid image_url"
    if "slack_file" in image and ("id" in image["slack_file"]) == ("url" in image["slack_file"]):
        yield "one of id and url is required"
    elif not re.fullmatch("F[A-Z0-9]{8,}", str(image.get("slack_file", {}).get("id", "F00000000"))):
        yield "input must match regex pattern: ^[F][A-Z0-9]{8,}$"


def _element(element: Any) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") not in _ELEMENTS:
        yield "unsupported element"
        return
    if element["type"] != "button":
        return
    for key in element.keys() - {
        "type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"
    }:  # fmt: skip
        yield f"no such key of a button: {key}"
    yield from _text(element.get("text"), 75, {"plain_text"})
    if len(element.get("action_id", "")) > 255:
        yield "action_id must be less than 256 characters"
    if len(element.get("value", "")) > 2000:
        yield "value must be less than 2001 characters"
    if "url" in element and not _url(element["url"]):
        yield "invalid url"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "invalid style"
    if len(element.get("accessibility_label", "x")) > 75:
        yield "accessibility_label must be less than 76 characters"
    if "confirm" in element:
        confirm = element["confirm"]
        yield from _text(confirm.get("title"), 100, {"plain_text"})
        yield from _text(confirm.get("text"), 300)
        yield from _text(confirm.get("confirm"), 30, {"plain_text"})
        yield from _text(confirm.get("deny"), 30, {"plain_text"})


def _url(url: Any) -> bool:
    return isinstance(url, str) and len(url) <= 3000 and url.startswith(("http://", "https://")) and " " not in url
