"""What a dispatcher does with what is due, on a real outbox, with adapters that answer as a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sla_kit.catalogue.routing import Fallback, PagerDutySettings, Routing, SlackSettings
from sla_kit.routing.delivering import Parcel, Remember
from sla_kit.routing.dispatching import recorder
from sla_kit.routing.dispatching.backoff import GIVE_UP_AFTER_SECONDS
from sla_kit.routing.dispatching.breakers import FAILURES, OPEN_SECONDS
from sla_kit.routing.dispatching.dispatcher import HANGING_SECONDS, LEASE_SECONDS
from sla_kit.routing.outbox import deliveries
from sla_kit.routing.outbox.deliveries import claim, history
from tests.routing.dispatching.desk import Desk, HandClock, desk, failing, looked, want
from tests.waiting import until

#: As quick as can be, so that only what a test is about makes something wait.
QUICK = Routing(slack=SlackSettings(per_second=1e6), pagerduty=PagerDutySettings(per_second=1e6))


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "outbox.db", routing=QUICK) as one:
        yield one


class Gate:
    """An answer that comes when a test lets it; until then the service hangs."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, parcel: Parcel, remember: Remember) -> None:
        assert self.opened.wait(120)


class Hold:
    """What takes long to be written, so that all else that is to be written waits; until its block ends."""

    def __init__(self, one: Desk) -> None:
        self._outbox = one.outbox
        self._begun, self._over = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def begin(self, behind: Hold | None = None) -> None:
        """Returns once it is being written: by itself, or in one transaction with all that waits ``behind`` another."""

        def work(_: Connection) -> None:
            self._begun.set()
            assert self._over.wait(120)

        self._outbox.submit(work, alone=behind is None)
        if behind is not None:
            behind._over.set()
        assert self._begun.wait(120)


@pytest.fixture
def gate() -> Iterator[Gate]:
    one = Gate()
    yield one
    one.opened.set()


def tried(one: Desk, id_: int, attempts: int) -> bool:
    return one.row(id_).attempts == attempts


def told_so_many(one: Desk, count: int) -> bool:
    return len(one.adapter.titles("slack:#a")) == count


# What is delivered


def test_what_is_due_is_told_and_kept_as_told(quick: Desk) -> None:
    id_ = quick.want("report")
    until(quick.settled)
    row = quick.row(id_)
    assert (row.told_version, row.attempts, row.error, row.leased_by) == (1, 0, "", "")
    assert quick.adapter.titles() == ["report"]
    until(lambda: quick.sample("deliveries_total", destination="slack", outcome="delivered") == 1)
    until(lambda: quick.sample("first_told_seconds_count", destination="slack") == 1)
    assert quick.sample("delivery_seconds_count", destination="slack") == 1


def test_what_another_router_or_a_command_wrote_is_found_without_a_word(quick: Desk) -> None:
    want(quick.outbox, "report", "slack:#a")
    until(lambda: quick.adapter.titles() == ["report"])


def test_what_is_not_due_yet_waits(tmp_path: Path) -> None:
    with desk(tmp_path / "outbox.db", routing=QUICK) as one:
        one.adapter.answers["slack:#a"].append(failing())
        one.want("first")
        looked(one)
        assert one.adapter.titles("slack:#a") == ["first"]
        one.turn(1)
        until(lambda: one.adapter.titles("slack:#a") == ["first", "first"])


def test_of_one_queue_one_comes_after_the_other(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing())
    quick.want("trigger", queue="q")
    quick.want("resolve", queue="q")
    quick.want("other")
    looked(quick)
    assert sorted(quick.adapter.titles("slack:#a")) == ["other", "trigger"]
    quick.turn(1)
    until(quick.settled)
    assert [title for title in quick.adapter.titles("slack:#a") if title != "other"] == [
        "trigger",
        "trigger",
        "resolve",
    ]


def test_what_an_adapter_remembers_is_committed_before_it_goes_on(quick: Desk) -> None:
    committed = []

    def answer(parcel: Parcel, remember: Remember) -> None:
        remember({"ts": "1.2"})
        committed.append(quick.row(parcel.id).references)
        remember({"thread": "3.4"})
        raise failing("the second step failed")

    quick.adapter.answers["slack:#a"].append(answer)
    quick.want("report")
    looked(quick)
    quick.turn(1)
    until(quick.settled)
    assert committed == [{"ts": "1.2"}]
    first, *_, last = [call for call in quick.adapter.calls if call.destination == "slack:#a"]
    assert last.references == {"ts": "1.2", "thread": "3.4"}
    assert last.key == first.key


def test_a_kind_that_is_not_set_up_is_a_dead_letter_at_once(quick: Desk) -> None:
    quick.dispatcher._adapters = {}
    id_ = quick.want("page", "pagerduty:primary", priority=0)
    until(quick.settled)
    assert quick.row(id_).state == "dead"
    error = quick.row(id_).error
    assert error.startswith("pagerduty is not set up: nothing can be delivered to pagerduty:primary; try: ")
    assert quick.failures == [("page", error)]


# What fails


def test_what_fails_is_tried_again_ever_more_seldom(quick: Desk) -> None:
    quick.adapter.always["slack:#a"] = failing("the channel is archived")
    id_ = quick.want("report")
    began = quick.outbox.clock.now()
    for attempts, wait in enumerate([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300], start=1):
        until(partial(tried, quick, id_, attempts))
        row = quick.row(id_)
        assert row.due_at == pytest.approx(quick.outbox.clock.now() + wait)
        assert (row.failing_since, row.error, row.uncertain) == (began, "the channel is archived", False)
        quick.turn(wait)
    assert quick.sample("deliveries_total", destination="slack", outcome="failed") >= 11


def test_a_page_waits_half_a_minute_at_most(quick: Desk) -> None:
    quick.adapter.always["pagerduty:primary"] = failing()
    id_ = quick.want("page", "pagerduty:primary", priority=0)
    for attempts in range(1, 9):
        until(partial(tried, quick, id_, attempts))
        assert quick.row(id_).due_at <= quick.outbox.clock.now() + 30
        quick.turn(30)


def test_what_may_have_arrived_is_told_as_uncertain(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"] += [failing("no answer", uncertain=True), ValueError("a bug")]
    id_ = quick.want("report")
    until(lambda: quick.row(id_).attempts == 1)
    quick.turn(1)
    until(lambda: quick.row(id_).attempts == 2)
    assert quick.row(id_).error == "ValueError: a bug"
    quick.turn(2)
    until(quick.settled)
    assert [call.uncertain for call in quick.adapter.calls] == [False, True, True]
    assert not quick.row(id_).uncertain


def test_what_can_never_succeed_is_given_up_at_once(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing("there is no such channel", permanent=True))
    id_ = quick.want("report")
    until(quick.settled)
    assert (quick.row(id_).state, quick.row(id_).error) == ("dead", "there is no such channel")
    assert quick.failures == [("report", "there is no such channel")]
    until(lambda: quick.sample("fallbacks_total", destination="slack") == 1)


def test_what_fails_for_a_day_is_given_up(quick: Desk) -> None:
    quick.adapter.always["slack:#a"] = failing("it is broken")
    id_ = quick.want("report")
    until(lambda: quick.row(id_).attempts == 1)
    quick.turn(GIVE_UP_AFTER_SECONDS - 1)
    until(lambda: quick.row(id_).attempts == 2)
    assert quick.row(id_).pending
    quick.turn(300)
    until(quick.settled)
    assert (quick.row(id_).state, quick.row(id_).error) == ("dead", "failed for 24 hours, at last: it is broken")


def test_errors_keep_no_secret(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(ValueError("POST https://me:hush-hush@example.com failed"))
    id_ = quick.want("report")
    until(lambda: quick.row(id_).attempts == 1)
    assert "hush-hush" not in quick.row(id_).error


# What services ask for


def test_who_asks_to_be_left_alone_is_left_alone(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing("ratelimited", retry_after_seconds=30.0))
    first = quick.want("first")
    until(lambda: quick.row(first).attempts == 1)
    assert 30 <= quick.row(first).due_at - quick.outbox.clock.now() <= 31
    second = quick.want("second")
    quick.want("elsewhere", "slack:#b")
    looked(quick)
    assert sorted(quick.adapter.titles()) == ["elsewhere", "first", "look", "look"]
    quick.turn(29.9)
    looked(quick)
    assert quick.row(second).attempts == 0
    assert quick.row(second).pending
    quick.turn(1.2)
    until(quick.settled)
    assert quick.sample("rate_limited_total", destination="slack") == 1


def test_a_service_that_asks_for_it_is_left_alone_as_a_whole(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing("busy", retry_after_seconds=30.0, unreachable=True))
    first = quick.want("first")
    until(lambda: quick.row(first).attempts == 1)
    quick.want("elsewhere", "slack:#b")
    quick.want("page", "pagerduty:primary")
    looked(quick)
    assert sorted(quick.adapter.titles()) == ["first", "look", "look", "page"]
    quick.turn(31)
    until(quick.settled)


def test_a_channel_gets_a_message_a_second(tmp_path: Path) -> None:
    with desk(tmp_path / "outbox.db", routing=Routing()) as one:
        for number in range(3):
            one.want(f"{number}")
            one.want(f"other {number}", "slack:#b")
        for told in (1, 2, 3):
            looked(one)
            assert [len(one.adapter.titles(where)) for where in ("slack:#a", "slack:#b")] == [told, told]
            one.turn(1)
        assert one.adapter.titles("slack:#a") == ["0", "1", "2"]


# Breakers


def broken(one: Desk) -> None:
    """Makes Slack unreachable, as it is noticed by five calls."""
    for channel in "abcdefgh":
        one.adapter.always[f"slack:#{channel}"] = failing("no connection", unreachable=True)
    for number in range(FAILURES):
        one.want(f"{number}", "slack:#a")
    until(lambda: one.sample("breaker_open", destination="slack") == 1)
    until(one.idle)


def test_a_service_that_does_not_answer_is_left_alone_and_nothing_loses_an_attempt(quick: Desk) -> None:
    broken(quick)
    id_ = quick.want("later", "slack:#b")
    quick.want("page", "pagerduty:primary", priority=0)
    looked(quick)
    assert quick.adapter.titles("slack:#b") == []
    assert quick.adapter.titles("pagerduty:primary") == ["page"]
    assert (quick.row(id_).attempts, quick.row(id_).failing_since) == (0, None)


def test_one_call_at_a_time_tries_whether_it_answers_again(quick: Desk, gate: Gate) -> None:
    broken(quick)
    calls = len(quick.adapter.calls)
    quick.want("most urgent", "slack:#h", priority=1)
    quick.adapter.always["slack:#h"] = gate
    quick.turn(OPEN_SECONDS)
    until(lambda: len(quick.adapter.calls) == calls + 1)
    quick.turn(30)
    looked(quick, idle=False)
    assert [title for title in quick.adapter.titles()[calls:] if title != "look"] == ["most urgent"]
    quick.adapter.always.pop("slack:#a")
    gate.opened.set()
    until(lambda: quick.sample("breaker_open", destination="slack") == 0)
    quick.turn(30)  # what failed meanwhile follows soon
    until(quick.settled)


def test_a_trial_that_fails_leaves_it_alone_for_longer(quick: Desk) -> None:
    broken(quick)
    calls = len(quick.adapter.titles("slack:#a"))
    quick.turn(OPEN_SECONDS)
    until(lambda: len(quick.adapter.titles("slack:#a")) == calls + 1)
    looked(quick)
    quick.turn(2 * OPEN_SECONDS - 0.1)
    looked(quick)
    assert len(quick.adapter.titles("slack:#a")) == calls + 1
    quick.turn(0.2)
    until(lambda: len(quick.adapter.titles("slack:#a")) == calls + 2)


# Bulkheads and urgency


def test_a_service_that_hangs_holds_no_other_up(quick: Desk, gate: Gate) -> None:
    for channel in "abcd":
        quick.adapter.always[f"slack:#{channel}"] = gate
        for number in range(5):
            quick.want(f"{channel}{number}", f"slack:#{channel}")
    until(lambda: quick.sample("calls_in_flight", destination="slack") >= 6)
    page = quick.want("page", "pagerduty:primary", priority=0)
    mail = quick.want("mail", "email:a@b.org")
    until(lambda: not quick.row(page).pending and not quick.row(mail).pending)
    assert len([title for title in quick.adapter.titles() if title[0] in "abcd"]) == 6  # two threads are for pages


def test_a_channel_that_hangs_holds_no_other_channel_up(quick: Desk, gate: Gate) -> None:
    quick.adapter.always["slack:#a"] = gate
    for number in range(20):
        quick.want(f"{number}")
    until(lambda: len(quick.adapter.titles("slack:#a")) == 2)
    other = quick.want("other", "slack:#b")
    until(lambda: not quick.row(other).pending)


def test_a_page_finds_a_thread_though_everything_else_hangs(quick: Desk, gate: Gate) -> None:
    for rotation in "abcd":
        quick.adapter.always[f"pagerduty:{rotation}"] = gate
        for number in range(5):
            quick.want(f"{number}", f"pagerduty:{rotation}")
    until(lambda: quick.sample("calls_in_flight", destination="pagerduty") == 6)
    page = quick.want("page", "pagerduty:primary", priority=0)
    until(lambda: not quick.row(page).pending)


def test_what_is_urgent_overtakes_what_waits(tmp_path: Path) -> None:
    with desk(tmp_path / "outbox.db", routing=Routing()) as one:
        one.want("info 0")
        until(partial(told_so_many, one, 1))
        for number in range(1, 10):
            one.want(f"info {number}")
        one.want("warning", priority=1)
        one.want("critical", priority=0)
        looked(one)
        for told in range(2, 13):
            one.turn(1)
            until(partial(told_so_many, one, told))
        first, *rest = one.adapter.titles("slack:#a")
        assert first == "info 0"
        assert rest == ["critical", "warning", *(f"info {number}" for number in range(1, 10))]


# Calls that hang


def test_a_call_that_hangs_is_no_longer_waited_for(quick: Desk, gate: Gate) -> None:
    refused = []

    def answer(parcel: Parcel, remember: Remember) -> None:
        gate(parcel, remember)
        try:
            remember({"ts": "late"})
        except Exception as error:
            refused.append(str(error))
            raise

    quick.adapter.answers["slack:#a"].append(answer)
    id_ = quick.want("report")
    until(lambda: quick.adapter.titles() == ["report"])
    quick.turn(HANGING_SECONDS - 1)
    looked(quick, idle=False)
    assert quick.row(id_).attempts == 0
    quick.turn(1)
    until(lambda: quick.row(id_).attempts == 1)
    row = quick.row(id_)
    assert (row.error, row.uncertain) == ("no answer within 60 seconds", True)
    assert row.due_at >= quick.adapter.calls[0].at + LEASE_SECONDS  # not while it may still do something
    until(lambda: quick.sample("calls_abandoned_total", destination="slack") == 1)
    gate.opened.set()
    until(lambda: refused == ["it took too long, and is tried again"])
    assert quick.row(id_).attempts == 1
    quick.turn(LEASE_SECONDS)
    until(quick.settled)
    assert quick.adapter.calls[-1].uncertain


def test_what_another_router_has_taken_over_is_left_to_it(quick: Desk, gate: Gate) -> None:
    quick.adapter.answers["slack:#a"].append(gate)
    id_ = quick.want("report")
    until(lambda: quick.adapter.titles() == ["report"])
    now = quick.outbox.clock.now() + LEASE_SECONDS + 1
    taken = quick.outbox.write(
        lambda connection: claim(connection, "another", limit=1, now=now, lease_seconds=1000, kinds=("slack",))
    )
    assert [one.uncertain for one in taken] == [True]
    gate.opened.set()
    until(lambda: quick.sample("deliveries_total", destination="slack", outcome="delivered") == 1)
    looked_at = quick.row(id_)
    assert (looked_at.leased_by, looked_at.pending) == ("another", True)


# Telling it elsewhere


def test_a_failure_is_handed_on_once_after_a_while(quick: Desk) -> None:
    quick.adapter.always["slack:#a"] = failing("it does not work")
    id_ = quick.want("report")
    until(lambda: quick.row(id_).attempts == 1)
    quick.turn(59)
    until(lambda: quick.row(id_).attempts == 2)
    assert quick.failures == []
    quick.turn(2)
    until(lambda: quick.row(id_).attempts == 3)
    assert quick.failures == [("report", "it does not work")]
    assert quick.row(id_).fell_back
    quick.turn(600)
    until(lambda: quick.row(id_).attempts == 4)
    assert len(quick.failures) == 1


def test_it_is_handed_on_though_no_attempt_is_made(quick: Desk) -> None:
    broken(quick)
    quick.want("more urgent", "slack:#h", priority=1)  # by which it is tried whether Slack answers again
    id_ = quick.want("later", "slack:#b")
    looked(quick)
    quick.turn(61)
    until(lambda: quick.row(id_).fell_back)
    assert ("later", "slack has not taken it for 61 seconds") in quick.failures
    titles = [title for title, _ in quick.failures]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.parametrize("trial", ["later", "another"])
def test_what_waited_for_a_service_and_then_fails_is_handed_on_no_later(quick: Desk, trial: str) -> None:
    broken(quick)
    if trial == "another":
        quick.adapter.always.pop("slack:#h")
        quick.want(trial, "slack:#h", priority=0)  # by which Slack answers again
        quick.adapter.always["slack:#b"] = failing("it does not work")
    id_ = quick.want("later", "slack:#b", priority=1)
    looked(quick)
    assert quick.row(id_).attempts == 0
    quick.turn(50)
    until(partial(tried, quick, id_, 1))
    quick.turn(9)
    looked(quick)
    assert not quick.row(id_).fell_back
    quick.turn(6)
    looked(quick)
    assert quick.row(id_).fell_back
    assert [title for title, _ in quick.failures].count("later") == 1


def test_what_waited_for_a_service_for_a_day_is_not_given_up_for_that(quick: Desk) -> None:
    broken(quick)
    id_ = quick.want("later", "slack:#b", priority=1)
    looked(quick)
    quick.turn(2 * GIVE_UP_AFTER_SECONDS)
    until(partial(tried, quick, id_, 1))
    row = quick.row(id_)
    assert (row.pending, row.fell_back) == (True, True)
    assert row.failing_since == quick.outbox.clock.now() - Fallback().after
    quick.turn(60)
    until(partial(tried, quick, id_, 2))
    assert quick.row(id_).pending


def test_what_waited_for_its_turn_fails_from_its_attempt_on_unless_it_is_a_page(tmp_path: Path) -> None:
    with desk(tmp_path / "outbox.db", routing=Routing(slack=SlackSettings(per_second=0.02))) as one:
        for channel in ("slack:#a", "slack:#b"):
            one.want("first", channel)
            looked(one)
            one.adapter.always[channel] = failing()
        page, report = one.want("page", "slack:#a", priority=0), one.want("report", "slack:#b")
        one.turn(50)
        until(lambda: tried(one, page, 1) and tried(one, report, 1))
        one.turn(15)
        looked(one)
        assert (one.row(page).fell_back, one.row(report).fell_back) == (True, False)


def test_what_waits_for_a_channel_that_asked_for_it_is_handed_on(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing("ratelimited", retry_after_seconds=3000.0))
    first = quick.want("first")
    until(lambda: quick.row(first).attempts == 1)
    second = quick.want("second")
    looked(quick)
    quick.turn(61)
    until(lambda: quick.row(first).fell_back and quick.row(second).fell_back)
    assert len(quick.adapter.titles("slack:#a")) == 1


def test_what_only_waits_for_its_turn_is_not_handed_on_unless_it_is_a_page(tmp_path: Path) -> None:
    slow = Routing(slack=SlackSettings(per_second=0.001))
    with desk(tmp_path / "outbox.db", routing=slow) as one:
        for title in ("first", "second"):
            one.want(title)
            looked(one)
        one.want("page", priority=0)
        looked(one)
        one.turn(61)
        until(lambda: one.failures)
        looked(one)
        assert [title for title, _ in one.failures] == ["page"]


def test_what_is_for_no_people_is_never_handed_on(quick: Desk) -> None:
    quick.adapter.answers["context"].append(failing(permanent=True))
    id_ = quick.want("picture", "context")
    until(quick.settled)
    assert quick.row(id_).state == "dead"
    assert quick.failures == []


def test_a_fault_in_what_is_told_elsewhere_loses_no_result(
    quick: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(quick, "on_failure", fault)
    quick.adapter.answers["slack:#a"].append(failing("never", permanent=True))
    id_ = quick.want("report")
    until(quick.settled)
    assert (quick.row(id_).state, quick.row(id_).fell_back) == ("dead", False)
    assert "could not be told elsewhere" in caplog.text


def test_a_database_error_in_what_is_told_elsewhere_loses_no_result(
    quick: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(connection: Connection, *_: object) -> None:
        connection.execute(text("INSERT INTO heartbeat (name, at) VALUES ('twice', 1), ('twice', 1)"))

    monkeypatch.setattr(quick, "on_failure", fault)
    quick.adapter.answers["slack:#a"].append(failing("never", permanent=True))
    id_ = quick.want("report")
    until(quick.settled)
    assert quick.row(id_).state == "dead"


def test_a_result_that_can_never_be_written_holds_nothing_up(quick: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(connection: Connection, *_: object, **__: object) -> bool:
        connection.execute(text("INSERT INTO heartbeat (name, at) VALUES ('twice', 1), ('twice', 1)"))
        return True

    monkeypatch.setattr(recorder, "_START_SECONDS", 0.001)
    monkeypatch.setattr(recorder, "_CAP_SECONDS", 0.001)
    monkeypatch.setattr(deliveries, "give_up", refused)
    quick.adapter.answers["slack:#a"].append(failing("never", permanent=True))
    id_ = quick.want("report")
    until(lambda: quick.sample("outbox_errors_total") >= 20)
    looked(quick, idle=False)
    monkeypatch.undo()
    quick.turn(LEASE_SECONDS + 1)
    until(quick.settled)
    assert quick.row(id_).state == "delivered"
    assert [call.uncertain for call in quick.adapter.calls if call.title == "report"] == [False, True]


def test_what_is_handed_on_during_an_attempt_is_not_handed_on_again(quick: Desk, gate: Gate) -> None:
    def answer(parcel: Parcel, remember: Remember) -> None:
        gate(parcel, remember)
        raise failing()

    quick.adapter.answers["slack:#a"] += [failing(), answer]
    id_ = quick.want("report")
    until(lambda: quick.row(id_).attempts == 1)
    quick.turn(50)
    until(lambda: len(quick.adapter.titles("slack:#a")) == 2)
    quick.turn(11)
    until(lambda: quick.row(id_).fell_back)
    gate.opened.set()
    until(lambda: quick.row(id_).attempts == 2)
    assert len(quick.failures) == 1


def test_a_success_makes_room_for_the_next_failure_to_be_handed_on(tmp_path: Path) -> None:
    routing = Routing(slack=SlackSettings(per_second=1e6), fallback=Fallback(after=0))
    with desk(tmp_path / "outbox.db", routing=routing) as one:
        one.adapter.answers["slack:#a"].append(failing())
        id_ = one.want("report")
        until(lambda: one.row(id_).fell_back)
        one.turn(1)
        until(one.settled)
        assert not one.row(id_).fell_back


# The end


def test_a_stop_waits_for_calls_and_their_results(tmp_path: Path, gate: Gate) -> None:
    with desk(tmp_path / "outbox.db", routing=QUICK) as one:
        one.adapter.answers["slack:#a"].append(gate)
        id_ = one.want("report")
        until(lambda: one.adapter.titles() == ["report"])
        stopping = threading.Thread(target=one.dispatcher.stop, args=(60,))
        stopping.start()
        until(lambda: not one.dispatcher.alive)  # it claims no more, though the call goes on
        late = one.want("late")
        gate.opened.set()
        stopping.join(60)
        assert not one.row(id_).pending
        assert (one.row(late).pending, one.row(late).leased_by) == (True, "")
        assert one.adapter.titles() == ["report"]


def test_a_stop_leaves_what_hangs_to_the_next_router(tmp_path: Path, gate: Gate) -> None:
    clock = HandClock()
    with desk(tmp_path / "outbox.db", routing=QUICK, clock=clock) as one:
        one.adapter.answers["slack:#a"].append(gate)
        id_ = one.want("report")
        until(lambda: one.adapter.titles() == ["report"])
        one.dispatcher.stop(timeout=0)
        row = one.row(id_)
        assert (row.leased_by, row.uncertain, row.pending) == ("", True, True)
        with one.outbox.reading() as connection:
            assert history(connection, id_)[-1].words == "the router ended during an attempt"
        gate.opened.set()
        looked_again = one.row(id_)
        assert looked_again.pending
    with desk(tmp_path / "outbox.db", routing=QUICK, clock=clock) as one:
        until(one.settled)
        assert [call.uncertain for call in one.adapter.calls] == [True]


def test_a_stop_leaves_no_lease_that_is_committed_after_it_began(quick: Desk) -> None:
    quick.adapter.answers["slack:#a"].append(failing())
    id_ = quick.want("report")
    looked(quick)
    writing, first, second = quick.outbox._writer._queue, Hold(quick), Hold(quick)
    with first, second:
        first.begin()
        quick.turn(1)
        until(lambda: writing.qsize() == 1)  # the claim
        second.begin(behind=first)  # in one transaction with it, which is still to be committed
        stopping = threading.Thread(target=quick.dispatcher.stop, args=(0,))
        stopping.start()
        until(lambda: not stopping.is_alive() or writing.qsize() == 1)
    stopping.join(60)
    until(lambda: not quick.dispatcher.alive)
    row = quick.row(id_)
    assert (row.leased_by, row.pending) == ("", True)
    assert quick.adapter.titles("slack:#a") == ["report"]


def test_a_stop_lets_nothing_be_claimed_once_it_has_ended_leases(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    routing = Routing(slack=SlackSettings(per_second=1e6), fallback=Fallback(after=10))
    with desk(tmp_path / "outbox.db", routing=routing) as one:
        one.adapter.answers["slack:#a"].append(gate)
        one.adapter.always["slack:#b"] = failing()
        hanging, failed = one.want("hangs"), one.want("fails", "slack:#b")
        until(lambda: one.adapter.titles("slack:#a") and tried(one, failed, 1))
        looked(one, idle=False)
        writing, closing, close = one.outbox._writer._queue, threading.Event(), one.dispatcher._gates.close

        def close_late() -> None:
            closing.set()
            until(lambda: not one.dispatcher.alive)
            close()

        monkeypatch.setattr(one.dispatcher._gates, "close", close_late)
        hold = Hold(one)
        with hold:
            hold.begin()
            one.turn(11)
            until(lambda: writing.qsize() == 1)  # that somebody is told elsewhere; then it claims
            stopping = threading.Thread(target=one.dispatcher.stop, args=(0,))
            stopping.start()
            until(lambda: closing.is_set() or writing.qsize() == 2)
        stopping.join(60)
        assert [(row.leased_by, row.uncertain) for row in map(one.row, (hanging, failed))] == [("", True), ("", False)]
        assert (one.adapter.titles("slack:#a"), one.adapter.titles("slack:#b")) == (["hangs"], ["fails"])
        gate.opened.set()


def test_a_stop_before_the_start_is_no_error(tmp_path: Path) -> None:
    with desk(tmp_path / "outbox.db") as one:
        one.dispatcher.stop()
        one.dispatcher.stop()


# What is logged


def test_the_log_tells_of_a_first_failure_its_end_and_of_what_is_given_up(
    quick: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="sla_kit.routing.dispatching")

    def lines() -> list[str]:
        return [f"{each.levelname} {each.getMessage()}" for each in caplog.records if hasattr(each, "delivery")]

    quick.adapter.answers["slack:#a"].extend([failing("it is down"), failing("it is down")])
    id_ = quick.want("report")
    for attempt in (1, 2):
        until(partial(tried, quick, id_, attempt))
        quick.turn(2)
    until(lambda: len(lines()) == 2)
    assert lines() == [
        "WARNING a delivery failed, and is tried again: it is down",
        "INFO a delivery that had failed was made",
    ]
    quick.adapter.answers["slack:#b"].append(failing("there is no such channel", permanent=True))
    quick.want("page", "slack:#b")
    until(lambda: len(lines()) >= 3)
    assert lines()[2] == "ERROR a delivery was given up: there is no such channel"
