"""Finds tables among positioned lines: neighbouring lines whose cells stand under one another."""

from collections.abc import Sequence
from dataclasses import dataclass

_LEAST_ROWS = 3
_LEAST_FILLED = 0.6


@dataclass(frozen=True)
class Cell:
    """Words without a wide gap between them, and where they begin and end, in points."""

    text: str
    left: float
    right: float


@dataclass(frozen=True)
class Line:
    """The cells of one line, from left to right."""

    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """The line as the parser writes it, blanks aside."""
        return " ".join(cell.text for cell in self.cells)


@dataclass(frozen=True)
class PdfTable:
    """`lines` as they stand in the page text, and the same words as rows of equal length."""

    lines: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def find_tables(lines: Sequence[Line]) -> list[PdfTable]:
    """Tables of a page, in order. Two text columns side by side are none: each has lines of its own."""
    tables = []
    run: list[Line] = []
    for line in [*lines, Line(())]:
        if len(line.cells) >= 2 and (not run or _aligned(run, line)):
            run.append(line)
            continue
        if len(run) >= _LEAST_ROWS and _filled(table := _table(run)):
            tables.append(table)
        run = [line] if len(line.cells) >= 2 else []
    return tables


def _filled(table: PdfTable) -> bool:
    """Loose prose that happens to line up leaves most of its columns empty."""
    cells = [cell for row in table.rows for cell in row]
    return sum(map(bool, cells)) >= _LEAST_FILLED * len(cells)


def _aligned(run: Sequence[Line], line: Line) -> bool:
    """At least two cells of the line stand over or under a cell of one of the last rows."""
    for before in reversed(run[-3:]):
        matched = sum(any(_overlap(cell, other) for other in before.cells) for cell in line.cells)
        if matched >= 2:
            return True
    return False


def _overlap(one: Cell, other: Cell) -> bool:
    shared = min(one.right, other.right) - max(one.left, other.left)
    return shared > 0.3 * min(one.right - one.left, other.right - other.left)


def _table(run: Sequence[Line]) -> PdfTable:
    columns = _columns(run)
    rows = []
    for line in run:
        row = [""] * len(columns)
        for cell in line.cells:
            index = max(range(len(columns)), key=lambda position: _shared(cell, columns[position]))
            row[index] = f"{row[index]} {cell.text}".strip()
        rows.append(tuple(row))
    return PdfTable(lines=tuple(line.text for line in run), rows=tuple(rows))


def _columns(run: Sequence[Line]) -> list[tuple[float, float]]:
    """Column extents. Narrow cells come first, so that a heading over two columns joins neither."""
    columns: list[tuple[float, float]] = []
    for cell in sorted(
        (cell for line in run for cell in line.cells), key=lambda cell: cell.right - cell.left
    ):
        touching = [one for one in columns if min(one[1], cell.right) - max(one[0], cell.left) > 0]
        if len(touching) <= 1:
            columns = [one for one in columns if one not in touching]
            columns.append(
                (
                    min([cell.left, *(one[0] for one in touching)]),
                    max([cell.right, *(one[1] for one in touching)]),
                )
            )
    return sorted(columns)


def _shared(cell: Cell, column: tuple[float, float]) -> float:
    return min(cell.right, column[1]) - max(cell.left, column[0])
