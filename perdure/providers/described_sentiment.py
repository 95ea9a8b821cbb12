"""Sentiment by described labels and examples in embedding space and VADER; in other languages by their words."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perdure.domain.opinion_words import LANGUAGES, opinion
from perdure.domain.sentiment import (
    PROMPTS,
    Directions,
    Feeling,
    Sentiment,
    clauses,
    kind_features,
    of_text,
    probabilities,
    sentences_to_judge,
    side_features,
)
from perdure.domain.sentiment_weights import ENGLISH, OTHER, WORDS, Weights
from perdure.ports.models import Embedder, Vectors

Numbers = npt.NDArray[np.float64]
SENTENCES = Path(__file__).parent / "review_sentences.txt"
# A model that reads English sees little of languages that have no words in `opinion_words` either; so much of what it
# says is taken, the rest is how review sentences are in general.
_SEEN = 0.3
_USUAL = (0.42, 0.36, 0.15, 0.07)
_MARKS = {"+": Feeling.POSITIVE, "-": Feeling.NEGATIVE, "0": Feeling.NEUTRAL, "~": Feeling.MIXED}


def review_sentences(path: Path = SENTENCES) -> list[tuple[Feeling, str]]:
    """Sentences with the feeling that a reader would say they have."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(_MARKS[line[0]], line[2:]) for line in lines if line[:1] in _MARKS]


@dataclass(frozen=True)
class SentencesRead:
    """Rows of `count` sentences, then of two clauses for each of those at `parted`."""

    count: int
    parted: Sequence[int]
    placed: Numbers
    lexicon: Numbers


def features_of(read: SentencesRead, weights: Weights) -> tuple[Numbers, Numbers]:
    """The log-odds of good against bad, and the features that tell whether a side is taken."""
    side = side_features(read.placed, read.lexicon) @ np.array(weights.side)
    of_clauses = np.zeros((read.count, 2))
    of_clauses[read.parted] = side[read.count :].reshape(-1, 2)
    whole = slice(read.count)
    return side[whole], kind_features(side[whole], read.placed[whole], read.lexicon[whole], of_clauses)


class DescribedSentiment:
    """Implements `ports.text_analysis.SentimentJudge`. The first call embeds the examples, which takes a second."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._directions: Directions | None = None
        self._learning = threading.Lock()

    def judge(self, texts: Sequence[str], languages: Sequence[str | None] = ()) -> list[Sentiment]:
        """See `SentimentJudge`. A language that is not known is taken for English."""
        tags = [*languages, *([None] * (len(texts) - len(languages)))]
        split = [[one.text for one in sentences_to_judge(text)] for text in texts]
        said = [(sentence, tags[at]) for at, found in enumerate(split) for sentence in found]
        if not said:
            return [of_text(np.zeros((0, 4))) for _ in texts]
        rows = self.probabilities([one for one, _ in said], [tag for _, tag in said])
        ends = np.cumsum([len(found) for found in split])
        return [of_text(found) for found in np.split(rows, ends[:-1])]

    def probabilities(self, said: Sequence[str], languages: Sequence[str | None]) -> Numbers:
        """(sentences, feelings) that sum to 1 in each row."""
        tags = [(tag or "en").split("-", maxsplit=1)[0].lower() for tag in languages]
        read = self.read(said, tags, self._learnt())
        english, by_words, other = (
            probabilities(*features_of(read, weights), weights) for weights in (ENGLISH, WORDS, OTHER)
        )
        guessed = _SEEN * other + (1 - _SEEN) * np.array(_USUAL)
        is_english = np.array([tag == "en" for tag in tags])[:, None]
        has_words = np.array([tag in LANGUAGES for tag in tags])[:, None]
        return np.where(is_english, english, np.where(has_words, by_words, guessed))

    def read(self, said: Sequence[str], tags: Sequence[str], directions: Directions) -> SentencesRead:
        """Place sentences and their clauses, and ask the lexicon of their language about them, where it has one."""
        parted = {at: found for at, sentence in enumerate(said) if (found := clauses(sentence))}
        asked = [*said, *(clause for pair in parted.values() for clause in pair)]
        spoken = [*tags, *(tags[at] for at in parted for _ in range(2))]
        lexicon = [self._lexicon(one, tag) for one, tag in zip(asked, spoken, strict=True)]
        placed = directions.of(self._embedder.embed(asked))
        return SentencesRead(len(said), list(parted), placed, np.array(lexicon))

    def directions(self, sentences: Sequence[tuple[Feeling, str]]) -> Directions:
        """What parts these sentences among the vectors of the embedder."""
        prompts = {feeling: self._embedder.embed(wordings) for feeling, wordings in PROMPTS.items()}
        vectors: Vectors = self._embedder.embed([sentence for _, sentence in sentences])
        return Directions.learnt(prompts, vectors, [feeling for feeling, _ in sentences])

    def _learnt(self) -> Directions:
        with self._learning:
            if self._directions is None:
                self._directions = self.directions(review_sentences())
            return self._directions

    def _lexicon(self, sentence: str, tag: str) -> tuple[float, float, float]:
        if tag == "en":
            scores = self._vader.polarity_scores(sentence)
            return scores["compound"], scores["pos"], scores["neg"]
        return opinion(sentence, tag) if tag in LANGUAGES else (0.0, 0.0, 0.0)

    @cached_property
    def _vader(self) -> Any:
        return import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
