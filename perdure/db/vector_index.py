"""Which vectors are in the HNSW index: those of spaces that are too large to be read whole.

To put a vector into the index takes twenty times as long as to store it, and a small space is searched exactly,
without it. So the vectors of a space go into the index together when it outgrows `above`, and from then on as they
are written. Until all are in, the space is searched exactly.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.session import Transaction

# About a second of work, so that nobody waits long for the rows.
_PAGE = 1_000

_SHARE = text(
    """
    SELECT count(pg_advisory_xact_lock_shared(hashtextextended('vector index ' || space, 0)))
    FROM (SELECT unnest(CAST(:spaces AS text[])) AS space ORDER BY 1) s
    """
)
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('vector index ' || :space, 0))")
_OUTGROWN = text(
    """
    SELECT id FROM spaces
    WHERE id = ANY(CAST(:spaces AS text[])) AND vector_index <> 'complete' AND chunk_count > :above ORDER BY id
    """
)
_BEGIN = text("UPDATE spaces SET vector_index = 'filling' WHERE id = :space AND vector_index = 'none'")
_COMPLETE = text("UPDATE spaces SET vector_index = 'complete' WHERE id = :space")
_ADMIT = text(
    """
    UPDATE chunk_embeddings e SET in_vector_index = true
    FROM (
        SELECT chunk_id, model FROM chunk_embeddings WHERE space_id = :space AND NOT in_vector_index
        ORDER BY chunk_id LIMIT :page FOR UPDATE
    ) AS r
    WHERE e.chunk_id = r.chunk_id AND e.model = r.model
    """
)
_LEFT = text("SELECT EXISTS (SELECT FROM chunk_embeddings WHERE space_id = :space AND NOT in_vector_index)")


class VectorIndexState(StrEnum):
    """How much of a space is in the index."""

    NONE = "none"
    FILLING = "filling"
    COMPLETE = "complete"


async def share(session: AsyncSession, space_ids: Collection[str]) -> None:
    """Before vectors are inserted: whether these belong into the index stays as it is until the transaction ends."""
    await session.execute(_SHARE, {"spaces": sorted(space_ids)})


class VectorIndex:
    """Takes spaces into the index that have outgrown an exact search."""

    def __init__(self, transaction: Transaction, above: int) -> None:
        self._transaction, self._above = transaction, above

    async def outgrown(self, session: AsyncSession, space_ids: Collection[str]) -> Sequence[str]:
        """Those that are larger than `above` by now, and not all in the index."""
        found = await session.scalars(_OUTGROWN, {"spaces": sorted(space_ids), "above": self._above})
        return found.all()

    async def admit(self, organisation_id: str, space_ids: Iterable[str]) -> None:
        """Take in whole spaces. Cut off in the middle, a second run goes on."""
        for space_id in space_ids:
            await self._admit(organisation_id, space_id)

    async def _admit(self, organisation_id: str, space_id: str) -> None:
        async with self._transaction(organisation_id) as session:
            # Who inserts now did not know; who comes later puts vectors into the index.
            await session.execute(_ALONE, {"space": space_id})
            await session.execute(_BEGIN, {"space": space_id})
        left = True
        while left:
            async with self._transaction(organisation_id) as session:
                await session.execute(_ADMIT, {"space": space_id, "page": _PAGE})
                left = bool(await session.scalar(_LEFT, {"space": space_id}))
                if not left:
                    await session.execute(_COMPLETE, {"space": space_id})
