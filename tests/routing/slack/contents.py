"""Any incident, notice or change whatsoever, for properties that hold of all."""

from __future__ import annotations

from hypothesis import strategies as st

from sla_kit.routing.events import Alert, Change, File, Link, Notice
from sla_kit.routing.incident import Context, Escalation, Incident, Member, Silence

_PIECES = st.sampled_from(
    ["<!channel>", "<@U123>", "@here", "<!subteam^S1|x>", "&", "<", ">", "*", "`", "|", "\n\n", "\x00", "\u202e", "😀",
     "<http://x|y>", "<!date^1^{date}|x>", "-", "word", "\ud800", "javascript:alert(1)"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.lists(_PIECES, max_size=8).map("".join),
    st.builds(lambda piece, count: piece * count, _PIECES, st.integers(0, 5000)),
)
TIMES = st.one_of(st.floats(0, 4e9), st.sampled_from([0.0, -1.0, 1e300, float("inf"), float("nan"), 253402300799.5]))
LABELS = st.dictionaries(TEXTS, TEXTS, max_size=4)
URLS = st.one_of(
    TEXTS,
    st.builds(lambda text: "https://example.org/" + text, TEXTS),
    st.sampled_from(["https://example.org/" + "a" * 2900, "http://[", "ftp://a", "https://example.org/?a=1&b=<x>|y"]),
)
LINKS = st.lists(st.builds(Link, url=URLS, text=TEXTS), max_size=12)
SEVERITIES = st.one_of(st.sampled_from(["critical", "warning", "info", ""]), TEXTS)
ALERTS = st.builds(
    Alert,
    labels=LABELS,
    fingerprint=st.uuids().map(str),
    firing=st.booleans(),
    starts_at=st.floats(0, 4e9),
    annotations=st.one_of(LABELS, st.fixed_dictionaries({"summary": TEXTS, "description": TEXTS})),
)
INCIDENTS = st.builds(
    Incident,
    group=TEXTS,
    dedup_key=st.one_of(st.just("key"), TEXTS),
    title=TEXTS,
    severity=SEVERITIES,
    status=st.sampled_from(["firing", "resolved"]),
    opened_at=TIMES,
    received_at=TIMES,
    kind=st.sampled_from(["alerts", "storm", "dead-man"]),
    group_labels=LABELS,
    labels=LABELS,
    alerts=st.lists(ALERTS, max_size=14).map(lambda alerts: {each.fingerprint: each for each in alerts}),
    truncated=st.integers(0, 10**6),
    promise=TEXTS,
    links=LINKS,
    resolved_at=st.none() | TIMES,
    acknowledged_at=st.none() | TIMES,
    acknowledged_by=TEXTS,
    acknowledged_via=TEXTS,
    closed_by=TEXTS,
    escalations=st.lists(st.builds(Escalation, at=TIMES, to=st.lists(TEXTS, max_size=3), why=TEXTS), max_size=7),
    silence=st.none() | st.builds(Silence, until=TIMES, by=TEXTS, id=TEXTS),
    muted_by=TEXTS,
    notes=st.lists(TEXTS, max_size=8),
    context=st.none() | st.builds(Context, budget_left=st.none() | st.floats(-1e9, 1)),
    members=st.lists(
        st.builds(
            Member, dedup_key=TEXTS, title=TEXTS, severity=SEVERITIES, service=TEXTS, opened_at=st.floats(0, 4e9),
            firing=st.booleans(),
        ),
        max_size=25,
    ),
    members_total=st.integers(0, 10**6),
    members_firing=st.integers(0, 10**6),
    by_service=st.dictionaries(TEXTS, st.integers(1, 10**6), max_size=12),
    beyond=st.dictionaries(TEXTS, TIMES, max_size=3),
    root=TEXTS,
)  # fmt: skip
NOTICES = st.builds(
    Notice,
    title=TEXTS,
    text=st.lists(TEXTS, max_size=12).map("\n\n".join),
    severity=SEVERITIES,
    fields=st.dictionaries(TEXTS, TEXTS, max_size=40),
    links=LINKS,
    files=st.lists(st.builds(File, name=TEXTS, digest=st.just("d"), size_bytes=st.just(1)), max_size=30),
    kind=st.sampled_from(["notice", "report", "digest", "word"]),
)
CHANGES = st.builds(
    Change, summary=TEXTS, at=TIMES, source=TEXTS, labels=LABELS, details=st.dictionaries(TEXTS, TEXTS, max_size=40),
    links=LINKS,
)  # fmt: skip
