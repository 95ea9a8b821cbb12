"""Passages in PostgreSQL."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import select, text

from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.models import ChunkEmbeddingRow, ChunkRow, SpaceLexemeRow, SpaceRow
from perdure.db.session import Database
from perdure.db.statistics_repository import StatisticsRepository
from perdure.domain.chunking import ChunkSpan
from tests.passages import MODEL, a_document, a_space, some_vectors


def content(
    space_id: str, document_id: str, texts: Sequence[str], version: int = 1, language: str | None = "en"
) -> IndexedContent:
    spans = [
        ChunkSpan(
            ordinal=n,
            text=said,
            start=n * 100,
            end=n * 100 + len(said),
            page=n + 1 if n else None,
            heading_path=("Part", f"Chapter {n}") if n else (),
            token_count=len(said.split()),
        )
        for n, said in enumerate(texts)
    ]
    vectors = some_vectors(len(texts), 7)
    return IndexedContent(space_id, document_id, version, language, "A title", spans, vectors)


async def test_passages_are_stored_as_they_are(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    given = content(space_id, document_id, ["First words", 'Second: "quoted" \\ text', "Третий текст"])
    async with database.transaction(organisation_id) as session:
        assert await ChunkRepository(session, organisation_id).replace([given], MODEL) == 3
    async with database.transaction(organisation_id) as session:
        rows = (await session.scalars(select(ChunkRow).order_by(ChunkRow.ordinal))).all()
        assert [row.text for row in rows] == [span.text for span in given.chunks]
        assert [tuple(row.heading_path) for row in rows] == [span.heading_path for span in given.chunks]
        assert [row.page for row in rows] == [None, 2, 3]
        assert [(row.start_offset, row.end_offset) for row in rows] == [
            (s.start, s.end) for s in given.chunks
        ]
        vectors = {v.chunk_id: v for v in await session.scalars(select(ChunkEmbeddingRow))}
        stored = np.stack([np.array(vectors[row.id].embedding) for row in rows])
        assert np.abs(stored - given.vectors).max() < 1e-3  # half precision
        assert {(v.model, v.dimension, v.space_id) for v in vectors.values()} == {(MODEL.name, 384, space_id)}
        space = await session.get_one(SpaceRow, space_id)
        assert (space.chunk_count, space.text_configurations) == (3, ["english"])


async def test_a_new_version_replaces_the_passages_of_the_old_one(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    other = await a_document(database, organisation_id, space_id)
    async with database.transaction(organisation_id) as session:
        chunks = ChunkRepository(session, organisation_id)
        await chunks.replace(
            [content(space_id, document_id, ["a", "b"]), content(space_id, other, ["c"])], MODEL
        )
    for _ in range(2):  # the second time as a retry does it
        async with database.transaction(organisation_id) as session:
            chunks = ChunkRepository(session, organisation_id)
            await chunks.replace([content(space_id, document_id, ["x"], 2, "de")], MODEL)
    async with database.transaction(organisation_id) as session:
        rows = (await session.execute(select(ChunkRow.text, ChunkRow.version).order_by(ChunkRow.text))).all()
        assert [tuple(row) for row in rows] == [("c", 1), ("x", 2)]
        space = await session.get_one(SpaceRow, space_id)
        assert (space.chunk_count, space.text_configurations) == (2, ["english", "german"])


async def test_of_two_versions_at_once_the_newest_is_kept(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    both = [content(space_id, document_id, ["new"], 2), content(space_id, document_id, ["old", "older"], 1)]
    async with database.transaction(organisation_id) as session:
        assert await ChunkRepository(session, organisation_id).replace(both, MODEL) == 1
        assert (await session.scalars(select(ChunkRow.text))).all() == ["new"]


async def test_deleting_takes_passages_and_vectors_away(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    async with database.transaction(organisation_id) as session:
        chunks = ChunkRepository(session, organisation_id)
        await chunks.replace([content(space_id, document_id, ["a", "b"])], MODEL)
        assert await chunks.delete([document_id]) == 2
        assert await chunks.delete([document_id]) == 0
        assert (await session.scalars(select(ChunkEmbeddingRow))).all() == []
        assert (await session.get_one(SpaceRow, space_id)).chunk_count == 0


async def test_a_document_without_passages_leaves_none(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    async with database.transaction(organisation_id) as session:
        chunks = ChunkRepository(session, organisation_id)
        await chunks.replace([content(space_id, document_id, ["a"])], MODEL)
        assert await chunks.replace([content(space_id, document_id, [], 2)], MODEL) == 0
        assert (await session.scalars(select(ChunkRow))).all() == []


async def test_more_passages_than_one_statement_takes(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    async with database.transaction(organisation_id) as session:
        given = content(space_id, document_id, [f"number {n}" for n in range(1203)])
        assert await ChunkRepository(session, organisation_id).replace([given], MODEL) == 1203
        assert (await session.scalar(select(text("count(*)")).select_from(ChunkRow))) == 1203


async def test_statistics_know_common_words_and_pass_over_rare_ones(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    said = [f"budget meeting {'half' if n % 2 else 'other'} word{n}" for n in range(1000)]
    async with database.transaction(organisation_id) as session:
        await ChunkRepository(session, organisation_id).replace([content(space_id, document_id, said)], MODEL)
        statistics = StatisticsRepository(session, organisation_id)
        assert not await statistics.refresh_if_grown(space_id)  # too small to be sampled
        await statistics.refresh(space_id, 1000)
        frequencies = {row.lexeme: row.frequency for row in await session.scalars(select(SpaceLexemeRow))}
        assert frequencies["budget"] == pytest.approx(1)
        assert frequencies["half"] == pytest.approx(0.5)
        assert "word7" not in frequencies
        space = await session.get_one(SpaceRow, space_id, populate_existing=True)
        assert (space.sampled_chunk_count, round(space.mean_chunk_tokens)) == (1000, 4)


async def test_statistics_are_sampled_again_once_the_space_has_grown(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    document_id = await a_document(database, organisation_id, space_id)
    async with database.transaction(organisation_id) as session:
        given = content(space_id, document_id, ["some words"])
        await ChunkRepository(session, organisation_id).replace([given], MODEL)
        statistics = StatisticsRepository(session, organisation_id)
        counts = [4_999, 5_000, 6_000, 6_250]
        refreshed = []
        for count in counts:
            space = await session.get_one(SpaceRow, space_id, populate_existing=True)
            space.chunk_count = count
            await session.flush()
            refreshed.append(await statistics.refresh_if_grown(space_id))
        assert refreshed == [False, True, False, True]
