"""Which label a text has, by the likeness of its vector to what is known of the labels.

A label is known by its name, by descriptions (the caller's, else the built-in ones of `label_descriptions`) and by
examples. `texts_of` says what to embed for a set of labels, `Prototypes.of` takes the vectors, `scores` compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from perdure.domain.calibration import SHIPPED, Calibration, log_odds
from perdure.domain.label_descriptions import descriptions_of
from perdure.errors import FieldError, InvalidInputError

MOST_LABELS = 1000
MOST_ALTERNATIVES = 5
# Characters of a passage of a long text: about as many as the built-in model reads of one.
PASSAGE_CHARACTERS = 900
MOST_PASSAGES = 24

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


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
    """Where the labels of a set lie among the vectors; make it with `of`, once per set."""

    labels: tuple[Label, ...]
    leaves: tuple[str, ...]
    matrix: Matrix
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
        """From the vectors of `texts_of(labels)`, one row each."""
        rows, at = [], 0
        leaves = _leaves(labels)
        for label in labels:
            prompts, examples = len(prompts_of(label)), len(label.examples)
            described = _unit(vectors[at : at + prompts].mean(axis=0))
            shown = vectors[at + prompts : at + prompts + examples]
            at += prompts + examples
            if label in leaves:
                weight = examples / (examples + 2)
                rows.append(
                    _unit((1 - weight) * described + weight * _unit(shown.mean(axis=0)))
                    if examples
                    else described
                )
        return cls(tuple(labels), tuple(one.name for one in leaves), np.stack(rows), multi_label, calibration)

    def vector_of(self, name: str) -> Vector:
        """The vector of a leaf."""
        vector: Vector = self.matrix[self.leaves.index(name)]
        return vector


def scores(prototypes: Prototypes, vector: Vector, *, language: str | None = None) -> Scored:
    """The label of one text, by its vector (`text_vector` of a long one).

    `language` is a BCP 47 tag where it is known: the built-in model reads English, and of other languages its
    answers are less sure.
    """
    return scores_of_many(prototypes, vector[None, :], languages=[language])[0]


def scores_of_many(
    prototypes: Prototypes, vectors: Matrix, *, languages: Sequence[str | None] = ()
) -> list[Scored]:
    """The same for one text per row."""
    return [_scored(prototypes, row) for row in vectors @ prototypes.matrix.T]


def passages_of(text: str) -> list[str]:
    """What to embed of a text: itself when it is short, else passages, evenly from all of a very long one."""
    words = " ".join(text.split())
    if len(words) <= PASSAGE_CHARACTERS:
        return [words]
    count = -(-len(words) // PASSAGE_CHARACTERS)
    starts = [round(n * len(words) / count) for n in range(count)]
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_PASSAGES)).round().astype(int))
    return [words[starts[n] : starts[n] + PASSAGE_CHARACTERS] for n in chosen.tolist()]


def text_vector(vectors: Matrix) -> Vector:
    """One vector for a text, of the vectors of `passages_of` it."""
    return _unit(vectors.mean(axis=0))


def _scored(prototypes: Prototypes, likeness: Vector) -> Scored:
    chances = np.exp((likeness - likeness.max()) / 0.06)
    chances /= chances.sum()
    order = np.argsort(-chances, kind="stable").tolist()
    raw = log_odds(float(chances[order[0]]))
    sure = prototypes.calibration.confidence(raw)
    rest = max(1 - float(chances[order[0]]), 1e-9)
    found = [
        LabelConfidence(
            prototypes.leaves[n],
            sure if place == 0 else (1 - sure) * float(chances[n]) / rest,
        )
        for place, n in enumerate(order[: MOST_ALTERNATIVES + 1])
    ]
    return Scored(
        found[0].label, sure, tuple(found[1:]), (found[0],), _path(prototypes.labels, found[0]), 0.0, raw
    )


def _path(labels: Sequence[Label], leaf: LabelConfidence) -> tuple[LabelConfidence, ...]:
    parents = {label.name: label.parent for label in labels}
    path, above = [leaf], parents[leaf.label]
    while above is not None:
        path.append(LabelConfidence(above, leaf.confidence))
        above = parents[above]
    return tuple(reversed(path))


def _leaves(labels: Sequence[Label]) -> list[Label]:
    parents = {label.parent for label in labels}
    return [label for label in labels if label.name not in parents]


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
