"""How far a text speaks of a change."""

import pytest

from perdure.domain.change_words import change_told


@pytest.mark.parametrize(
    "text",
    [
        "I switched to tea instead.",
        "I don\u2019t play any more, I gave it up.",
        "That's over. From now on I run.",
    ],
)
def test_a_change_that_is_told_counts_most(text: str) -> None:
    assert change_told(text) == 1


def test_a_word_that_often_goes_with_a_change_counts_a_little() -> None:
    assert change_told("I have a new lamp.") == 0.3
    assert change_told("New, new, new!") == 0.3


def test_a_plain_statement_tells_no_change() -> None:
    assert change_told("I live in Lisbon with my dog.") == 0
    assert change_told("") == 0
