"""Pasted HTML, such as a mail's, as its reader sees it, with where everything stands in what was pasted."""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from perdure.domain.html_text import BLOCKS, SKIPPED, UNDISPLAYED, VOID

# What is longer than that, or has no end, is no tag.
_TAG = re.compile(
    r"<!--|-->|<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:]{0,30})(?=[\s/>])[^<>]{0,20000}>|<![^<>-][^<>]{0,2000}>"
)
_WORDS = re.compile(r"\s+|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});|[^\s&]+|&")
_NAMES = r"html|body|div|p|span|font|table|center|h[1-6]|ul|ol|blockquote"
_BEGINS = re.compile(rf"\s*(?:<!doctype\s+html\b|<(?:{_NAMES}|head|meta|style|br)[\s/>])", re.IGNORECASE)
_ENDS = re.compile(rf"(?:</(?:{_NAMES}|a|b|i|em|strong)>|<br\s?/?>|-->)\Z", re.IGNORECASE)
# A page within more text, as a forwarded mail is.
_PAGE = re.compile(r"<(?P<name>html|body)[\s>]", re.IGNORECASE)
_HREF = re.compile(
    r"""\shref\s*=\s*(?:"\s*(?P<double>[^"]*?)\s*"|'\s*(?P<single>[^']*?)\s*'|(?P<bare>[^\s"'>]+))""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"https?://|mailto:", re.IGNORECASE)
MAX_LINKS = 500
_COMMENT = "<!--"
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads that its reader can follow: `[start, end)` of what was given says so."""

    address: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SeenText:
    """A text as it is read. Of HTML, `starts` and `ends` say where each of its characters stands in what was given."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None
    links: Sequence[Link] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` of this text, which is not empty, stands in the text that was given."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def seen(text: str) -> SeenText:
    """The words of a text without tags and what they hide, where it clearly is HTML; else the text itself."""
    return _Reader(text).read() if is_html(text) else SeenText(text)


def is_html(text: str) -> bool:
    """Whether a text is a page, holds a whole one, or begins and ends with tags of one."""
    page = _PAGE.search(text)
    if page is not None and f"</{page['name']}>".lower() in text[page.end() :].lower():
        return True
    return _BEGINS.match(text) is not None and _ENDS.search(text[-200:].rstrip()) is not None


class _Reader:
    """Each character is read once, whatever the text is."""

    def __init__(self, given: str) -> None:
        self._given = given
        self._said: list[str] = []
        self._starts, self._ends = array("Q"), array("Q")
        self._hidden: list[str] = []
        self._links: list[Link] = []

    def read(self) -> SeenText:
        """The whole text."""
        at = 0
        for tag in _TAG.finditer(self._given):
            if not self._hidden:
                self._say(at, tag.start())
            at = tag.end()
            self._pass(tag)
        if not self._hidden:
            self._say(at, len(self._given))
        return SeenText("".join(self._said), self._starts, self._ends, self._links)

    def _pass(self, tag: re.Match[str]) -> None:
        name = (tag["name"] or tag.group()).lower()
        if self._hidden:
            within = self._hidden[0]
            if within == _COMMENT:
                if name == "-->":
                    self._hidden.clear()
            elif name == within and tag["end"]:
                self._hidden.pop()
            elif name == within:
                self._hidden.append(name)
        elif name == _COMMENT or (not tag["end"] and self._hides(name, tag.group())):
            self._hidden.append(name)
        elif name == "a":
            self._link(tag)
        elif name in BLOCKS or name in {"br", "li", "tr", "ul", "ol", "table", "td", "th", "pre"}:
            self._part(name, tag)

    def _hides(self, name: str, tag: str) -> bool:
        if name in VOID or tag.endswith("/>"):
            return False
        return name in SKIPPED or name in {"head", "title"} or UNDISPLAYED.search(tag) is not None

    def _link(self, tag: re.Match[str]) -> None:
        found = _HREF.search(tag.group())
        if found is None or len(self._links) == MAX_LINKS:
            return
        start, end = (tag.start() + at for at in found.span(found.lastgroup or 0))
        address = unescape(self._given[start:end])
        if _SCHEME.match(address):
            self._links.append(Link(address, start, end))

    def _part(self, name: str, tag: re.Match[str]) -> None:
        """What parts words: a cell, a line, a paragraph, with the marks that an outline knows."""
        mark = "\n" if name in {"br", "li", "tr"} else " " if name in {"td", "th"} else "\n\n"
        if not tag["end"] and name in _HEADINGS:
            mark += "# "
        elif not tag["end"] and name == "li":
            mark += "- "
        self._put(mark, tag.start(), tag.end())

    def _put(self, said: str, start: int, end: int) -> None:
        """Characters that stand for a piece of the text."""
        self._said.append(said)
        self._starts.extend([start] * len(said))
        self._ends.extend([end] * len(said))

    def _say(self, start: int, end: int) -> None:
        for word in _WORDS.finditer(self._given, start, end):
            said = word.group()
            if said.isspace():
                self._put(" ", *word.span())
            elif said.startswith("&"):
                self._put(unescape(said).replace("\u00a0", " "), *word.span())
            else:
                self._said.append(said)
                self._starts.extend(range(word.start(), word.end()))
                self._ends.extend(range(word.start() + 1, word.end() + 1))
