"""What is told of a job follows from what was known and what happened, and reads back as it was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.alert_rules.inventory import exporters
from sla_kit.exporters.jobs.state import (
    MOST_KINDS,
    Ending,
    Promise,
    State,
    begun,
    counted,
    ended,
    exposition,
    metrics,
    state_of,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
times = st.floats(0, 4e9)
states = st.builds(
    State,
    first_start=st.none() | times,
    last_start=st.none() | times,
    last_end=st.none() | times,
    last_duration_seconds=st.none() | times,
    last_success=st.none() | st.booleans(),
    last_success_time=st.none() | times,
    last_exit_code=st.none() | st.integers(0, 255),
    failures=st.none() | st.integers(0, 2**50).map(float),
    last_failure=st.none() | st.tuples(texts, times),
    records=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=4),
    expected_interval_seconds=st.none() | times,
    expected_duration_seconds=st.none() | times,
)
FULL = State(1, 2, 3, 4.0, True, 5, 0, 6, ("ValueError", 7), {"rows": 8}, 9, 10)


@given(name=texts, state=states)
@settings(deadline=None)
def test_a_state_reads_back_as_it_was_whatever_a_job_and_its_kinds_are_called(name: str, state: State) -> None:
    families = list(text_string_to_metric_families(exposition(name, state)))
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["job_name"] for sample in samples} <= {name}
    assert state_of((sample.name, sample.labels, sample.value) for sample in samples) == state


def test_the_inventory_has_what_is_published_by_type_and_labels() -> None:
    published = {}
    for family in metrics("nightly", FULL):
        suffix = "_total" if family.type == "counter" else ""
        published[family.name + suffix] = (family.type, set().union(*(sample.labels for sample in family.samples)))
    inventory = exporters()["jobs"].metrics
    assert published == {name: (metric.type, set(metric.labels)) for name, metric in inventory.items()}


def test_a_failure_does_not_erase_the_last_success() -> None:
    good = ended(begun(State(), 10.0, Promise(60.0)), Ending(12.0, 10.0, 2.0, records={"rows": 5.0}), Promise(60.0))
    assert (good.last_success, good.last_success_time, good.failures, good.first_start) == (True, 12.0, 0.0, 10.0)
    bad = ended(begun(good, 20.0, Promise(60.0)), Ending(21.0, 20.0, 1.0, "KeyError"), Promise(60.0))
    assert (bad.last_success, bad.last_success_time, bad.failures, bad.first_start) == (False, 12.0, 1.0, 10.0)
    assert bad.last_failure == ("KeyError", 21.0)
    assert bad.records == {"": 0.0}
    again = ended(begun(bad, 30.0, Promise(60.0)), Ending(31.0, 30.0, 1.0), Promise(60.0))
    assert (again.last_success, again.last_success_time, again.failures) == (True, 31.0, 1.0)
    assert again.last_failure == ("KeyError", 21.0)


def test_what_follows_from_an_unknown_past_is_not_told() -> None:
    """A Pushgateway that is not asked keeps its last success and its count: neither may be put back to 0."""
    start = begun(None, 10.0, Promise())
    assert (start.last_start, start.first_start, start.last_success_time, start.failures) == (10.0, None, None, None)
    end = ended(None, Ending(11.0, 10.0, 1.0, "KeyError"), Promise())
    assert (end.last_success, end.last_success_time, end.failures) == (False, None, None)


def test_a_failure_that_is_told_twice_counts_once() -> None:
    ending = Ending(11.0, 10.0, 1.0, "KeyError")
    once = ended(State(), ending, Promise())
    assert ended(once, ending, Promise()) == once
    assert once.failures == 1


def test_a_run_that_began_meanwhile_keeps_its_start() -> None:
    """The same job twice at once: what is told of the first as it ends must not make the second look ended."""
    first = begun(State(), 10.0, Promise())
    second = begun(first, 20.0, Promise())
    state = ended(second, Ending(15.5, 10.0, 5.5), Promise())
    assert state.last_start == 10.0  # 20 lies ahead of this clock
    state = ended(second, Ending(25.0, 10.0, 15.0), Promise())
    assert (state.last_start, state.last_end) == (20.0, 25.0)


def test_kinds_beyond_the_most_are_counted_together() -> None:
    records: dict[str, float] = {}
    for number in range(MOST_KINDS + 20):
        records = counted(records, f"kind {number}", 2)
    records = counted(records, "kind 0", 1)
    assert len(records) == MOST_KINDS + 1
    assert (records["kind 0"], records["other"]) == (3, 40)
