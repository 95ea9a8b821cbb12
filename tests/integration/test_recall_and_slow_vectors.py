"""A recall while the vector of its question is not there yet: no connection waits for it, and nothing gets lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from perdure.db.recall_service import RecallService
from perdure.db.session import Database
from perdure.db.statements import Statements
from perdure.domain.recall_ranking import RecallMode
from perdure.ports.models import EmbeddingCall, EmbeddingModel, Vectors
from perdure.schemas.memories import RecallAnswer, RecallRequest
from perdure.settings import Settings
from tests.integration.test_recall_candidates import remember
from tests.passages import MODEL, some_vectors

ASKED = some_vectors(1, 50)


class Embedders:
    """One vector for whatever is asked, once it may be given."""

    default = MODEL

    def __init__(self, given: asyncio.Event) -> None:
        self._given = given

    def runs_here(self, name: str) -> bool:
        return name == MODEL.name

    def named(self, name: str) -> EmbeddingModel:
        assert name == MODEL.name
        return MODEL

    async def require(self, organisation_id: str, name: str) -> None:
        """It is there."""

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        await self._given.wait()
        return ASKED


async def recalled(
    database: Database, organisation_id: str, request: RecallRequest, *, late: bool
) -> RecallAnswer:
    """Where the vector is `late`, it comes after the first transaction has ended."""
    given = asyncio.Event()
    if not late:
        given.set()

    @asynccontextmanager
    async def transaction(
        organisation_id: str, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Statements]:
        async with database.quick(organisation_id, durable=durable, settings=settings) as statements:
            yield statements
        given.set()

    service = RecallService(transaction, Embedders(given), Settings())
    async with asyncio.timeout(30):
        return await service.recall(organisation_id, "someone", request)


@pytest.mark.parametrize("mode", list(RecallMode))
async def test_a_late_vector_changes_no_answer(
    database: Database, organisation_id: str, mode: RecallMode
) -> None:
    vectors = some_vectors(40, 51, ASKED[0])
    name, ids = await remember(database, organisation_id, vectors, 3, "A boat crosses the harbour.")
    request = RecallRequest(query="Which boat?", space=name, mode=mode, limit=20, explain=True)
    early = await recalled(database, organisation_id, request, late=False)
    late = await recalled(database, organisation_id, request, late=True)
    assert late.items == early.items
    assert len(early.items) == 20
    assert {item.id for item in early.items} <= set(ids[3:])
    named = {term.name for term in early.items[0].terms}
    assert ("meaning" in named) == (mode is not RecallMode.KEYWORD)


@pytest.mark.parametrize("mode", [RecallMode.HYBRID, RecallMode.DENSE, RecallMode.FUSION])
async def test_the_way_by_vector_answers_where_it_ends_last(
    database: Database, organisation_id: str, mode: RecallMode
) -> None:
    name, _ = await remember(database, organisation_id, some_vectors(40, 52, ASKED[0]), 0, "A boat.")
    given, first_ended = asyncio.Event(), asyncio.Event()
    given.set()
    begun = 0

    @asynccontextmanager
    async def transaction(
        organisation_id: str, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Statements]:
        nonlocal begun
        begun += 1
        if begun > 1:
            await first_ended.wait()
        async with database.quick(organisation_id, durable=durable, settings=settings) as statements:
            yield statements
        first_ended.set()

    service = RecallService(transaction, Embedders(given), Settings())
    request = RecallRequest(query="Which boat?", space=name, mode=mode, limit=20, explain=True)
    async with asyncio.timeout(30):
        answer = await service.recall(organisation_id, "someone", request)
    assert begun == 2
    expected = await recalled(database, organisation_id, request, late=True)
    assert answer.items == expected.items
    async with database.transaction(organisation_id) as session:
        counted = await session.execute(
            text("SELECT memory_id, accesses FROM memory_accesses WHERE memory_id = ANY(:ids)"),
            {"ids": [item.id for item in answer.items]},
        )
        assert [accesses for _, accesses in counted] == [2] * 20
