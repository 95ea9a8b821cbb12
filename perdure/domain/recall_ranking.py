"""How well memories answer a question: arithmetic on what storage found, for thousands of candidates at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from perdure.domain.change_words import change_told
from perdure.domain.ranking_weights import K1, RECALL_WEIGHTS, B
from perdure.domain.recall_query import RecallQuery
from perdure.domain.relevance import QueryWord, Term, rarity
from perdure.domain.superseding import Statement, superseded
from perdure.domain.time_words import Period, is_dated, periods

Numbers = npt.NDArray[np.float64]

# As published for reciprocal rank fusion.
_FUSION_K = 60
# Turns on each side that say what a passage of a dialogue is about.
_AROUND = 4
# So many of its best turns say how good a session is. Longer sessions count in stretches of so many turns: an
# hour's meeting is about many things.
_SESSION_BEST = 3
_STRETCH = 24
# A statement of so many words says half of what one can say.
_USUAL_WORDS = 8.0
# Between the positions of two sessions; a whole number of stretches.
_APART = _STRETCH * 2**30
# What was done in a period is told about for so long after it.
_TOLD_WITHIN = timedelta(days=31)
# Time words, and words of change, are read in so many of the strongest candidates; in fewer where they hardly count.
_READ = 150
_READ_QUICKLY = 40
_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
# So many of the strongest candidates are searched for facts that others of them replace.
_HELD = 20
# By so much what replaces another comes before it.
_JUST = 2e-6


class RecallMode(StrEnum):
    """How memories are ranked. All but `hybrid` are there to compare with."""

    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"
    FUSION = "fusion"


@dataclass(frozen=True)
class RecallCandidates:
    """Memories that storage offers, one per row, in any order; rows that nobody found but that stand beside
    found ones in the same session belong to them, for they say what those are about and may be the answer.

    `cosine` is to the embedded `RecallQuery.meaning`, NaN without a vector. `mentions` (rows, words) says how
    often each of the words is in the content. `sessions` and `positions` say where in which session a memory was
    said; None stands alone. `said_at` is when it became true in the world, None for unknown.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    cosine: npt.NDArray[np.floating]
    mentions: npt.NDArray[np.floating]
    sessions: Sequence[str | None]
    positions: npt.NDArray[np.integer]
    speakers: Sequence[str | None]
    said_at: Sequence[datetime | None]
    subjects: Sequence[str | None] | None = None
    importance: npt.NDArray[np.floating] | None = None
    """0 to 1; 0.5 where nothing is known."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class RankedMemory:
    """Row of a candidate and its score, which is the sum of its terms; terms are there when asked for."""

    row: int
    score: float
    terms: tuple[Term, ...] = ()


def mention_matrix(
    words: Sequence[QueryWord], mentions: Sequence[Mapping[str, int]]
) -> npt.NDArray[np.float64]:
    """(rows, words) counts out of counts by lexeme, one mapping per row."""
    counts = np.zeros((len(mentions), len(words)))
    columns: dict[str, list[int]] = {}
    for column, word in enumerate(words):
        for lexeme in word.word.lexemes:
            columns.setdefault(lexeme, []).append(column)
    for row, said in enumerate(mentions):
        if said:
            for lexeme, count in said.items():
                for column in columns.get(lexeme, ()):
                    counts[row, column] += count
    return counts


def rank(
    query: RecallQuery,
    words: Sequence[QueryWord],
    memories: int,
    candidates: RecallCandidates,
    limit: int | None = None,
    mode: RecallMode = RecallMode.HYBRID,
    weights: Mapping[str, float] = RECALL_WEIGHTS,
    explain: bool = False,
) -> list[RankedMemory]:
    """Best first. `words` are those of the query with how many of the space's `memories` hold each."""
    if not len(candidates):
        return []
    if mode is RecallMode.FUSION:
        return _fused(query, words, memories, candidates, limit, explain)
    if mode is not RecallMode.HYBRID:
        weights = {"meaning" if mode is RecallMode.DENSE else "words": 1.0}
    found = features(query, words, memories, candidates)
    used = [(name, weight, found[name]) for name, weight in weights.items() if weight]
    scores = np.zeros(len(candidates))
    for _, weight, values in used:
        scores += weight * values
    newer = _newer_first(query, candidates, scores) if mode is RecallMode.HYBRID else {}
    return [
        RankedMemory(
            row,
            round(float(scores[row]), 6),
            (*(Term(name, weight, float(values[row])) for name, weight, values in used), *newer.get(row, ()))
            if explain
            else (),
        )
        for row in _best(scores, candidates)[:limit]
    ]


def features(
    query: RecallQuery, words: Sequence[QueryWord], memories: int, candidates: RecallCandidates
) -> dict[str, Numbers]:
    """What is known of each candidate in the light of the query, by name; each from 0 to 1."""
    meaning = np.clip(np.nan_to_num(np.asarray(candidates.cosine, dtype=np.float64)), 0.0, 1.0)
    by_words = _by_words(words, memories, candidates)
    base = (_share(meaning) + _share(by_words)) / 2
    beside = _Beside(candidates)
    before, after = beside.at(base, -1), beside.at(base, 1)
    speaker = _is_one_of(candidates.speakers, query.people)
    subject = _is_one_of(candidates.subjects or [None] * len(candidates), query.people)
    # Who is named tells what holds of them; where nobody is named, anybody does.
    concerned = np.maximum(speaker, subject) if query.people else np.ones(len(candidates))
    return {
        "meaning": meaning,
        "meaning before": beside.at(meaning, -1),
        "meaning after": beside.at(meaning, 1),
        "words": by_words,
        "words before": beside.at(by_words, -1),
        "words after": beside.at(by_words, 1),
        "best neighbour": np.maximum(before, after),
        "passage": beside.around(base),
        "session": beside.session(base),
        "speaker": speaker,
        "subject": subject,
        "period": _in_period(query, candidates, base),
        "dated": _dated(query, candidates),
        "substance": _substance(candidates),
        "recency": concerned * query.present * _recency(query, candidates),
        "change": concerned * query.present * _change(query, candidates, concerned * base),
        "importance": np.asarray(
            candidates.importance if candidates.importance is not None else np.full(len(candidates), 0.5),
            dtype=np.float64,
        ),
    }


def _newer_first(
    query: RecallQuery, candidates: RecallCandidates, scores: Numbers
) -> dict[int, tuple[Term, ...]]:
    """Let newer statements of a fact take the place of older ones, in `scores`; what that adds, and why, by row."""
    rows = _best(scores, candidates)[:_HELD]
    subjects = candidates.subjects or [None] * len(candidates)
    found = superseded(
        query,
        [
            Statement(
                candidates.texts[row],
                candidates.speakers[row] or subjects[row] or "",
                candidates.said_at[row],
            )
            for row in rows
        ],
    )
    raised: dict[int, float] = {}
    reasons: dict[int, str] = {}
    # The oldest first: whoever replaces something that has replaced something is raised above both.
    for pair in found:
        older, newer = rows[pair.older], rows[pair.newer]
        step = round(scores[older] + _JUST - scores[newer], 6)
        if step > 0:
            scores[newer] += step
            raised[newer] = raised.get(newer, 0.0) + step
        reasons[newer] = pair.contradiction.reason
        reasons[older] = f"superseded by {candidates.ids[newer]}: {pair.contradiction.reason}"
    return {row: (Term("newer", raised.get(row, 0.0), 1.0, reason),) for row, reason in reasons.items()}


def _share(values: Numbers) -> Numbers:
    """As a share of the best candidate's, which does not depend on how many others were found."""
    best = values.max(initial=0.0)
    return values / best if best > 0 else values


def _by_words(words: Sequence[QueryWord], memories: int, candidates: RecallCandidates) -> Numbers:
    """BM25 as a share of what the words could reach at most."""
    rarities = np.array([rarity(word.chunks, memories) if word.chunks > 0 else 0.0 for word in words])
    most = rarities.sum() * (K1 + 1)
    if not most:
        return np.zeros(len(candidates))
    lengths = np.array([len(text) for text in candidates.texts], dtype=np.float64)
    norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))
    mentions = np.asarray(candidates.mentions, dtype=np.float64)
    share: Numbers = (mentions * (K1 + 1) / (mentions + norm[:, None])) @ rarities / most
    return share


class _Beside:
    """Which candidates stand beside each other."""

    def __init__(self, candidates: RecallCandidates) -> None:
        numbers: dict[str, int] = {}
        sessions = np.array(
            [
                numbers.setdefault(session, len(numbers)) if session is not None else -1
                for session in candidates.sessions
            ]
        )
        self._alone = sessions < 0
        keys = sessions * _APART + np.asarray(candidates.positions, dtype=np.int64)
        keys[self._alone] = -_APART
        self._keys, self._order = keys, np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._stretches = np.where(self._alone, -1, keys // _STRETCH)
        self._beside: dict[int, tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]] = {}

    def _rows(self, offset: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        found = self._beside.get(offset)
        if found is None:
            wanted = self._keys + offset
            places = np.minimum(np.searchsorted(self._sorted, wanted), len(wanted) - 1)
            found = self._order[places], (self._sorted[places] == wanted) & ~self._alone
            self._beside[offset] = found
        return found

    def at(self, values: Numbers, offset: int) -> Numbers:
        """The value of what was said so many turns later; 0 where that is no candidate."""
        rows, there = self._rows(offset)
        return np.where(there, values[rows], 0.0)

    def around(self, values: Numbers) -> Numbers:
        """Mean of the turns around, the nearer the more; the turn itself does not count."""
        total, most = np.zeros(len(values)), 0.0
        for distance in range(1, _AROUND + 1):
            total += (self.at(values, -distance) + self.at(values, distance)) / distance
            most += 2 / distance
        return total / most

    def session(self, values: Numbers) -> Numbers:
        """How good the best of its session are, as a share of those of the best session; 0 for one that is alone."""
        order = np.lexsort((-values, self._stretches))
        stretches = self._stretches[order]
        first = np.r_[True, stretches[1:] != stretches[:-1]]
        group = np.cumsum(first) - 1
        place = np.arange(len(order)) - np.flatnonzero(first)[group]
        best = np.where((place < _SESSION_BEST) & ~self._alone[order], values[order], 0.0)
        shares = np.zeros(len(values))
        shares[order] = _share(np.bincount(group, best).astype(np.float64))[group]
        return shares


def _is_one_of(names: Sequence[str | None], people: Sequence[str]) -> Numbers:
    if not people:
        return np.zeros(len(names))
    wanted = frozenset(people)
    return np.array([name in wanted for name in names], dtype=np.float64)


def _in_period(query: RecallQuery, candidates: RecallCandidates, base: Numbers) -> Numbers:
    """1 for what was said in a period of the query or speaks of one, less for what was said soon after."""
    fit = np.zeros(len(candidates))
    if not query.periods:
        return fit
    times = _times(candidates)
    for period in query.periods:
        start, end = period.start.timestamp(), period.end.timestamp()
        late = np.clip((times - end) / _TOLD_WITHIN.total_seconds(), 0.0, 1.0)
        fit = np.maximum(fit, np.where(times >= start, np.where(times < end, 1.0, 0.5 * (1 - late)), 0.0))
    for row in np.argsort(-base)[:_READ].tolist():
        said_at = candidates.said_at[row]
        if said_at is not None and fit[row] < 1 and _speaks_of(candidates.texts[row], said_at, query.periods):
            fit[row] = 1.0
    return fit


def _speaks_of(text: str, said_at: datetime, wanted: Sequence[Period]) -> bool:
    return any(spoken.overlaps(period) for spoken in periods(text, said_at) for period in wanted)


def _dated(query: RecallQuery, candidates: RecallCandidates) -> Numbers:
    """Where the query asks when: whether a memory says when."""
    if not query.asks_when:
        return np.zeros(len(candidates))
    return np.array([float(is_dated(text)) for text in candidates.texts])


def _substance(candidates: RecallCandidates) -> Numbers:
    """How much is stated: questions state nothing, a few words little."""
    stated = [text.count(" ") + 1 if "?" not in text else _stated_words(text) for text in candidates.texts]
    words = np.array(stated, dtype=np.float64)
    return words / (words + _USUAL_WORDS)


def _stated_words(text: str) -> int:
    """Words of those sentences that are no questions."""
    sentences = _SENTENCE.findall(text)
    return sum(sentence.strip().count(" ") + 1 for sentence in sentences if not sentence.endswith("?"))


def _times(candidates: RecallCandidates) -> Numbers:
    """Seconds since 1970; NaN where unknown."""
    return np.array([np.nan if at is None else at.timestamp() for at in candidates.said_at])


def _recency(query: RecallQuery, candidates: RecallCandidates) -> Numbers:
    """Where the query asks for what holds now: 1 for the newest candidate, 0 for the oldest."""
    if not query.present or np.isnan(times := _times(candidates)).all():
        return np.zeros(len(candidates))
    oldest, newest = np.nanmin(times), np.nanmax(times)
    recency: Numbers = np.nan_to_num((times - oldest) / (newest - oldest or 1.0))
    return recency


def _change(query: RecallQuery, candidates: RecallCandidates, strength: Numbers) -> Numbers:
    """Where the query asks for what holds now: how far a memory speaks of a change."""
    change = np.zeros(len(candidates))
    if query.present:
        for row in np.argsort(-strength)[: _READ if query.present == 1 else _READ_QUICKLY].tolist():
            change[row] = change_told(candidates.texts[row])
    return change


def _best(scores: Numbers, candidates: RecallCandidates) -> list[int]:
    """Rows by score; of equal scores, by id, so that the order is always the same."""
    keys = -np.round(scores, 6)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    rows: list[int] = order.tolist()
    # Few scores are equal: to compare all ids takes longer than all the rest.
    edges = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    for group in np.flatnonzero(np.diff(edges) > 1).tolist():
        equal = slice(edges[group], edges[group + 1])
        rows[equal] = sorted(rows[equal], key=candidates.ids.__getitem__)
    return rows


def _fused(
    query: RecallQuery,
    words: Sequence[QueryWord],
    memories: int,
    candidates: RecallCandidates,
    limit: int | None,
    explain: bool,
) -> list[RankedMemory]:
    found = features(query, words, memories, candidates)
    parts: list[tuple[str, Numbers]] = []
    for name in ("meaning", "words"):
        shares = np.zeros(len(candidates))
        for place, row in enumerate(_best(found[name], candidates), start=1):
            if found[name][row] > 0:
                shares[row] = 1 / (_FUSION_K + place)
        parts.append((name, shares))
    scores = parts[0][1] + parts[1][1]
    return [
        RankedMemory(
            row,
            round(float(scores[row]), 6),
            tuple(Term(name, 1.0, float(shares[row])) for name, shares in parts) if explain else (),
        )
        for row in _best(scores, candidates)[:limit]
    ]
