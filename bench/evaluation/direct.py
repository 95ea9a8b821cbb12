"""Recall in process: the domain's code on arrays, as storage fills them, without a server."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import snowballstemmer

from bench.evaluation.dialogues import Dialogue, Question
from perdure.domain.ranking_weights import RECALL_WEIGHTS
from perdure.domain.recall_query import RecallQuery, analyse
from perdure.domain.recall_ranking import (
    Numbers,
    RecallCandidates,
    RecallMode,
    features,
    mention_matrix,
    rank,
)
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word
from perdure.ports.models import Embedder, Vectors

_WORD = re.compile(r"[^\W_]+")
# PostgreSQL's own stop words of English, as far as questions and chats hold them.
_STOP_WORDS = frozenset(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers "  # noqa: SIM905  # a list of 120 reads worse
    "herself it its itself they them their theirs themselves what which who whom this that these those am is are "
    "was were be been being have has had having do does did doing a an the and but if or because as until while of "
    "at by for with about against between into through during before after above below to from up down in out on "
    "off over under again further then once here there when where why how all any both each few more most other "
    "some such no nor not only own same so than too very s t can will just don should now".split()
)
# What storage takes of each kind; of the best of these also the neighbours.
_CANDIDATES = 100
_WIDENED = 50
_NEIGHBOURS = 2


class DirectMemory:
    """One dialogue, held in memory."""

    def __init__(self, dialogue: Dialogue, embedder: Embedder, candidates: int = _CANDIDATES) -> None:
        self._dialogue, self._embedder, self._limit = dialogue, embedder, candidates
        turns = dialogue.turns
        self._vectors = embedder.embed([f"{turn.speaker}: {turn.text}" for turn in turns])
        self._stemmer = snowballstemmer.stemmer("english")
        # With the speaker, as full text alone would want it; where the speaker is a feature, names are not asked for.
        self._mentions = [Counter(self._stems(f"{turn.speaker} {turn.text}")) for turn in turns]
        self._holding = Counter(stem for mentions in self._mentions for stem in mentions)
        numbers: Counter[str] = Counter()
        self._positions = np.zeros(len(turns), dtype=np.int64)
        for row, turn in enumerate(turns):
            self._positions[row] = numbers[turn.session]
            numbers[turn.session] += 1

    def _stems(self, text: str) -> list[str]:
        found = (word.lower() for word in _WORD.findall(text))
        return [self._stemmer.stemWord(word) for word in found if word not in _STOP_WORDS]

    def query(self, question: Question) -> RecallQuery:
        """The question taken apart."""
        return analyse(question.query, self._dialogue.speakers, self._dialogue.asked_at)

    def words(self, query: RecallQuery, mode: RecallMode = RecallMode.HYBRID) -> list[QueryWord]:
        """The words to look for."""
        stems = dict.fromkeys(self._stems(_asked(query, mode)))
        return [QueryWord(Word((stem,)), self._holding[stem]) for stem in stems]

    def candidates(self, query: RecallQuery, words: Sequence[QueryWord], vector: Vectors) -> RecallCandidates:
        """What storage would offer: the best of each kind and what stands beside them."""
        cosine = self._vectors @ vector
        mentions = mention_matrix(words, self._mentions)
        rows = self._offered(cosine, (mentions > 0) @ np.array([1 / (1 + word.chunks) for word in words]))
        turns = [self._dialogue.turns[row] for row in rows]
        return RecallCandidates(
            ids=[turn.id for turn in turns],
            texts=[turn.text for turn in turns],
            cosine=cosine[rows],
            mentions=mentions[rows],
            sessions=[turn.session for turn in turns],
            positions=self._positions[rows],
            speakers=[turn.speaker for turn in turns],
            said_at=[turn.said_at for turn in turns],
        )

    def _offered(self, cosine: Numbers, words: Numbers) -> list[int]:
        count = len(self._dialogue.turns)
        by_vector = np.argsort(-cosine)[: self._limit].tolist()
        by_words = [row for row in np.argsort(-words)[: self._limit].tolist() if words[row] > 0]
        best = {*by_vector[:_WIDENED], *by_words[:_WIDENED]}
        near = {row + step for row in best for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1)}
        near |= {*by_vector, *by_words}
        return sorted(row for row in near if 0 <= row < count)

    def embedded(self, query: RecallQuery, mode: RecallMode) -> Vectors:
        """The vector of what is asked for."""
        asked = query.embedded if mode is RecallMode.HYBRID else query.text
        vector: Vectors = self._embedder.embed([asked])[0]
        return vector

    def recall(
        self, question: Question, mode: RecallMode, limit: int, weights: Mapping[str, float] = RECALL_WEIGHTS
    ) -> list[str]:
        """Ids of the turns found, best first."""
        query = self.query(question)
        words = self.words(query, mode)
        candidates = self.candidates(query, words, self.embedded(query, mode))
        ranked = rank(query, words, len(self._dialogue.turns), candidates, limit, mode, weights)
        return [candidates.ids[item.row] for item in ranked]

    def judged(self, question: Question) -> tuple[dict[str, Numbers], Numbers]:
        """Features of all candidates of a question, and which of them answer it: what weights are learned from."""
        query = self.query(question)
        words = self.words(query)
        candidates = self.candidates(query, words, self.embedded(query, RecallMode.HYBRID))
        found = features(query, words, len(self._dialogue.turns), candidates)
        return found, np.array([float(turn in question.relevant) for turn in candidates.ids])


def _asked(query: RecallQuery, mode: RecallMode) -> str:
    """What others than ours look for is the question as it was asked."""
    return query.meaning if mode is RecallMode.HYBRID else query.text
