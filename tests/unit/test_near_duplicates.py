"""Memories that say the same are found, and those that differ in what matters are not."""

import numpy as np
import pytest

from perdure.domain.near_duplicates import near_duplicates, say_the_same


@pytest.mark.parametrize(
    ("first", "second", "cosine"),
    [
        ("I live in Graz.", "I'm living in Graz these days.", 0.9),
        ("I live in Graz.", "I  live in Graz.", 0.0),
        ("My sister is called Ines.", "Ines is the name of my sister.", 0.8),
        ("We have two kids.", "We've got 2 children.", 0.85),
        ("I never drink coffee.", "I do not drink coffee.", 0.9),
    ],
)
def test_the_same_in_other_words(first: str, second: str, cosine: float) -> None:
    assert say_the_same(first, second, cosine)
    assert say_the_same(second, first, cosine)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("I live in Graz.", "I live in Porto."),
        ("Our dog is 3 years old.", "Our dog is 8 years old."),
        ("I drink coffee.", "I don't drink coffee."),
        ("I play the drums.", "I play the trumpet."),
        ("You like tea.", "You like tea?"),
        ("The party is on Monday.", "The party is on Friday."),
    ],
)
def test_what_differs_in_what_matters_is_not_the_same_however_near(first: str, second: str) -> None:
    assert not say_the_same(first, second, 0.97)
    assert not say_the_same(second, first, 0.97)


def test_what_is_far_in_meaning_is_not_the_same() -> None:
    assert not say_the_same("I love trains.", "Trains love to be late.", 0.4)


def test_a_group_begins_with_its_first_text_and_no_text_is_in_two() -> None:
    texts = ["I live in Graz.", "Dinner was late.", "I'm living in Graz.", "My home: I live in Graz."]
    vectors = np.array([[1, 0], [0, 1], [0.95, 0.312], [0.93, 0.367]], dtype=np.float32)
    assert near_duplicates(texts, vectors) == [[0, 2, 3]]


def test_nothing_repeats_nothing() -> None:
    assert near_duplicates([], np.empty((0, 2), dtype=np.float32)) == []


def test_on_statements_with_paraphrases_nine_of_ten_pairs_are_right() -> None:
    from bench.evaluation.duplicates import make_statements, pairwise  # noqa: PLC0415  # needs the model
    from tests.embedding import embedder  # noqa: PLC0415  # likewise

    found = [pairwise(*make_statements(seed), embedder())[2] for seed in range(1, 6)]
    assert np.mean(found) >= 0.9
