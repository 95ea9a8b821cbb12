"""Texts get labels by where they lie among the labels."""

from collections.abc import Sequence

import numpy as np
import pytest

from perdure.domain.calibration import Calibration
from perdure.domain.classification import (
    MOST_ALTERNATIVES,
    MOST_LABELS,
    MOST_PASSAGES,
    Label,
    Matrix,
    Prototypes,
    check,
    passages_of,
    prompts_of,
    scores,
    scores_of_many,
    text_vector,
    texts_of,
)
from perdure.errors import InvalidInputError

SIZE = 32


def along(*axes: int, noise: float = 0.0, seed: int = 0) -> Matrix:
    """A unit vector between axes; one that is named twice has twice the weight."""
    vector = np.random.default_rng(seed).normal(0, noise or 1e-9, SIZE)
    np.add.at(vector, list(axes), 1.0)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def prototypes(
    labels: Sequence[Label], *, multi_label: bool = False, calibration: Calibration | None = None
) -> Prototypes:
    """The nth label along the nth axis, and its examples, too."""
    rows = [along(n) for n, label in enumerate(labels) for _ in (*prompts_of(label), *label.examples)]
    given = {"calibration": calibration} if calibration else {}
    return Prototypes.of(labels, np.stack(rows), multi_label=multi_label, **given)


# Nearer to the first label than to the second, but not by far.
LEANING = (0, 0, 0, 0, 0, 1, 1, 1, 1)
ABC = [Label("Apples"), Label("Bricks"), Label("Clouds")]


def test_the_nearest_label_is_the_answer_and_the_others_follow_in_order() -> None:
    vector = along(0, 0, 0) + 0.5 * along(2) + 0.2 * along(1)
    found = scores(prototypes(ABC), vector / np.linalg.norm(vector))
    assert found.label == "Apples"
    assert [one.label for one in found.alternatives] == ["Clouds", "Bricks"]
    assert found.confidence > found.alternatives[0].confidence > found.alternatives[1].confidence
    assert found.confidence + sum(one.confidence for one in found.alternatives) == pytest.approx(1.0)


def test_between_two_labels_nobody_is_sure() -> None:
    clear, torn = scores(prototypes(ABC), along(0)), scores(prototypes(ABC), along(0, 1))
    assert clear.confidence > 0.95
    assert torn.confidence < 0.5
    assert torn.alternatives[0].confidence < torn.confidence


def test_no_answer_is_less_sure_than_chance() -> None:
    assert scores(prototypes(ABC[:2]), along(0, 1)).confidence == pytest.approx(0.5)


def test_what_is_far_from_every_label_is_probably_none_of_them() -> None:
    found = scores_of_many(prototypes(ABC), np.stack([along(0), along(9)]))
    assert found[0].none < 0.05
    assert found[1].none > 0.6


def test_a_label_for_everything_else_takes_what_fits_no_other() -> None:
    asked = prototypes([*ABC, Label("Other")])
    assert asked.leaves == ("Apples", "Bricks", "Clouds")
    assert scores(asked, along(1)).label == "Bricks"
    stranger = scores(asked, along(9))
    assert (stranger.label, stranger.confidence) == ("Other", stranger.none)
    assert scores(prototypes([Label("Apples"), Label("None of these")]), along(0)).label == "Apples"


def test_a_described_label_named_other_is_a_label_like_any() -> None:
    assert prototypes([*ABC, Label("Other", "gardens and parks")]).catch_all is None


def test_another_language_is_less_sure() -> None:
    vector = along(*LEANING)
    said = scores_of_many(prototypes(ABC), np.stack([vector] * 4), languages=[None, "en", "en-GB", "de"])
    assert said[0].confidence == said[1].confidence == said[2].confidence > said[3].confidence


def test_examples_count_the_more_the_more_there_are() -> None:
    def pulled(count: int) -> float:
        labels = [Label("Apples", examples=("x",) * count), Label("Bricks")]
        rows = [along(0)] * len(prompts_of(labels[0])) + [along(5)] * count
        rows += [along(1)] * len(prompts_of(labels[1]))
        return float(Prototypes.of(labels, np.stack(rows)).vector_of("Apples") @ along(5))

    amounts = [pulled(count) for count in (0, 1, 4, 16, 64)]
    assert amounts == sorted(amounts)
    assert amounts[1] < 0.2
    assert amounts[-1] > 0.99


def test_enough_examples_tell_how_far_the_labels_can_be_trusted() -> None:
    dice = np.random.default_rng(2)
    labels = [Label(name, examples=tuple(f"{name} {n}" for n in range(30))) for name in ("Apples", "Bricks")]
    # Examples that say nothing about their label: the descriptions are far apart, what they stand for is not.
    rows: list[Matrix] = []
    for place, label in enumerate(labels):
        rows += [along(place)] * len(prompts_of(label))
        rows += [along(int(axis), noise=0.05, seed=n) for n, axis in enumerate(dice.integers(0, 2, 30))]
    asked = Prototypes.of(labels, np.stack(rows))
    assert asked.calibration.answers == 60
    plain = prototypes([Label("Apples"), Label("Bricks")])
    assert scores(asked, along(*LEANING)).confidence < scores(plain, along(*LEANING)).confidence


def test_reviewed_answers_have_the_last_word_on_confidence() -> None:
    kept = Calibration(slope=1.0, intercept=-3.0, answers=40)
    labels = [Label(name, examples=("one",) * 30) for name in ("Apples", "Bricks")]
    assert prototypes(labels, calibration=kept).calibration == kept
    doubtful, plain = prototypes(ABC, calibration=kept), prototypes(ABC)
    vector = along(*LEANING)
    assert scores(doubtful, vector).confidence < scores(plain, vector).confidence
    assert scores(doubtful, vector).raw == scores(plain, vector).raw


def test_several_labels_apply_each_with_a_confidence_of_its_own() -> None:
    asked = prototypes([*ABC, Label("Doors"), Label("Eels")], multi_label=True)
    both = scores(asked, along(0, 2))
    assert {one.label for one in both.labels} == {"Apples", "Clouds"}
    assert both.confidence == max(one.confidence for one in both.labels)
    neither = scores(asked, along(9))
    assert neither.labels == ()
    assert neither.none > 0.5


def test_whoever_asks_says_from_where_a_label_applies() -> None:
    asked = prototypes([*ABC, Label("Doors"), Label("Eels")], multi_label=True)
    vector = along(0, 0, 2)
    usual, easy = scores(asked, vector), scores(asked, vector, applies_from=0.0)
    assert {one.label for one in easy.labels} == set(asked.leaves)
    assert all(one.confidence >= 0.4 for one in usual.labels)
    assert scores(asked, vector, applies_from=1.0).labels == ()
    between = (usual.labels[0].confidence + usual.labels[1].confidence) / 2
    assert [one.label for one in scores(asked, vector, applies_from=between).labels] == ["Apples"]
    # How sure each is does not change.
    assert easy.labels[: len(usual.labels)] == usual.labels


def test_a_single_label_can_be_asked_whether_it_applies() -> None:
    asked = prototypes([Label("Apples")], multi_label=True)
    assert [one.label for one in scores(asked, along(0)).labels] == ["Apples"]
    assert scores(asked, along(9)).labels == ()


def test_the_path_of_a_leaf_is_surer_the_further_out() -> None:
    labels = [
        Label("Fruit"),
        Label("Apples", parent="Fruit"),
        Label("Pears", parent="Fruit"),
        Label("Stone"),
        Label("Bricks", parent="Stone"),
    ]
    asked = prototypes(labels)
    assert asked.leaves == ("Apples", "Pears", "Bricks")
    found = scores(asked, along(1, 1, 1, 2))
    assert [one.label for one in found.path] == ["Fruit", "Apples"]
    assert found.path[0].confidence > found.path[1].confidence == found.confidence


def test_other_below_a_label_stands_for_the_rest_of_that_label() -> None:
    asked = prototypes([Label("Fruit"), Label("Apples", parent="Fruit"), Label("Other", parent="Fruit")])
    assert asked.catch_all is None
    assert scores(asked, along(0)).label == "Other"


def test_what_is_embedded_for_a_label_is_its_name_and_what_is_known_of_it() -> None:
    assert prompts_of(Label("  Xqz  vv ")) == ["Xqz vv"]
    assert prompts_of(Label("Xqz", "things of glass")) == ["Xqz", "Xqz: things of glass", "things of glass"]
    assert len(prompts_of(Label("Invoice"))) >= 3
    labels = [Label("Xqz", "glass", ("one", "two")), Label("Yrv")]
    assert texts_of(labels) == ["Xqz", "Xqz: glass", "glass", "one", "two", "Yrv"]


def test_a_thousand_labels_are_answered() -> None:
    labels = [Label(f"label {n}") for n in range(MOST_LABELS)]
    check(labels)
    vectors = np.random.default_rng(0).normal(size=(len(texts_of(labels)), SIZE)).astype(np.float32)
    found = scores_of_many(Prototypes.of(labels, vectors), vectors[:5])
    assert len(found[0].alternatives) == MOST_ALTERNATIVES


@pytest.mark.parametrize(
    ("labels", "pointer", "said"),
    [
        ([], "/labels", "two labels"),
        ([Label("A")], "/labels", "two labels"),
        ([Label("A"), Label(" ")], "/labels/1/name", "needs a name"),
        ([Label("Sport"), Label(" sport")], "/labels/1/name", "twice"),
        ([Label("A", parent="Z"), Label("B")], "/labels/0/parent", "not among the labels"),
        (
            [Label("A", parent="B"), Label("B", parent="A"), Label("C"), Label("D")],
            "/labels/0/parent",
            "above itself",
        ),
        ([Label(str(n)) for n in range(MOST_LABELS + 1)], "/labels", "at most"),
    ],
)
def test_labels_that_cannot_be_used_are_named(labels: list[Label], pointer: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check(labels)
    assert any(one.pointer == pointer and said in one.detail for one in refused.value.errors)


def test_passages_cover_a_long_text_and_cut_no_word() -> None:
    words = [f"word{n}" for n in range(2000)]
    found = passages_of("  ".join(words))
    assert " ".join(" ".join(found).split()).split() == words
    assert passages_of(" a\n short  text ") == ["a short text"]


def test_a_very_long_text_is_read_from_beginning_to_end_in_bounds() -> None:
    found = passages_of(f"first {'middle ' * 200_000} last")
    assert len(found) <= MOST_PASSAGES
    assert found[0].startswith("first")
    assert found[-1].strip().endswith("last")
    assert len(passages_of("x" * 1_000_000)) <= MOST_PASSAGES


def test_the_vector_of_a_text_lies_between_its_passages() -> None:
    found = text_vector(np.stack([along(0), along(1)]))
    assert np.allclose(found, along(0, 1), atol=1e-5)
