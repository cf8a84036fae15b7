"""Reading files and folders: whatever they hold, the answer is a catalogue or mistakes with lines."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_kit
from sla_kit.catalogue import check, load
from sla_kit.errors import CatalogueError
from tests.catalogue.written import GOOD, assert_marked, mistakes_of


def _lines(text: str) -> list[tuple[int, int]]:
    return [(mistake.line, mistake.column) for mistake in mistakes_of(text)]


def test_load_gives_the_catalogue_and_where_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(GOOD)
    catalogue = load(path)
    assert [(service.name, slo.name) for service, slo in catalogue.slos()] == [
        ("api", "availability"),
        ("api", "reachable"),
    ]
    assert (catalogue.folder, catalogue.environment) == (str(tmp_path.resolve()), "")
    assert sla_kit.load is load


def test_load_raises_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(GOOD.replace("99.9%", "100%").replace("owner:", "onwer:"))
    with pytest.raises(CatalogueError) as caught:
        load(path)
    assert [mistake.line for mistake in caught.value.mistakes] == [6, 11]
    assert "2 mistakes" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "is empty"),
        ("# nothing\n", (1, 1), "is empty"),
        ("- a\n", (1, 1), "a catalogue is a mapping"),
        ("name: a: b\n", (1, 8), "not YAML"),
        ("name: shop\nservices: [\n", (3, 1), "not YAML"),
        ("name: *nobody\n", (1, 7), "not YAML"),
        ("name: shop\n\tservices: []\n", (2, 1), "not YAML"),
        ("name: 'shop\n", (2, 1), "not YAML"),
        ("name: shop\n---\nname: shop\n", (2, 1), "more than one YAML document"),
        ("name: \x07shop\n", (1, 7), "0x7 is not allowed"),
    ],
)
def test_text_that_is_no_catalogue(text: str, place: tuple[int, int], words: str) -> None:
    (found,) = mistakes_of(text)
    assert (found.line, found.column) == place
    assert words in found.message


def test_a_key_twice() -> None:
    assert_marked("""\
name: shop
name: shop two  #! the key name is there twice (it is in line 1 already)
services: [{name: api, slos: [{name: a, sli: {kind: probe}, objective: 99%}]}]
""")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!secret", "!!set"])
def test_tags_are_refused_and_nothing_runs(tag: str) -> None:
    assert [m.line for m in mistakes_of(f"{GOOD}runbooks: {tag} https://example.com\n") if "tag" in m.message] == [13]


def test_not_utf8_tells_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_bytes(b"name: shop\nowner: M\xfcller\n")
    (found,) = check(path)[1]
    assert (found.line, found.column) == (2, 9)
    assert "UTF-8" in found.message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).name == "shop"


def test_missing_files_and_what_is_no_file(tmp_path: Path) -> None:
    (missing,) = check(tmp_path / "nowhere.yml")[1]
    assert (missing.line, missing.message) == (0, "no such file")
    assert str(tmp_path / "nowhere.yml") in str(missing)
    os.mkfifo(tmp_path / "pipe")
    (pipe,) = check(tmp_path / "pipe")[1]
    assert "neither a file nor a folder" in pipe.message
    (empty,) = check(tmp_path)[1]
    assert "no *.yml" in empty.message


def test_anchors_and_merge_keys() -> None:
    text = """\
name: shop
services:
  - name: api
    slos:
      - &first
        name: a
        sli: {kind: probe}
        objective: 99%
      - <<: *first
        name: b
        objective: 98%
      - <<: [{name: c, objective: 97%}, *first]
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.yml"
        path.write_text(text)
        slos = load(path).services[0].slos
    assert [(slo.name, slo.objective) for slo in slos] == [("a", 0.99), ("b", 0.98), ("c", 0.97)]


def test_a_mistake_under_an_anchor_is_told_once() -> None:
    assert_marked("""\
name: shop
services:
  - name: api
    slos:
      - &first
        name: a
        sli: {kind: probe}
        objective: 100%  #! is impossible
      - <<: *first
        name: b
""")


def test_alias_bombs_are_bounded() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    assert "beyond all measure" in mistakes_of(bomb)[0].message


def test_an_alias_that_holds_itself() -> None:
    assert any("holds itself" in mistake.message for mistake in mistakes_of("name: &a [*a]\n"))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_a_mistake(opening: str) -> None:
    assert mistakes_of(opening * 5000)


def test_a_folder_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "sla.yml").write_text("name: shop\ncalendar:\n  events: [{name: a, start: 2026-01-01, duration: 1h}]\n")
    (tmp_path / "calendar.yaml").write_text("calendar:\n  events: [{name: b, start: 2026-01-02, duration: 1h}]\n")
    for name in ("api", "web"):
        text = f"services:\n  - name: {name}\n    slos: [{{name: a, sli: {{kind: probe}}, objective: 99%}}]\n"
        (tmp_path / "services" / f"{name}.yml").write_text(text)
    (tmp_path / "services" / "notes.txt").write_text("not YAML: [")
    (tmp_path / ".hidden" / "old.yml").write_text("not YAML: [")
    catalogue = load(tmp_path)
    assert [service.name for service in catalogue.services] == ["api", "web"]
    assert sorted(event.name for event in catalogue.calendar.events) == ["a", "b"]
    assert catalogue.folder == str(tmp_path.resolve())


def test_mistakes_in_a_folder_name_their_files(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "b.yml").write_text("# more\nname: again\nservices:\n  - name: api\n")
    found = check(tmp_path)[1]
    assert [(Path(m.file).name, m.line) for m in found] == [("b.yml", 2), ("b.yml", 4)]
    assert "set twice" in found[0].message
    assert f"{tmp_path / 'a.yml'}:1" in found[0].hint


def test_a_file_that_can_not_be_read_lets_no_names_dangle(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD.replace("contacts:\n  - name: platform\n", ""))
    (tmp_path / "b.yml").write_text("contacts: [\n")
    assert [Path(mistake.file).name for mistake in check(tmp_path)[1]] == ["b.yml"]


def test_the_catalogue_of_the_readme_and_the_example() -> None:
    root = Path(sla_kit.__file__).parent.parent
    text = (root / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    assert mistakes_of(text) == []
    for environment in (None, "production", "staging", "dev"):
        assert check(root / "examples" / "astralfield", environment)[1] == []


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_catalogue_or_mistakes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.yml"
        path.write_bytes(data)
        catalogue, mistakes = check(path)
    assert catalogue is None
    assert mistakes
    assert all(mistake.line >= 1 and mistake.column >= 1 for mistake in mistakes)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_a_catalogue_or_mistakes(text: str) -> None:
    assert mistakes_of(text.encode("utf-8", "replace").decode())


_WORDS = st.sampled_from(
    [
        *("name", "services", "slos", "sli", "kind", "probe", "requests", "objective", "window", "sla", "policy"),
        *("calendar", "events", "contacts", "environments", "dev", "start", "end", "duration", "repeat", "matchers"),
        *("bad", "a", "99%", "30d", "month", "null", "~", "true", "5e2", "-1", ".nan", ".inf", "1e400"),
        *("*a", "&a", "<<", "==", "[]", "{}"),
    ]
)
_TREES = st.recursive(
    _WORDS | st.text(max_size=8) | st.none() | st.integers(-5, 200) | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_any_value_anywhere_is_a_mistake_and_no_crash(data: st.DataObject) -> None:
    import yaml

    tree = yaml.safe_load(GOOD)
    spot, key = data.draw(
        st.sampled_from(
            [
                (tree, "services"),
                (tree, "calendar"),
                (tree, "environments"),
                (tree, "contacts"),
                (tree, "policy"),
                (tree, "bucket"),
                (tree, "routes"),
                (tree["services"][0], "slis"),
                (tree["services"][0], "slos"),
                (tree["services"][0]["slos"][0], "sli"),
                (tree["services"][0]["slos"][0], "window"),
                (tree["services"][0]["slos"][0], "objective"),
                (tree["services"][0]["slis"], "requests"),
            ]
        )
    )
    spot[key] = data.draw(_TREES)
    for mistake in mistakes_of(yaml.safe_dump(tree, allow_unicode=True)):
        assert mistake.line >= 1


def test_importing_is_light() -> None:
    program = (
        "import sys, sla_kit.catalogue, sla_kit.cli.catalogue; "
        "print([m for m in ('numpy', 'pandas', 'icalendar') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"
