"""A digest of errors on its whole way: told to a router that runs, it is one message in Slack and one mail."""

from __future__ import annotations

from pathlib import Path

from sla_kit import load
from sla_kit.report.error_digest import error_digest
from sla_kit.routing import notify
from tests.report.errors_sample import errors_sample
from tests.routing.routers import Router, until
from tests.servers.mail import mail_server
from tests.servers.slack import slack_server

CATALOGUE = """
name: shop
monitoring: {{kibana: "https://kibana.example.com"}}
services:
  - {{name: api, owner: sre, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}
contacts: [{{name: sre, email: sre@example.org, slack: "#incidents"}}]
routes: [{{to: [sre]}}]
routing:
  slack: {{url: "{slack}", token: {{env: SLACK_BOT_TOKEN}}}}
  email: {{host: "{mail}", sender: "SLA kit <sla@example.org>", security: none}}
"""


def test_a_digest_is_one_message_in_slack_and_one_mail_however_often_it_is_told(tmp_path: Path) -> None:
    with slack_server() as slack, mail_server() as mail:
        path = tmp_path / "sla.yml"
        path.write_text(CATALOGUE.format(slack=slack.url, mail=mail.host))
        with Router(path, str(tmp_path / "outbox.db"), environment={"SLACK_BOT_TOKEN": slack.token}) as router:
            digest = error_digest(errors_sample(), load(path), "7d")
            assert digest is not None
            assert [notify(digest, router=router.url) for _ in range(3)] == [True, False, False]
            until("the message", lambda: bool(slack.posts("incidents")))
            until("the mail", lambda: bool(mail.accepted))
            assert notify({"kind": "notice", "title": "the last one"}, router=router.url)
            until("what came after it", lambda: len(slack.posts("incidents")) == 2 and len(mail.accepted) == 2)
        [message, _] = slack.posts("incidents")
        assert "1 new, 1 came back, 1 surging" in message.words
        assert "can't read" in message.words
        assert "ann@example.com" not in message.words
        assert "<script>" not in str(message.content)
        assert "Logs 1" in str(message.content)
        [letter] = [one for one in mail.accepted if "1 new" in str(one.message["Subject"])]
        assert "owner: sre" in letter.text
        assert "ann@example.com" not in letter.text + letter.html
