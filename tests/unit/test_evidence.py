"""Which sentences speak for a label."""

import numpy as np

from perdure.domain.evidence import MOST_SENTENCES, evidence, sentences_to_compare


def test_the_nearest_sentences_come_first_and_once() -> None:
    text = "The goal came late in the game. The market fell by a tenth. The goal came late in the game."
    compared = sentences_to_compare(text)
    vectors = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    found = evidence(compared, vectors, np.array([0.8, 0.6], dtype=np.float32))
    assert [(one.text, round(one.score, 1), one.start) for one in found] == [
        ("The goal came late in the game.", 0.8, 0),
        ("The market fell by a tenth.", 0.6, 32),
    ]


def test_short_sentences_are_compared_only_where_there_are_no_others() -> None:
    assert [one.text for one in sentences_to_compare("Yes. No.")] == ["Yes.", "No."]
    assert [one.text for one in sentences_to_compare("Yes. The market fell by a tenth.")] == [
        "The market fell by a tenth."
    ]


def test_of_a_long_text_the_sentences_are_spread_over_it() -> None:
    compared = sentences_to_compare("".join(f"This is sentence number {n}. " for n in range(10, 1_010)))
    assert len(compared) == MOST_SENTENCES
    assert compared[0].text == "This is sentence number 10."
    assert compared[-1].text == "This is sentence number 1009."


def test_nothing_has_no_evidence() -> None:
    assert evidence([], np.zeros((0, 2), dtype=np.float32), np.ones(2, dtype=np.float32)) == []
