"""The report in other languages: every text is marked, the template is up to date, German reads as German."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sla_kit.catalogue.model import Catalogue
from sla_kit.errors import CatalogueError, SlaKitError
from sla_kit.report import formats, render
from sla_kit.report.comparing import compared
from sla_kit.report.conventions import conventions_of
from sla_kit.report.language import ENGLISH, Language, _, ngettext, speaking
from sla_kit.report.messages import TEMPLATE, template
from sla_kit.report.owners import for_owner
from sla_kit.report.told import told
from sla_kit.report.translations import open_language
from tests.report.responses_sample import responses_sample
from tests.report.sample import ZONE, at, many, rolled, sample
from tests.report.side_by_side import compared as side_by_side
from tests.report.side_by_side import with_comparison

FOLDER = Path(__file__).parent / "translations"
_OTHER = {letter: 0x0410 + place for place, letter in enumerate(range(ord("A"), ord("Z") + 1))}
_OTHER |= {letter: 0x0430 + place for place, letter in enumerate(range(ord("a"), ord("z") + 1))}


class Cyrillic(NullTranslations):
    """A language whose words are English in Cyrillic letters, so that a Latin letter was never translated."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        parts = re.split(r"(\{\w+\})", message)
        return "".join(part if part.startswith("{") else part.translate(_OTHER) for part in parts)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one if number == 1 else many)


DATES = set(re.findall("...", "MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec"))


class Texts(HTMLParser):
    """What a reader sees or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style"
        self.found += [text for name, text in attrs if name in ("aria-label", "alt", "data-label", "title") and text]

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)


def strings(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def plain_words(texts: list[str], data: set[str]) -> set[str]:
    """The words of Latin letters that are no data."""
    found = set()
    for text in texts:
        for known in sorted(data, key=len, reverse=True):
            text = text.replace(known, " ")
        found |= set(re.findall(r"[A-Za-z]{2,}", text))
    return found


@pytest.mark.parametrize("format", ["html", "md"])
@pytest.mark.parametrize("which", ["sample", "rolled", "compared", "agreement", "response", "owner", "many", "empty"])
def test_every_text_that_a_reader_sees_is_marked(format: str, which: str) -> None:
    evaluation = many(400) if which == "many" else rolled() if which == "rolled" else sample()
    if which == "compared":
        evaluation = replace(evaluation, comparison=compared(evaluation, replace(many(40), slos=evaluation.slos[2:])))
    if which == "agreement":
        evaluation = with_comparison(side_by_side(), side_by_side(None, "no events to compare"))
    if which == "response":
        evaluation = replace(evaluation, responses=responses_sample())
    if which == "owner":
        evaluation = for_owner(evaluation, Catalogue(name="x", services=[]), "frontend")
    if which == "empty":
        evaluation = replace(evaluation, slos=(), promises=(), events=(), exclusions=(), findings=())
    text = render(evaluation, format, language=Language("xx", Cyrillic()))
    document = json.loads(render(evaluation, "json"))
    data = {known for known in strings(document) if re.search("[a-z]", known)}
    data |= {part for known in data for part in (" ".join(known.split()), known.replace("T", " "))}
    if format == "html":
        reader = Texts()
        reader.feed(text)
        texts = [" ".join(part.replace("\N{NO-BREAK SPACE}", " ").split()) for part in reader.found]
    else:
        text = re.sub(r"</?(?:details|summary|sub|br)>|\\(?=.)", " ", text).replace("  ", " ")
        data |= {re.sub(r"[\\`*_\[\]|~]", lambda found: " " + found[0], known) for known in data}
        texts = [" ".join(part.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").split())
                 for part in text.splitlines()]  # fmt: skip
        data |= {" ".join(known.split()) for known in data}
    assert plain_words(texts, data) - DATES == set()


def test_the_template_is_that_of_the_code() -> None:
    assert TEMPLATE.read_text(encoding="utf-8") == template(), "run: python -m sla_kit.report.messages"


def test_all_that_a_report_says_is_in_the_template() -> None:
    from babel.messages.pofile import read_po

    cyrillic = Cyrillic()
    for evaluation in (sample(), rolled(), many(400)):
        for format in ("html", "md"):
            render(evaluation, format, language=Language("xx", cyrillic))
    with TEMPLATE.open("rb") as file:
        known = {
            text for message in read_po(file) for text in ([message.id] if isinstance(message.id, str) else message.id)
        }
    assert len(cyrillic.asked) > 100
    assert cyrillic.asked <= known


def test_german_reads_as_german_and_what_it_lacks_stays_english() -> None:
    german = open_language("de", FOLDER)
    text = render(sample(), "md", language=german)
    assert "# SLA-Bericht 2026-W38: Astral Field, production" in text
    assert "## Ziele" in text
    assert "## Incidents" in text, "a fuzzy translation is not one"
    assert "## Error budgets" in text
    assert re.search(r"\*\*❌ \d+ von 13 Zielen wurden verfehlt, \d+ wurden erfüllt und \d+ bleiben offen\.\*\*", text)
    assert "die Abdeckung von 71 % liegt unter 90 %" in text
    assert "99,972 %" in text
    assert "221.480.233" in text
    assert "Mo., 14. Sept. 2026 – So., 20. Sept. 2026" in text
    page = render(sample(), "html", language=german)
    assert '<html lang="de">' in page
    assert "Wie die Zahlen berechnet wurden" in page


@pytest.mark.parametrize("format", ["json", "csv"])
def test_what_programs_read_is_the_same_in_every_language(format: str) -> None:
    assert render(sample(), format, language=open_language("de", FOLDER)) == render(sample(), format)


def test_numbers_percentages_and_times_follow_the_language() -> None:
    moment = at("2026-09-19T20:14")
    for code, number, share, day in (
        ("en_US", "1,234,567", "12.5%", "Sat, Sep 19, 2026, 8:14 PM"),
        ("de", "1.234.567", "12,5 %", "Sa., 19. Sept. 2026, 20:14"),
        ("fr", "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567", "12,5 %", "sam. 19 sept. 2026, 20:14"),
        ("tr", "1.234.567", "%12,5", "19 Eyl 2026 Cmt, 20:14"),
        ("hi", "12,34,567", "12.5%", None),
    ):
        with speaking(Language(code, NullTranslations(), conventions_of(code))):
            assert formats.count(1_234_567) == number
            assert formats.percent(0.125, 0.99) == share
            if day:
                assert formats.moment(moment, ZONE) == day
    assert formats.percent(0.125, 0.99) == "12.5 %"


def test_plurals_go_by_the_languages_own_rule(tmp_path: Path) -> None:
    (tmp_path / "pl.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: nplurals=3; plural=(n==1'
        ' ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"\n\nmsgid "{count} outage"\n'
        'msgid_plural "{count} outages"\nmsgstr[0] "{count} awaria"\nmsgstr[1] "{count} awarie"\n'
        'msgstr[2] "{count} awarii"\n',
        encoding="utf-8",
    )
    with speaking(open_language("pl", tmp_path)):
        told = [formats.events(number, "outages") for number in (1, 3, 5, 22)]
    assert told == ["1 awaria", "3 awarie", "5 awarii", "22 awarie"]


def test_two_threads_speak_two_languages() -> None:
    german, both = open_language("de", FOLDER), threading.Barrier(2, timeout=120)
    said: dict[str, list[str]] = {}

    def say(name: str, language: Language) -> None:
        with speaking(language):
            said[name] = []
            for _turn in range(50):
                both.wait()
                said[name].append(_("Met"))

    threads = [threading.Thread(target=say, args=pair) for pair in (("de", german), ("en", ENGLISH))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {"de": ["Erfüllt"] * 50, "en": ["Met"] * 50}


def test_half_an_outage_takes_the_plural() -> None:
    assert ngettext("{n} outage", "{n} outages", 0.5, n="0.5") == "0.5 outages"


def test_what_the_engine_says_is_known_by_its_template() -> None:
    with speaking(open_language("de", FOLDER)):
        assert told("coverage 99.5 % is under 99.9 %") == "die Abdeckung von 99,5 % liegt unter 99,9 %"
        assert told("something that nobody knows") == "something that nobody knows"
    assert told("coverage 99.5 % is under 99.9 %") == "coverage 99.5 % is under 99.9 %"


def test_english_needs_no_file_but_may_have_one(tmp_path: Path) -> None:
    assert open_language("en") is ENGLISH
    assert open_language("en_GB", tmp_path).conventions.tag == "en-GB"
    (tmp_path / "en.po").write_text('msgid "Objectives"\nmsgstr "Targets"\n')
    assert "## Targets" in render(sample(), "md", language=open_language("en", tmp_path))


def test_a_language_without_a_file_or_that_is_none_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SlaKitError, match="no translation into 'de'") as caught:
        open_language("de", tmp_path)
    assert "de.po" in caught.value.remedy
    with pytest.raises(SlaKitError, match="no language 'xx_QQ_!'"):
        open_language("xx_QQ_!", tmp_path)


HEADER = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
PLURAL = 'msgid "{count} outage"\nmsgid_plural "{count} outages"\n'
BOTH = 'msgstr[0] "{count} A"\nmsgstr[1] "{count} B"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEADER + 'msgid "of {allowed}"\nmsgstr "von {alowed}"\n', 5, "unknown place {alowed}"),
        (HEADER + 'msgid "of {allowed}"\nmsgstr "von"\n', 5, "leaves out {allowed}"),
        (HEADER + 'msgid "of {allowed}"\nmsgstr "von {allowed.__class__}"\n', 5, "is no place"),
        (HEADER + 'msgid "of {allowed}"\nmsgstr "von {allowed"\n', 5, "is no message"),
        (HEADER + PLURAL + 'msgstr[0] "{count} Ausfall"\n', 5, "1 of 2 plural forms"),
        (HEADER + PLURAL + BOTH + 'msgstr[2] "{count} C"\n', 5, "more translations than num_plurals"),
        (HEADER.replace("n != 1", "n !! 1") + PLURAL + BOTH, 1, "plural rule"),
        (HEADER.replace("n != 1", "n") + PLURAL + BOTH, 1, "gives form"),
        (HEADER + 'msgid "Met"\nmsgstr "Erf\n', 6, "no line of a .po file"),
        (HEADER + 'msgid "Met"\nErfüllt\n', 6, "no line of a .po file"),
        (HEADER + PLURAL, 5, "missing msgstr"),
    ],
)
def test_mistakes_of_a_translation_are_told_with_their_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "de.po"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        open_language("de", tmp_path)
    (mistake,) = caught.value.mistakes
    assert words in mistake.message
    assert (mistake.file, mistake.line) == (str(path), line)


def test_dates_of_any_language_can_be_written() -> None:
    moment = datetime(2026, 9, 19, 20, 14)
    for code in ("de", "ja", "ar", "ru", "el", "zh_Hant_TW"):
        conventions = conventions_of(code)
        written = [
            conventions.day(moment),
            conventions.short_day(moment),
            conventions.weekday(moment),
            conventions.clock(moment),
        ]
        assert all(written), code
