"""What mails say, as their readers get them."""

from __future__ import annotations

import hashlib

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.errors import OutboxError
from sla_kit.routing.events import Change, File, Link, Notice
from sla_kit.routing.incident import Context, Escalation, Member, Silence
from sla_kit.routing.mail import open_adapter
from tests.routing.mail.incidents import START, Box, alert, incident
from tests.servers.mail import MailServer, mail_server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def test_an_incident_says_what_since_when_which_promise_and_where_to_read_on(server: MailServer, box: Box) -> None:
    box.deliver(
        incident(
            context=Context(budget_left=0.1234),
            links=[
                Link(url="https://runbooks.example.org/api", text="Runbook"),
                Link(url="javascript:alert(1)", text="Bad"),
            ],
            notes=["PagerDuty can't be reached: no page was sent"],
            escalations=[Escalation(at=START + 300, to=["head"], why="not acknowledged within 5 min")],
            acknowledged_at=START + 400,
            acknowledged_by="R. Byrd",
            acknowledged_via="slack",
            silence=Silence(until=START + 3600, by="R. Byrd"),
        )
    )
    [one] = server.accepted
    for told in (one.text, one.html):
        for words in (
            "API answers with errors",
            "Tue 1 Sep 2026, 00:00 UTC",
            "api/availability: 99.99 % over 30d",
            "12.3 %",
            "https://runbooks.example.org/api",
            "no page was sent",
            "not acknowledged within 5 min",
            "by R. Byrd",
            "2 of 2 firing",
            "pod=api-1",
        ):
            assert words in told, words
        assert "javascript" not in told


def test_times_are_those_of_the_catalogue(server: MailServer) -> None:
    settings = EmailSettings(host=server.host, sender="a@b.org", security="none")
    Box(open_adapter(settings, timezone="Europe/Berlin")).deliver(incident())
    assert "Tue 1 Sep 2026, 02:00 CEST" in server.accepted[0].text


def test_a_long_table_is_cut_and_says_so(server: MailServer, box: Box) -> None:
    box.deliver(incident(alerts={f"f{n}": alert(n) for n in range(50)}, beyond={"x": START}, truncated=3))
    [one] = server.accepted
    assert "Alerts: 51 of 54 firing" in one.text
    assert "and 34 more" in one.text
    assert "and 34 more" in one.html


def test_a_storm_is_counted_with_its_likely_root(server: MailServer, box: Box) -> None:
    members = [
        Member(
            dedup_key=f"k{n}", title=f"Service {n} is down", severity="warning", service=f"s{n}", opened_at=START + n
        )
        for n in range(30)
    ]
    storm = incident(
        kind="storm", title="1,000 incidents", alerts={}, members=members, members_total=1000, members_firing=990,
        root="The database is down",
    )  # fmt: skip
    box.deliver(storm)
    [one] = server.accepted
    assert "Firing: critical (alert storm)" in one.text
    assert "Likely root: The database is down" in one.text
    assert "Incidents: 1000, of which 990 go on" in one.text
    assert "and 980 more" in one.text


def test_what_others_write_is_text_in_the_html(server: MailServer, box: Box) -> None:
    hostile = alert(0, pod='"><script>alert(1)</script>')
    box.deliver(incident(title="<img src=x onerror=alert(1)>", alerts={"f0": hostile}, notes=["<b>bold</b>"]))
    html = server.accepted[0].html
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_the_graph_is_in_the_mail(server: MailServer, box: Box) -> None:
    box.read = {hashlib.sha256(PNG).hexdigest(): PNG}.__getitem__
    box.deliver(incident(context=Context(graph=hashlib.sha256(PNG).hexdigest())))
    message = server.accepted[0].message
    [image] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert image.get_payload(decode=True) == PNG
    assert f'src="cid:{str(image["Content-ID"])[1:-1]}"' in server.accepted[0].html


def test_a_graph_that_is_gone_stops_no_mail(server: MailServer, box: Box) -> None:
    def gone(digest: str) -> bytes:
        raise OutboxError("it was older than is kept")

    box.read = gone
    box.deliver(incident(context=Context(graph="ab")))
    assert "<img" not in server.accepted[0].html


def test_a_report_comes_with_its_files_once(server: MailServer, box: Box) -> None:
    files = [
        File(name="report.pdf", digest="a", size_bytes=3, media_type="application/pdf"),
        File(name="übersicht\r\nX: y.csv", digest="b", size_bytes=4, media_type="text/csv"),
    ]
    box.read = {"a": b"%PD", "b": b"a,b\n"}.__getitem__
    report = Notice(
        title="Week 36: all promises met", text="All is well.\n\nSee the report.", kind="report", files=files,
        fields={"Availability": "99.993 %"}, links=[Link(url="https://reports.example.org/36", text="Report")],
    )  # fmt: skip
    box.deliver(report)
    box.deliver(report, uncertain=True)
    [one] = server.accepted
    assert one.message["Subject"] == "Week 36: all promises met"
    assert one.files == {"report.pdf": b"%PD", "übersicht X: y.csv": b"a,b\n"}
    assert "All is well.\n\nSee the report." in one.text
    assert "Availability: 99.993 %" in one.text
    assert one.message["Importance"] is None


def test_files_beyond_the_limit_are_named_only(server: MailServer, box: Box) -> None:
    large = b"x" * (15 * 1024 * 1024)
    files = [
        File(name="large.bin", digest="large", size_bytes=len(large)),
        File(name="larger.bin", digest="large", size_bytes=len(large)),
        File(name="small.txt", digest="small", size_bytes=5, media_type="text/plain"),
        File(name="gone.txt", digest="gone", size_bytes=5),
    ]

    def read(digest: str) -> bytes:
        if digest == "gone":
            raise OutboxError("it was older than is kept")
        return large if digest == "large" else b"small"

    with mail_server(size_limit=33_554_432) as roomy:
        box.read = read
        box.adapter = open_adapter(EmailSettings(host=roomy.host, sender="a@b.org", security="none"))
        box.deliver(Notice(title="Report", files=files))
        [one] = roomy.accepted
    assert list(one.files) == ["small.txt"]
    assert "too large for a mail: large.bin (15.7 MB)" in one.text
    assert "no longer kept: gone.txt" in one.text


def test_a_server_with_a_smaller_limit_gets_the_mail_without_the_file(box: Box) -> None:
    with mail_server(size_limit=1_000_000) as small:
        box.read = {"a": bytes(2_000_000)}.__getitem__
        box.adapter = open_adapter(EmailSettings(host=small.host, sender="a@b.org", security="none"))
        box.deliver(Notice(title="Report", files=[File(name="large.bin", digest="a", size_bytes=2_000_000)]))
        [one] = small.accepted
    assert one.files == {}
    assert "too large for a mail: large.bin" in one.text


def test_a_change_is_told(server: MailServer, box: Box) -> None:
    box.deliver(Change(summary="api 1.2.3 is live", at=START, source="ci", details={"commit": "abc"}))
    [one] = server.accepted
    assert one.message["Subject"] == "Change: api 1.2.3 is live"
    assert "commit: abc" in one.text
    assert "Tue 1 Sep 2026, 00:00 UTC" in one.text


def test_lines_that_begin_with_a_dot_arrive(server: MailServer, box: Box) -> None:
    box.deliver(Notice(title="Dots", text=".\n.\n..two\nend"))
    assert ".\n.\n..two\nend" in server.accepted[0].text
