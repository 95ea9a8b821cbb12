"""Builds text and the offsets of its parts together, so that no offset ever points beside its text."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from perdure.domain.clean_text import clean
from perdure.domain.rejections import too_much_text

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]
Span = tuple[BlockKind, int, int, int | None]

_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")
_MANY_LINES = re.compile(r"\n{3,}")
_TRAILING = re.compile(r"[ \t]+\n")


class StructuredText:
    """Blocks in reading order, two line feeds apart; pages and blocks know where they begin and end."""

    def __init__(self, max_bytes: int) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._size_bytes = 0
        self._max_bytes = max_bytes
        self._page: tuple[int, int] | None = None
        self.blocks: list[Span] = []
        self.pages: list[tuple[int, int, int]] = []
        self.cleaned_characters = 0

    @property
    def text(self) -> str:
        """Everything added so far."""
        return "".join(self._parts)

    def add(self, kind: BlockKind, text: str, level: int | None = None) -> None:
        """Append a block; one without visible characters is left out."""
        cleaned = clean(text)
        self.cleaned_characters += cleaned.cleaned_characters
        body = _TRAILING.sub("\n", cleaned.text).strip()
        if not body:
            return
        if kind in {"heading", "paragraph"}:
            body = _MANY_LINES.sub("\n\n", body)
        if kind == "heading":
            body = _BLANKS.sub(" ", body.replace("\n", " "))
        if self._length:
            self._append("\n\n")
        start = self._length
        self._append(body)
        self.blocks.append(
            (kind, start, self._length, min(max(level or 1, 1), 6) if kind == "heading" else None)
        )

    def add_list(self, items: Iterable[str], *, ordered: bool = False) -> None:
        """Append items as one block, a line each."""
        lines = []
        for number, item in enumerate((one.strip() for one in items if one.strip()), start=1):
            lines.append(f"{number}. {item}" if ordered else f"- {item}")
        self.add("list", "\n".join(lines))

    def add_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Append rows as `| a | b |` lines; wholly empty rows and columns are left out."""
        self.add("table", "\n".join(table_lines(rows)))

    def start_page(self, number: int) -> None:
        """What is added from here on stands on this page."""
        self.end_page()
        self._page = (number, self._length)

    def end_page(self) -> None:
        """Close the current page, if any. A page without text has no extent."""
        if self._page is None:
            return
        number, start = self._page
        if start and start < self._length:
            start += 2  # the blank line between two pages belongs to neither
        self.pages.append((number, start, self._length))
        self._page = None

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
        self._size_bytes += len(text.encode())
        if self._size_bytes > self._max_bytes:
            raise too_much_text(self._max_bytes)


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as `| a | b |`, cells on one line each, empty rows and columns gone."""
    cells = [[_BLANKS.sub(" ", " ".join(cell.split())) for cell in row] for row in rows]
    width = max((len(row) for row in cells), default=0)
    used = [index for index in range(width) if any(index < len(row) and row[index] for row in cells)]
    return [
        "| " + " | ".join(row[i].replace("|", "/") if i < len(row) else "" for i in used) + " |"
        for row in cells
        if any(row)
    ]
