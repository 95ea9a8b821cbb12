"""Requests for embeddings keep to the limits of providers."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.embedding_batches import MAX_REQUEST_BYTES, MAX_REQUEST_TEXTS, MAX_TEXT_BYTES, batches


def test_what_is_too_long_for_one_request_becomes_several() -> None:
    texts = ["x" * 5000] * 130 + ["y"] * 2100 + ["\u00e9" * 9000, ""]
    found = list(batches(texts))
    sent = [text for batch in found for text in batch]
    assert sent == [*["x" * 5000] * 130, *["y"] * 2100, "\u00e9" * (MAX_TEXT_BYTES // 2), " "]
    for batch in found:
        assert len(batch) <= MAX_REQUEST_TEXTS
        assert sum(len(text.encode()) for text in batch) <= MAX_REQUEST_BYTES
    assert [len(batch) for batch in found] == [60, 60, 2048, 64]
    assert list(batches([])) == []


@given(st.lists(st.text(max_size=50), max_size=30))
def test_each_text_is_sent_once_and_in_order(texts: list[str]) -> None:
    assert [text for batch in batches(texts) for text in batch] == [text or " " for text in texts]


def test_a_half_of_a_pair_is_replaced_and_not_refused() -> None:
    assert list(batches(["a\ud800b"])) == [["a?b"]]
