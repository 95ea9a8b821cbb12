"""Structure of plain texts: what is a heading, a list, a table, a paragraph."""

import pytest

from perdure.domain.structured_text import StructuredText, table_lines
from perdure.domain.text_blocks import (
    Block,
    best_delimiter,
    delimited_rows,
    heading_level,
    json_entries,
    markdown_blocks,
    prose_blocks,
)
from perdure.errors import DocumentRejectedError

MARKDOWN = """\
---
title: ignored
---
# First heading

A paragraph that
goes over two lines.

Setext heading
==============

- one
- two
  and its second line

- three after a blank line

Leads into a list:
1. first
2. second

| a | b |
| --- | --- |
| 1 | 2 |

```python
# not a heading
```

***

> quoted text

## Second ##

    indented code
"""


def told(text: str, blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.kind + str(block.level or ""), text[block.start : block.end]) for block in blocks]


def test_markdown_becomes_blocks() -> None:
    assert told(MARKDOWN, markdown_blocks(MARKDOWN)) == [
        ("heading1", "First heading"),
        ("paragraph", "A paragraph that\ngoes over two lines."),
        ("heading1", "Setext heading"),
        ("list", "- one\n- two\n  and its second line\n\n- three after a blank line"),
        ("paragraph", "Leads into a list:"),
        ("list", "1. first\n2. second"),
        ("table", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("code", "```python\n# not a heading\n```"),
        ("paragraph", "> quoted text"),
        ("heading2", "Second"),
        ("code", "    indented code"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\nnever closed", [("code", "```\nnever closed")]),
        ("#hashtag is no heading", [("paragraph", "#hashtag is no heading")]),
        ("#", [("paragraph", "#")]),
        ("", []),
        ("\n\n  \n", []),
        ("a | b\n--- | ---\n1 | 2", [("table", "a | b\n--- | ---\n1 | 2")]),
    ],
)
def test_odd_markdown(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text, markdown_blocks(text)) == expected


def test_prose_becomes_blocks() -> None:
    text = (
        "THE TITLE\n\n1. Scope\n\nThis applies to\neverybody.\n\n- one\n- two\n\n"
        "Underlined\n----------\nText below.\n\n"
        "1.2 Notice period\n\nChapter 3 Leave\n\n1. a single item that ends like a sentence.\n"
    )
    assert told(text, prose_blocks(text)) == [
        ("heading2", "THE TITLE"),
        ("heading1", "1. Scope"),
        ("paragraph", "This applies to\neverybody."),
        ("list", "- one\n- two"),
        ("heading1", "Underlined"),
        ("paragraph", "Text below."),
        ("heading2", "1.2 Notice period"),
        ("heading1", "Chapter 3 Leave"),
        ("list", "1. a single item that ends like a sentence."),
    ]


def test_a_long_text_without_blank_lines_is_broken_where_sentences_end_lines_early() -> None:
    lines = ["A full line of text that goes on and on until it reaches the right edge of the page,"] * 20
    text = "\n".join([*lines, "and ends here.", *lines, "And there."])
    assert [block.kind for block in prose_blocks(text)] == ["paragraph", "paragraph"]


def test_lines_that_nobody_would_wrap_are_paragraphs_of_their_own() -> None:
    text = "\n".join(["word " * 60] * 3)
    assert len(prose_blocks(text)) == 3


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("1 Introduction", 1),
        ("3.1 Overview", 2),
        ("2.4.1. Details", 3),
        ("NOTICE PERIOD", 2),
        ("Section 4 Rent", 1),
        ("Appendix A", 1),
        ("1 March 2025", None),
        ("3 apples", None),
        ("A normal sentence.", None),
        ("Just words", None),
        ("42", None),
        ("OK", None),
        ("x" * 200, None),
        ("", None),
    ],
)
def test_which_lines_read_like_headings(line: str, level: int | None) -> None:
    assert heading_level(line) == level


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n2,5;3\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"x, y";b\n"z, w";c\n', ";"),
        ("no delimiter\nat all\n", ","),
        ("", ","),
    ],
)
def test_the_most_regular_delimiter_wins(text: str, delimiter: str) -> None:
    assert best_delimiter(text) == delimiter


def test_quoted_cells_keep_delimiters_and_line_feeds() -> None:
    assert delimited_rows('name,note\nx,"a, b\nc"\n') == [["name", "note"], ["x", "a, b\nc"]]


def test_a_quote_that_never_closes_does_not_swallow_the_file() -> None:
    text = 'name,note\nx,"open\n' + "y,z\n" * 50
    rows = delimited_rows(text, ",")
    assert len(rows) == 52
    assert rows[-1] == ["y", "z"]


def test_a_cell_of_many_megabytes_is_no_crash() -> None:
    rows = delimited_rows('a,"' + "x" * 300_000 + '"\n', ",")
    assert len(rows[0][1]) >= 300_000


def test_json_becomes_lines_that_name_their_place() -> None:
    assert json_entries(
        '{"name": "Kestrel", "sites": [{"city": "Arden"}, {"city": "Lowmoor"}], "n": 2, "x": null}'
    ) == [
        "name: Kestrel",
        "sites[0].city: Arden\nsites[1].city: Lowmoor",
        "n: 2",
        "x: null",
    ]
    assert json_entries('[1, {"a": true}]') == ["[0]: 1", "[1].a: true"]
    assert json_entries('"alone"') == ["alone"]


def test_table_rows_lose_empty_rows_and_columns_and_nothing_else() -> None:
    assert table_lines([["a", "", "b|c"], ["", "", ""], ["d\ne", "", ""], ["f"]]) == [
        "| a | b/c |",
        "| d e |  |",
        "| f |  |",
    ]


def test_blocks_know_where_they_stand() -> None:
    builder = StructuredText(max_bytes=1_000)
    builder.start_page(1)
    builder.add("heading", "The\ntitle", level=9)
    builder.add("paragraph", "  \x00 ")
    builder.add_list(["one", "", "two"], ordered=True)
    builder.start_page(2)
    builder.add_table([["a", "b"]])
    builder.start_page(3)
    builder.end_page()
    text = builder.text
    assert text == "The title\n\n1. one\n2. two\n\n| a | b |"
    assert [(kind, text[start:end], level) for kind, start, end, level in builder.blocks] == [
        ("heading", "The title", 6),
        ("list", "1. one\n2. two", None),
        ("table", "| a | b |", None),
    ]
    assert [(number, text[start:end]) for number, start, end in builder.pages] == [
        (1, "The title\n\n1. one\n2. two"),
        (2, "| a | b |"),
        (3, ""),
    ]
    assert builder.cleaned_characters == 1


def test_too_much_text_is_refused() -> None:
    builder = StructuredText(max_bytes=10)
    with pytest.raises(DocumentRejectedError) as error:
        builder.add("paragraph", "é" * 6)
    assert error.value.reason == "too_large"
