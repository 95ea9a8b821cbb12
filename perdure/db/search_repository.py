"""Candidates by vector and by word, and what their scores are made of; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
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
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import ChunkEmbeddingRow, ChunkRow, DocumentRow
from perdure.db.statistics_repository import RARE_FREQUENCY
from perdure.domain.ranking import Candidate
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import FALLBACK_CONFIGURATION, searchable, words
from perdure.ports.models import EmbeddingModel, Vectors

# Passages that each part offers; the best `limit` of both together are shown.
CANDIDATES = 100
# Chunks that the search by words may visit: its rarest words are looked for first, until they are used up.
WORD_HITS = 4_000
# Share of the chunks of a space too small to be sampled that a word is expected in.
UNCOUNTED_FREQUENCY = 0.05
# Documents that a filter may leave before it is applied to candidates instead of giving them.
FILTERED_DOCUMENTS = 2_000
# Measured at 100,000 chunks: the index's top 10 are those of an exact search.
_EF_SEARCH = 100
_MAX_SCAN_TUPLES = 40_000

_HNSW = "(chunk_embeddings.embedding::halfvec({0})) <=> CAST(:vector AS halfvec({0}))"
_EXACT = "chunk_embeddings.embedding <=> CAST(:vector AS halfvec)"
# What a transaction with a search by vector starts with.
TUNING = {
    "hnsw.ef_search": str(_EF_SEARCH),
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": str(_MAX_SCAN_TUPLES),
    "jit": "off",
}
_LEXEMES = text(
    """
    SELECT u.lexeme, u.positions, (
        SELECT sum(f.frequency * s.chunk_count) FROM space_lexemes f JOIN spaces s ON s.id = f.space_id
        WHERE f.space_id = ANY(CAST(:spaces AS text[])) AND f.lexeme = u.lexeme
    ) AS chunks
    FROM unnest(CAST(:configurations AS text[])) AS c, unnest(to_tsvector(c::regconfig, :query)) AS u
    """
)
_SCORES = text(
    """
    SELECT c.id, c.document_id, c.ordinal, c.token_count, l.lexemes, l.mentions, l.placed,
           1 - (e.embedding <=> CAST(:vector AS halfvec)) AS cosine
    FROM chunks c
    LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id AND e.model = :model
    LEFT JOIN LATERAL (
        SELECT array_agg(u.lexeme) AS lexemes, array_agg('A' = ANY(u.weights)) AS placed,
               array_agg(cardinality(array_positions(u.weights, 'D'))) AS mentions
        FROM unnest(c.tsv) AS u WHERE u.lexeme = ANY(CAST(:lexemes AS text[]))
    ) l ON true
    WHERE c.id = ANY(CAST(:chunks AS text[])) AND c.space_id = ANY(CAST(:spaces AS text[]))
    """
)


_SPACES = text(
    """
    SELECT id, name, embedding_model, embedding_dimension, chunk_count, text_configurations, mean_chunk_tokens,
           vector_index = 'complete' AS in_vector_index
    FROM spaces WHERE name = ANY(CAST(:names AS text[]))
    """
)
_PASSAGES = text(
    """
    SELECT c.id, c.document_id, d.title, c.text, c.heading_path, c.page, c.start_offset, c.end_offset
    FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id = ANY(CAST(:chunks AS text[]))
    """
)
_TEXTS = ARRAY(Text)


# Statements that a filter may be added to are built once: to build them takes as long as to run them.
@cache
def _nearest(dimension: int, *, exact: bool) -> Select[str]:
    distance = _EXACT if exact else _HNSW.format(dimension)
    statement = (
        select(ChunkEmbeddingRow.chunk_id)
        .where(
            ChunkEmbeddingRow.space_id == any_(bindparam("spaces", type_=_TEXTS)),
            ChunkEmbeddingRow.model == bindparam("model"),
            # A constant, because the planner must see that the partial index fits.
            ChunkEmbeddingRow.dimension == literal_column(str(dimension)),
        )
        .order_by(text(distance))
        .limit(CANDIDATES)
    )
    return statement if exact else statement.where(ChunkEmbeddingRow.in_vector_index)


@cache
def _by_words() -> Select[dict[str, int], list[str]]:
    return _filtered_by_words(None)


def _filtered_by_words(documents: ColumnElement[bool] | None) -> Select[dict[str, int], list[str]]:
    hits = (
        func.find_chunks_by_words(
            bindparam("spaces", type_=_TEXTS),
            bindparam("documents", type_=_TEXTS),
            bindparam("words", type_=_TEXTS),
            bindparam("few", type_=Boolean),
            WORD_HITS,
        )
        .table_valued("chunk_id", "document_id", "word", "token_count")
        .alias("hit")
    )
    found = select(hits.c.chunk_id, hits.c.document_id, hits.c.word, hits.c.token_count).cte("found")
    counts = select(found.c.word, func.count().label("chunks")).group_by(found.c.word).cte("counts")
    all_chunks = bindparam("all_chunks", type_=Double)
    rarity = func.sum(func.ln(1 + (all_chunks + 0.5) / (cast(counts.c.chunks, Double) + 0.5), type_=Double))
    best = (
        select(found.c.chunk_id)
        .join(counts, counts.c.word == found.c.word)
        .group_by(found.c.chunk_id, found.c.token_count)
        .order_by(rarity.desc(), found.c.token_count, found.c.chunk_id)
        .limit(CANDIDATES)
    )
    if documents is not None:
        best = best.join(DocumentRow, DocumentRow.id == found.c.document_id).where(documents)
    chosen = best.subquery()
    return select(
        select(func.json_object_agg(counts.c.word, counts.c.chunks)).scalar_subquery(),
        select(func.array_agg(chosen.c.chunk_id)).scalar_subquery(),
    )


@dataclass(frozen=True, slots=True)
class SearchedSpace:
    """What a search needs to know of a space."""

    id: str
    name: str
    model: str
    dimension: int
    chunk_count: int
    configurations: tuple[str, ...]
    mean_tokens: float
    in_vector_index: bool


@dataclass(frozen=True)
class Scope:
    """Which chunks may be found: those of spaces, further only of certain documents.

    `document_ids` are all documents that the filter allows, when they are few; else `documents` is the filter.
    """

    spaces: tuple[SearchedSpace, ...]
    document_ids: tuple[str, ...] | None = None
    documents: ColumnElement[bool] | None = None
    chunk_count: int = 0
    """Chunks that may be found; with `documents`, before the filter."""

    @property
    def space_ids(self) -> list[str]:
        """Identifiers of the spaces."""
        return [space.id for space in self.spaces]

    @property
    def mean_tokens(self) -> float:
        """Mean length of the sampled chunks; 0 where nothing was sampled yet."""
        sampled = [space for space in self.spaces if space.mean_tokens]
        chunks = sum(space.chunk_count for space in sampled)
        return sum(space.mean_tokens * space.chunk_count for space in sampled) / chunks if chunks else 0.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What is shown of a chunk."""

    chunk_id: str
    document_id: str
    document_title: str
    text: str
    heading_path: list[str]
    page: int | None
    start: int
    end: int


@dataclass(frozen=True)
class WordCandidates:
    """Chunks found by words, and how many hold each word."""

    words: Sequence[QueryWord]
    chunk_ids: Sequence[str]


class SearchRepository:
    """Reads of one search, as one organisation."""

    def __init__(self, session: AsyncSession, exact_below: int) -> None:
        self._session, self._exact_below = session, exact_below

    async def spaces(self, names: Sequence[str]) -> dict[str, SearchedSpace]:
        """Spaces by name; one that does not exist is missing."""
        rows = await self._session.execute(_SPACES, {"names": list(names)})
        found = [
            SearchedSpace(
                id=row.id,
                name=row.name,
                model=row.embedding_model,
                dimension=row.embedding_dimension,
                chunk_count=row.chunk_count,
                configurations=tuple(row.text_configurations),
                mean_tokens=row.mean_chunk_tokens,
                in_vector_index=row.in_vector_index,
            )
            for row in rows
        ]
        return {space.name: space for space in found}

    async def scope(self, spaces: Sequence[SearchedSpace], documents: ColumnElement[bool] | None) -> Scope:
        """Narrow a search to the documents of a filter: by name when they are few, else by the condition."""
        chunk_count = sum(space.chunk_count for space in spaces)
        if documents is None:
            return Scope(tuple(spaces), chunk_count=chunk_count)
        statement = (
            select(DocumentRow.id, DocumentRow.chunk_count)
            .where(
                DocumentRow.space_id.in_([space.id for space in spaces]), DocumentRow.version > 0, documents
            )
            .limit(FILTERED_DOCUMENTS + 1)
        )
        rows = (await self._session.execute(statement)).all()
        left = sum(row.chunk_count for row in rows)
        if len(rows) <= FILTERED_DOCUMENTS and left <= max(self._exact_below, CANDIDATES):
            return Scope(tuple(spaces), tuple(row.id for row in rows), None, left)
        return Scope(tuple(spaces), None, documents, chunk_count)

    async def by_vector(self, scope: Scope, model: EmbeddingModel, vector: str) -> Sequence[str]:
        """The nearest chunks, at most `CANDIDATES` by each way; `vector` is a literal. Set `TUNING` before."""
        spaces = [space for space in scope.spaces if space.model == model.name]
        indexed = [space for space in spaces if space.in_vector_index]
        if (
            not indexed
            or scope.document_ids is not None
            or sum(space.chunk_count for space in spaces) <= self._exact_below
        ):
            return await self._nearest(scope, spaces, model, vector, exact=True)
        found = await self._nearest(scope, indexed, model, vector, exact=False)
        if len(found) < CANDIDATES:
            # The filter is so narrow that the index gave up before it had found enough.
            return await self._nearest(scope, spaces, model, vector, exact=True)
        others = [space for space in spaces if not space.in_vector_index]
        return [*found, *await self._nearest(scope, others, model, vector, exact=True)] if others else found

    async def _nearest(
        self,
        scope: Scope,
        spaces: Sequence[SearchedSpace],
        model: EmbeddingModel,
        vector: str,
        *,
        exact: bool,
    ) -> Sequence[str]:
        statement = _nearest(int(model.dimension), exact=exact)
        if scope.document_ids is not None:
            statement = statement.join(ChunkRow, ChunkRow.id == ChunkEmbeddingRow.chunk_id).where(
                ChunkRow.document_id == any_(cast(list(scope.document_ids), _TEXTS))
            )
        elif scope.documents is not None:
            statement = (
                statement.join(ChunkRow, ChunkRow.id == ChunkEmbeddingRow.chunk_id)
                .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
                .where(scope.documents)
            )
        values = {"spaces": [space.id for space in spaces], "model": model.name, "vector": vector}
        return (await self._session.scalars(statement, values)).all()

    async def words(self, scope: Scope, query: str) -> list[QueryWord]:
        """The words of a query, as the languages of the spaces stem them; counts come from the statistics."""
        configurations = {name for space in scope.spaces for name in space.configurations}
        rows = await self._session.execute(
            _LEXEMES,
            {
                "spaces": scope.space_ids if scope.document_ids is None else [],
                "configurations": sorted(configurations or {FALLBACK_CONFIGURATION}),
                "query": searchable(query),
            },
        )
        positions: list[tuple[str, Sequence[int]]] = []
        chunks: dict[str, float] = {}
        for lexeme, at, count in rows:
            positions.append((lexeme, at))
            chunks[lexeme] = max(chunks.get(lexeme, 0.0), count or 0.0)
        return [
            QueryWord(word, min(sum(chunks[lexeme] for lexeme in word.lexemes), scope.chunk_count))
            for word in words(positions)
        ]

    async def by_words(self, scope: Scope, query_words: Sequence[QueryWord]) -> WordCandidates:
        """The chunks that hold the rarest words, at most `CANDIDATES`; counts words while it looks for them."""
        few = scope.document_ids is not None or scope.chunk_count <= self._exact_below
        sampled = bool(scope.mean_tokens) and scope.document_ids is None
        sought = rarest(query_words, scope.chunk_count, sampled=sampled)
        if not sought:
            return WordCandidates(query_words, ())
        statement = _by_words() if scope.documents is None else _filtered_by_words(scope.documents)
        values = {
            "spaces": scope.space_ids,
            "documents": None if scope.document_ids is None else list(scope.document_ids),
            "words": [word.word.tsquery for word in sought],
            "few": few,
            "all_chunks": scope.chunk_count,
        }
        row = (await self._session.execute(statement, values)).one()
        counted: dict[str, int] = row[0] or {}
        by_word = {word.word: float(counted.get(str(at), 0)) for at, word in enumerate(sought, start=1)}
        return WordCandidates(
            [QueryWord(w.word, settled(w.chunks, by_word.get(w.word))) for w in query_words],
            row[1] or (),
        )

    async def candidates(
        self,
        spaces: Sequence[SearchedSpace],
        chunk_ids: Sequence[str],
        query_words: Sequence[QueryWord],
        model: EmbeddingModel | None,
        vector: str | None,
    ) -> list[Candidate]:
        """All that the score of these chunks needs: likeness to the vector, and how often each word stands in it."""
        rows = await self._session.execute(
            _SCORES,
            {
                "spaces": [space.id for space in spaces],
                "chunks": list(chunk_ids),
                "lexemes": sorted({lexeme for word in query_words for lexeme in word.word.lexemes}),
                "model": model.name if model else "",
                "vector": vector,
            },
        )
        return [
            Candidate(
                chunk_id=row.id,
                document_id=row.document_id,
                ordinal=row.ordinal,
                token_count=row.token_count,
                cosine=row.cosine,
                mentions=dict(zip(row.lexemes or (), row.mentions or (), strict=True)),
                place_mentions=frozenset(
                    lexeme
                    for lexeme, placed in zip(row.lexemes or (), row.placed or (), strict=True)
                    if placed
                ),
            )
            for row in rows
        ]

    async def passages(self, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        """What is shown of chunks; one that is gone by now is missing."""
        rows = await self._session.execute(_PASSAGES, {"chunks": list(chunk_ids)})
        return {row.id: Passage(*row) for row in rows}


def vector_literal(vector: Vectors) -> str:
    """A vector as PostgreSQL reads it."""
    return to_json(vector.astype(float).round(6).tolist()).decode()


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
    """How many chunks hold a word. A count that reached its limit says only that there are more."""
    if counted is None:
        return estimated
    return max(counted, estimated) if counted >= WORD_HITS else counted
