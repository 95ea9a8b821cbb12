"""Forgets memories: out of every view in one transaction, and a tombstone for each text; the caller owns it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.arrays import any_of
from perdure.db.memory_requests import MemoryRequests
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import MemoryRow
from perdure.domain.memories import ANY_SUBJECT, fingerprint, tombstone
from perdure.schemas.memories import ForgetResult

_NAMED_IDS = 100

# With a memory goes all that it ever was: its versions, what it took the place of, and what was drawn from it.
_WITH_VERSIONS = text(
    """
    WITH RECURSIVE gone AS (
        SELECT m.id FROM memories m WHERE m.id = ANY(CAST(:memories AS text[])) AND m.space_id = :space
        UNION
        SELECT m.id FROM memories m
        JOIN gone g ON m.version_of = g.id OR m.superseded_by = g.id OR m.rests_on @> ARRAY[g.id]
        WHERE m.space_id = :space
    )
    SELECT m.id, m.subject, m.fingerprint, m.version_of FROM memories m JOIN gone g ON g.id = m.id
    """
)
_VECTORS = text("SELECT count(*) FROM memory_embeddings WHERE memory_id = ANY(CAST(:memories AS text[]))")
_CHANGES = text("SELECT count(*) FROM memory_changes WHERE memory_id = ANY(CAST(:memories AS text[]))")
_RELATIONS = text(
    """
    WITH gone AS (
        DELETE FROM memory_relations
        WHERE source_id = ANY(CAST(:memories AS text[])) OR target_id = ANY(CAST(:memories AS text[])) RETURNING 1
    )
    SELECT count(*) FROM gone
    """
)
_RECALLS = text(
    """
    UPDATE memory_recalls r SET hits = jsonb_build_object('items', (
        SELECT COALESCE(jsonb_agg(h), '[]') FROM jsonb_array_elements(r.hits -> 'items') h
        WHERE NOT h ->> 'id' = ANY(CAST(:memories AS text[]))
    ))
    WHERE r.space_id = :space AND EXISTS (
        SELECT FROM jsonb_array_elements(r.hits -> 'items') h WHERE h ->> 'id' = ANY(CAST(:memories AS text[]))
    )
    """
)
_DELETE = text("DELETE FROM memories WHERE id = ANY(CAST(:memories AS text[]))")
_BURY = text(
    """
    INSERT INTO memory_tombstones (organisation_id, space_id, digest, operation_id)
    SELECT CAST(:organisation AS text), CAST(:space AS text), digest, CAST(:operation AS text)
    FROM unnest(CAST(:digests AS text[])) AS r (digest) ORDER BY digest
    ON CONFLICT DO NOTHING
    """
)
_PEOPLE = text(
    """
    DELETE FROM memory_people p WHERE p.space_id = ANY(CAST(:spaces AS text[]))
    AND NOT EXISTS (SELECT FROM memories m WHERE m.space_id = p.space_id AND m.speaker = p.name)
    AND NOT EXISTS (SELECT FROM memories m WHERE m.space_id = p.space_id AND m.subject = p.name)
    """
)
# What was asked for and never written, because its operation was cancelled or failed.
_ABANDONED = text(
    """
    UPDATE memory_requests r SET body = NULL, vectors = NULL
    WHERE r.space_id = :space AND r.subject = :subject AND r.outcome IS NULL
        AND EXISTS (SELECT FROM operations o WHERE o.id = r.operation_id AND o.closed_at IS NOT NULL)
    """
)
_COUNT = text("UPDATE spaces SET memory_count = greatest(0, memory_count - :gone) WHERE id = :space")


@dataclass(frozen=True)
class Selection:
    """What is to be forgotten: exactly one of these."""

    ids: Sequence[str] | None = None
    text: str | None = None
    subject: str | None = None

    def described(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            "ids": list(self.ids) if self.ids is not None else None,
            "text": self.text,
            "subject": self.subject,
        }

    def condition(self) -> ColumnElement[bool]:
        """Which memories it means."""
        if self.ids is not None:
            return MemoryRow.id == any_of(self.ids)
        if self.text is not None:
            return MemoryRow.fingerprint == fingerprint(self.text)
        return MemoryRow.subject == (self.subject or "")


async def forget_people(session: AsyncSession, space_ids: Sequence[str]) -> None:
    """Forget the names that no memory of these spaces bears any more."""
    await session.execute(_PEOPLE, {"spaces": list(space_ids)})


class Forgetting:
    """Forgets in one space."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str) -> None:
        self._session, self._organisation_id, self._space_id = session, organisation_id, space_id

    async def selected(self, selection: Selection, limit: int | None = None) -> list[str]:
        """Ids of the memories that a selection means, newest first; versions of them go with them."""
        statement = (
            select(MemoryRow.id)
            .where(
                MemoryRow.space_id == self._space_id, MemoryRow.version_of.is_(None), selection.condition()
            )
            .order_by(MemoryRow.id.desc())
            .limit(limit)
        )
        return list(await self._session.scalars(statement))

    async def count(self, selection: Selection) -> int:
        """How many memories a selection means."""
        statement = (
            select(func.count())
            .select_from(MemoryRow)
            .where(
                MemoryRow.space_id == self._space_id, MemoryRow.version_of.is_(None), selection.condition()
            )
        )
        return (await self._session.execute(statement)).scalar_one()

    async def forget(self, operation_id: str) -> ForgetResult | None:
        """Do what a request asks for, alone in its space; its receipt, also when it is done already.

        None when nothing is known of the request.
        """
        writer = MemoryWriter(self._session, self._organisation_id, self._space_id)
        await writer.alone()
        requests = MemoryRequests(self._session, self._organisation_id)
        for row in await requests.lock([operation_id]):
            if row.outcome is not None:
                return ForgetResult.model_validate(row.outcome)
            if row.body is not None:
                receipt = await self._forget(
                    operation_id, Selection(**row.body["selection"]), row.body["reason"]
                )
                await requests.conclude(operation_id, receipt.model_dump(mode="json"))
                return receipt
        return None

    async def _forget(self, operation_id: str, selection: Selection, reason: str | None) -> ForgetResult:
        chosen = await self.selected(selection)
        versions = list(await self._session.scalars(self._versions(selection)))
        given = {"memories": [*chosen, *versions], "space": self._space_id}
        rows = (await self._session.execute(_WITH_VERSIONS, given)).all()
        gone = {"memories": [row.id for row in rows]}
        digests = {tombstone(self._space_id, row.subject, row.fingerprint) for row in rows}
        if selection.text is not None:
            digests.add(tombstone(self._space_id, ANY_SUBJECT, fingerprint(selection.text)))
        vectors = (await self._session.execute(_VECTORS, gone)).scalar_one()
        changes = (await self._session.execute(_CHANGES, gone)).scalar_one()
        relations = (await self._session.execute(_RELATIONS, gone)).scalar_one()
        await self._session.execute(_RECALLS, {**gone, "space": self._space_id})
        await self._session.execute(_DELETE, gone)
        await self._session.execute(
            _BURY,
            {
                "organisation": self._organisation_id,
                "space": self._space_id,
                "operation": operation_id,
                "digests": sorted(digests),
            },
        )
        if selection.subject is not None:
            await self._session.execute(_ABANDONED, {"space": self._space_id, "subject": selection.subject})
        await forget_people(self._session, [self._space_id])
        await self._session.execute(_COUNT, {"gone": len(rows), "space": self._space_id})
        memory_ids = [row.id for row in rows if row.version_of is None]
        return ForgetResult(
            forgotten=len(memory_ids),
            versions=len(rows),
            vectors=vectors,
            relations=relations,
            changes=changes,
            tombstones=len(digests),
            memory_ids=sorted(memory_ids)[:_NAMED_IDS],
            missing=len(selection.ids) - len(chosen) if selection.ids is not None else 0,
            reason=reason,
        )

    def _versions(self, selection: Selection) -> Select[str]:
        """Earlier versions that are meant; what corrected them stays."""
        return select(MemoryRow.id).where(
            MemoryRow.space_id == self._space_id, MemoryRow.version_of.is_not(None), selection.condition()
        )
