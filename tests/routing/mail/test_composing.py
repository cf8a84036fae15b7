"""Mails are well formed whatever is in them."""

from __future__ import annotations

import email
import email.header
import email.policy
import re
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.routing.events import File, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.mail.cleaning import header
from sla_kit.routing.mail.composing import Enclosed, Envelope, compose
from sla_kit.routing.mail.incidents import letter_about
from sla_kit.routing.mail.notices import letter_of_notice
from sla_kit.routing.mail.recipients import mailboxes
from sla_kit.routing.mail.steps import Step
from sla_kit.routing.times import length, zone_of
from tests.routing.mail.incidents import alert, incident

#: What headers are broken with, among all that text may be.
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=st.sampled_from("\r\n \t:=?aé😀\x00\u2028\x85\udc80,<>@\"'"), max_size=300),
    st.sampled_from(
        ["x\r\nBcc: evil@example.org", "x\n\n.\r\nMAIL FROM:<a@b>", "=?utf-8?q?=0D=0ABcc=3A_x?=", "é" * 500]
    ),
)
HEADERS = {
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
    "x-auto-response-suppress", "importance", "x-priority", "mime-version", "content-type",
}  # fmt: skip


def composed(about: Incident | Notice, subject: str = "", files: tuple[Enclosed, ...] = ()) -> bytes:
    [sender], to = mailboxes("SLA <sla@example.org>"), mailboxes("a@example.org, Jörg Öz <b@example.org>")
    if isinstance(about, Incident):
        letter = letter_about(about, Step("opened", "opened"), zone_of("UTC"))
    else:
        letter = letter_of_notice(about)
    return compose(
        letter, Envelope(sender, to, "<1.x@example.org>", subject or letter.subject, "<1.a@example.org>"), files
    )


def read(mail: bytes) -> EmailMessage:
    return email.message_from_bytes(mail, policy=email.policy.default)


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_makes_a_header_of_its_own(title: str, value: str, severity: str) -> None:
    mail = composed(
        incident(
            title=title,
            severity=severity,
            labels={"service": value, "environment": title},
            alerts={"f0": alert(0, pod=value)},
            dedup_key=value,
            notes=[title],
        )
    )
    message = read(mail)
    own = {name.lower() for name in message if not name.lower().startswith("x-sla-kit-")}
    assert own <= HEADERS
    assert {name.lower() for name in message} - own <= {
        f"x-sla-kit-{name}" for name in ("kind", "status", "severity", "service", "environment", "incident")
    }
    assert len(message.get_all("Subject", [])) == 1
    assert [str(each.addr_spec) for each in message["To"].addresses] == ["a@example.org", "b@example.org"]
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip


@settings(deadline=None)
@given(HOSTILE)
def test_lines_are_short_seven_bits_and_end_in_crlf(text: str) -> None:
    mail = composed(Notice(title=text, text=text * 3, fields={text: text}))
    assert mail.isascii()
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert b"\r" not in mail.replace(b"\r\n", b"")
    assert max(len(line) for line in mail.split(b"\r\n")) <= 998  # RFC 5322, section 2.1.1
    assert b"\x00" not in mail


@settings(deadline=None)
@given(HOSTILE)
def test_a_subject_is_read_as_it_was_meant(text: str) -> None:
    subject = header(text) or "x"
    found = str(read(composed(incident(), subject))["Subject"])
    assert " ".join(found.split()) == f"Re: {subject}"


#: Subjects as there are, and such as fold badly: long words, words of other scripts, runs of both, signs of their own.
SUBJECTS = HOSTILE | st.lists(
    st.sampled_from(
        ["[critical]", "api", "/", "Störung", "日本語", "😀", "–", "99.99", "=x", "?=", '"q"', "(c)", "a,b"]
    )
    | st.integers(1, 120).map("x".__mul__)
    | st.integers(1, 60).map("é".__mul__),
    max_size=30,
).map(" ".join)


@settings(deadline=None)
@given(SUBJECTS)
def test_a_subject_s_first_line_holds_text_and_none_is_blank_or_long(text: str) -> None:
    subject = header(text) or "x"
    mail = composed(incident(), subject)
    folded = subject_lines(mail)
    assert len(folded[0]) > len("Subject: ")
    assert folded[0].startswith("Subject: ")
    assert all(line.startswith(" ") and line.strip() for line in folded[1:])
    assert max(len(line) for line in folded) <= 78  # RFC 5322, section 2.1.1
    assert all(len(word) <= 75 for line in folded for word in line.split() if word.startswith("=?"))  # RFC 2047, 2
    assert str(read(mail)["Subject"]) == f"Re: {subject}"
    old = email.message_from_bytes(mail, policy=email.policy.compat32)["Subject"]  # as a reader of another kind has it
    decoded = str(email.header.make_header(email.header.decode_header(re.sub(r"[\r\n]", "", old))))
    assert decoded == f"Re: {subject}"


def subject_lines(mail: bytes) -> list[str]:
    head = mail.partition(b"\r\n\r\n")[0].decode("ascii")
    found = re.search(r"(?m)^Subject:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", head)
    assert found is not None
    return found[0].split("\r\n")


def test_words_of_ascii_stay_as_they_are() -> None:
    text = "[kritisch] api / verfügbar: Das Fehlerbudget wird vierzehnmal so schnell verbraucht, wie es darf"
    assert subject_lines(composed(incident(), text)) == [
        "Subject: Re: [kritisch] api / =?utf-8?b?dmVyZsO8Z2Jhcjo=?= Das Fehlerbudget",
        " wird vierzehnmal so schnell verbraucht, wie es darf",
    ]
    word = "x" * 100
    assert subject_lines(composed(incident(), word)) == [
        f"Subject: Re: =?utf-8?q?{'x' * 53}?=",
        f" =?utf-8?q?{'x' * 47}?=",
    ]


@settings(deadline=None)
@given(HOSTILE, HOSTILE, st.binary(max_size=50))
def test_a_file_keeps_its_content_whatever_it_is_called(name: str, kind: str, body: bytes) -> None:
    file = File(name=name, digest="x", size_bytes=len(body), media_type=kind)
    [found] = read(composed(Notice(title="Report"), files=(Enclosed(file, body),))).iter_attachments()
    assert found.get_payload(decode=True) == body


@settings(deadline=None)
@given(st.text(max_size=100))
def test_an_address_is_read_or_refused_and_never_more_than_one_line(text: str) -> None:
    try:
        boxes = mailboxes(text)
    except ValueError:
        return
    for box in boxes:
        assert "@" in box.address
        assert box.address.isprintable()
        assert not set(box.address) & set(" <>,;\r\n")


def test_lengths_of_time_are_told_in_words() -> None:
    told = [length(seconds) for seconds in (0, 59.4, 61, 720, 3600, 3725, 86_400, 273_600)]
    assert told == ["0 s", "59 s", "1 min", "12 min", "1 h", "1 h 2 min", "1 d", "3 d 4 h"]
