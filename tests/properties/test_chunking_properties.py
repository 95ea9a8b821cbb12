"""What holds for the chunks of any text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.chunking import MAX_CHARACTERS_PER_TOKEN, chunk, contextual_text
from perdure.schemas.parsed_text import BlockSpan, PageSpan, ParsedText
from tests.embedding import tokenizer

WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    st.sampled_from(
        ["The", "report", "costs", "3.5", "Dr.", "end.", "\n", "\n\n", "|", "中文。", "e\u0301", "x" * 150]
    ),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=80, max_size=400),
)
TEXTS = st.lists(WORDS, max_size=120).map(" ".join)
KINDS = st.sampled_from(["heading", "paragraph", "list", "table", "code"])


@st.composite
def documents(draw: st.DrawFn) -> ParsedText:
    text = draw(TEXTS)
    places = st.integers(0, max(len(text), 1))
    blocks = [
        BlockSpan.model_validate(
            {"kind": draw(KINDS), "start": start, "end": end, "level": draw(st.sampled_from([None, 1, 2, 3]))}
        )
        for start, end in draw(st.lists(st.tuples(places, places).map(sorted), max_size=8))
    ]
    cuts = sorted(draw(st.lists(places, max_size=3)))
    pages = [
        PageSpan(number=number, start=start, end=end)
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(text)], strict=True), start=1)
    ]
    return ParsedText(text=text, media_type="text/plain", blocks=blocks, pages=pages)


@given(documents(), st.sampled_from([32, 64, 200]))
@settings(max_examples=150)
def test_each_character_is_in_exactly_one_chunk_and_no_chunk_is_too_long(
    document: ParsedText, max_tokens: int
) -> None:
    tokens = tokenizer()
    chunks = chunk(document, tokens, max_tokens)
    position = 0
    for ordinal, span in enumerate(chunks):
        assert span.ordinal == ordinal
        assert span.text == document.text[span.start : span.end] == span.text.strip()
        assert document.text[position : span.start].strip() == ""
        assert len(tokens.offsets(span.text)) == span.token_count <= max_tokens
        assert len(span.text) <= max_tokens * MAX_CHARACTERS_PER_TOKEN
        assert span.page is not None
        position = span.end
    assert document.text[position:].strip() == ""


@given(documents())
@settings(max_examples=30)
def test_chunking_is_deterministic(document: ParsedText) -> None:
    assert chunk(document, tokenizer(), 64) == chunk(document, tokenizer(), 64)


@given(st.text(max_size=300), st.lists(st.text(max_size=200), max_size=4), st.text(max_size=500))
def test_the_passage_is_whole_in_what_is_embedded(title: str, path: list[str], text: str) -> None:
    assert contextual_text(title, path, text).endswith(text)
