"""Which label a text has, by the likeness of its vector to what is known of the labels.

A label is known by its name, by descriptions (the caller's, else the built-in ones of `label_descriptions`) and by
examples. `texts_of` says what to embed for a set of labels, `Prototypes.of` takes the vectors, `scores` compares.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from perdure.domain.calibration import SHIPPED, Calibration, log_odds, logistic
from perdure.domain.classification_weights import (
    APPLIES_FROM,
    APPLIES_OFFSET,
    APPLIES_WEIGHT,
    DESCRIPTION_EXAMPLES,
    FOREIGN_DOUBT,
    MARGIN_OFFSET,
    MARGIN_WEIGHT,
    NONE_LABELS_WEIGHT,
    NONE_LIKENESS_WEIGHT,
    NONE_OFFSET,
)
from perdure.domain.label_descriptions import descriptions_of, is_catch_all
from perdure.errors import FieldError, InvalidInputError

MOST_LABELS = 1000
MOST_ALTERNATIVES = 5
# Characters of a passage of a long text: about as many as the built-in model reads of one.
PASSAGE_CHARACTERS = 900
MOST_PASSAGES = 24
_LONGEST_WORD = 60
_LESS = 0.9999
# One text in five fitted no label where that was learnt; one in two, from here.
_EVEN_ODDS = math.log(4)
# Examples that tell how good the prototypes are; more of them tell little more.
_MOST_LEFT_OUT = 2000

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Likeness = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Label:
    """A label as the caller gives it; `parent` names another label of the set, above it in a hierarchy."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class LabelConfidence:
    """A label and the calibrated probability that it is right."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What a text is.

    `label` is the surest one (of a hierarchy: the leaf), `alternatives` are the next ones. `labels` are all that
    apply: with `multi_label` those above their threshold, else the one. `path` leads to the label from the outermost
    one of its hierarchy. `none` is the probability that no label of the set fits. `raw` are the log-odds of the
    answer before the workflow's own calibration: keep them with the result, `Calibration.fitted` learns from them.
    """

    label: str
    confidence: float
    alternatives: tuple[LabelConfidence, ...]
    labels: tuple[LabelConfidence, ...]
    path: tuple[LabelConfidence, ...]
    none: float
    raw: float


def check(labels: Sequence[Label], *, multi_label: bool = False) -> None:
    """InvalidInputError with every mistake at once: too few, too many, empty, twice, an unknown parent, a circle."""
    errors = _mistakes(labels)
    leaves = len(_leaves(labels))
    if len(labels) > MOST_LABELS:
        errors.append(FieldError("/labels", f"{len(labels)} labels: at most {MOST_LABELS} are possible"))
    elif leaves < (1 if multi_label else 2):
        errors.append(FieldError("/labels", "give two labels or more, to choose between"))
    if errors:
        raise InvalidInputError(
            "The labels cannot be used: " + "; ".join(one.detail for one in errors), errors
        )


def prompts_of(label: Label) -> list[str]:
    """What is embedded for a label beside its examples: its name, and its descriptions in several wordings."""
    name = " ".join(label.name.split())
    described = (label.description.strip(),) if label.description.strip() else descriptions_of(name)
    return [name, *(f"{name}: {one}" for one in described), *described]


def texts_of(labels: Sequence[Label]) -> list[str]:
    """Everything to embed for a set of labels, in the order in which `Prototypes.of` takes the vectors."""
    return [text for label in labels for text in (*prompts_of(label), *label.examples)]


@dataclass(frozen=True)
class Prototypes:
    """Where the labels of a set lie among the vectors; make it with `of`, once per set.

    `matrix` has a row for each of `leaves`, the labels to choose from. `catch_all` is the label for what none of
    them fits, where the set has one.
    """

    labels: tuple[Label, ...]
    leaves: tuple[str, ...]
    matrix: Matrix
    catch_all: str | None = None
    multi_label: bool = False
    calibration: Calibration = field(default=SHIPPED)

    @classmethod
    def of(
        cls,
        labels: Sequence[Label],
        vectors: Matrix,
        *,
        multi_label: bool = False,
        calibration: Calibration = SHIPPED,
    ) -> Self:
        """From the vectors of `texts_of(labels)`, one row each.

        Without a calibration by reviewed answers, enough examples give one: each is classified as if it were none.
        """
        described, shown = _split(labels, vectors)
        leaves = _leaves(labels)
        catch_all = _catch_all(leaves)
        chosen = [label for label in leaves if label.name != catch_all]
        rows = [
            _blended(described[_described_by(label)], shown[label.name].sum(axis=0), len(label.examples))
            for label in chosen
        ]
        made = cls(
            tuple(labels),
            tuple(label.name for label in chosen),
            np.stack(rows),
            catch_all,
            multi_label,
            calibration,
        )
        if calibration.answers or multi_label or len(chosen) < 2:
            return made
        raws, right = _left_out(
            made.matrix, [(described[_described_by(one)], shown[one.name]) for one in chosen]
        )
        return replace(made, calibration=Calibration.fitted(raws, right))

    @cached_property
    def parents(self) -> dict[str, str | None]:
        """What is above each label."""
        return {label.name: label.parent for label in self.labels}

    def vector_of(self, name: str) -> Vector:
        """The vector of a leaf; of the label for everything else, what lies between all others."""
        if name == self.catch_all:
            return _unit(self.matrix.mean(axis=0))
        vector: Vector = self.matrix[self.leaves.index(name)]
        return vector


def scores(
    prototypes: Prototypes,
    vector: Vector,
    *,
    language: str | None = None,
    applies_from: float | None = None,
) -> Scored:
    """The label of one text, by its vector (`text_vector` of a long one).

    `language` is a BCP 47 tag where it is known: the built-in model reads English, and of other languages its
    answers are less sure. Where several labels are possible, one applies from the probability
    `applies_from` on, else from `APPLIES_FROM`.
    """
    return scores_of_many(prototypes, vector[None, :], languages=[language], applies_from=applies_from)[0]


def scores_of_many(
    prototypes: Prototypes,
    vectors: Matrix,
    *,
    languages: Sequence[str | None] = (),
    applies_from: float | None = None,
) -> list[Scored]:
    """The same for one text per row."""
    likeness = (vectors @ prototypes.matrix.T).astype(np.float64)
    spoken = languages or [None] * len(likeness)
    doubts = [FOREIGN_DOUBT if language and language.split("-")[0] != "en" else 0.0 for language in spoken]
    if prototypes.multi_label:
        least = APPLIES_FROM if applies_from is None else applies_from
        return [_several(prototypes, row, doubt, least) for row, doubt in zip(likeness, doubts, strict=True)]
    return _one_each(prototypes, likeness, doubts)


def passages_of(text: str) -> list[str]:
    """What to embed of a text: itself when it is short, else passages, evenly from all of a very long one."""
    words = " ".join(text.split())
    if len(words) <= PASSAGE_CHARACTERS:
        return [words]
    count = -(-len(words) // PASSAGE_CHARACTERS)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_PASSAGES)).round().astype(int))
    bounds = [(n * len(words) // count, (n + 1) * len(words) // count) for n in chosen.tolist()]
    return [words[_word_start(words, start) : _word_start(words, end)] for start, end in bounds]


def text_vector(vectors: Matrix) -> Vector:
    """One vector for a text, of the vectors of `passages_of` it."""
    return _unit(vectors.mean(axis=0))


def _word_start(text: str, place: int) -> int:
    """The beginning of the word at a place; of a very long one, the place."""
    if place >= len(text):
        return len(text)
    return text.rfind(" ", max(0, place - _LONGEST_WORD), place) + 1 or place


def _one_each(prototypes: Prototypes, likeness: Likeness, doubts: Sequence[float]) -> list[Scored]:
    """One label of several for each row."""
    nones = [logistic(_none_log_odds(row) + doubt) for row, doubt in zip(likeness, doubts, strict=True)]
    order = np.argsort(-likeness, axis=1, kind="stable")
    count = likeness.shape[1]
    if count > 1:
        first, second = np.take_along_axis(likeness, order[:, :2], axis=1).T
        raws = (_margin_log_odds(first, second) - np.array(doubts)).tolist()
    else:
        raws = [-log_odds(none) for none in nones]
    least = 1 / count if count > 1 else 0.0
    sure = [max(prototypes.calibration.confidence(raw), least) for raw in raws]
    answers = zip(_chances(likeness, order[:, 0], np.array(sure)).tolist(), nones, raws, strict=True)
    if prototypes.catch_all is not None:
        return [_with_catch_all(prototypes, prototypes.catch_all, *answer) for answer in answers]
    return [_answer(prototypes, prototypes.leaves, *answer) for answer in answers]


def _with_catch_all(
    prototypes: Prototypes, catch_all: str, chances: Sequence[float], none: float, raw: float
) -> Scored:
    fitting = {name: chance * (1 - none) for name, chance in zip(prototypes.leaves, chances, strict=True)}
    if len(fitting) == 1:
        fitting = dict.fromkeys(fitting, 1 - none)
    answered = _answer(prototypes, (*fitting, catch_all), (*fitting.values(), none), none, raw)
    # The workflow's own calibration has spoken already; what is kept is what it would have to be applied to.
    return replace(answered, raw=log_odds(none)) if answered.label == catch_all else answered


def _several(prototypes: Prototypes, likeness: Likeness, doubt: float, applies_from: float) -> Scored:
    """All labels that apply."""
    none = logistic(_none_log_odds(likeness) + doubt)
    if len(likeness) > 1:
        raws = APPLIES_WEIGHT * (likeness - likeness.mean()) + APPLIES_OFFSET
    else:
        raws = np.array([-log_odds(none)])
    raws = raws - doubt
    chances = [prototypes.calibration.confidence(float(raw)) for raw in raws]
    # No label applies when none does by itself.
    none = max(none, float(np.prod([1 - chance for chance in chances])))
    answered = _answer(prototypes, prototypes.leaves, chances, none, float(raws.max()))
    ranked = sorted(zip(prototypes.leaves, chances, strict=True), key=lambda pair: -pair[1])
    applying = tuple(LabelConfidence(name, chance) for name, chance in ranked if chance >= applies_from)
    if not applying and prototypes.catch_all is not None:
        applying = (LabelConfidence(prototypes.catch_all, none),)
        answered = replace(answered, label=prototypes.catch_all, confidence=none, path=applying)
    said = {one.label for one in applying}
    others = tuple(LabelConfidence(name, chance) for name, chance in ranked if name not in said)
    return replace(answered, labels=applying, alternatives=others[:MOST_ALTERNATIVES])


def _answer(
    prototypes: Prototypes, names: Sequence[str], chances: Sequence[float], none: float, raw: float
) -> Scored:
    ranked = sorted(range(len(names)), key=chances.__getitem__, reverse=True)
    found = [LabelConfidence(names[place], chances[place]) for place in ranked[: MOST_ALTERNATIVES + 1]]
    return Scored(
        found[0].label,
        found[0].confidence,
        tuple(found[1:]),
        (found[0],),
        _path(prototypes.parents, found[0], names, chances),
        none,
        raw,
    )


def _margin_log_odds(first: Likeness, second: Likeness) -> Likeness:
    """Of the likeness to the nearest label and to the one after it."""
    return MARGIN_WEIGHT * (first - second) + MARGIN_OFFSET


def _none_log_odds(likeness: Likeness) -> float:
    nearest, count = float(likeness.max()), len(likeness)
    found = NONE_LIKENESS_WEIGHT * nearest + NONE_LABELS_WEIGHT * math.log(max(count, 2)) + NONE_OFFSET
    # Who asks about one label does not expect that it fits; of several, one is expected to.
    return found if count > 1 else found + _EVEN_ODDS


def _chances(likeness: Likeness, best: npt.NDArray[np.intp], sure: Likeness) -> Likeness:
    """What the best one leaves goes to the others by their likeness, to each less than the best one has."""
    rows = np.arange(len(likeness))
    weights = np.exp(MARGIN_WEIGHT * (likeness - likeness.max(axis=1, keepdims=True)))
    weights[rows, best] = 0.0
    total = weights.sum(axis=1)
    left = np.divide(1 - sure, total, out=np.zeros_like(total), where=total > 0)
    shares: Likeness = np.minimum(weights * left[:, None], (sure * _LESS)[:, None])
    shares[rows, best] = sure
    return shares


def _path(
    parents: Mapping[str, str | None], leaf: LabelConfidence, names: Sequence[str], chances: Sequence[float]
) -> tuple[LabelConfidence, ...]:
    """From the outermost label to the leaf; one above is as sure as all leaves below it together."""
    path, above = [leaf], parents[leaf.label]
    while above is not None:
        below = sum(
            chance for name, chance in zip(names, chances, strict=True) if above in _ancestors(name, parents)
        )
        path.append(LabelConfidence(above, min(below, 1.0)))
        above = parents[above]
    return tuple(reversed(path))


def _ancestors(name: str, parents: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    above = parents[name]
    while above is not None:
        found.add(above)
        above = parents[above]
    return found


def _split(labels: Sequence[Label], vectors: Matrix) -> tuple[dict[str, Vector], dict[str, Matrix]]:
    """By label, the vector of its descriptions, and those of its examples."""
    described, shown, at = {}, {}, 0
    for label in labels:
        prompts, examples = len(prompts_of(label)), len(label.examples)
        described[label.name] = _unit(vectors[at : at + prompts].mean(axis=0))
        shown[label.name] = vectors[at + prompts : at + prompts + examples]
        at += prompts + examples
    return described, shown


def _blended(described: Vector, total: Vector, examples: int) -> Vector:
    """Descriptions and examples, the more of these, the more they count."""
    if examples == 0:
        return described
    weight = examples / (examples + DESCRIPTION_EXAMPLES)
    return _unit((1 - weight) * described + weight * _unit(total))


def _left_out(matrix: Matrix, known: Sequence[tuple[Vector, Matrix]]) -> tuple[list[float], list[bool]]:
    """Log-odds of each example's answer, and whether it is right, by prototypes that do not know it."""
    places = [(n, m) for n, (_, shown) in enumerate(known) for m in range(len(shown))]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), _MOST_LEFT_OUT)).round().astype(int))
    raws, right = [], []
    for n, m in (places[place] for place in chosen.tolist()):
        described, shown = known[n]
        without = _blended(described, shown.sum(axis=0) - shown[m], len(shown) - 1)
        likeness = (matrix @ shown[m]).astype(np.float64)
        likeness[n] = float(without @ shown[m])
        nearest = -np.sort(-likeness)
        raws.append(float(_margin_log_odds(nearest[0], nearest[1])))
        right.append(int(likeness.argmax()) == n)
    return raws, right


def _leaves(labels: Sequence[Label]) -> list[Label]:
    parents = {label.parent for label in labels}
    return [label for label in labels if label.name not in parents]


def _catch_all(leaves: Sequence[Label]) -> str | None:
    """The label for what no other one fits: at the top, without a word on what it is, beside at least one other."""
    found = [
        label.name
        for label in leaves
        if is_catch_all(label.name) and not (label.parent or label.description.strip() or label.examples)
    ]
    return found[0] if found and len(leaves) > 1 else None


def _described_by(label: Label) -> str:
    """By whose words a leaf is known: "Other" below a label is known by those of that label."""
    if label.parent and is_catch_all(label.name) and not label.description.strip():
        return label.parent
    return label.name


def _mistakes(labels: Sequence[Label]) -> list[FieldError]:
    errors, seen = [], set()
    parents = {label.name: label.parent for label in labels}
    for place, label in enumerate(labels):
        key = " ".join(label.name.casefold().split())
        if not key:
            errors.append(FieldError(f"/labels/{place}/name", "a label needs a name"))
        elif key in seen:
            errors.append(FieldError(f"/labels/{place}/name", f"the label {label.name!r} is there twice"))
        seen.add(key)
        if label.parent is not None and label.parent not in parents:
            errors.append(
                FieldError(f"/labels/{place}/parent", f"the parent {label.parent!r} is not among the labels")
            )
        elif _circles(label.name, parents):
            errors.append(FieldError(f"/labels/{place}/parent", f"the label {label.name!r} is above itself"))
    return errors


def _circles(name: str, parents: dict[str, str | None]) -> bool:
    passed, above = {name}, parents[name]
    while above is not None and above in parents:
        if above in passed:
            return above == name
        passed.add(above)
        above = parents[above]
    return False


def _unit(vector: npt.NDArray[np.float32]) -> Vector:
    unit: Vector = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
    return unit
