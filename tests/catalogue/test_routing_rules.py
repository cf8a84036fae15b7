"""What the router's settings and richer routes must hold, each mistake at its place with how to mend it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sla_kit.catalogue import Route, check_catalogue, load, to_yaml
from sla_kit.catalogue.routing import PagerDutySettings, Routing, SlackSettings
from sla_kit.configuration.secrets import Secret
from tests.catalogue.written import GOOD, assert_marked, mistakes_of
from tests.routing.deciding.shop import shop

CONTACTS = """\
name: shop
severities: [{name: critical}, {name: info}]
contacts:
  - {name: on-call, pagerduty: primary, slack: "#incidents"}
  - {name: platform, email: platform@example.com}
services:
  - name: api
    slos:
      - {name: availability, sli: {kind: probe}, objective: 99.9%}
  - name: web
    slos:
      - {name: speed, sli: {kind: probe}, objective: 99%}
"""


def test_routes_with_all_their_conditions_are_right() -> None:
    assert (
        mistakes_of(f"""{CONTACTS}
timezone: America/New_York
routes:
  - to: [on-call]
    slo: [availability, web/speed]
    hours: ["mon-fri 09:00-17:00", "sat,sun", "22:00-06:00"]
    timezone: Europe/Berlin
    event: during
    escalate: [platform]
""")
        == []
    )


def test_conditions_that_can_never_hold() -> None:
    assert_marked(f"""{CONTACTS}
routes:
  - to: [on-call]
    slo:
      - availability
      - avalability  #! there is no SLO 'avalability' (did you mean availability?)
      - api/speed  #! there is no SLO 'api/speed'
    hours:
      - mon-fry 09:00-17:00  #! names no days of the week
      - 25:00-26:00  #! there is no 25:00 on a clock (from 00:00 to 24:00)
      - "09:00-09:00"  #! begins when it ends (leave the times out
    escalate: [leads]  #! there is no contact 'leads'
    event: sometimes  #! event
    timezone: Europe/Berlyn  #! there is no time zone
  - {{to: [on-call], timezone: Europe/Berlin}}  #! timezone means nothing without hours
  - {{to: [on-call], service: [web], slo: [availability]}}  #! there is no SLO of web 'availability'
""")


def test_what_alertmanager_alone_can_not_decide() -> None:
    assert_marked(f"""{CONTACTS}
monitoring:
  delivery: {{through: native, smarthost: "mail:25", sender: a@example.com}}
routes:
  - to: [on-call]
    slo: [availability]
    hours: ["09:00-17:00"]  #! Alertmanager can't go on to the next route where hours don't hold (deliver
    event: during  #! Alertmanager knows no live events (deliver through: router
    escalate: [platform]  #! Alertmanager can't escalate (deliver through: router
""")


def test_secrets_that_are_written_out_and_are_never_repeated() -> None:
    text = f"""{CONTACTS}
routing:
  tokens:
    - hunter2hunter2  #! a secret stands here (say where it is
    - {{env: HERE, file: there}}  #! must say one of env and file
  outbox: postgresql://router:hunter2@db/outbox  #! a secret stands here (take the password out and say outbox_password
  ledger: postgresql://router:hunter2@db/outbox  #! a secret stands here
  url: https://a:hunter2@router.example.com  #! a secret stands here
  slack:
    token: xoxb-hunter2  #! a secret stands here
    signing_secret: {{env: xoxb-hunter2}}  #! is no name of a variable
    url: https://hooks.slack.com/services/hunter2  #! a secret stands here
  pagerduty:
    keys:
      primary: {{env: 0123456789abcdef0123456789abcdef}}  #! is no name of a variable
      0123456789abcdef0123456789abcdee: {{env: KEY}}  #! a secret stands here
    webhook_secrets:
      - {{env: a0123456789abcdef0123456789abcde}}  #! looks like a secret
"""
    assert_marked(text)
    told = "\n".join(map(str, mistakes_of(text)))
    assert "hunter2" not in told
    assert "0123456789" not in told


def test_a_contact_by_its_integration_key() -> None:
    assert_marked("""\
name: shop
contacts:
  - name: on-call
    pagerduty: 0123456789abcdef0123456789abcdef  #! looks like a secret
services:
  - name: api
    slos:
      - {name: availability, sli: {kind: probe}, objective: 99.9%}
""")


def test_lengths_of_time_and_rates_that_can_not_be() -> None:
    assert_marked(f"""{CONTACTS}
routing:
  keep: 0  #! keep must be above 0
  update_every: soon  #! is not a duration
  digest:
    every: 0  #! every must be above 0
  storm:
    incidents: -1  #! incidents is negative
    within: 0s  #! within must be above 0
    quiet: 0  #! quiet must be above 0
  dead_man:
    after: 0  #! after must be above 0 (off: true switches it off)
  graphs:
    window: 0  #! window must be above 0
  slack:
    per_second: 0  #! per_second must be above 0
  pagerduty:
    per_second: -1  #! per_second must be above 0
  email:
    per_second: 0  #! per_second must be above 0
""")


def test_nothing_is_wrong_with_what_is_switched_off() -> None:
    assert mistakes_of(f"{CONTACTS}routing: {{dead_man: {{after: 0, off: true}}, storm: {{incidents: 0}}}}\n") == []


def test_names_that_do_not_exist() -> None:
    assert_marked(f"""{CONTACTS}
routing:
  group_by:
    - alertname
    - a-label  #! can't be a label
    - __name__  #! can't be a label
    - ...
  dead_man: {{to: [on-cal]}}  #! did you mean on-call?
  fallback: {{to: [nobody]}}  #! there is no contact 'nobody'
  digest: {{severities: [inf]}}  #! did you mean info?
  pagerduty:
    keys:
      primry: {{env: KEY}}  #! there is no rotation 'primry' (did you mean primary?)
""")
    assert_marked(f"{CONTACTS}routing:\n  group_by: []  #! all alerts would be one incident\n")


def test_a_rotation_without_a_key_is_no_mistake_since_the_environment_may_have_it() -> None:
    assert mistakes_of(f"{CONTACTS}routing: {{url: 'https://router.example.com'}}\n") == []


def test_addresses_that_are_none() -> None:
    assert_marked(f"""{CONTACTS}
routing:
  listen: router  #! has no port
  outbox: mysql://db/outbox  #! mysql is no database that it can be in
  ledger: "a\\0b"  #! holds a character that no address has
  url: router.example.com  #! is no address
  alertmanager:
    url: "http://"  #! is no address
    maintenance: true
  graphs:
    prometheus: ftp://prometheus  #! is no address
  slack:
    url: "http://slack.example.com/api/"  #! secrets would go there without TLS
  pagerduty:
    url: "http://127.0.0.1:1234"
  email:
    host: "mail:smtp"  #! has a port that is none
    sender: nobody  #! is no e-mail address
""")
    assert_marked(
        f"{CONTACTS}routing:\n  alertmanager: {{maintenance: true}}  #! silences need Alertmanager's address\n"
    )


@pytest.mark.parametrize(
    ("listen", "beside", "right"),
    [
        ("127.0.0.1:9099", "", True),
        ("localhost:9099", "", True),
        ('"[::1]:9099"', "", True),
        ('":9099"', "", False),
        ("0.0.0.0:9099", "", False),
        ('":9099"', "tokens: [{env: TOKEN}]", True),
        ('":9099"', "web_config: web.yml", True),
        ('":9099"', "tokens: []", False),
    ],
)
def test_who_may_send_is_said_where_others_can_reach_it(listen: str, beside: str, right: bool) -> None:
    found = mistakes_of(f"{CONTACTS}routing:\n  listen: {listen}\n  {beside}\n")
    assert [mistake.message for mistake in found] == ([] if right else ["others could send whatever they like"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("host: mail.example.com, sender: a@example.com", ""),
        ("host: mail.example.com, sender: Alerts <a@example.com>", ""),
        ("host: mail.example.com", "e-mail needs a sender"),
        ("user: u", "a user without a password"),
        ("password: {env: P}", "a password without a user"),
        ("host: m.example.com, sender: a@b.org, user: u, password: {env: P}, security: none", "without TLS"),
        ("host: m.example.com, sender: a@b.org, user: u, password: {env: P}, security: tls", ""),
        ("host: 127.0.0.1:25, sender: a@b.org, user: u, password: {env: P}, security: none", ""),
        ("host: '[::1]:25', sender: a@b.org, user: u, password: {env: P}, security: none", ""),
        ("host: localhost, sender: a@b.org, user: u, password: {env: P}, security: none", ""),
        ("host: m.example.com, sender: a@b.org, security: none", ""),
    ],
)
def test_a_password_is_sent_only_where_nobody_listens(settings: str, words: str) -> None:
    found = mistakes_of(f"{CONTACTS}routing:\n  email: {{{settings}}}\n")
    assert len(found) == bool(words)
    assert all(words in mistake.message for mistake in found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("token: {env: T}", ""),
        ("user: u, password: {env: P}", ""),
        ("user: u", "a user without a password"),
        ("token: {env: T}, user: u, password: {env: P}", "a token can't stand beside"),
    ],
)
def test_alertmanager_is_asked_in_one_way(settings: str, words: str) -> None:
    found = mistakes_of(f"{CONTACTS}routing:\n  alertmanager: {{{settings}}}\n")
    assert len(found) == bool(words)
    assert all(words in mistake.message for mistake in found)


def test_a_catalogue_built_in_python_is_held_to_the_same() -> None:
    with_key = Routing(pagerduty=PagerDutySettings(keys={"primry": Secret(env="K")}), slack=SlackSettings(per_second=0))
    catalogue = msgspec.structs.replace(shop(Route(to=["on-call"], hours=["never"])), routing=with_key)
    told = [str(mistake) for mistake in check_catalogue(catalogue)]
    assert [text.partition(": ")[2].partition(": ")[0] for text in told] == [
        "routes[0].hours[0]",
        "routing.pagerduty.keys.primry",
        "routing.slack.per_second",
    ]
    assert check_catalogue(msgspec.structs.replace(catalogue, routes=[], routing=Routing())) == []


def test_files_are_in_the_catalogues_folder_and_are_written_relative_to_it_again(tmp_path: Path) -> None:
    text = (
        GOOD
        + """\
routing:
  web_config: web.yml
  tokens: [{file: secrets/token}, {file: /run/secrets/token}, {env: TOKEN}]
  outbox: outbox.db
  email: {host: mail.example.com, sender: a@example.com, ca_file: ca.pem}
"""
    )
    (tmp_path / "sla.yml").write_text(text)
    catalogue = load(tmp_path / "sla.yml")
    routing = catalogue.routing
    files = [token.file for token in routing.tokens]
    assert files == [str(tmp_path / "secrets/token"), "/run/secrets/token", ""]
    assert (routing.web_config, routing.outbox) == (str(tmp_path / "web.yml"), "outbox.db")
    assert routing.email.ca_file == str(tmp_path / "ca.pem")
    written = to_yaml(catalogue)
    assert str(tmp_path) not in written
    (tmp_path / "sla.yml").write_text(written)
    assert load(tmp_path / "sla.yml") == catalogue


def test_an_environment_has_a_router_of_its_own(tmp_path: Path) -> None:
    text = (
        CONTACTS
        + """\
routing: {outbox: "postgresql://router@db/outbox", digest: {every: 2h}, tokens: [{env: TOKEN}]}
environments:
  staging:
    routing: {outbox: null, digest: {every: 1d}, tokens: [{file: token}]}
"""
    )
    (tmp_path / "sla.yml").write_text(text)
    staging = load(tmp_path / "sla.yml", "staging").routing
    assert (staging.outbox, staging.digest.every) == ("outbox.db", 86400.0)
    assert staging.tokens == [Secret(file=str(tmp_path / "token"))]
    assert load(tmp_path / "sla.yml").routing.outbox == "postgresql://router@db/outbox"
