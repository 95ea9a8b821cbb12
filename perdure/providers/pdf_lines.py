"""Where the words of a PDF page stand, which is what shows its tables."""

import time
from collections.abc import Iterator, Mapping
from ctypes import c_double
from itertools import pairwise
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from perdure.domain.pdf_tables import Cell, Line

_MAX_CHARACTERS = 20_000


def lines_by_page(path: Path, *, max_pages: int, seconds: float) -> Mapping[int, list[Line]]:
    """Lines of the first pages with the cells that wide gaps divide them into, as far as the time goes."""
    deadline = time.monotonic() + seconds
    found: dict[int, list[Line]] = {}
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError:
        return found  # the parser, which has its own copy of the library, could read it: no tables, then
    try:
        for index in range(min(len(document), max_pages)):
            if time.monotonic() > deadline:
                break
            page = document[index]
            text = page.get_textpage()
            found[index + 1] = list(_lines(text))
            text.close()
            page.close()
    finally:
        document.close()
    return found


def _lines(text: "pypdfium2.PdfTextPage") -> Iterator[Line]:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    line: list[tuple[str, float, float, float]] = []
    for index in range(min(text.count_chars(), _MAX_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(text, index)
        if code in {10, 13}:
            if line:
                yield _cells(line)
                line = []
            continue
        if code == 0 or not raw.FPDFText_GetCharBox(text, index, left, right, bottom, top):
            continue
        line.append((chr(code), left.value, right.value, top.value - bottom.value))
    if line:
        yield _cells(line)


def _cell_gap(characters: list[tuple[str, float, float, float]]) -> float:
    """Blanks wider than this divide cells. A line set loosely to fill its width has none: all blanks are wide."""
    heights = sorted(height for character, _, _, height in characters if character.isalnum())
    height = heights[len(heights) // 2] if heights else 8.0
    inked = [one for one in characters if not one[0].isspace()]
    gaps = [after[1] - before[2] for before, after in pairwise(inked)]
    blanks = [gap for gap in gaps if gap > 0.25 * height]
    smallest = min(blanks, default=0.0)
    return max(1.1 * height, 2 * smallest) if smallest < 0.8 * height else 2.5 * height


def _cells(characters: list[tuple[str, float, float, float]]) -> Line:
    gap = _cell_gap(characters)
    cells: list[Cell] = []
    word, start, end = "", 0.0, 0.0
    for character, left, right, _ in characters:
        if character.isspace():
            word += " " if word else ""
            continue
        if word and left - end > gap:
            cells.append(Cell(word.strip(), start, end))
            word = ""
        if not word:
            start = left
        word += character
        end = right
    if word:
        cells.append(Cell(word.strip(), start, end))
    return Line(tuple(cells))
