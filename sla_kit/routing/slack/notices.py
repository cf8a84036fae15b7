"""What Slack is told once: notices, digests, reports, words of the router, and changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.routing.events import Change, Notice
from sla_kit.routing.slack.blocks import (
    TEXT,
    Block,
    Message,
    color_of,
    context,
    fields,
    links,
    listed,
    message,
    paragraphs,
    section,
    sign_of,
)
from sla_kit.routing.slack.texts import escaped, moment

_SIGNS = {"report": ":bar_chart:", "digest": ":newspaper:"}
_MOST_FIELDS = 30


def notice_message(notice: Notice) -> Message:
    """The message of a notice. Its files are shared in the thread."""
    plain = notice.severity in ("", "info")
    return message(
        text=notice.title if plain else f"{notice.severity}: {notice.title}",
        sign=_SIGNS.get(notice.kind, sign_of(notice.severity)),
        headline=notice.title if plain else f"{notice.severity}: {notice.title}",
        color=color_of(notice.severity),
        body=_notice(notice),
    )


def _notice(notice: Notice) -> Iterator[Block | None]:
    yield from _facts(notice.fields)
    yield from paragraphs(notice.text, 6000)
    if notice.files:
        names = [f"• {escaped(file.name, 200, one_line=True)}" for file in notice.files]
        yield section(listed(["In the thread:", *names], TEXT))
    yield links(notice.links)


def change_message(change: Change) -> Message:
    """The message of a change, such as a deployment."""
    return message(
        text=f"change: {change.summary}",
        sign=":package:",
        headline=change.summary,
        color=color_of("info"),
        body=_change(change),
    )


def _change(change: Change) -> Iterator[Block | None]:
    yield fields({"At": moment(change.at), "Source": escaped(change.source, 300, one_line=True)})
    yield from _facts(change.details)
    yield links(change.links)
    labels = escaped(" · ".join(f"{name}={value}" for name, value in sorted(change.labels.items())), 800, one_line=True)
    yield context(labels) if labels else None


def _facts(facts: dict[str, str]) -> Iterator[Block | None]:
    shown = {
        escaped(name, 100, one_line=True).replace("*", "∗"): escaped(value, 300)
        for name, value in facts.items()
        if name
    }
    names = [name for name, value in shown.items() if name and value][:_MOST_FIELDS]
    for start in range(0, len(names), 10):
        yield fields({name: shown[name] for name in names[start : start + 10]})
