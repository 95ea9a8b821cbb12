"""Paragraphs, lists and headings out of the bare lines of a PDF page."""

import re
from collections.abc import Mapping, Sequence

from perdure.domain.pdf_tables import PdfTable
from perdure.domain.structured_text import StructuredText
from perdure.domain.text_blocks import heading_level

_ITEM = re.compile(r"^\s*(?:[•‣◦▪●○■–-]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+\S")  # noqa: RUF001  # dashes start items too
_NUMBER = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_SPACES = re.compile(r"\s+")
_CAPTION = re.compile(
    r"^(?:table|figure|fig\.|tabelle|abbildung|abb\.|tableau|tabla|tabella|tabel)\s+\d", re.IGNORECASE
)
_NAMED = frozenset(
    [
        *("abstract", "summary", "introduction", "conclusion", "conclusions", "references", "bibliography"),
        *("appendix", "acknowledgements", "acknowledgments", "contents", "zusammenfassung", "einleitung"),
        *("inhalt", "inhaltsverzeichnis", "literatur", "table of contents"),
    ]
)
# pdfium writes U+0002 for a hyphen at the end of a line that it has joined with the next
_JOINED = re.compile("(?<=[^\\W\\d_])\x02(?=[a-zß-öø-ÿ])")
_LONGEST = 120
_RUNS_ON = (",", ";", "-", "\u2013", " the", " a", " of", " and", " to", " in")


def join_hyphens(text: str) -> str:
    """Undo the hyphenation of a page: a mark before a small letter goes, any other was a real hyphen."""
    return _JOINED.sub("", text).replace("\x02", "-")


def _key(text: str) -> str:
    return _SPACES.sub(" ", text).strip().casefold()


def match_headings(text: str, candidates: Sequence[tuple[str, int]]) -> dict[int, tuple[int, int]]:
    """Where headings stand in a page: first line -> (last line, level).

    `candidates` are `(text, level)` from the parser, which goes by font size and takes an odd line for a
    heading now and then; only those that also read like one are kept. Numbered lines ("3.1 Notice") count
    without its word.
    """
    lines = text.splitlines()
    found: dict[int, tuple[int, int]] = {}
    position = 0
    for wanted, level in candidates:
        place = _find(lines, _key(wanted), position)
        if place is None:
            continue
        first, last = place
        position = last + 1
        if _reads_like_heading(lines, first, last):
            found[first] = (last, level)
    for index, line in enumerate(lines):
        if index not in found and _numbered_heading(lines, index):
            found[index] = (index, heading_level(line.strip()) or 1)
    return found


def _find(lines: Sequence[str], key: str, start: int) -> tuple[int, int] | None:
    if not key:
        return None
    for first in range(start, len(lines)):
        joined = ""
        for last in range(first, min(first + 4, len(lines))):
            joined = _key(f"{joined} {lines[last]}")
            if joined == key:
                return first, last
            if not key.startswith(joined):
                break
    return None


def _reads_like_heading(lines: Sequence[str], first: int, last: int) -> bool:
    text = " ".join(line.strip() for line in lines[first : last + 1])
    if not 2 <= len(text) <= _LONGEST or text.endswith(_RUNS_ON[:4]) or sum(map(str.isalpha, text)) < 2:
        return False
    if _CAPTION.match(text):
        return False
    starter = text.lstrip("([\"'“‘")[:1]  # noqa: RUF001  # quotation marks may open a heading
    if starter.islower():
        return False
    before = lines[first - 1].rstrip() if first else ""
    after = lines[last + 1].strip() if last + 1 < len(lines) else ""
    # the middle of a sentence: what comes before runs on, or what comes after does
    if after[:1].islower():
        return False
    return not before.endswith(_RUNS_ON)


def _numbered_heading(lines: Sequence[str], index: int) -> bool:
    line = lines[index].strip()
    if line.casefold() in _NAMED:
        return True
    number = _NUMBER.match(line)
    if number is None or len(line) > 80 or heading_level(line) is None:
        return False
    after = lines[index + 1].strip() if index + 1 < len(lines) else ""
    # short numbered lines in a row are a list; a dotted number is a section all the same
    return bool(after) and ("." in number.group(1) or not _NUMBER.match(after)) and not after[:1].islower()


def place_tables(text: str, tables: Sequence[PdfTable]) -> dict[int, PdfTable]:
    """First line -> table, for the tables whose lines stand in the page text one after the other."""
    keys = [_key(line) for line in text.splitlines()]
    placed: dict[int, PdfTable] = {}
    position = 0
    for table in tables:
        wanted = [_key(join_hyphens(line)) for line in table.lines]
        for first in range(position, len(keys) - len(wanted) + 1):
            if keys[first : first + len(wanted)] == wanted:
                placed[first] = table
                position = first + len(wanted)
                break
    return placed


def add_page(
    builder: StructuredText,
    text: str,
    headings: Mapping[int, tuple[int, int]],
    tables: Mapping[int, PdfTable] | None = None,
) -> None:
    """Add the lines of one page as blocks. Lines of a paragraph keep their line feeds: it may be a table."""
    lines = text.splitlines()
    usual = _usual_width(lines)
    paragraph: list[str] = []
    index = 0

    def flush() -> None:
        if paragraph:
            items = sum(1 for line in paragraph if _ITEM.match(line))
            kind = "list" if _ITEM.match(paragraph[0]) and items > 1 else "paragraph"
            builder.add("list" if kind == "list" else "paragraph", "\n".join(paragraph))
            paragraph.clear()

    while index < len(lines):
        if tables and index in tables:
            flush()
            builder.add_table(tables[index].rows)
            index += len(tables[index].lines)
            continue
        if index in headings:
            flush()
            last, level = headings[index]
            builder.add("heading", " ".join(line.strip() for line in lines[index : last + 1]), level)
            index = last + 1
            continue
        line = lines[index].strip()
        if not line or (paragraph and _begins_anew(paragraph[-1], line, usual)):
            flush()
        if line:
            paragraph.append(line)
        index += 1
    flush()


def _usual_width(lines: Sequence[str]) -> int:
    widths = sorted(len(line.strip()) for line in lines if line.strip())
    return widths[len(widths) * 3 // 4] if widths else 0


def _begins_anew(previous: str, line: str, usual: int) -> bool:
    """A line that ends early with a full stop closes its paragraph; an item after prose opens a list."""
    if _ITEM.match(line) and not _ITEM.match(previous):
        return previous.endswith((":", ".", ";"))
    return previous.endswith((".", "!", "?", ":")) and len(previous) < 0.75 * usual and not _ITEM.match(line)
