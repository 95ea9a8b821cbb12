"""Which vectors are in the HNSW index: those of spaces that are too large to be read whole.

To put a vector into the index takes twenty times as long as to store it, and a small space is searched exactly,
without it. So the vectors of a space go into the index together when it outgrows `above`, and from then on as they
are written. Until all are in, the space is searched exactly.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.candidates import PASSAGES, REMEMBERED, Kind
from perdure.db.session import Transaction

# About a second of work, so that nobody waits long for the rows.
_PAGE = 1_000


class VectorIndexState(StrEnum):
    """How much of a space is in the index."""

    NONE = "none"
    FILLING = "filling"
    COMPLETE = "complete"


class _Statements:
    """The statements for one kind of texts; all names in them are those of `Kind`."""

    def __init__(self, kind: Kind) -> None:
        vectors, owner, state = kind.vector.__tablename__, kind.vector_of.key, kind.index_state
        lock = f"hashtextextended('{state.replace('_', ' ')} ' || {{0}}, 0)"
        self.share = text(
            f"""
            SELECT count(pg_advisory_xact_lock_shared({lock.format("space")}))
            FROM (SELECT unnest(CAST(:spaces AS text[])) AS space ORDER BY 1) s
            """
        )
        self.alone = text(f"SELECT pg_advisory_xact_lock({lock.format('CAST(:space AS text)')})")
        self.outgrown = text(
            f"""
            SELECT id FROM spaces WHERE id = ANY(CAST(:spaces AS text[]))
                AND {state} <> 'complete' AND {kind.corpus.count} > :above
            ORDER BY id
            """
        )
        self.begin = text(f"UPDATE spaces SET {state} = 'filling' WHERE id = :space AND {state} = 'none'")
        self.complete = text(f"UPDATE spaces SET {state} = 'complete' WHERE id = :space")
        self.admit = text(
            f"""
            UPDATE {vectors} e SET in_vector_index = true
            FROM (
                SELECT {owner}, model FROM {vectors} WHERE space_id = :space AND NOT in_vector_index
                ORDER BY {owner} LIMIT :page FOR UPDATE
            ) AS r
            WHERE e.{owner} = r.{owner} AND e.model = r.model
            """
        )
        self.left = text(
            f"SELECT EXISTS (SELECT FROM {vectors} WHERE space_id = :space AND NOT in_vector_index)"
        )


_STATEMENTS = {kind: _Statements(kind) for kind in (PASSAGES, REMEMBERED)}


async def share(session: AsyncSession, space_ids: Collection[str], kind: Kind = PASSAGES) -> None:
    """Before vectors are inserted: whether these belong into the index stays as it is until the transaction ends."""
    await session.execute(_STATEMENTS[kind].share, {"spaces": sorted(space_ids)})


class VectorIndex:
    """Takes spaces into the index that have outgrown an exact search."""

    def __init__(self, transaction: Transaction, above: int, kind: Kind = PASSAGES) -> None:
        self._transaction, self._above = transaction, above
        self._statements = _STATEMENTS[kind]

    async def outgrown(self, session: AsyncSession, space_ids: Collection[str]) -> Sequence[str]:
        """Those that are larger than `above` by now, and not all in the index."""
        found = await session.scalars(
            self._statements.outgrown, {"spaces": sorted(space_ids), "above": self._above}
        )
        return found.all()

    async def admit(self, organisation_id: str, space_ids: Iterable[str]) -> None:
        """Take in whole spaces. Cut off in the middle, a second run goes on."""
        for space_id in space_ids:
            await self._admit(organisation_id, space_id)

    async def _admit(self, organisation_id: str, space_id: str) -> None:
        async with self._transaction(organisation_id) as session:
            # Who inserts now did not know; who comes later puts vectors into the index.
            await session.execute(self._statements.alone, {"space": space_id})
            await session.execute(self._statements.begin, {"space": space_id})
        left = True
        while left:
            async with self._transaction(organisation_id) as session:
                await session.execute(self._statements.admit, {"space": space_id, "page": _PAGE})
                left = bool(await session.scalar(self._statements.left, {"space": space_id}))
                if not left:
                    await session.execute(self._statements.complete, {"space": space_id})
