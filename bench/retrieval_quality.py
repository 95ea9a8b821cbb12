"""Quality of retrieval on meetings: recall of the relevant turns by meaning, words, rank fusion and our blend.

    python bench/retrieval_quality.py DATA_DIRECTORY MODEL_DIRECTORY [--as turns|passages]

DATA_DIRECTORY holds one JSON per meeting: `turns` (speaker, text), `questions` (query, relevant_turns). Every
meeting is searched by itself. No weight is fitted here. It is a check of the arithmetic in `domain.ranking` on
data from outside; what PostgreSQL adds (stemming, candidates) is imitated by the same stemmer.
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import snowballstemmer

sys.path.insert(0, str(Path(__file__).parents[1]))

from perdure.domain.chunking import chunk
from perdure.domain.highlighting import COMMON_WORDS
from perdure.domain.ranking import Candidate, Ranking
from perdure.domain.ranking_weights import CONTEXT_WEIGHT, MEANING_WEIGHT, WORDS_WEIGHT
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word
from perdure.providers.minilm_embedder import MiniLMEmbedder, MiniLMTokenizer
from perdure.schemas.parsed_text import ParsedText

WORD = re.compile(r"[^\W_]+")
TOP = 10


def stems(text: str, stemmer: object) -> list[str]:
    """What PostgreSQL's english configuration makes of a text, nearly."""
    found = [word.lower() for word in WORD.findall(text)]
    return [stemmer.stemWord(word) for word in found if word not in COMMON_WORDS]  # type: ignore[attr-defined]


def dataset(
    path: Path, kind: str, tokenizer: MiniLMTokenizer
) -> tuple[list[str], list[set[int]], list[dict[str, Any]]]:
    """Passages, the turns in each, and the questions."""
    meeting = json.loads(path.read_text())
    turns = [f"{turn['speaker']}: {turn['text']}".strip() for turn in meeting["turns"]]
    if kind == "turns":
        kept = [n for n, turn in enumerate(meeting["turns"]) if turn["text"].strip()]
        return [turns[n] for n in kept], [{n} for n in kept], meeting["questions"]
    text, starts = "", []
    for turn in turns:
        starts.append(len(text))
        text += turn + "\n"
    spans = chunk(ParsedText(text=text, media_type="text/plain"), tokenizer, 200)
    inside = [{n for n, start in enumerate(starts) if span.start <= start < span.end} for span in spans]
    return [span.text for span in spans], inside, meeting["questions"]


def main() -> None:
    """Print one line per way of ranking."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("models", type=Path)
    arguments.add_argument("--as", dest="kind", default="turns", choices=["turns", "passages"])
    given = arguments.parse_args()
    tokenizer, stemmer = MiniLMTokenizer(given.models), snowballstemmer.stemmer("english")
    embedders = {name: MiniLMEmbedder(given.models, name) for name in ("int8", "fp32")}
    scores: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for path in sorted(given.data.glob("*.json")):
        passages, inside, questions = dataset(path, given.kind, tokenizer)
        vectors = {name: embedder.embed(passages) for name, embedder in embedders.items()}
        counts = [Counter(stems(passage, stemmer)) for passage in passages]
        tokens = [len(tokenizer.offsets(passage)) for passage in passages]
        holding = Counter(stem for count in counts for stem in count)
        for question in questions:
            relevant = set(question["relevant_turns"])
            wanted = [n for n, turns in enumerate(inside) if turns & relevant]
            if not wanted:
                continue
            words = [
                QueryWord(Word((s,)), holding[s]) for s in dict.fromkeys(stems(question["query"], stemmer))
            ]
            candidates = {
                name: [
                    Candidate(str(n), "d", n, tokens[n], float(cosine), counts[n])
                    for n, cosine in enumerate(vectors[name] @ embedders[name].embed([question["query"]])[0])
                ]
                for name in embedders
            }
            mean = sum(tokens) / len(tokens)
            for label, order in rankings(candidates, words, len(passages), mean).items():
                scores[label].append(judged(order, set(wanted)))
    print(f"{given.kind}: {len(scores['ours int8'])} questions")
    for label, rows in scores.items():
        recall, hit, reciprocal, precision = np.mean(rows, axis=0)
        print(
            f"{label:22} recall@10 {recall:.3f}  hit@10 {hit:.3f}  MRR {reciprocal:.3f}  P@10 {precision:.3f}"
        )


def rankings(
    candidates: dict[str, list[Candidate]], words: Sequence[QueryWord], chunks: int, mean: float
) -> dict[str, list[int]]:
    """Orders of the passages by several ways of ranking."""

    def by(name: str, meaning: float, by_words: float, context: float = 0.0) -> list[int]:
        ranking = Ranking(words, chunks, mean, meaning, by_words, context)
        return [ranked.candidate.ordinal for ranked in ranking.rank(candidates[name])]

    dense, keyword = by("int8", 1, 0), by("int8", 0, 1)
    return {
        "meaning fp32": by("fp32", 1, 0),
        "meaning int8": dense,
        "words": keyword,
        "rank fusion (k=60)": fused([dense, keyword]),
        "blend, no context": by("int8", MEANING_WEIGHT, WORDS_WEIGHT),
        "ours fp32": by("fp32", MEANING_WEIGHT, WORDS_WEIGHT, CONTEXT_WEIGHT),
        "ours int8": by("int8", MEANING_WEIGHT, WORDS_WEIGHT, CONTEXT_WEIGHT),
    }


def fused(orders: Sequence[Sequence[int]], k: int = 60) -> list[int]:
    """Reciprocal rank fusion."""
    total: dict[int, float] = defaultdict(float)
    for order in orders:
        for rank, item in enumerate(order, start=1):
            total[item] += 1 / (k + rank)
    return sorted(total, key=lambda item: (-total[item], item))


def judged(order: Sequence[int], relevant: set[int]) -> tuple[float, float, float, float]:
    """Recall, hit, reciprocal rank and precision of the first ten."""
    first = [n for n, item in enumerate(order) if item in relevant]
    found = sum(rank < TOP for rank in first)
    return found / len(relevant), float(found > 0), 1 / (1 + first[0]) if first else 0.0, found / TOP


if __name__ == "__main__":
    main()
