"""Small spaces are searched exactly; what outgrows that goes into the index whole, whoever writes meanwhile."""

import asyncio

import pytest
from sqlalchemy import text

from perdure.db.candidates import PASSAGES, TUNING, nearest
from perdure.db.search_repository import SearchRepository, vector_literal
from perdure.db.session import Database
from perdure.db.vector_index import VectorIndex, share
from perdure.ports.models import EmbeddingModel
from tests.passages import MODEL, a_space, some_vectors, write_passages

ABOVE = 100


async def write(database: Database, organisation_id: str, space_id: str, count: int, seed: int) -> None:
    """A document of so many passages."""
    texts = [f"number{n}" for n in range(count)]
    await write_passages(database, organisation_id, space_id, texts, some_vectors(count, seed))


async def admit(database: Database, organisation_id: str, space_ids: list[str]) -> None:
    """Those that have outgrown an exact search, as after indexing."""
    index = VectorIndex(database.transaction, ABOVE)
    async with database.transaction(organisation_id) as session:
        outgrown = await index.outgrown(session, space_ids)
    await index.admit(organisation_id, outgrown)


async def indexed(database: Database, organisation_id: str, space_id: str) -> tuple[str, int, int]:
    """State of the space, its vectors in the index, and those outside."""
    async with database.transaction(organisation_id) as session:
        row = (
            await session.execute(
                text(
                    "SELECT s.vector_index, count(*) FILTER (WHERE e.in_vector_index), "
                    "count(*) FILTER (WHERE NOT e.in_vector_index) "
                    "FROM spaces s LEFT JOIN chunk_embeddings e ON e.space_id = s.id "
                    "WHERE s.id = :space GROUP BY s.vector_index"
                ),
                {"space": space_id},
            )
        ).one()
        return row[0], row[1], row[2]


async def test_a_space_goes_into_the_index_when_it_outgrows_an_exact_search(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    await write(database, organisation_id, space_id, ABOVE, 1)
    await admit(database, organisation_id, [space_id])
    assert await indexed(database, organisation_id, space_id) == ("none", 0, ABOVE)
    await write(database, organisation_id, space_id, 1, 2)
    await admit(database, organisation_id, [space_id])
    assert await indexed(database, organisation_id, space_id) == ("complete", ABOVE + 1, 0)
    await write(database, organisation_id, space_id, 5, 3)
    assert await indexed(database, organisation_id, space_id) == ("complete", ABOVE + 6, 0)


async def test_one_that_was_cut_off_is_completed_by_the_next(
    database: Database, organisation_id: str
) -> None:
    space_id = await a_space(database, organisation_id)
    await write(database, organisation_id, space_id, ABOVE + 1, 1)
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("UPDATE spaces SET vector_index = 'filling' WHERE id = :id"), {"id": space_id}
        )
    await write(database, organisation_id, space_id, 2, 2)
    assert await indexed(database, organisation_id, space_id) == ("filling", 2, ABOVE + 1)
    await admit(database, organisation_id, [space_id])
    assert await indexed(database, organisation_id, space_id) == ("complete", ABOVE + 3, 0)


async def test_it_waits_for_those_who_began_to_write_before(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)
    await write(database, organisation_id, space_id, ABOVE + 1, 1)
    admitting: asyncio.Task[None] | None = None
    async with database.transaction(organisation_id) as session:
        await share(session, [space_id])
        admitting = asyncio.create_task(admit(database, organisation_id, [space_id]))
        done, _ = await asyncio.wait([admitting], timeout=0.5)
        assert not done
    await admitting
    assert (await indexed(database, organisation_id, space_id))[0] == "complete"


async def test_writers_beside_it_leave_nothing_outside(database: Database, organisation_id: str) -> None:
    space_id = await a_space(database, organisation_id)

    async def write_and_admit(seed: int) -> None:
        await write(database, organisation_id, space_id, 30, seed)
        await admit(database, organisation_id, [space_id])

    await asyncio.gather(*(write_and_admit(seed) for seed in range(12)))
    assert await indexed(database, organisation_id, space_id) == ("complete", 360, 0)


@pytest.mark.parametrize("exact_below", [0, 10**6])
async def test_spaces_in_the_index_and_out_of_it_are_searched_as_one(
    database: Database, organisation_id: str, exact_below: int
) -> None:
    large = await a_space(database, organisation_id, "large")
    small = await a_space(database, organisation_id, "small")
    await write(database, organisation_id, large, ABOVE + 50, 1)
    await write(database, organisation_id, small, 7, 2)
    await admit(database, organisation_id, [large, small])
    async with database.quick(organisation_id, settings=TUNING) as statements:
        repository = SearchRepository(statements, exact_below)
        spaces = (await repository.spaces(["large", "small"])).values()
        assert [space.in_vector_index for space in sorted(spaces, key=lambda space: space.name)] == [
            True,
            False,
        ]
        asked = some_vectors(7, 2)[3]
        scope = await repository.scope(list(spaces), None)
        found = await repository.by_vector(scope, MODEL, vector_literal(asked))
        chunk = {"id": found[100 if exact_below == 0 else 0]}
        ((nearest,),) = await statements.rows(text("SELECT space_id FROM chunks WHERE id = :id"), chunk)
    assert nearest == small


@pytest.mark.parametrize(
    ("dimension", "is_indexed"), [(256, True), (512, True), (1536, True), (3072, True), (700, False)]
)
async def test_vectors_of_other_models_are_found_by_their_own_index_or_by_reading_them(
    database: Database, organisation_id: str, dimension: int, is_indexed: bool
) -> None:
    model = EmbeddingModel(f"openai_compatible:test@{dimension}", dimension, 256)
    space_id = await a_space(database, organisation_id, model=model)
    vectors = some_vectors(ABOVE + 20, 1, dimension=dimension)
    texts = [f"number{n}" for n in range(len(vectors))]
    await write_passages(database, organisation_id, space_id, texts, vectors, model)
    await admit(database, organisation_id, [space_id])
    assert (await indexed(database, organisation_id, space_id))[0] == "complete"
    asked = {"vector": vector_literal(vectors[7]), "spaces": [space_id], "model": model.name}
    async with database.transaction(organisation_id, settings=TUNING) as session:
        statement = nearest(PASSAGES, dimension, exact=False, limit=1)
        (found, distance) = (await session.execute(statement, asked)).one()
        exact = (await session.execute(nearest(PASSAGES, dimension, exact=True, limit=1), asked)).one()
        valid = await session.scalar(
            text(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = "
                "to_regclass('chunk_embeddings_nearest_' || :dimension)"
            ),
            {"dimension": str(dimension)},
        )
    assert found == exact[0]
    assert distance == pytest.approx(0.0, abs=1e-3)
    assert bool(valid) == is_indexed
