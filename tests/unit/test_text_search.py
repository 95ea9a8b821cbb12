"""Texts and queries become the same lexemes, in any language."""

import pytest

from perdure.domain.text_search import MAX_WORDS, Mentions, Word, configuration, searchable, words


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", "german"),
        ("de-CH", "german"),
        ("EN", "english"),
        ("deu", "german"),
        ("nb", "norwegian"),
        ("zh", "simple"),
        ("tlh", "simple"),
        (None, "english"),
        ("", "english"),
    ],
)
def test_a_language_has_a_configuration(language: str | None, expected: str) -> None:
    assert configuration(language) == expected


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert searchable("plain text") == "plain text"
    assert searchable("向量数据库").split() == ["向量", "量数", "数据", "据库"]
    assert searchable("用 PostgreSQL 搜索").split() == ["用", "PostgreSQL", "搜索"]
    assert searchable("日本語text").split() == ["日本", "本語", "text"]


def test_words_of_several_configurations_are_grouped_by_position() -> None:
    lexemes = [("run", [1]), ("hous", [2]), ("running", [1]), ("hous", [2])]
    assert words(lexemes) == [Word(("run", "running")), Word(("hous",))]


def test_a_repeated_word_counts_once() -> None:
    assert words([("cost", [1, 5, 9]), ("travel", [3])]) == [Word(("cost",)), Word(("travel",))]


def test_a_query_as_long_as_a_document_keeps_its_first_words() -> None:
    assert len(words([(f"w{n}", [n]) for n in range(500)])) == MAX_WORDS


def test_quotes_and_backslashes_cannot_leave_the_literal() -> None:
    assert Word(("o'neil", "a\\b")).tsquery == r"'o''neil' | 'a\\b'"


def test_mentions_are_counted_in_what_postgresql_writes() -> None:
    sought = Mentions(["memory", "it's", "back\\slash", "mem", "absent"])
    said = "'back\\\\slash':7 'it''s':2,5 'mem':9A 'memory':1,3,4"
    assert sought.counted(said) == {"memory": 3, "it's": 2, "back\\slash": 1, "mem": 1}
    assert sought.counted("") == sought.counted(None) == {}
    assert "'it''s' | " in sought.tsquery
