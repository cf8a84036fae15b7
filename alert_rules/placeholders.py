"""What every expression's placeholders become, whether it is an alert's or a panel's: jobs, kept labels, and labels
called as a catalogue calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sla_kit.selectors import quote

_MATCHER = re.compile(r'\b([A-Za-z_]\w*)(\s*(?:=~|!~|!=|=)\s*")')
_LISTED = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)(\s*)\(([^()]*)\)")


def job_matcher(jobs: Sequence[str]) -> str:
    """The matcher of one job or several."""
    if len(jobs) == 1:
        return f"job={quote(jobs[0])}"
    return f"job=~{quote('|'.join(re.escape(job).replace(chr(92) + '-', '-') for job in jobs))}"


def renamed(promql: str, names: Mapping[str, str]) -> str:
    """The expression with labels called by other names, where it matches them and where it lists them."""
    if not names:
        return promql
    promql = _MATCHER.sub(lambda match: names.get(match[1], match[1]) + match[2], promql)

    def listed(match: re.Match[str]) -> str:
        found = [names.get(name.strip(), name.strip()) for name in match[3].split(",") if name.strip()]
        return f"{match[1]}{match[2]}({', '.join(found)})"

    return _LISTED.sub(listed, promql)


def kept(promql: str, labels: Sequence[str]) -> str:
    """Fills ``$keep``, which may be nothing, or hold a label that the list names already."""

    def listed(match: re.Match[str]) -> str:
        names: list[str] = []
        for name in (part.strip() for part in match[3].split(",")):
            names += labels if name == "$keep" else [name] if name else []
        return f"{match[1]}{match[2]}({', '.join(dict.fromkeys(names))})"

    return _LISTED.sub(listed, promql)
