"""Chunking follows the structure of a document."""

import re
import time

import pytest

from perdure.domain.chunking import ChunkSpan, chunk, contextual_text
from perdure.schemas.parsed_text import BlockSpan, PageSpan, ParsedText


class WordTokens:
    """A token is a word or a punctuation mark, so that tests can count."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def parsed(
    text: str, *blocks: tuple[str, str, int | None], pages: list[PageSpan] | None = None
) -> ParsedText:
    """`blocks` are (kind, text, level), found in the text one after the other."""
    spans, position = [], 0
    for kind, content, level in blocks:
        start = text.index(content, position)
        position = start + len(content)
        spans.append(
            BlockSpan.model_validate({"kind": kind, "start": start, "end": position, "level": level})
        )
    return ParsedText(text=text, media_type="text/plain", blocks=spans, pages=pages or [])


def cut(document: ParsedText, max_tokens: int) -> list[ChunkSpan]:
    return chunk(document, WordTokens(), max_tokens)


def test_nothing_makes_no_chunk() -> None:
    assert cut(parsed(""), 32) == []
    assert cut(parsed(" \n\t\n "), 32) == []


def test_a_short_text_is_one_chunk_without_its_outer_white_space() -> None:
    (only,) = cut(parsed("\n  Hello there.\n"), 32)
    assert (only.text, only.start, only.end, only.ordinal) == ("Hello there.", 3, 15, 0)
    assert (only.page, only.heading_path, only.token_count) == (None, (), 3)


def test_small_paragraphs_are_put_together_up_to_the_budget() -> None:
    text = "\n\n".join(f"Paragraph number {n} here." for n in range(10))
    chunks = cut(parsed(text), 40)
    assert len(chunks) == 2
    assert all("Paragraph" in c.text and c.text.endswith("here.") for c in chunks)
    assert sum(c.text.count("Paragraph") for c in chunks) == 10


def test_headings_start_chunks_and_stand_in_the_path() -> None:
    text = "# One\n\nFirst text.\n\n## Two\n\nSecond text.\n\n# Three\n\nThird text."
    document = parsed(
        text,
        ("heading", "# One", 1),
        ("paragraph", "First text.", None),
        ("heading", "## Two", 2),
        ("paragraph", "Second text.", None),
        ("heading", "# Three", 1),
        ("paragraph", "Third text.", None),
    )
    chunks = cut(document, 64)
    assert [c.heading_path for c in chunks] == [("One",), ("One", "Two"), ("Three",)]
    assert chunks[1].text == "## Two\n\nSecond text."


def test_a_heading_is_never_left_alone_at_the_end_of_a_chunk() -> None:
    body = " ".join(f"Sentence {n} says something." for n in range(20))
    document = parsed(f"Title\n\n{body}", ("heading", "Title", 1), ("paragraph", body, None))
    assert cut(document, 33)[0].text.startswith("Title\n\nSentence 0")


def test_headings_in_a_row_share_the_chunk_of_the_text_below_them() -> None:
    text = "Part\nChapter\nText below."
    document = parsed(
        text, ("heading", "Part", 1), ("heading", "Chapter", 2), ("paragraph", "Text below.", None)
    )
    (only,) = cut(document, 32)
    assert only.heading_path == ("Part", "Chapter")


def test_a_paragraph_reported_as_a_heading_is_cut_like_a_paragraph() -> None:
    words = " ".join(f"word{n}" for n in range(100))
    chunks = cut(parsed(words, ("heading", words, 1)), 32)
    assert [c.heading_path for c in chunks] == [()] * len(chunks)
    assert max(c.token_count for c in chunks) <= 32


def test_long_paragraphs_are_cut_between_sentences() -> None:
    text = " ".join(f"This is sentence number {n} of the text." for n in range(12))
    chunks = cut(parsed(text), 40)
    assert all(c.text.startswith("This is") and c.text.endswith("text.") for c in chunks)


def test_abbreviations_and_decimals_end_no_sentence() -> None:
    text = " ".join(f"Dr. Smith paid 3.5 euros to J. Doe on day {n}." for n in range(8))
    chunks = cut(parsed(text), 34)
    assert all(c.text.startswith("Dr. Smith") for c in chunks)


def test_chinese_sentences_are_cut_without_white_space() -> None:
    text = "".join(f"这是第{n}句话。" for n in range(40))

    class Characters:
        def offsets(self, text: str) -> list[tuple[int, int]]:
            return [(i, i + 1) for i, c in enumerate(text) if not c.isspace()]

    chunks = chunk(parsed(text), Characters(), 40)
    assert all(c.text.startswith("这") and c.text.endswith("。") for c in chunks)


def test_table_rows_stay_whole_and_later_chunks_know_the_header() -> None:
    rows = [f"| item {n} | {n * 10} |" for n in range(30)]
    table = "\n".join(["| Name | Amount |", "|---|---|", *rows])
    chunks = cut(parsed(f"Prices\n\n{table}", ("heading", "Prices", 1), ("table", table, None)), 48)
    assert len(chunks) > 2
    for c in chunks[1:]:
        assert c.heading_path == ("Prices", "Name | Amount")
        assert all(re.fullmatch(r"\| item \d+ \| \d+ \|", line) for line in c.text.splitlines())
    assert chunks[0].heading_path == ("Prices",)


def test_a_row_that_does_not_fit_is_cut_between_words() -> None:
    table = "a | b\n" + " ".join(f"cell{n}" for n in range(100)) + " | x"
    chunks = cut(parsed(table, ("table", table, None)), 32)
    assert max(c.token_count for c in chunks) <= 32
    assert "".join(c.text for c in chunks).replace("\n", "").replace(" ", "") == re.sub(r"\s", "", table)


def test_a_word_longer_than_the_budget_is_cut_between_characters() -> None:
    class Characters:
        def offsets(self, text: str) -> list[tuple[int, int]]:
            return [(i, i + 1) for i, c in enumerate(text) if not c.isspace()]

    chunks = chunk(parsed("x" * 100), Characters(), 32)
    assert [len(c.text) for c in chunks] == [32, 32, 32, 4]


def test_a_letter_keeps_its_accent_when_a_word_is_cut() -> None:
    class Letters:
        def offsets(self, text: str) -> list[tuple[int, int]]:
            return [(i, i + 1) for i, c in enumerate(text) if not c.isspace()]

    chunks = chunk(parsed("e\u0301" * 40), Letters(), 33)
    assert all(c.text[0] == "e" for c in chunks)


def test_one_endless_token_is_cut_by_its_length() -> None:
    chunks = cut(parsed("A" * 5000), 32)
    assert max(len(c.text) for c in chunks) == 32 * 16


def test_a_last_sliver_takes_sentences_over() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(14))
    chunks = cut(parsed(text), 80)
    assert [c.token_count >= 16 for c in chunks] == [True] * len(chunks)


def test_pages_are_those_of_the_first_character() -> None:
    first, second = "First page text.", "Second page text."
    text = f"{first}\n\n{second}"
    pages = [
        PageSpan(number=1, start=0, end=len(first)),
        PageSpan(number=2, start=len(first) + 2, end=len(text)),
    ]
    document = parsed(text, ("heading", first, 1), ("heading", second, 1), pages=pages)
    document = document.model_copy(
        update={"blocks": [BlockSpan(kind="table", start=0, end=len(first)), document.blocks[1]]}
    )
    assert [c.page for c in cut(document, 32)] == [1, 2]


def test_overlapping_and_wild_blocks_lose_and_double_nothing() -> None:
    text = "alpha beta gamma delta"
    spans = [(0, 10), (5, 500), (3, 4), (11, 11)]
    blocks = [BlockSpan(kind="paragraph", start=start, end=end) for start, end in spans]
    chunks = cut(ParsedText(text=text, media_type="text/plain", blocks=blocks), 32)
    assert "".join(c.text for c in chunks).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("unit", ["word ", "x", "A sentence. ", "row\n", "中", "  \n\n a"])
def test_time_grows_with_the_length_and_no_faster(unit: str) -> None:
    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit))
        started = time.process_time()
        cut(parsed(text), 200)
        return time.process_time() - started

    # Quadratic work would take 64 times as long for 8 times the text, linear work 8 times; the rest is noise.
    short = max(seconds(50_000) for _ in range(3))
    assert min(seconds(400_000) for _ in range(3)) < 30 * max(short, 0.005)


def test_what_is_embedded_says_where_the_passage_stands() -> None:
    assert contextual_text("Report", ["Costs", "Travel"], "Trains.") == "Report: Costs: Travel\nTrains."


def test_headings_that_the_passage_starts_with_are_not_said_twice() -> None:
    assert contextual_text("Report", ["Costs"], "## Costs\n\nTrains.") == "Report\n## Costs\n\nTrains."
    assert contextual_text(None, [], "Trains.") == "Trains."
    assert contextual_text("Same", ["Same"], "Trains.") == "Same\nTrains."


def test_a_long_context_keeps_its_end_which_is_nearest_to_the_passage() -> None:
    said = contextual_text("T " * 200, ["near heading"], "Text.")
    assert said.endswith("near heading\nText.")
    assert len(said) < 200
