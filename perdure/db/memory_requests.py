"""What operations were asked to remember, until it is written; the caller owns the transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import MemoryRequestRow
from perdure.db.vector_bytes import from_bytes, to_bytes
from perdure.ports.models import EmbeddingModel, Vectors


class MemoryRequests:
    """Requests of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def add(self, operation_id: str, space_id: str, subject: str, body: dict[str, Any]) -> None:
        """Keep what an operation is to do; its place in the order of all requests is given here."""
        await self._session.execute(
            insert(MemoryRequestRow).values(
                operation_id=operation_id,
                organisation_id=self._organisation_id,
                space_id=space_id,
                subject=subject,
                body=body,
            )
        )

    async def get(self, operation_id: str) -> MemoryRequestRow | None:
        """One request."""
        return await self._session.get(MemoryRequestRow, operation_id)

    async def lock(self, operation_ids: Sequence[str]) -> Sequence[MemoryRequestRow]:
        """Some requests in their order; nobody else writes them until the transaction ends."""
        statement = (
            select(MemoryRequestRow)
            .where(MemoryRequestRow.operation_id.in_(operation_ids))
            .order_by(MemoryRequestRow.sequence)
            .with_for_update()
        )
        return (await self._session.scalars(statement)).all()

    async def prepare(
        self, operation_id: str, body: dict[str, Any], vectors: Vectors, model: EmbeddingModel
    ) -> None:
        """Keep what was computed for a request that is still open."""
        await self._session.execute(
            update(MemoryRequestRow)
            .where(MemoryRequestRow.operation_id == operation_id, MemoryRequestRow.outcome.is_(None))
            .values(body=body, vectors=to_bytes(vectors), model=model.name)
        )

    async def conclude(self, operation_id: str, outcome: dict[str, Any]) -> None:
        """Keep the outcome and nothing else."""
        await self._session.execute(
            update(MemoryRequestRow)
            .where(MemoryRequestRow.operation_id == operation_id)
            .values(outcome=outcome, subject="", body=null(), vectors=None)
        )


def stored_vectors(row: MemoryRequestRow, dimension: int) -> Vectors:
    """The vectors of a prepared request, one row per piece."""
    return from_bytes(row.vectors or b"").reshape(-1, dimension)
