"""Reads a web page into blocks: what a reader sees, in the order of the page, and nothing that is hidden."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from perdure.domain.structured_text import StructuredText

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
SKIPPED = frozenset(
    [
        *("script", "style", "template", "noscript", "svg", "math", "iframe", "object", "canvas", "nav"),
        *("button", "select", "datalist"),
    ]
)
BLOCKS = frozenset(
    [
        *(
            "html",
            "body",
            "main",
            "article",
            "section",
            "div",
            "p",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
        ),
        *("footer", "aside", "address", "figure", "figcaption", "blockquote", "details", "summary", "center"),
        *("dl", "dt", "dd", "form", "fieldset", "legend", "caption", "hr"),
    ]
)
_HEADING = re.compile(r"^h([1-6])$")
_SPACES = re.compile(r"[ \t\n\r\f\v\u00a0\u200b]+")
_AROUND_BREAK = re.compile(r" *\n *")
UNDISPLAYED = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE
)
_LONGEST_CELL = 1_000
_WIDEST_SPAN = 50
# stands for <br> until blanks are collapsed; cleaned text holds no such character
_BREAK = "\x1e"


def declared_charset(head: bytes) -> str | None:
    """The character set that the page says it is written in."""
    found = _CHARSET.search(head[:4_096])
    return found.group(1).decode("ascii", "replace") if found else None


@dataclass
class _Table:
    rows: list[list[str]] = field(default_factory=list)
    depth: int = 1


class HtmlReader(HTMLParser):
    """Feed it a page, call `finish`; the blocks are in the builder, `title` and `language` are attributes."""

    def __init__(self, builder: StructuredText) -> None:
        super().__init__(convert_charrefs=True)
        self.title: str | None = None
        self.language: str | None = None
        self._builder = builder
        self._words: list[str] = []
        self._skipping: list[str] = []
        self._lists: list[list[int | None]] = []
        self._items: list[str] = []
        self._table: _Table | None = None
        self._in_title = False
        self._preformatted = False

    def finish(self) -> None:
        """Write what an unclosed element still holds."""
        self.close()
        self._end_pre()
        while self._lists:
            self._end_list()
        if self._table is not None:
            self._table.depth = 1
            self._end_table()

    # what HTMLParser calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if self._skipping:
            if tag == self._skipping[0]:
                self._skipping.append(tag)
            return
        if tag not in VOID and (tag in SKIPPED or _is_hidden(attributes)):
            self._skipping.append(tag)
            return
        if tag == "html":
            self.language = attributes.get("lang") or attributes.get("xml:lang") or None
        self._start(tag, attributes)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[0]:
                self._skipping.pop()
            return
        ends: dict[str, Callable[[], None]] = {
            "title": self._end_title,
            "pre": self._end_pre,
            "li": self._flush,
            "ul": self._end_list,
            "ol": self._end_list,
            "table": self._end_table,
            "td": self._flush,
            "th": self._flush,
        }
        if tag in ends:
            ends[tag]()
        elif tag in BLOCKS:
            self._end_block(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = (self.title or "") + data
        elif not self._skipping:
            self._words.append(data)

    # elements

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "title":
            self._in_title = self.title is None
        elif tag == "br":
            self._words.append("\n" if self._preformatted else _BREAK)
        elif tag == "img":
            self._words.append(f" {attributes.get('alt', '')} ")
        elif tag == "pre":
            self._flush()
            self._preformatted = self._table is None and not self._lists
        elif tag in {"ul", "ol"}:
            self._flush()
            self._lists.append([1 if tag == "ol" else None])
        elif tag == "li":
            self._start_item()
        elif tag in {"table", "tr", "td", "th"}:
            self._start_table_part(tag, attributes)
        elif tag in BLOCKS:
            self._flush()

    def _end_title(self) -> None:
        self._in_title = False
        self.title = " ".join((self.title or "").split()) or None

    def _end_pre(self) -> None:
        if self._preformatted:
            self._builder.add("code", "".join(self._words).strip("\n"))
            self._words.clear()
            self._preformatted = False
        else:
            self._flush()

    def _end_block(self, tag: str) -> None:
        heading = _HEADING.match(tag)
        if heading and self._table is None and not self._lists:
            self._builder.add("heading", self._taken(), int(heading.group(1)))
        else:
            self._flush()

    # lists

    def _start_item(self) -> None:
        self._flush()
        if self._table is not None:
            return
        if not self._lists:
            self._lists.append([None])
        number = self._lists[-1][0]
        mark = "-" if number is None else f"{number}."
        if number is not None:
            self._lists[-1][0] = number + 1
        self._items.append("  " * (len(self._lists) - 1) + mark)

    def _end_list(self) -> None:
        self._flush()
        if self._lists:
            self._lists.pop()
        if not self._lists and self._items:
            lines = [item for item in self._items if item.strip(" -.0123456789")]
            self._items = []
            self._builder.add("list", "\n".join(lines))

    # tables; one inside another is part of the outer one's cell

    def _start_table_part(self, tag: str, attributes: dict[str, str]) -> None:
        self._flush()
        if tag == "table":
            if self._table is None:
                self._table = _Table()
            else:
                self._table.depth += 1
        elif self._table is not None and self._table.depth == 1:
            if tag == "tr":
                self._table.rows.append([])
            else:
                if not self._table.rows:
                    self._table.rows.append([])
                span = attributes.get("colspan", "")
                wide = (
                    min(int(span), _WIDEST_SPAN)
                    if span.isdecimal() and span.isascii() and len(span) < 5
                    else 1
                )
                self._table.rows[-1].extend([""] * max(wide, 1))
                self._position = len(self._table.rows[-1]) - max(wide, 1)

    def _end_table(self) -> None:
        self._flush()
        if self._table is None:
            return
        self._table.depth -= 1
        if self._table.depth:
            return
        rows, self._table = self._table.rows, None
        filled = [[cell for cell in row if cell] for row in rows]
        # a page laid out by a table: its cells are the paragraphs of the page
        if all(len(row) <= 1 for row in filled) or any(
            len(cell) > _LONGEST_CELL for row in rows for cell in row
        ):
            for cell in (cell for row in filled for cell in row):
                self._builder.add("paragraph", cell)
        else:
            self._builder.add_table(rows)

    # text

    def _taken(self) -> str:
        text = _SPACES.sub(" ", "".join(self._words)).replace(_BREAK, "\n")
        self._words.clear()
        return _AROUND_BREAK.sub("\n", text).strip()

    def _flush(self) -> None:
        """Put the words collected so far where they belong."""
        if self._preformatted:
            return
        text = self._taken()
        if not text:
            return
        if self._table is not None:
            if self._table.rows and self._table.rows[-1]:
                row = self._table.rows[-1]
                row[self._position] = f"{row[self._position]} {text}".strip()
            else:
                self._table.rows.append([text])
                self._position = 0
        elif self._lists:
            line = " ".join(text.split())
            if self._items:
                self._items[-1] += f" {line}"
            else:
                self._items.append(f"- {line}")
        else:
            self._builder.add("paragraph", text)


def _is_hidden(attributes: dict[str, str]) -> bool:
    """What the reader of the page does not see must not answer questions either."""
    return "hidden" in attributes or bool(UNDISPLAYED.search(attributes.get("style", "")))
