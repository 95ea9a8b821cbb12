"""Candidates by vector and by word, and what their scores are made of; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress

from pydantic_core import to_json
from sqlalchemy import ColumnElement, select

from perdure.db.arrays import any_of
from perdure.db.candidates import (
    CANDIDATES,
    PASSAGES,
    WordCandidates,
    by_words,
    holding,
    nearest,
    one_by_one,
    rarest,
    stored,
    words_of,
)
from perdure.db.models import ChunkEmbeddingRow, ChunkRow, DocumentRow
from perdure.db.statements import FixedStatement, Statements
from perdure.domain.ranking import Candidate
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import FALLBACK_CONFIGURATION, Word
from perdure.ports.models import EmbeddingModel, Vectors

# Documents that a filter may leave before it is applied to candidates instead of giving them.
FILTERED_DOCUMENTS = 2_000

# A literal is read once for all rows.
_SCORES = FixedStatement(
    """
    SELECT c.id, c.document_id, c.ordinal, c.token_count, l.lexemes, l.mentions, l.placed,
           1 - (e.embedding <=> (SELECT CAST(:vector AS halfvec))) AS cosine
    FROM chunks c
    LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id AND e.model = :model
    LEFT JOIN LATERAL (
        SELECT array_agg(u.lexeme) AS lexemes, array_agg('A' = ANY(u.weights)) AS placed,
               array_agg(cardinality(array_positions(u.weights, 'D'))) AS mentions
        FROM unnest(c.tsv) AS u
        WHERE c.tsv @@ (SELECT CAST(:any_word AS tsquery)) AND u.lexeme = ANY(CAST(:lexemes AS text[]))
    ) l ON true
    WHERE c.id = ANY(CAST(:chunks AS text[])) AND c.space_id = ANY(CAST(:spaces AS text[]))
    """
)


_SPACES = FixedStatement(
    f"""
    SELECT s.id, s.name, s.embedding_model, s.embedding_dimension, s.chunk_count, s.text_configurations,
           s.mean_chunk_tokens, {stored(PASSAGES)}
    FROM spaces s WHERE s.name = ANY(CAST(:names AS text[]))
    """
)
_PASSAGES = FixedStatement(
    """
    SELECT c.id, c.document_id, d.title, c.text, c.heading_path, c.page, c.start_offset, c.end_offset
    FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id = ANY(CAST(:chunks AS text[]))
    """
)


@cache
def _holding() -> FixedStatement:
    return FixedStatement(holding(PASSAGES, None))


@cache
def _nearest_of_all(dimension: int, *, exact: bool) -> FixedStatement:
    return FixedStatement(nearest(PASSAGES, dimension, exact=exact))


@dataclass(frozen=True, slots=True)
class SearchedSpace:
    """What a search needs to know of a space."""

    id: str
    name: str
    model: str
    dimension: int
    chunk_count: int
    configurations: Sequence[str]
    mean_tokens: float
    in_vector_index: bool
    texts_of_all: float
    vectors_of_all: float


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


class SearchRepository:
    """Reads of one search, as one organisation."""

    def __init__(self, statements: Statements, exact_below: int) -> None:
        self._statements, self._exact_below = statements, exact_below

    async def spaces(self, names: Sequence[str]) -> dict[str, SearchedSpace]:
        """Spaces by name; one that does not exist is missing."""
        rows = await self._statements.rows(_SPACES, {"names": list(names)})
        found = [SearchedSpace(*row) for row in rows]
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
        rows = await self._statements.rows(statement, {})
        left = sum(row.chunk_count for row in rows)
        if len(rows) <= FILTERED_DOCUMENTS and left <= max(self._exact_below, CANDIDATES):
            return Scope(tuple(spaces), tuple(row.id for row in rows), None, left)
        return Scope(tuple(spaces), None, documents, chunk_count)

    async def by_vector(self, scope: Scope, model: EmbeddingModel, vector: str) -> Sequence[str]:
        """The nearest chunks, at most `CANDIDATES` by each way; `vector` is a literal. Set `TUNING` before."""
        spaces = [space for space in scope.spaces if space.model == model.name]
        indexed = [space for space in spaces if space.in_vector_index]
        size = sum(space.chunk_count for space in spaces)
        of_all = max((space.vectors_of_all for space in indexed), default=0.0)
        if not indexed or scope.document_ids is not None or one_by_one(size, of_all, self._exact_below):
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
        values = {"spaces": [space.id for space in spaces], "model": model.name, "vector": vector}
        dimension = int(model.dimension)
        if scope.document_ids is None and scope.documents is None:
            rows = await self._statements.rows(_nearest_of_all(dimension, exact=exact), values)
            return [row[0] for row in rows]
        statement = nearest(PASSAGES, dimension, exact=exact)
        if scope.document_ids is not None:
            statement = statement.join(ChunkRow, ChunkRow.id == ChunkEmbeddingRow.chunk_id).where(
                ChunkRow.document_id == any_of(scope.document_ids)
            )
        elif scope.documents is not None:
            statement = (
                statement.join(ChunkRow, ChunkRow.id == ChunkEmbeddingRow.chunk_id)
                .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
                .where(scope.documents)
            )
        return [row[0] for row in await self._statements.rows(statement, values)]

    async def words(self, scope: Scope, query: str) -> list[QueryWord]:
        """The words of a query, as the languages of the spaces stem them; counts come from the statistics."""
        configurations = {name for space in scope.spaces for name in space.configurations}
        return await words_of(
            self._statements,
            PASSAGES,
            query,
            scope.space_ids if scope.document_ids is None else [],
            sorted(configurations or {FALLBACK_CONFIGURATION}),
            scope.chunk_count,
        )

    async def by_words(self, scope: Scope, query_words: Sequence[QueryWord]) -> WordCandidates:
        """The chunks that hold the rarest words, at most `CANDIDATES`; counts words while it looks for them."""
        texts_of_all = max(space.texts_of_all for space in scope.spaces)
        few = scope.document_ids is not None or one_by_one(scope.chunk_count, texts_of_all, self._exact_below)
        sampled = bool(scope.mean_tokens) and scope.document_ids is None
        return await by_words(
            self._statements,
            _holding() if scope.documents is None else holding(PASSAGES, scope.documents),
            query_words,
            rarest(query_words, scope.chunk_count, sampled=sampled),
            {
                "spaces": scope.space_ids,
                "narrowed_to": None if scope.document_ids is None else list(scope.document_ids),
                "few": few,
                "all_texts": scope.chunk_count,
            },
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
        sought = {lexeme: Word((lexeme,)).tsquery for word in query_words for lexeme in word.word.lexemes}
        rows = await self._statements.rows(
            _SCORES,
            {
                "spaces": [space.id for space in spaces],
                "chunks": list(chunk_ids),
                # What was found by its vector mostly holds none of them, and is not taken apart.
                "any_word": " | ".join(sought.values()),
                "lexemes": list(sought),
                "model": model.name if model else "",
                "vector": vector,
            },
        )
        return [
            Candidate(
                chunk_id=chunk_id,
                document_id=document_id,
                ordinal=ordinal,
                token_count=token_count,
                cosine=cosine,
                mentions=dict(zip(lexemes, mentions, strict=True)) if lexemes else {},
                place_mentions=frozenset(compress(lexemes, placed)) if lexemes else frozenset(),
            )
            for chunk_id, document_id, ordinal, token_count, lexemes, mentions, placed, cosine in rows
        ]

    async def passages(self, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        """What is shown of chunks; one that is gone by now is missing."""
        rows = await self._statements.rows(_PASSAGES, {"chunks": list(chunk_ids)})
        return {row[0]: Passage(*row) for row in rows}


def vector_literal(vector: Vectors) -> str:
    """A vector as PostgreSQL reads it."""
    return to_json(vector.astype(float).round(6).tolist()).decode()
