"""Candidates of a search or a recall: the nearest by vector, and those that hold the rarest words.

Passages and memories are looked for in the same way, each in tables of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from perdure.db.arrays import TEXTS
from perdure.db.models import ChunkEmbeddingRow, DocumentRow, MemoryEmbeddingRow, MemoryRow
from perdure.db.statements import FixedStatement, Statements
from perdure.db.statistics_repository import CHUNKS, MEMORIES, RARE_FREQUENCY, Corpus
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import searchable, words

# What each part offers; the best of both together are shown.
CANDIDATES = 100
# Texts that the search by words may visit: its rarest words are looked for first, until they are used up.
WORD_HITS = 3_000
# Share of the texts of a space too small to be sampled that a word is expected in.
UNCOUNTED_FREQUENCY = 0.05
# Measured at 100,000 passages: the index's top 10 are those of an exact search.
_EF_SEARCH = 120
_MAX_SCAN_TUPLES = 40_000
# What a transaction with a search by vector starts with.
TUNING = {
    "hnsw.ef_search": str(_EF_SEARCH),
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": str(_MAX_SCAN_TUPLES),
    "jit": "off",
}


@dataclass(frozen=True, eq=False)
class Kind:
    """What is looked for, and by which tables and functions."""

    corpus: Corpus
    vector: type[ChunkEmbeddingRow] | type[MemoryEmbeddingRow]
    vector_of: InstrumentedAttribute[str]
    vector_index: str
    """Its name, but for the dimension."""
    index_state: str
    """Column of a space: how many of its vectors are in the index."""
    finder: str
    finder_narrows_to: TypeEngine[Any]
    finds: tuple[str, ...]
    """Columns of what the finder returns; the first is the text, before `word` and `token_count`."""
    shown: tuple[type[DocumentRow] | type[MemoryRow], str]
    """The rows that conditions are about, and the column of what the finder returns that says which."""


PASSAGES = Kind(
    corpus=CHUNKS,
    vector=ChunkEmbeddingRow,
    vector_of=ChunkEmbeddingRow.chunk_id,
    vector_index="chunk_embeddings_nearest",
    index_state="vector_index",
    finder="find_chunks_by_words",
    finder_narrows_to=TEXTS,
    finds=("chunk_id", "document_id"),
    shown=(DocumentRow, "document_id"),
)
REMEMBERED = Kind(
    corpus=MEMORIES,
    vector=MemoryEmbeddingRow,
    vector_of=MemoryEmbeddingRow.memory_id,
    vector_index="memory_embeddings_nearest",
    index_state="memory_vector_index",
    finder="find_memories_by_words",
    finder_narrows_to=Text(),
    finds=("memory_id",),
    shown=(MemoryRow, "memory_id"),
)


@dataclass(frozen=True)
class WordCandidates:
    """Texts found by words, and how many hold each word."""

    words: Sequence[QueryWord]
    ids: Sequence[str]


def stored(kind: Kind) -> str:
    """Columns of a row `s` of `spaces`: whether it is in the index; how many texts there are, how many vectors in it.

    These are estimates for all spaces of all organisations, as PostgreSQL's own statistics have it.
    """
    rows = "COALESCE((SELECT greatest(c.reltuples, 0) FROM pg_class c WHERE c.oid = to_regclass({0})), 0)"
    texts = rows.format(f"'{kind.corpus.texts}'")
    vectors = rows.format(f"'{kind.vector_index}_' || s.embedding_dimension")
    indexed = f"s.{kind.index_state} = 'complete'"
    return f"{indexed} AS in_vector_index, {texts} AS texts_of_all, {vectors} AS vectors_of_all"


def one_by_one(size: int, of_all: float, exact_below: int) -> bool:
    """Whether looking at all texts of a space costs less than an index that other spaces are in, too.

    An index that has this space alone pays from `exact_below` on. Where the space is a tenth of what is in it, nine
    of ten that it offers are of others, and ten times as many are looked at.
    """
    return size * size <= exact_below * max(size, of_all)


# Statements that a condition may be added to are built once: to build them takes as long as to run them.
@cache
def nearest(kind: Kind, dimension: int, *, exact: bool, limit: int = CANDIDATES) -> Select[str, float]:
    """The nearest to `vector`, a literal, in `spaces` under `model`, and how far each is."""
    vector = kind.vector
    # The dimension stands there as a constant, because the planner must see that the partial index fits.
    as_indexed = HALFVEC() if exact else HALFVEC(dimension)
    stored_vector = vector.embedding if exact else cast(vector.embedding, as_indexed)
    # As a query of its own the literal is read once, and not for every row.
    asked = select(cast(bindparam("vector", type_=Text), as_indexed)).scalar_subquery()
    statement: Select[str, float] = (
        select(kind.vector_of, stored_vector.op("<=>", return_type=Double())(asked).label("distance"))
        .where(
            vector.space_id == any_(bindparam("spaces", type_=TEXTS)),
            vector.model == bindparam("model"),
            vector.dimension == literal_column(str(dimension)),
        )
        .order_by("distance")
        # Written out, as the dimension: of a limit that it does not know, the planner expects that it is large.
        .limit(literal_column(str(limit)))
    )
    return statement if exact else statement.where(vector.in_vector_index)


def holding(
    kind: Kind, condition: ColumnElement[bool] | None, of_best: int | None = None
) -> Select[dict[str, int], list[str]]:
    """How many texts hold each of `words`, and those that hold the rarest; of these, `CANDIDATES` at most.

    They meet a condition, which is looked up for the `of_best` best, or without that for all.
    """
    hits = (
        getattr(func, kind.finder)(
            bindparam("spaces", type_=TEXTS),
            bindparam("narrowed_to", type_=kind.finder_narrows_to),
            bindparam("words", type_=TEXTS),
            bindparam("few", type_=Boolean),
            WORD_HITS,
        )
        .table_valued(*kind.finds, "word", "token_count")
        .alias("hit")
    )
    found = select(*hits.c).cte("found")
    counts = select(found.c.word, func.count().label("texts")).group_by(found.c.word).cte("counts")
    all_texts = bindparam("all_texts", type_=Double)
    rarity = func.sum(func.ln(1 + (all_texts + 0.5) / (cast(counts.c.texts, Double) + 0.5), type_=Double))
    keys = [found.c[name] for name in (*kind.finds, "token_count")]
    ranked = (
        select(*keys, rarity.label("rarity")).join(counts, counts.c.word == found.c.word).group_by(*keys)
    ).subquery("ranked")
    order = (ranked.c.rarity.desc(), ranked.c.token_count, ranked.c[kind.finds[0]])
    if of_best is not None:
        ranked = select(ranked).order_by(*order).limit(of_best).subquery("best")
        order = (ranked.c.rarity.desc(), ranked.c.token_count, ranked.c[kind.finds[0]])
    chosen = select(ranked.c[kind.finds[0]].label("id")).order_by(*order).limit(CANDIDATES)
    if condition is not None:
        row, key = kind.shown
        chosen = chosen.join(row, row.id == ranked.c[key]).where(condition)
    ids = chosen.subquery("chosen")
    return select(
        select(func.json_object_agg(counts.c.word, counts.c.texts)).scalar_subquery(),
        select(func.array_agg(ids.c.id)).scalar_subquery(),
    )


async def by_words(
    statements: Statements,
    statement: Select[dict[str, int], list[str]] | FixedStatement,
    query_words: Sequence[QueryWord],
    sought: Sequence[QueryWord],
    values: Mapping[str, object],
) -> WordCandidates:
    """Run what `holding` says, for the words that are `sought`; counts all words while it looks for these."""
    if not sought:
        return WordCandidates(query_words, ())
    values = {**values, "words": [word.word.tsquery for word in sought]}
    ((counted, ids),) = await statements.rows(statement, values)
    found = {word.word: float((counted or {}).get(str(at), 0)) for at, word in enumerate(sought, start=1)}
    return WordCandidates(
        [QueryWord(each.word, settled(each.chunks, found.get(each.word))) for each in query_words], ids or ()
    )


async def words_of(
    statements: Statements,
    kind: Kind,
    query: str,
    spaces: Sequence[str],
    configurations: Sequence[str],
    most: float,
) -> list[QueryWord]:
    """The words of a query as they are stemmed; how many texts hold each comes from the statistics of spaces."""
    rows = await statements.rows(
        _lexemes(kind),
        {"spaces": list(spaces), "configurations": list(configurations), "query": searchable(query)},
    )
    positions: list[tuple[str, Sequence[int]]] = []
    texts: dict[str, float] = {}
    for lexeme, at, count in rows:
        positions.append((lexeme, at))
        texts[lexeme] = max(texts.get(lexeme, 0.0), count or 0.0)
    return [
        QueryWord(word, min(sum(texts[lexeme] for lexeme in word.lexemes), most)) for word in words(positions)
    ]


@cache
def _lexemes(kind: Kind) -> FixedStatement:
    return FixedStatement(
        f"""
        SELECT u.lexeme, u.positions, (
            SELECT sum(f.frequency * s.{kind.corpus.count})
            FROM {kind.corpus.shares} f JOIN spaces s ON s.id = f.space_id
            WHERE f.space_id = ANY(CAST(:spaces AS text[])) AND f.lexeme = u.lexeme
        ) AS texts
        FROM unnest(CAST(:configurations AS text[])) AS c, unnest(to_tsvector(c::regconfig, :query)) AS u
        """
    )


def rarest(query_words: Sequence[QueryWord], texts: int, *, sampled: bool) -> list[QueryWord]:
    """The rarest words that together visit at most `WORD_HITS` of so many texts; one at least.

    Where words were not counted yet, the longer ones are taken for the rarer ones.
    """
    unknown = texts * (RARE_FREQUENCY / 2 if sampled else UNCOUNTED_FREQUENCY)
    chosen: list[QueryWord] = []
    visits = 0.0
    for word in sorted(
        query_words, key=lambda word: (word.chunks, -len(word.word.lexemes[0]), word.word.lexemes)
    ):
        visits += word.chunks or unknown
        if chosen and visits > WORD_HITS:
            break
        chosen.append(word)
    return chosen


def settled(estimated: float, counted: float | None) -> float:
    """How many texts hold a word. A count that reached its limit says only that there are more."""
    if counted is None:
        return estimated
    return max(counted, estimated) if counted >= WORD_HITS else counted
