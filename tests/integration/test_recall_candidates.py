"""What recall looks at: current memories, however many near ones are retired, and with the index as without."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, text

from perdure.db.candidates import CANDIDATES, REMEMBERED, TUNING
from perdure.db.memory_writer import MemoryWriter, NewMemory, Outcome
from perdure.db.models import MemoryEmbeddingRow, MemoryRow
from perdure.db.recall_repository import CURRENT, RecallRepository
from perdure.db.search_repository import vector_literal
from perdure.db.session import Database
from perdure.db.vector_index import VectorIndex
from perdure.domain.ids import new_id
from perdure.ports.models import Vectors
from tests.passages import MODEL, a_space, some_vectors

# Below it, a space is looked through; with 0, the index is always asked.
INDEXED, LOOKED_THROUGH = 0, 10**6


async def remember(
    database: Database, organisation_id: str, vectors: Vectors, retired: int, said: str
) -> tuple[str, list[str]]:
    """A space; of its memories the first so many are retired. Its name, and the ids of all memories."""
    name = f"space-{new_id('run')[-8:]}"
    space_id = await a_space(database, organisation_id, name)
    ids = [new_id("mem") for _ in vectors]
    async with database.transaction(organisation_id) as session:
        for number, memory_id in enumerate(ids):
            session.add(
                MemoryRow(
                    id=memory_id,
                    organisation_id=organisation_id,
                    space_id=space_id,
                    kind="evidence",
                    content=said,
                    valid_from=func.now(),
                    retired_at=func.now() if number < retired else None,
                    source={"type": "message", "id": "msg_1"},
                    sequence=number,
                    fingerprint="same",
                    identity=memory_id,
                    token_count=3,
                    tsv=func.to_tsvector("english", said),
                )
            )
        await session.flush()
        for memory_id, vector in zip(ids, vectors, strict=True):
            session.add(
                MemoryEmbeddingRow(
                    memory_id=memory_id,
                    organisation_id=organisation_id,
                    model=MODEL.name,
                    dimension=MODEL.dimension,
                    space_id=space_id,
                    embedding=vector.tolist(),
                )
            )
        await session.execute(
            text(
                "UPDATE spaces SET memory_count = :count, memory_vector_index = 'complete' WHERE id = :space"
            ),
            {"count": len(ids), "space": space_id},
        )
    return name, ids


async def candidates(
    database: Database, organisation_id: str, name: str, vector: Vectors, words: str, exact_below: int
) -> tuple[Sequence[str], Sequence[str]]:
    """By vector, and by words."""
    async with database.quick(organisation_id, settings=TUNING) as statements:
        repository = RecallRepository(statements, organisation_id, exact_below)
        space = await repository.space(name)
        assert space is not None
        scope = await repository.scope(space, CURRENT, None)
        assert scope is not None
        near = await repository.by_vector(scope, MODEL, vector_literal(vector))
        return near, (await repository.by_words(scope, await repository.words(scope, words))).ids


@pytest.mark.parametrize("exact_below", [INDEXED, LOOKED_THROUGH])
async def test_current_memories_are_found_behind_many_retired_ones(
    database: Database, organisation_id: str, exact_below: int
) -> None:
    asked = some_vectors(1, 40)[0]
    vectors = some_vectors(600, 41, asked)
    # Those that are still there are the furthest.
    vectors = vectors[(vectors @ asked).argsort()[::-1]]
    name, ids = await remember(database, organisation_id, vectors, 570, "The lighthouse keeper sleeps.")
    near, holding = await candidates(database, organisation_id, name, asked, "lighthouse", exact_below)
    assert set(near) == set(ids[570:])
    assert set(holding) == set(ids[570:])


@pytest.mark.parametrize("exact_below", [INDEXED, LOOKED_THROUGH])
async def test_the_nearest_are_found_with_the_index_and_without(
    database: Database, organisation_id: str, exact_below: int
) -> None:
    vectors = some_vectors(400, 42)
    name, ids = await remember(database, organisation_id, vectors, 0, "A boat crosses the harbour.")
    asked = some_vectors(1, 43, vectors[250])[0]
    near, holding = await candidates(database, organisation_id, name, asked, "harbour boat", exact_below)
    true = (vectors @ asked).argsort()[::-1][:10]
    assert len(near) == len(holding) == CANDIDATES
    assert len(set(near[:10]) & {ids[row] for row in true}) >= 9


async def test_the_statement_for_vectors_of_memories_can_use_their_index_as_the_app_role(
    database: Database, organisation_id: str
) -> None:
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text(
                "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
                "set_config('enable_sort', 'off', true)"
            )
        )
        plan = await session.scalars(
            text(
                "EXPLAIN SELECT memory_id FROM memory_embeddings WHERE space_id = 'x' AND model = 'y' "
                "AND dimension = 384 AND in_vector_index "
                "ORDER BY CAST(embedding AS halfvec(384)) <=> CAST(:vector AS halfvec(384)) LIMIT 10"
            ),
            {"vector": vector_literal(some_vectors(1, 44)[0])},
        )
        assert any("memory_embeddings_nearest_384" in line for line in plan)


async def write(database: Database, organisation_id: str, space_id: str, count: int, seed: int) -> None:
    """As the workers write."""
    memories = [
        NewMemory(
            operation_id="op",
            kind="evidence",
            content=f"Number {number} of {seed}.",
            subject="",
            speaker=None,
            role=None,
            external_id=None,
            session_id="",
            valid_from=datetime(2026, 1, 1, tzinfo=UTC),
            source={},
            tags=[],
            metadata={},
            expires_at=None,
            sequence=seed,
            ordinal=number,
            piece=0,
            token_count=4,
            identity=new_id("idn"),
            vector=vector,
        )
        for number, vector in enumerate(some_vectors(count, seed))
    ]
    async with database.transaction(organisation_id) as session:
        writer = MemoryWriter(session, organisation_id, space_id)
        await writer.share()
        space = await writer.space()
        assert space is not None
        await writer.add(memories, {"op": Outcome()}, space)


async def indexed(database: Database, organisation_id: str, space_id: str) -> tuple[str, int, int]:
    """State of the space, its vectors in the index, and those outside."""
    async with database.transaction(organisation_id) as session:
        row = (
            await session.execute(
                text(
                    "SELECT s.memory_vector_index, count(*) FILTER (WHERE e.in_vector_index), "
                    "count(*) FILTER (WHERE NOT e.in_vector_index) "
                    "FROM spaces s LEFT JOIN memory_embeddings e ON e.space_id = s.id "
                    "WHERE s.id = :space GROUP BY s.memory_vector_index"
                ),
                {"space": space_id},
            )
        ).one()
        return row[0], row[1], row[2]


async def test_memories_go_into_the_index_when_their_space_outgrows_an_exact_search(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    index = VectorIndex(database.transaction, 100, REMEMBERED)

    async def admit() -> None:
        async with database.transaction(organisation_id) as session:
            outgrown = await index.outgrown(session, [space_id])
        await index.admit(organisation_id, outgrown)

    await write(database, organisation_id, space_id, 100, 45)
    await admit()
    assert await indexed(database, organisation_id, space_id) == ("none", 0, 100)
    await write(database, organisation_id, space_id, 1, 46)
    await admit()
    assert await indexed(database, organisation_id, space_id) == ("complete", 101, 0)
    await write(database, organisation_id, space_id, 5, 47)
    assert await indexed(database, organisation_id, space_id) == ("complete", 106, 0)
