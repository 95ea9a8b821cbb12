"""Writes the passages of documents, their lexemes and vectors; the caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.statistics_repository import StatisticsRepository
from perdure.db.vector_index import share
from perdure.domain.chunking import ChunkSpan
from perdure.domain.ids import new_id
from perdure.domain.text_search import configuration, searchable
from perdure.ports.models import EmbeddingModel, Vectors

# Rows per statement: few round trips, and no statement of hundreds of megabytes.
_BATCH = 1000

_DELETE = text(
    """
    WITH gone AS (DELETE FROM chunks WHERE document_id = ANY(CAST(:documents AS text[])) RETURNING space_id)
    SELECT space_id, count(*) FROM gone GROUP BY space_id
    """
)
# Where the passage stands (title, headings) counts more than what it says: weight A against D.
_INSERT_CHUNKS = text(
    """
    INSERT INTO chunks (id, organisation_id, space_id, document_id, version, ordinal, text, heading_path, page,
                        start_offset, end_offset, token_count, tsv)
    SELECT id, CAST(:organisation AS text), space_id, document_id, version, ordinal, content,
           ARRAY(SELECT jsonb_array_elements_text(headings::jsonb)), page, first, past, tokens,
           setweight(to_tsvector(configuration::regconfig, place), 'A')
               || to_tsvector(configuration::regconfig, COALESCE(spaced, content))
    FROM unnest(
        CAST(:ids AS text[]), CAST(:spaces AS text[]), CAST(:documents AS text[]), CAST(:versions AS integer[]),
        CAST(:ordinals AS integer[]), CAST(:texts AS text[]), CAST(:headings AS text[]),
        CAST(:pages AS integer[]), CAST(:starts AS integer[]), CAST(:ends AS integer[]),
        CAST(:tokens AS integer[]), CAST(:configurations AS text[]), CAST(:places AS text[]),
        CAST(:spaced AS text[])
    ) AS r (id, space_id, document_id, version, ordinal, content, headings, page, first, past, tokens,
            configuration, place, spaced)
    """
)
_INSERT_VECTORS = text(
    """
    INSERT INTO chunk_embeddings (chunk_id, organisation_id, model, dimension, space_id, embedding, in_vector_index)
    SELECT r.id, CAST(:organisation AS text), CAST(:model AS text), CAST(:dimension AS integer), s.id,
           CAST(r.vector AS halfvec), s.vector_index <> 'none'
    FROM unnest(CAST(:ids AS text[]), CAST(:spaces AS text[]), CAST(:vectors AS text[])) AS r (id, space_id, vector)
    JOIN spaces s ON s.id = r.space_id
    """
)
_COUNT = text(
    """
    UPDATE spaces s SET
        chunk_count = greatest(0, s.chunk_count + c.change),
        text_configurations = (
            SELECT COALESCE(array_agg(DISTINCT u ORDER BY u), '{}')
            FROM unnest(s.text_configurations || string_to_array(c.configurations, ' ')) u
        )
    FROM (
        SELECT * FROM unnest(CAST(:spaces AS text[]), CAST(:changes AS bigint[]), CAST(:configurations AS text[]))
        AS r (id, change, configurations)
    ) c
    WHERE s.id = c.id
    """
)


@dataclass(frozen=True)
class IndexedContent:
    """All passages of one version of a document; row n of `vectors` belongs to passage n."""

    space_id: str
    document_id: str
    version: int
    language: str | None
    title: str
    chunks: Sequence[ChunkSpan]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class _Passage:
    content: IndexedContent
    span: ChunkSpan
    vector: Vectors

    def columns(self) -> dict[str, object]:
        """Parameters of `_INSERT_CHUNKS`, one element of each."""
        content, span = self.content, self.span
        spaced = searchable(span.text)
        return {
            "spaces": content.space_id,
            "documents": content.document_id,
            "versions": content.version,
            "ordinals": span.ordinal,
            "texts": span.text,
            "headings": json.dumps(span.heading_path),
            "pages": span.page,
            "starts": span.start,
            "ends": span.end,
            "tokens": span.token_count,
            "configurations": configuration(content.language),
            "places": searchable("\n".join((content.title, *span.heading_path))),
            "spaced": spaced if spaced != span.text else None,
        }


class ChunkRepository:
    """Passages of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def replace(self, contents: Sequence[IndexedContent], model: EmbeddingModel) -> int:
        """Put the passages of these documents in place of their older ones; the number of new passages.

        Of several versions of one document the newest wins. A second run with the same contents leaves the
        same passages.
        """
        newest: dict[str, IndexedContent] = {}
        for content in contents:
            if content.document_id not in newest or newest[content.document_id].version <= content.version:
                newest[content.document_id] = content
        rows = [
            _Passage(content, span, vector)
            for content in newest.values()
            for span, vector in zip(content.chunks, content.vectors, strict=True)
        ]
        await share(self._session, {content.space_id for content in newest.values()})
        changes = await self._delete(list(newest))
        for row in rows:
            changes[row.content.space_id] = changes.get(row.content.space_id, 0) + 1
        for first in range(0, len(rows), _BATCH):
            await self._insert(rows[first : first + _BATCH], model)
        await self._count(changes, list(newest.values()))
        return len(rows)

    async def delete(self, document_ids: Sequence[str]) -> int:
        """Take documents out of the index; the number of passages they had."""
        changes = await self._delete(document_ids)
        await self._count(changes, [])
        return -sum(changes.values())

    async def _delete(self, document_ids: Sequence[str]) -> dict[str, int]:
        gone = await self._session.execute(_DELETE, {"documents": list(document_ids)})
        return {space_id: -count for space_id, count in gone}

    async def _insert(self, rows: Sequence["_Passage"], model: EmbeddingModel) -> None:
        ids = [new_id("chk") for _ in rows]
        columns = [row.columns() for row in rows]
        by_column = {name: [values[name] for values in columns] for name in columns[0]}
        await self._session.execute(
            _INSERT_CHUNKS, {"organisation": self._organisation_id, "ids": ids, **by_column}
        )
        await self._session.execute(
            _INSERT_VECTORS,
            {
                "organisation": self._organisation_id,
                "model": model.name,
                "dimension": model.dimension,
                "ids": ids,
                "spaces": by_column["spaces"],
                "vectors": vector_literals(np.stack([row.vector for row in rows])),
            },
        )

    async def _count(self, changes: Mapping[str, int], contents: Sequence[IndexedContent]) -> None:
        """Last, because it locks the rows that all writers of these spaces need; in order, against deadlocks."""
        spaces = sorted({*changes, *(content.space_id for content in contents)})
        if not spaces:
            return
        languages: dict[str, set[str]] = {space: set() for space in spaces}
        for content in contents:
            if content.chunks:
                languages[content.space_id].add(configuration(content.language))
        statistics = StatisticsRepository(self._session, self._organisation_id)
        for space in spaces:
            if changes.get(space, 0) > 0:
                await statistics.refresh_if_grown(space)
        await self._session.execute(
            text(
                "SELECT 1 FROM spaces WHERE id = ANY(CAST(:spaces AS text[])) ORDER BY id FOR NO KEY UPDATE"
            ),
            {"spaces": spaces},
        )
        await self._session.execute(
            _COUNT,
            {
                "spaces": spaces,
                "changes": [changes.get(space, 0) for space in spaces],
                "configurations": [" ".join(sorted(languages[space])) for space in spaces],
            },
        )


def vector_literals(vectors: Vectors) -> list[str]:
    """As PostgreSQL reads them. Half precision keeps three digits; more would only be sent and thrown away."""
    rounded = vectors.astype(np.float64).round(5)
    return [to_json(row).decode() for row in rounded.tolist()]
