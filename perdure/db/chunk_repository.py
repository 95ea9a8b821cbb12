"""Writes passages and their vectors; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.domain.chunking import ChunkSpan
from perdure.domain.ids import new_id
from perdure.domain.text_search import configuration_of
from perdure.ports.models import EmbeddingModel, Vectors

# Rows of one statement: enough that round trips cost nothing, few enough that the parameters stay small.
ROWS_AT_ONCE = 500

# COPY is refused under row level security; unnest is the next best.
_INSERT_CHUNKS = text(
    """
    INSERT INTO chunks (organisation_id, id, space_id, document_id, version, ordinal, text, heading_path, page,
        start_offset, end_offset, token_count, tsv)
    SELECT :organisation_id, c.id, c.space_id, c.document_id, c.version, c.ordinal, c.text,
        string_to_array(c.headings, chr(31)), c.page, c.start_offset, c.end_offset, c.token_count,
        to_tsvector(c.configuration::regconfig, concat_ws(' ', c.context, c.text))
    FROM unnest(CAST(:id AS text[]), CAST(:space_id AS text[]), CAST(:document_id AS text[]), CAST(:version AS int[]),
        CAST(:ordinal AS int[]), CAST(:text AS text[]), CAST(:headings AS text[]), CAST(:page AS int[]),
        CAST(:start_offset AS int[]), CAST(:end_offset AS int[]), CAST(:token_count AS int[]),
        CAST(:configuration AS text[]), CAST(:context AS text[]))
        AS c(id, space_id, document_id, version, ordinal, text, headings, page, start_offset, end_offset,
            token_count, configuration, context)
    """
)
_INSERT_EMBEDDINGS = text(
    """
    INSERT INTO chunk_embeddings (organisation_id, chunk_id, model, dimension, space_id, embedding)
    SELECT :organisation_id, e.chunk_id, :model, :dimension, e.space_id, e.embedding::halfvec
    FROM unnest(CAST(:chunk_id AS text[]), CAST(:space_id AS text[]), CAST(:embedding AS text[]))
        AS e(chunk_id, space_id, embedding)
    """
)
_DELETE = text(
    """
    WITH gone AS (DELETE FROM chunks WHERE document_id = ANY(:document_ids) RETURNING space_id),
        counted AS (SELECT space_id, count(*) AS chunks FROM gone GROUP BY space_id)
    UPDATE spaces s SET chunk_count = greatest(0, s.chunk_count - counted.chunks)
    FROM counted WHERE s.id = counted.space_id
    """
)
_COUNT = text("UPDATE spaces SET chunk_count = chunk_count + :added WHERE id = :space_id")


@dataclass(frozen=True)
class IndexedContent:
    """The passages of one version of one document, with a vector each."""

    space_id: str
    document_id: str
    version: int
    language: str | None
    title: str
    chunks: Sequence[ChunkSpan]
    vectors: Vectors


class ChunkRepository:
    """Passages of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def replace(self, contents: Sequence[IndexedContent], model: EmbeddingModel) -> None:
        """Put these passages in the place of whatever the documents had before."""
        if not contents:
            return
        await self._session.execute(_DELETE, {"document_ids": [content.document_id for content in contents]})
        rows = [
            (_row(content, span), vector)
            for content in contents
            for span, vector in zip(content.chunks, content.vectors, strict=True)
        ]
        for first in range(0, len(rows), ROWS_AT_ONCE):
            await self._insert(rows[first : first + ROWS_AT_ONCE], model)
        for space_id in sorted({content.space_id for content in contents}):
            added = sum(len(content.chunks) for content in contents if content.space_id == space_id)
            await self._session.execute(_COUNT, {"added": added, "space_id": space_id})

    async def _insert(self, rows: Sequence[tuple[dict[str, Any], Any]], model: EmbeddingModel) -> None:
        columns = {name: [row[name] for row, _vector in rows] for name in rows[0][0]}
        await self._session.execute(_INSERT_CHUNKS, {"organisation_id": self._organisation_id, **columns})
        await self._session.execute(
            _INSERT_EMBEDDINGS,
            {
                "organisation_id": self._organisation_id,
                "model": model.name,
                "dimension": model.dimension,
                "chunk_id": columns["id"],
                "space_id": columns["space_id"],
                "embedding": [_literal(vector) for _row, vector in rows],
            },
        )


def _row(content: IndexedContent, span: ChunkSpan) -> dict[str, Any]:
    return {
        "id": new_id("chk"),
        "space_id": content.space_id,
        "document_id": content.document_id,
        "version": content.version,
        "ordinal": span.ordinal,
        "text": span.text,
        "headings": "\x1f".join(span.heading_path),
        "page": span.page,
        "start_offset": span.start,
        "end_offset": span.end,
        "token_count": span.token_count,
        "configuration": configuration_of(content.language),
        "context": " ".join([content.title, *span.heading_path]),
    }


def _literal(vector: Any) -> str:
    return "[" + ",".join(map("{:.5f}".format, vector.tolist())) + "]"
