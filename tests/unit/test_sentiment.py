"""Sentiment of sentences and of texts, with the real model."""

from functools import cache

import numpy as np
import pytest

from bench.evaluation.sentiment.__main__ import TESTING
from perdure.domain.calibration import expected_calibration_error
from perdure.domain.sentiment import FEELINGS, Feeling, clauses, of_text
from perdure.providers.described_sentiment import DescribedSentiment, review_sentences
from tests.embedding import embedder


@cache
def judge() -> DescribedSentiment:
    return DescribedSentiment(embedder())


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("I love this kettle, it is excellent.", Feeling.POSITIVE),
        ("Not a single problem in two years, wonderful.", Feeling.POSITIVE),
        ("I am very happy with the service.", Feeling.POSITIVE),
        ("An awful film, boring and badly acted.", Feeling.NEGATIVE),
        ("It is not good and I do not recommend it.", Feeling.NEGATIVE),
        ("The box contains a cable and a manual.", Feeling.NEUTRAL),
        ("The shop opens at nine.", Feeling.NEUTRAL),
    ],
)
def test_clear_sentences_are_judged_clearly(said: str, label: Feeling) -> None:
    (found,) = judge().judge([said])
    assert found.label is label
    assert (found.polarity > 0.2) == (label is Feeling.POSITIVE)
    assert (found.polarity < -0.2) == (label is Feeling.NEGATIVE)


@pytest.mark.parametrize(
    ("language", "said", "label"),
    [
        ("de", "Das Zimmer war sauber und das Frühstück ausgezeichnet.", Feeling.POSITIVE),
        ("de-AT", "Das Frühstück war nicht gut.", Feeling.NEGATIVE),
        ("de", "Das Frühstück war gut, aber das Zimmer war schmutzig.", Feeling.MIXED),
        ("de", "Das Frühstück beginnt um sieben.", Feeling.NEUTRAL),
        ("fr", "Un hôtel magnifique, très bon accueil.", Feeling.POSITIVE),
        ("es", "El servicio es pésimo.", Feeling.NEGATIVE),
        ("it", "Il servizio è ottimo.", Feeling.POSITIVE),
        ("pt", "O quarto é horrível.", Feeling.NEGATIVE),
        ("nl", "Het eten was heerlijk.", Feeling.POSITIVE),
    ],
)
def test_other_languages_are_judged_by_their_words(language: str, said: str, label: Feeling) -> None:
    (found,) = judge().judge([said], [language])
    assert found.label is label


def test_of_a_language_that_nobody_reads_little_is_claimed() -> None:
    (found,) = judge().judge(["Hotelli oli erinomainen ja henkilökunta ystävällistä."], ["fi"])
    assert found.confidence < 0.6


def test_a_text_is_judged_by_its_sentences() -> None:
    praise = "I love this kettle. It is quick and quiet. It looks wonderful. I would buy it again."
    blame = "It broke after a week. The support was useless. I want my money back."
    good, bad, both, nothing = judge().judge([praise, blame, f"{praise} {blame}", ""], ["en"] * 4)
    assert (good.label, bad.label, both.label) == (Feeling.POSITIVE, Feeling.NEGATIVE, Feeling.MIXED)
    assert good.polarity > both.polarity > bad.polarity
    assert (nothing.label, nothing.polarity) == (Feeling.NEUTRAL, 0.0)


def test_texts_are_judged_alike_alone_and_together() -> None:
    texts = [said for _, said in review_sentences()][:20]
    together = judge().judge(texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = judge().judge([text])
        assert alone.polarity == pytest.approx(found.polarity, abs=0.1)


def test_a_million_characters_are_judged_by_some_of_their_sentences() -> None:
    (found,) = judge().judge(["The staff was rude and the room was dirty. " * 25_000])
    assert found.label is Feeling.NEGATIVE


def test_a_turn_parts_a_sentence() -> None:
    assert clauses("The food was fine, but the room was cold.") == ("The food was fine", "the room was cold.")
    assert clauses("Although the room was small, the bed was fine.") == (
        "the room was small",
        "the bed was fine.",
    )
    assert clauses("The food was fine.") is None
    assert clauses("But no.") is None


def test_good_and_bad_sentences_make_a_mixed_text() -> None:
    rows = np.array([[0.9, 0.05, 0.03, 0.02], [0.05, 0.9, 0.03, 0.02]])
    assert of_text(rows).label is Feeling.MIXED
    assert of_text(rows[:1]).label is Feeling.POSITIVE
    facts = np.array([[0.05, 0.05, 0.89, 0.01]] * 3)
    assert of_text(facts).label is Feeling.NEUTRAL
    # One opinion among facts is what the text says.
    assert of_text(np.vstack([facts, rows[1:]])).label is Feeling.NEGATIVE


def test_held_out_sentences_are_judged_as_well_as_stated() -> None:
    """On the project's sentences that nothing is learnt from; `python -m bench.evaluation.sentiment` has intervals."""
    told = review_sentences(TESTING)
    found = judge().probabilities([said for _, said in told], ["en"] * len(told))
    right = [FEELINGS[at] is feeling for at, (feeling, _) in zip(found.argmax(axis=1), told, strict=True)]
    assert np.allclose(found.sum(axis=1), 1)
    assert sum(right) / len(right) >= 0.7
    assert expected_calibration_error(found.max(axis=1).tolist(), right) <= 0.1
    assert not {said for _, said in told} & {said for _, said in review_sentences()}
