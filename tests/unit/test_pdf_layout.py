"""Headings, paragraphs and tables out of the bare lines of a PDF page."""

from perdure.domain.pdf_layout import add_page, join_hyphens, match_headings, place_tables
from perdure.domain.pdf_tables import Cell, Line, PdfTable, find_tables
from perdure.domain.structured_text import StructuredText

PAGE = """\
Commercial lease
1. Parties
This lease is made between the landlord and the tenant of the workshop in the harbour,
who are named below.
Abstract
The monthly rent follows the table below. It is due on the third working day of the month,
in advance.
Year Rent
1 8,200
2 8,364
Table 1: Rents
Continue reading
and so the sentence goes on over the line that looks large.
"""


def blocks(
    page: str, candidates: list[tuple[str, int]], tables: list[PdfTable] | None = None
) -> list[tuple[str, str]]:
    builder = StructuredText(100_000)
    add_page(builder, page, match_headings(page, candidates), place_tables(page, tables or []))
    return [(f"{kind}{level or ''}", builder.text[start:end]) for kind, start, end, level in builder.blocks]


def test_headings_are_kept_only_when_they_read_like_headings() -> None:
    candidates = [("Commercial  lease", 1), ("1. Parties", 2), ("Table 1: Rents", 1), ("Continue reading", 3)]
    headings = [(kind, text) for kind, text in blocks(PAGE, candidates) if kind.startswith("heading")]
    assert headings == [
        ("heading1", "Commercial lease"),
        ("heading2", "1. Parties"),
        ("heading1", "Abstract"),
    ]


def test_a_heading_over_two_lines_is_one() -> None:
    page = "A Very Long Title That Needs\nTwo Lines\nText begins here, and ends here."
    assert blocks(page, [("A Very Long Title That Needs Two Lines", 1)])[0] == (
        "heading1",
        "A Very Long Title That Needs Two Lines",
    )


def test_the_middle_of_a_sentence_is_no_heading_however_large() -> None:
    page = "We show that\nDense retrieval can outperform\nall others by far.\nIt depends on the\nTraining data\nalone."
    assert not [
        one
        for one in blocks(page, [("Dense retrieval can outperform", 3), ("Training data", 3)])
        if "h" in one[0][:1]
    ]


def test_numbered_lines_in_a_row_are_a_list_and_not_headings() -> None:
    page = "Bring along:\n1. Life jacket\n2. Torque wrench\n3. Spare seal"
    assert blocks(page, []) == [
        ("paragraph", "Bring along:"),
        ("list", "1. Life jacket\n2. Torque wrench\n3. Spare seal"),
    ]


def test_no_word_of_a_page_is_lost() -> None:
    together = " ".join(text for _, text in blocks(PAGE, [("Commercial lease", 1)]))
    assert together.split() == PAGE.split()


def test_paragraphs_end_where_a_sentence_ends_its_line_early() -> None:
    page = "A long first line that reaches the right edge of the page and\ngoes on.\nA new one begins and is\nlong."
    assert [kind for kind, _ in blocks(page, [])] == ["paragraph", "paragraph"]


def test_hyphens_at_line_ends_are_undone_before_small_letters_only() -> None:
    assert join_hyphens("effi\x02ciency of Lucene\x02BM25 and 2\x023") == "efficiency of Lucene-BM25 and 2-3"


def a_line(*cells: tuple[str, float, float]) -> Line:
    return Line(tuple(Cell(text, left, right) for text, left, right in cells))


TABLE = [
    a_line(("Year", 10, 30), ("Rent", 100, 120)),
    a_line(("1", 10, 15), ("8,200", 100, 125)),
    a_line(("2", 10, 15), ("8,364", 100, 125)),
]


def test_cells_under_one_another_are_a_table() -> None:
    (table,) = find_tables([a_line(("Text before", 10, 200)), *TABLE, a_line(("Text after", 10, 200))])
    assert table.rows == (("Year", "Rent"), ("1", "8,200"), ("2", "8,364"))
    assert table.lines == ("Year Rent", "1 8,200", "2 8,364")


def test_an_empty_cell_stays_empty() -> None:
    lines = [
        a_line(("a", 10, 15), ("b", 50, 55), ("c", 90, 95)),
        a_line(("d", 10, 15), ("f", 90, 95)),
        a_line(("g", 10, 15), ("h", 50, 55), ("i", 90, 95)),
    ]
    assert find_tables(lines)[0].rows[1] == ("d", "", "f")


def test_two_lines_or_unaligned_cells_are_no_table() -> None:
    assert find_tables(TABLE[:2]) == []
    assert (
        find_tables(
            [a_line((f"x{i}", i * 40, i * 40 + 9), (f"y{i}", i * 40 + 20, i * 40 + 29)) for i in range(5)]
        )
        == []
    )


def test_loose_prose_that_leaves_most_columns_empty_is_no_table() -> None:
    lines = [
        a_line(*((f"w{column}", column * 30, column * 30 + 20) for column in range(10) if column in picked))
        for picked in ({0, 1, 2}, {1, 2, 3}, {2, 3, 9}, {3, 9, 8})
    ]
    assert find_tables(lines) == []


def test_tables_replace_their_lines_in_the_page() -> None:
    (table,) = find_tables(TABLE)
    told = blocks(PAGE, [], [table])
    assert ("table", "| Year | Rent |\n| 1 | 8,200 |\n| 2 | 8,364 |") in told
    assert not any("1 8,200" in text for _, text in told)


def test_a_table_that_does_not_stand_in_the_page_text_changes_nothing() -> None:
    elsewhere = PdfTable(lines=("x y", "z w"), rows=(("x", "y"), ("z", "w")))
    assert blocks(PAGE, [], [elsewhere]) == blocks(PAGE, [])
