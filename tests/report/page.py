"""Reads report.html as a program does: its tables, figures and headings."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Cell:
    """One cell: its figure's text (no small print), and the value behind it."""

    text: str = ""
    value: str | None = None


@dataclass
class Page(HTMLParser):
    """Tables by caption, headings in order, every id, every address that something points to."""

    tables: dict[str, list[list[Cell]]] = field(default_factory=dict)
    headings: list[tuple[int, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _rows: list[list[Cell]] = field(default_factory=list)
    _caption: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, text: str) -> Page:
        page = cls()
        page.feed(text)
        page.close()
        assert not page._path, f"never closed: {page._path}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        self.addresses += [str(found[name]) for name in ("href", "src", "xlink:href", "action") if name in found]
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append(Cell())
        elif tag == "data" and self._rows and "tr" in self._path:
            self._rows[-1][-1].value = found["value"]
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append((int(tag[1]), ""))
        if tag not in _VOID:
            self._path.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._path.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._path, f"</{tag}> closes nothing"
        assert self._path[-1] == tag, f"</{tag}> inside {self._path}"
        self._path.pop()
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "svg" in self._path or "small" in self._path:
            return
        if "caption" in self._path:
            self._caption += data
        elif "tr" in self._path and self._rows and self._rows[-1]:
            self._rows[-1][-1].text += data.replace("\N{NO-BREAK SPACE}", " ")
        elif self._path and self._path[-1][0] == "h" and self._path[-1][1:].isdigit():
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
