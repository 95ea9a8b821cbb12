"""How well texts get their labels with the built-in model, on the project's own texts that nothing was learnt from."""

from functools import cache

import numpy as np
import pytest

from bench.evaluation.classification import labelled_texts
from bench.evaluation.classification.judging import Answers, answered, applying, strangers
from bench.evaluation.classification.labelled_texts import FOREIGN, MULTI_LABEL, LabelledSet
from bench.evaluation.classification.learning import learned
from perdure.domain import classification_weights
from perdure.domain.classification import Label, Prototypes, passages_of, scores, text_vector, texts_of
from tests.embedding import embedder


@cache
def judged(name: str) -> LabelledSet:
    return next(one for one in labelled_texts.testing_sets() if one.name == name)


@cache
def by_names(name: str) -> Answers:
    return answered(judged(name), embedder(), language="de" if name == FOREIGN else None)


def accuracy(answers: Answers) -> float:
    return float(np.mean(answers.right))


def test_no_text_is_both_learnt_from_and_judged() -> None:
    learnt = {one.text for each in labelled_texts.learning_sets() for one in each.texts}
    texts = [one.text for each in labelled_texts.testing_sets() for one in each.texts]
    assert not learnt & set(texts)
    assert len(learnt) + len(set(texts)) > 700


def test_news_topics_are_told_by_their_names_and_better_by_examples() -> None:
    # Measured: 0.89 and 0.93; 80 texts have a standard error of 0.035.
    assert accuracy(by_names("news")) >= 0.79
    shown = [accuracy(answered(judged("news"), embedder(), 16, seed)) for seed in range(5)]
    assert np.mean(shown) >= 0.835


def test_the_surest_answers_are_right_and_confidences_say_how_often() -> None:
    pooled = Answers((), ())
    for name in ("news", "helpdesk", "products", "emails"):
        pooled += by_names(name)
    found = pooled.measures()
    # Measured: 0.96, 0.94 and 0.03, of 218 answers.
    assert found["surest 50%"].value >= 0.92
    assert found["surest 80%"].value >= 0.875
    assert found["ECE"].value <= 0.08
    for target in (0.9, 0.95):
        share, right = pooled.at_target(target)
        assert share > 0.5
        assert right >= target - 0.02


def test_what_it_does_not_read_it_is_less_sure_of() -> None:
    foreign, english = by_names(FOREIGN), by_names("news")
    assert np.mean(foreign.confidences) < np.mean(english.confidences) - 0.2
    assert np.mean(foreign.confidences) < accuracy(foreign) + 0.1


def test_several_labels_are_found_where_several_apply() -> None:
    answers, f1 = applying(judged(MULTI_LABEL), embedder())
    assert f1 >= 0.7
    assert accuracy(answers) >= 0.8


@pytest.mark.parametrize("name", ["news", "helpdesk", "products", "emails"])
def test_texts_of_other_domains_are_told_apart(name: str) -> None:
    others = [judged(one) for one in ("news", "helpdesk", "products", "emails") if one != name]
    area, error = strangers(judged(name), others, embedder())
    assert area >= 0.75
    assert error <= 0.15


def test_a_long_text_is_classified_by_all_of_it() -> None:
    labels = [Label(name) for name in ("World", "Sports", "Business", "Sci/Tech")]
    asked = Prototypes.of(labels, embedder().embed(texts_of(labels)))
    sports = [one.text for one in judged("news").texts if one.label == "Sports"]
    text = " ".join(["Good evening and welcome to the programme.", *sports * 10])
    passages = passages_of(text)
    assert len(passages) > 5
    assert scores(asked, text_vector(embedder().embed(passages))).label == "Sports"


def test_the_shipped_numbers_are_those_that_the_texts_for_learning_give() -> None:
    found = learned(embedder())
    # The 8-bit model's vectors depend a little on which texts are embedded together, and on the processor.
    assert found == pytest.approx(
        {name: getattr(classification_weights, name) for name in found}, rel=0.15, abs=0.1
    )
