"""How a text feels about its subject: a polarity and a label, sentence by sentence and as a whole.

A sentence is placed by its vector: along what parts good from bad review sentences and opinions from facts, and by
the described labels it is nearest to. A lexicon's opinion stands beside that. From these few numbers one logistic
regression tells good from bad, and a softmax whether it takes a side at all; both are learnt on sentences that the
project wrote (`bench.evaluation.sentiment`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from perdure.domain.sentences import Sentence, sentences
from perdure.domain.sentiment_weights import Weights

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


class Feeling(StrEnum):
    """What a text says of its subject; `mixed` says good and bad of it, `neutral` neither."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    MIXED = "mixed"


FEELINGS = tuple(Feeling)
# Described labels, in several wordings.
PROMPTS: Mapping[Feeling, tuple[str, ...]] = {
    Feeling.POSITIVE: (
        "This is a positive review: the writer is pleased and praises it.",
        "I loved it, it was excellent and I recommend it.",
        "A wonderful experience, really well done.",
        "The reviewer is enthusiastic and impressed.",
    ),
    Feeling.NEGATIVE: (
        "This is a negative review: the writer is unhappy and complains.",
        "I hated it, it was terrible and I do not recommend it.",
        "An awful experience, really badly done.",
        "The reviewer is bored and disappointed.",
    ),
    Feeling.NEUTRAL: (
        "This is a plain statement of fact without an opinion.",
        "The sentence gives a number, a date, a place or a description.",
        "It says what something is, not whether it is good.",
        "A note on where, when and how it was done.",
    ),
}
# More sentences of a text are not judged; of a longer one these are spread over it.
MOST_SENTENCES = 64
_LONGEST = 1_000
# How strongly the directions are held to zero: chosen by cross-validation on the project's sentences.
_RIDGE = 3.0
_TURN = re.compile(
    r"(?:,\s*)?(?<![\w])(?:but|although|though|however|yet|while|whereas|except that|aber|jedoch"
    r"|obwohl|mais|pero|aunque|ma|per\u00f2)(?![\w])|;",
    re.IGNORECASE,
)
_SHORTEST_CLAUSE = 8
# Opinions of both kinds in a text: each side has at least this share.
_BOTH_SIDES = 0.3


@dataclass(frozen=True, slots=True)
class Sentiment:
    """`polarity` from -1 to 1; `confidence` is how often such an answer is right (0 to 1)."""

    polarity: float
    label: Feeling
    confidence: float


@dataclass(frozen=True)
class Directions:
    """What parts feelings among the vectors of a model."""

    polarity: Vectors
    opinion: Vectors
    described: Mapping[Feeling, Vectors]

    @classmethod
    def learnt(
        cls, prompts: Mapping[Feeling, Vectors], examples: Vectors, feelings: Sequence[Feeling]
    ) -> Self:
        """From the vectors of `PROMPTS`, and of review sentences whose feelings are known."""
        signs = np.array([_SIGNS.get(feeling, 0.0) for feeling in feelings])
        opinions = np.array([-1.0 if feeling is Feeling.NEUTRAL else 1.0 for feeling in feelings])
        pure = signs != 0
        return cls(
            _direction(examples[pure], signs[pure]),
            _direction(examples, opinions),
            {feeling: rows.mean(axis=0) for feeling, rows in prompts.items()},
        )

    def of(self, vectors: Vectors) -> Numbers:
        """Where sentences lie: polarity, opinion, good against bad as described, and fact against either."""
        good, bad = (vectors @ self.described[one] for one in (Feeling.POSITIVE, Feeling.NEGATIVE))
        fact = vectors @ self.described[Feeling.NEUTRAL]
        placed = (vectors @ self.polarity, vectors @ self.opinion, good - bad, fact - np.maximum(good, bad))
        return np.stack(placed, axis=1).astype(np.float64)


_SIGNS = {Feeling.POSITIVE: 1.0, Feeling.NEGATIVE: -1.0}


def _direction(vectors: Vectors, targets: Numbers) -> Vectors:
    """Ridge regression by its dual: few sentences, many dimensions. The rare side counts as much as the other."""
    weights = np.where(targets > 0, (targets < 0).sum(), (targets > 0).sum()).astype(np.float64)
    weights /= weights.mean()
    root = np.sqrt(weights)[:, None]
    rows = vectors.astype(np.float64) * root
    inner = rows @ rows.T + _RIDGE * np.eye(len(rows))
    found: Vectors = (rows.T @ np.linalg.solve(inner, targets * root[:, 0])).astype(np.float32)
    return found


def sentences_to_judge(text: str) -> list[Sentence]:
    """The sentences to judge: all, or of a long text so many that are spread over it."""
    said = [
        Sentence(one.text[:_LONGEST], one.start, min(one.end, one.start + _LONGEST))
        for one in sentences(text)
        if any(map(str.isalnum, one.text))
    ]
    if len(said) <= MOST_SENTENCES:
        return said
    places = np.linspace(0, len(said) - 1, MOST_SENTENCES).round().astype(int)
    return [said[place] for place in places]


def clauses(sentence: str) -> tuple[str, str] | None:
    """What stands before and after a turn ("but", ";"), where it makes two; None where there is none."""
    for turn in _TURN.finditer(sentence):
        before, after = sentence[: turn.start()].strip(), sentence[turn.end() :].strip(" ,")
        if not before:  # "Although the room is small, the bed is fine."
            before, _, after = after.partition(",")
        if len(before) >= _SHORTEST_CLAUSE and len(after) >= _SHORTEST_CLAUSE:
            return before.strip(), after.strip()
    return None


def side_features(placed: Numbers, lexicon: Numbers) -> Numbers:
    """The numbers that tell good from bad, a row a sentence.

    `placed`: rows of `Directions.of`; `lexicon`: rows of compound, share of good words, share of bad words.
    """
    return np.column_stack((placed[:, 0], placed[:, 2], lexicon, np.ones(len(placed))))


def kind_features(side: Numbers, placed: Numbers, lexicon: Numbers, clauses_side: Numbers) -> Numbers:
    """The numbers that tell whether a sentence takes a side, a row a sentence.

    `side`: log-odds of good against bad; `clauses_side`: those of what stands before and after a turn (0 without one).
    """
    first, second = clauses_side.T
    clash = np.tanh(np.maximum(0.0, -first * second))
    told = (first != 0.0) | (second != 0.0)
    return np.column_stack(
        (
            np.tanh(np.abs(side)), placed[:, 1], placed[:, 3], np.abs(lexicon[:, 0]),
            np.minimum(lexicon[:, 1], lexicon[:, 2]), clash, told, np.ones(len(side)),
        )
    )  # fmt: skip


def probabilities(side: Numbers, kind: Numbers, weights: Weights) -> Numbers:
    """The probability of each of `FEELINGS`, a row a sentence: `side` in log-odds, `kind` as features."""
    logits = kind @ np.array(weights.kind).T
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    sided, neither, both = (powers / powers.sum(axis=1, keepdims=True)).T
    good = 1 / (1 + np.exp(-np.clip(side, -30, 30)))
    return np.column_stack((sided * good, sided * (1 - good), neither, both))


def of_sentence(probability: Numbers) -> Sentiment:
    """The sentiment of one sentence."""
    best = int(probability.argmax())
    return Sentiment(
        round(float(probability[0] - probability[1]), 4), FEELINGS[best], round(float(probability[best]), 4)
    )


def of_text(rows: Numbers) -> Sentiment:
    """The sentiment of a text from the probabilities of its sentences; those that are no opinion weigh little.

    A text whose sentences are good and bad is mixed, though none of them is.
    """
    if len(rows) == 0:
        return Sentiment(0.0, Feeling.NEUTRAL, 1.0)
    if len(rows) == 1:
        return of_sentence(rows[0])
    opinion = 1.0 - rows[:, 2]
    good, bad, both = (float(rows[:, at].sum()) for at in (0, 1, 3))
    told = good + bad + both
    if opinion.mean() < 0.5 and opinion.max() < 0.6:
        return Sentiment(
            round((good - bad) / len(rows), 4), Feeling.NEUTRAL, round(float(rows[:, 2].mean()), 4)
        )
    polarity = (good - bad) / told
    sides = min(good, bad) + both / 2
    shares = {
        Feeling.POSITIVE: good / told,
        Feeling.NEGATIVE: bad / told,
        Feeling.MIXED: min(1.0, 2 * sides / told),
    }
    stronger = Feeling.POSITIVE if good >= bad else Feeling.NEGATIVE
    label = Feeling.MIXED if sides / told >= _BOTH_SIDES else stronger
    return Sentiment(round(polarity, 4), label, round(shares[label], 4))
