"""PostgreSQL reaches for its indexes although row level security stands in the way."""

import pytest
from sqlalchemy import text

from perdure.db.candidates import CANDIDATES, TUNING
from perdure.db.search_repository import SearchRepository, vector_literal
from perdure.db.session import Database
from perdure.db.vector_index import VectorIndex
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.ports.models import Vectors
from tests.passages import MODEL, a_space, some_vectors, write_passages


async def an_organisation_with(database: Database, organisation_id: str, vectors: Vectors, word: str) -> str:
    """One document of as many passages as there are vectors; the id of its space."""
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'x') ON CONFLICT DO NOTHING"),
            {"id": organisation_id},
        )
    space_id = await a_space(database, organisation_id)
    texts = [f"{word} number{n}" for n in range(len(vectors))]
    await write_passages(database, organisation_id, space_id, texts, vectors)
    await VectorIndex(database.transaction, 0).admit(organisation_id, [space_id])
    return space_id


async def nearest(
    database: Database, organisation_id: str, vector: Vectors, exact_below: int
) -> tuple[list[str], int]:
    """What the vector search offers, and how many chunks the organisation has."""
    async with database.quick(organisation_id, settings=TUNING) as statements:
        repository = SearchRepository(statements, exact_below)
        scope = await repository.scope(list((await repository.spaces(["default"])).values()), None)
        return list(await repository.by_vector(scope, MODEL, vector_literal(vector))), scope.chunk_count


async def test_the_index_on_vectors_finds_what_an_exact_search_finds(
    database: Database, organisation_id: str
) -> None:
    vectors = some_vectors(400, 1)
    await an_organisation_with(database, organisation_id, vectors, "alpha")
    for seed in range(5):
        asked = some_vectors(1, seed, vectors[seed * 50])[0]
        indexed, _ = await nearest(database, organisation_id, asked, 0)
        exact, _ = await nearest(database, organisation_id, asked, 10**6)
        assert len(indexed) == CANDIDATES
        assert len(set(indexed[:10]) & set(exact[:10])) >= 9


async def test_a_small_tenant_finds_all_its_own_among_the_vectors_of_a_big_neighbour(
    database: Database, organisation_id: str
) -> None:
    asked = some_vectors(1, 3)[0]
    await an_organisation_with(database, new_id("org"), some_vectors(1500, 4, asked), "beta")
    await an_organisation_with(database, organisation_id, some_vectors(20, 5), "gamma")
    found, chunk_count = await nearest(database, organisation_id, asked, 0)
    assert len(found) == chunk_count == 20


async def test_the_statement_for_vectors_can_use_their_index_as_the_app_role(
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
                "EXPLAIN SELECT chunk_id FROM chunk_embeddings WHERE space_id = 'x' AND model = 'y' "
                "AND dimension = 384 AND in_vector_index "
                "ORDER BY (embedding::halfvec(384)) <=> CAST(:vector AS halfvec(384)) LIMIT 10"
            ),
            {"vector": vector_literal(some_vectors(1, 6)[0])},
        )
        assert any("chunk_embeddings_nearest_384" in line for line in plan)


@pytest.mark.parametrize(("role", "used"), [(postgres.OWNER_ROLE, True), (postgres.APP_ROLE, False)])
async def test_only_the_owner_can_use_the_index_on_words(
    embedded_postgres: postgres.EmbeddedPostgres, role: str, used: bool
) -> None:
    """Why the search by words is a function of the owner. When the second case fails, it need not be any more."""
    database = Database(embedded_postgres.url(role))
    async with database.transaction(new_id("org")) as session:
        await session.execute(text("SELECT set_config('enable_seqscan', 'off', true)"))
        plan = await session.scalars(
            text("EXPLAIN SELECT id FROM chunks WHERE tsv @@ CAST('''harbour''' AS tsquery)")
        )
        assert any("chunks_text" in line for line in plan) is used
    await database.aclose()


async def test_no_organisation_at_all_finds_no_word(database: Database, organisation_id: str) -> None:
    space_id = await an_organisation_with(database, organisation_id, some_vectors(3, 8), "delta")
    call = text(
        "SELECT count(*) FROM find_chunks_by_words(ARRAY[CAST(:space AS text)], NULL, ARRAY['''delta'''], :few, 9)"
    )
    for reader, expected in ((None, 0), (new_id("org"), 0), (organisation_id, 3)):
        for few in (True, False):
            async with database.transaction(reader) as session:
                assert await session.scalar(call, {"space": space_id, "few": few}) == expected
