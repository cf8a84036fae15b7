"""Whatever goes wrong around a router while webhooks come in, in the end exactly what had to be told was told: services
that fail in every way, a full disk, a held database, a clock that is set, events that break the planner."""

from __future__ import annotations

import json
import os
import random
import resource
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from tests.routing.end_to_end.forked import ForkedRouter, Nursery, alive
from tests.routing.end_to_end.groups import (
    WEBHOOK_SECRET,
    Group,
    Services,
    check,
    group,
    local_services,
    sending,
    shuffled,
    wait_for_the_last,
)
from tests.routing.routers import alert, until, webhook
from tests.servers import pagerduty, slack
from tests.servers.mail import mail_server

PREPARING = "tests.routing.end_to_end.preparing"
HURRY, GIVE_UP_SOON, BE_PATIENT = (f"{PREPARING}:{name}" for name in ("hurry", "give_up_soon", "be_patient"))
HANG_UP_SOON = f"{PREPARING}:hang_up_soon"
FAULT_RUNS, FAULT_WORKERS = 60, 10
DAY = 86_400
AWAY = "PagerDuty can't be reached since"
#: What breaks planning by its name (`preparing.break_on_poison`), and the reason with which it is put aside.
POISON = {
    "Error": "more than it can take",
    "Recursion": "RecursionError",
    "Statement": "too large",
    "Late": "MemoryError",
}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture
def services() -> Iterator[Services]:
    with local_services() as found:
        yield found


# --- services that fail ----------------------------------------------------------------------------------------------

_SLACK_FAULTS = get_args(slack.FaultKind)
_PAGERDUTY_FAULTS = get_args(pagerduty.FaultKind)
_SLACK_METHODS = ("", "", "chat.postMessage", "chat.postMessage", "chat.update", "conversations.history")


@pytest.mark.parametrize("worker", range(FAULT_WORKERS))
def test_each_group_is_told_once_however_services_fail(
    worker: int, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    catalogue = services.catalogue(tmp_path)
    for run in range(FAULT_RUNS // FAULT_WORKERS):
        seed = worker * 1000 + run
        chance = random.Random(seed)
        outbox = str(tmp_path / f"outbox-{run}.db")
        groups = [group(chance, f"S{seed}G{number}") for number in range(chance.randint(2, 4))]
        _let_fail(chance, services)
        router = ForkedRouter(nursery, catalogue, outbox, prepare=[HURRY, HANG_UP_SOON])
        router.start()
        sender = sending([router], shuffled(chance, groups))
        if run % 2:
            time.sleep(chance.uniform(0.0, 0.4))  # the instant at which it dies
            router.kill()
            router.start(ready=False)
        sender.finish()
        wait_for_the_last(outbox)
        router.kill()
        services.slack.faults.clear()
        services.pagerduty.faults.clear()
        for each in groups:
            check(each, services, f"seed {seed}")


def _let_fail(chance: random.Random, services: Services) -> None:
    for _ in range(chance.randint(2, 7)):
        kind = chance.choice(_SLACK_FAULTS)
        more: dict[str, Any] = {"retry_after": chance.choice(("0", "1"))} if kind == "rate-limit" else {}
        services.slack.fail(chance.choice(_SLACK_METHODS), kind, skip=chance.choice((0, 0, 1, 3)), **more)
    for _ in range(chance.randint(2, 7)):
        services.pagerduty.fail(chance.choice(_PAGERDUTY_FAULTS), retry_after=chance.choice(("0", "1")))


def test_while_pagerduty_is_away_others_are_told_so_and_then_it_hears_of_what_still_fires(
    nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    with mail_server() as mail:
        more = (
            "escalate: false\n"
            "fallback: {after: 1s, to: [desk]}\n"
            f'email: {{host: "{mail.host}", sender: sla-kit@example.com, security: none}}'
        )
        catalogue = services.catalogue(tmp_path, more)
        desk = "  - {name: desk, email: desk@example.com}\nroutes:"
        catalogue.write_text(catalogue.read_text().replace("routes:", desk, 1))
        outbox = str(tmp_path / "outbox.db")
        router = ForkedRouter(nursery, catalogue, outbox, prepare=[HURRY])
        router.start()
        chance = random.Random(1)
        services.pagerduty.go_out()
        stays, ends = fires(chance, "Stays"), fires(chance, "Ends")
        sending([router], [*stays.webhooks, *ends.webhooks]).finish()

        def told_so(group: Group) -> bool:
            said = [each.words for each in services.slack.posts("incidents") if group.name in each.words]
            mails = [each.text for each in mail.accepted if group.name in each.text]
            return any(AWAY in words for words in said) and any(AWAY in text for text in mails)

        until("the word that PagerDuty can't be reached", lambda: told_so(stays) and told_so(ends))
        until("the record of the mails", lambda: _mails_waiting(outbox) == 0)  # one on its way would be sent again
        router.kill()
        router.start()
        ends = over(ends)
        sending([router], ends.webhooks[-1:]).finish()
        message = next(each for each in services.slack.posts("incidents") if ends.name in each.words)
        until("the end in Slack", lambda: bool(services.slack.replies(message)))
        assert not services.pagerduty.pages
        requests = services.pagerduty.requests
        until("attempts of what is so now", lambda: services.pagerduty.requests > requests + 4)
        services.pagerduty.come_back()
        wait_for_the_last(outbox)
        assert not [each for each in services.pagerduty.pages if ends.name in str(each.payload)]
        assert len([each for each in mail.accepted if stays.name in each.text]) == 1
        assert len([each for each in mail.accepted if ends.name in each.text]) == 2
        router.kill()
        for each in (stays, ends):
            check(each, services, "away", away=True)


def _mails_waiting(outbox: str) -> int:
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=60)) as file:
        found = file.execute("SELECT count(*) FROM delivery WHERE pending AND kind = 'email'").fetchone()
    return int(found[0])


def fires(chance: random.Random, name: str, severity: str = "critical") -> Group:
    """A group that fires, and does not end."""
    for _ in range(100):
        found = group(chance, name, severity)
        if found.firing:
            return found
    raise AssertionError("each of a hundred groups ended")


def over(fired: Group) -> Group:
    """The same group, whose last webhook says that it is over."""
    alerts = [
        {**each, "status": "resolved", "endsAt": datetime.now(UTC).isoformat()} for each in fired.webhooks[-1]["alerts"]
    ]
    last = webhook(*alerts, alertname=fired.name, service="api")
    return Group(fired.name, fired.severity, [*fired.webhooks, last], 1, False)


# --- a full disk -----------------------------------------------------------------------------------------------------


class Disk:
    """What an outbox is on: `fill` leaves it no room, `give_room` gives it some again."""

    def __init__(self, folder: Path) -> None:
        self.outbox = str(folder / "outbox.db")
        self._filler = folder / "filler"

    def fill(self, router: ForkedRouter) -> None:
        """Leaves no room."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def give_room(self, router: ForkedRouter) -> None:
        """Gives room."""
        self._filler.unlink(missing_ok=True)


class LimitedDisk(Disk):
    """One where no file of the router may grow beyond what the outbox has now."""

    def fill(self, router: ForkedRouter) -> None:
        """Files may grow no more."""
        sizes = [each.stat().st_size for each in Path(self.outbox).parent.glob("outbox.db*")]
        resource.prlimit(router.pid, resource.RLIMIT_FSIZE, (min(sizes), resource.RLIM_INFINITY))

    def give_room(self, router: ForkedRouter) -> None:
        """They may grow."""
        if router.pid:
            resource.prlimit(router.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def limited_disk(folder: Path) -> Iterator[Disk]:
    """A limit on the size of files, as quotas and containers have it."""
    folder.mkdir()
    yield LimitedDisk(folder)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A file system of its own; where none may be mounted, a limit on the size of files."""
    folder.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*sudo, "mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield LimitedDisk(folder)
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run([*sudo, "umount", "-l", str(folder)], check=True)


Disks = Callable[[Path], AbstractContextManager[Disk]]


@pytest.mark.parametrize("killed", [False, True], ids=["lives on", "killed"])
@pytest.mark.parametrize("kind", [small_disk, limited_disk])
def test_what_is_refused_for_want_of_room_comes_again_and_is_told_once(
    kind: Disks, killed: bool, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    chance = random.Random(2)
    groups = [group(chance, f"Full{number}") for number in range(8)]
    with kind(tmp_path / "disk") as disk:
        router = ForkedRouter(nursery, services.catalogue(tmp_path), disk.outbox, prepare=[HURRY, GIVE_UP_SOON])
        router.start()
        webhooks = shuffled(chance, groups)
        half = sending([router], webhooks[: len(webhooks) // 2])
        until("some webhooks", lambda: half.taken > 2, every=0.001)
        disk.fill(router)
        rest = sending([router], webhooks)
        until("a refusal", lambda: half.refused + rest.refused > 3)
        if killed:
            router.kill()
            router.start(ready=False)
        disk.give_room(router)
        if killed:
            until("its start", lambda: started(router))
        half.finish()
        rest.finish()
        wait_for_the_last(disk.outbox)
        router.kill()
    for each in groups:
        check(each, services, kind.__name__)


@pytest.mark.parametrize("killed", [False, True], ids=["lives on", "killed"])
@pytest.mark.parametrize("kind", [small_disk, limited_disk])
@pytest.mark.parametrize("service", ["pagerduty", "slack"])
def test_a_result_that_finds_no_room_is_no_reason_to_tell_again(
    service: str, kind: Disks, killed: bool, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    chance = random.Random(3)
    groups = [fires(chance, f"Known{number}") for number in range(3)]
    with kind(tmp_path / "disk") as disk:
        router = ForkedRouter(nursery, services.catalogue(tmp_path), disk.outbox, prepare=[HURRY, GIVE_UP_SOON])
        router.start()
        filled = _fill_once_accepted(services, service, lambda: disk.fill(router))
        sending([router], groups[0].webhooks).finish()
        until("the call", filled.is_set)
        rest = sending([router], [one for each in groups for one in each.webhooks])
        until("a refusal", lambda: rest.refused > 1)
        if killed:
            router.kill()
            router.start(ready=False)
        disk.give_room(router)
        if killed:
            until("its start", lambda: started(router))
        rest.finish()
        wait_for_the_last(disk.outbox)
        router.kill()
    for each in groups:
        check(each, services, f"{service}, {kind.__name__}")


def started(router: ForkedRouter) -> bool:
    """Starts it again where it could not begin, as whoever looks after it does; whether it is ready."""
    if not alive(router.pid):
        router.start(ready=False)
    try:
        return router.get("/readyz")[0] == 200
    except (OSError, HTTPException):
        return False


def _fill_once_accepted(services: Services, service: str, fill: Callable[[], None]) -> threading.Event:
    """Leaves no room at the moment at which a service has accepted the first message, before it answers."""
    filled = threading.Event()
    where: Any = services.pagerduty if service == "pagerduty" else services.slack
    name = "receive" if service == "pagerduty" else "answer"
    accept = getattr(where, name)

    def accepted(*given: Any) -> Any:
        answer = accept(*given)
        if not filled.is_set():
            fill()
            filled.set()
        return answer

    setattr(where, name, accepted)
    return filled


# --- a database that others hold -------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", [True, False], ids=["waited for", "told of"])
def test_an_outbox_that_others_hold_delays_and_loses_nothing(
    patient: bool, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    chance = random.Random(4)
    groups = [group(chance, f"Held{number}") for number in range(8)]
    outbox = str(tmp_path / "outbox.db")
    prepare = [HURRY, BE_PATIENT if patient else GIVE_UP_SOON]
    router = ForkedRouter(nursery, services.catalogue(tmp_path), outbox, prepare=prepare)
    router.start()
    sender = sending([router], shuffled(chance, groups), enough=threading.Event())
    looked, ended = [0], threading.Event()
    commands = threading.Thread(target=_use_commands, args=(outbox, looked, ended))
    commands.start()
    with closing(sqlite3.connect(outbox, isolation_level=None, timeout=60)) as other:
        for _ in range(3):
            other.execute("BEGIN IMMEDIATE")
            taken, refused, until_at = sender.taken, sender.refused, time.monotonic() + 1.0
            until(
                "a refusal, or a second",
                lambda: sender.refused > refused if not patient else time.monotonic() > until_at,  # noqa: B023
            )
            assert sender.taken <= taken + 1  # one may have been on its way
            other.execute("ROLLBACK")
            until("more webhooks", lambda: sender.taken > taken)  # noqa: B023
    sender.finish()
    until("a look at the outbox", lambda: looked[0] > 0)
    ended.set()
    commands.join()
    wait_for_the_last(outbox)
    router.kill()
    assert patient == (sender.refused == 0)
    for each in groups:
        check(each, services, "held")


def _use_commands(outbox: str, looked: list[int], ended: threading.Event) -> None:
    """People look at what waits, and have it sent again, all the time."""
    runner = CliRunner()
    while not ended.is_set():
        listed = runner.invoke(main, ["outbox", "list", "-o", outbox, "--json"])
        assert listed.exit_code == 0, listed.output
        found = json.loads(listed.output)["deliveries"]
        runner.invoke(main, ["outbox", "retry", "-o", outbox, *[str(each["id"]) for each in found[:3]]])
        looked[0] += 1


# --- a clock that is set ---------------------------------------------------------------------------------------------


def set_clock(folder: Path, seconds: int) -> None:
    """The clock of the router whose catalogue is there is so many seconds ahead of ours from now on."""
    (folder / "new-offset").write_text(str(seconds))
    (folder / "new-offset").replace(folder / "clock-offset")


@pytest.mark.parametrize("dies", [False, True], ids=["while it runs", "between two lives"])
@pytest.mark.parametrize(
    ("before", "after"), [(0, DAY), (0, -DAY), (DAY, 0), (-DAY, 0)],
    ids=["a day ahead", "a day back", "right again from ahead", "right again from back"],
)  # fmt: skip
def test_a_clock_that_is_set_neither_hurries_nor_holds_back_nor_doubles(
    before: int, after: int, dies: bool, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    set_clock(tmp_path, before)
    outbox, chance = str(tmp_path / "outbox.db"), random.Random(6)
    catalogue = services.catalogue(tmp_path, "escalate: true\ndead_man: {after: 5m}\nfallback: {after: 1h}")
    router = ForkedRouter(nursery, catalogue, outbox, prepare=[f"{PREPARING}:see_another_clock", HURRY])
    router.start()
    services.pagerduty.subscribe(f"{router.url}/v1/pagerduty/webhook", WEBHOOK_SECRET)
    told, taken, late = (fires(chance, name) for name in ("Told", "Taken", "Late"))
    sending([router], [heartbeat(), *told.webhooks, *taken.webhooks]).finish()
    wait_for_the_last(outbox)
    services.pagerduty.go_out()
    services.slack.fail("chat.postMessage", "drop-after")
    sending([router], late.webhooks).finish()  # in the middle of being told when the clock is set
    until("attempts", lambda: len(services.pagerduty.accepted) > 0 and services.pagerduty.requests > 6)
    if dies:
        router.kill()
    set_clock(tmp_path, after)
    if dies:
        router.start()
    services.slack.fail("chat.postMessage", "drop-after")
    new = fires(chance, "New")
    sending([router], new.webhooks).finish()
    services.pagerduty.come_back()
    wait_for_the_last(outbox)
    _take_in_pagerduty(taken, services, "before the clock was set")
    _take_in_pagerduty(new, services, "after it was set")
    ended = [over(each) for each in (told, taken, late)]
    sending([router], [each.webhooks[-1] for each in ended]).finish()
    wait_for_the_last(outbox)
    _press(router, services, new, after)
    wait_for_the_last(outbox)
    router.kill()
    for each in ended:
        check(each, services, "clock")
    names = [each.name for each in (told, taken, late, new)]
    assert all(any(name in str(page.payload) for name in names) for page in services.pagerduty.pages)
    assert len(services.pagerduty.pages) == len(services.slack.posts("incidents")) == len(names)


def heartbeat() -> dict[str, Any]:
    """The alert that always fires."""
    return webhook(alert("Watchdog", starts_at=time.time() - 60), receiver="_heartbeat", alertname="Watchdog")


def _take_in_pagerduty(group: Group, services: Services, when: str) -> None:
    """Somebody takes it there, and Slack says so."""
    incident = next(each for each in services.pagerduty.incidents if group.name in str(each.payload))
    services.pagerduty.acknowledge(incident, f"R. Byrd {when}")

    def words() -> str:
        return next(each.words for each in services.slack.posts("incidents") if group.name in each.words)

    until(f"the word in Slack of who took it {when}", lambda: f"R. Byrd {when}" in words())


def _press(router: ForkedRouter, services: Services, group: Group, ahead: int) -> None:
    """Somebody asks by a button of Slack, whose clock is the router's, that others are told."""
    message = next(each for each in services.slack.posts("incidents") if group.name in each.words)
    _, body = services.slack.press(message, "sla_kit_escalate")
    status, _ = router.post("/v1/slack/actions", body, services.slack.sign(body, time.time() + ahead))
    assert status == 200
    until("the escalation", lambda: bool(services.slack.replies(message)))


# --- events that break the planner -----------------------------------------------------------------------------------


def test_what_breaks_the_planner_is_put_aside_and_the_others_are_told(
    nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    chance = random.Random(5)
    groups = [group(chance, f"Good{number}") for number in range(20)]
    poison = [fires(chance, f"Poison{kind}{number}") for kind in POISON for number in range(5)]
    outbox = str(tmp_path / "outbox.db")
    router = ForkedRouter(nursery, services.catalogue(tmp_path), outbox, prepare=[f"{PREPARING}:break_on_poison"])
    router.start()
    sending([router], shuffled(chance, [*groups, *poison], twice=0.0)).finish()
    wait_for_the_last(outbox)
    router.kill()
    router.start()  # and it stays aside
    wait_for_the_last(outbox)
    router.kill()
    for each in groups:
        check(each, services, "poison")
    with closing(sqlite3.connect(outbox)) as file:
        dead = file.execute("SELECT reason, body FROM event WHERE state = 'dead'").fetchall()
    assert len(dead) == sum(len(each.webhooks) for each in poison)
    assert all(reason for reason, _ in dead)
    for kind, why in POISON.items():
        reasons = {reason for reason, body in dead if f"Poison{kind}".encode() in bytes(body)}
        assert reasons
        assert all(why in reason for reason in reasons), reasons
    assert not [each for each in services.slack.posts("incidents") if "Poison" in each.words]
