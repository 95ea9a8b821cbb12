"""When words show that a text has to do with a query."""

from perdure.domain.relevance import QueryWord, is_relevant
from perdure.domain.text_search import Word

WORDS = [
    QueryWord(Word((name,)), texts) for name, texts in (("cake", 4), ("tram", 40), ("hill", 60), ("go", 500))
]


def test_half_of_what_the_words_tell_is_enough() -> None:
    assert is_relevant(WORDS, 1000, [{}, {"cake": 1, "hill": 2}])
    assert is_relevant(WORDS[3:], 1000, [{"go": 1}])


def test_a_common_word_alone_is_not() -> None:
    assert not is_relevant(WORDS, 1000, [{"go": 3}, {"hill": 1}])


def test_of_a_long_question_what_no_text_holds_by_chance_is_enough() -> None:
    long = [*WORDS, *(QueryWord(Word((f"w{n}",)), 2) for n in range(30))]
    assert is_relevant(long, 1000, [{"cake": 1, "tram": 1}])
    assert not is_relevant(long, 1000, [{"hill": 1, "go": 1}])


def test_nothing_found_is_not_relevant() -> None:
    assert not is_relevant(WORDS, 1000, [])
    assert not is_relevant(WORDS, 1000, [{}])
