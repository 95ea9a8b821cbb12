"""Which words are looked for, and when a space is looked through without an index."""

import pytest

from perdure.db.candidates import WORD_HITS, one_by_one, rarest, settled
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word


@pytest.mark.parametrize(
    ("size", "of_all", "expected"),
    [
        (5_000, 5_000, True),
        (5_001, 5_001, False),
        # Statistics may be old, or there may be none yet.
        (5_001, 0, False),
        (100, 0, True),
        # A hundredth of all: an index would offer ninety-nine of others for each of its own.
        (10_000, 1_000_000, True),
        (10_000, 15_000, False),
        (100_000, 1_000_000, False),
    ],
)
def test_a_space_is_looked_through_when_the_index_holds_mostly_others(
    size: int, of_all: float, expected: bool
) -> None:
    assert one_by_one(size, of_all, 5_000) is expected


def test_a_limit_of_nothing_always_asks_the_index() -> None:
    assert not one_by_one(1, 10**9, 0)


def word(name: str, texts: float) -> QueryWord:
    return QueryWord(Word((name,)), texts)


def test_rare_words_are_looked_for_before_common_ones_and_one_always() -> None:
    words = [word("pump", WORD_HITS), word("valve", 10), word("the", 10 * WORD_HITS)]
    assert [each.word.lexemes[0] for each in rarest(words, 10**6, sampled=True)] == ["valve"]
    assert [each.word.lexemes[0] for each in rarest(words[2:], 10**6, sampled=True)] == ["the"]
    assert rarest([], 10**6, sampled=True) == []


def test_of_uncounted_words_the_longer_are_taken_for_the_rarer() -> None:
    words = [word("ox", 0), word("hippopotamus", 0)]
    assert [each.word.lexemes[0] for each in rarest(words, 100, sampled=False)] == ["hippopotamus", "ox"]


def test_a_count_that_reached_its_limit_only_says_that_there_are_more() -> None:
    assert settled(50.0, None) == 50.0
    assert settled(50.0, 7.0) == 7.0
    assert settled(WORD_HITS * 3.0, WORD_HITS) == WORD_HITS * 3.0
