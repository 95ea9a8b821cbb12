"""Reads and changes memories; the caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from perdure.db.memory_writer import MemoryWriter, searched_text
from perdure.db.models import (
    MemoryAccessRow,
    MemoryChangeRow,
    MemoryEmbeddingRow,
    MemoryRecallRow,
    MemoryRow,
    SpaceRow,
)
from perdure.db.profiles import refresh_memories
from perdure.domain.ids import new_id
from perdure.domain.memories import MemoryKind, RetiredFor, fingerprint
from perdure.domain.recall_ranking import RecallMode
from perdure.domain.text_search import configuration
from perdure.errors import ConflictError
from perdure.ports.models import EmbeddingModel, Vectors
from perdure.schemas.memories import (
    MemoryRead,
    MemorySource,
    MemoryVersionRead,
    RecallOutcome,
    SessionHit,
    SessionRecall,
)

# A version is the row as it was, under an id of its own; what the rest of the row says stays with it.
_KEEP_VERSION = text(
    """
    INSERT INTO memories (id, organisation_id, space_id, kind, content, subject, speaker, role, external_id,
        session_id, confidence, importance, valid_from, valid_to, recorded_at, retired_at, retired_for, superseded_by,
        version, version_of, source, tags, metadata, expires_at, sequence, ordinal, piece, fingerprint, identity,
        operation_id, token_count, tsv, rests_on, document_id)
    SELECT :version_id, organisation_id, space_id, kind, content, subject, speaker, role, external_id,
        session_id, confidence, importance, valid_from, valid_to, recorded_at, date_trunc('milliseconds', now()),
        :reason, id,
        version, id, source, tags, metadata, expires_at, sequence, ordinal, piece, fingerprint, identity,
        operation_id, token_count, tsv, rests_on, document_id
    FROM memories WHERE id = :memory_id
    """
)
_KEEP_VECTORS = text(
    """
    INSERT INTO memory_embeddings
        (memory_id, organisation_id, model, dimension, space_id, embedding, in_vector_index)
    SELECT :version_id, organisation_id, model, dimension, space_id, embedding, in_vector_index
    FROM memory_embeddings WHERE memory_id = :memory_id
    """
)
_INDEX = text(
    "UPDATE memories SET tsv = to_tsvector(CAST(:configuration AS regconfig), :searched) WHERE id = :memory_id"
)
_COUNT = text("UPDATE spaces SET memory_count = memory_count + 1 WHERE id = :space")


class MemoryRepository:
    """Memories of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def get(self, memory_id: str) -> MemoryRead | None:
        """One memory, also when it is not current any more; a version of one has no id of its own."""
        statement = _reading().where(MemoryRow.id == memory_id, MemoryRow.version_of.is_(None))
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else _read(*row)

    async def by_id(self, memory_ids: Sequence[str]) -> Sequence[MemoryRead]:
        """Some memories, newest first."""
        statement = _reading().where(MemoryRow.id.in_(memory_ids)).order_by(MemoryRow.id.desc())
        return [_read(*row) for row in await self._session.execute(statement)]

    async def list(
        self,
        *,
        space: str | None = None,
        subject: str | None = None,
        session_id: str | None = None,
        external_id: str | None = None,
        kind: MemoryKind | None = None,
        document_id: str | None = None,
        retired: bool = False,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[MemoryRead]:
        """Newest first; `after` is the id that the page before ended with."""
        statement = _reading().where(MemoryRow.version_of.is_(None))
        if not retired:
            statement = statement.where(MemoryRow.retired_at.is_(None))
        conditions = {
            SpaceRow.name: space,
            MemoryRow.subject: subject,
            MemoryRow.session_id: session_id,
            MemoryRow.external_id: external_id,
            MemoryRow.kind: kind.value if kind else None,
            MemoryRow.document_id: document_id,
        }
        statement = statement.where(
            *(column == value for column, value in conditions.items() if value is not None)
        )
        if after is not None:
            statement = statement.where(MemoryRow.id < after)
        rows = await self._session.execute(statement.order_by(MemoryRow.id.desc()).limit(limit))
        return [_read(*row) for row in rows]

    async def current(
        self, space: str, *, subject: str | None, after: str, limit: int
    ) -> Sequence[MemoryRead]:
        """Current memories of a space, oldest first, from an id on."""
        statement = _reading().where(
            SpaceRow.name == space,
            MemoryRow.version_of.is_(None),
            MemoryRow.retired_at.is_(None),
            MemoryRow.id > after,
        )
        if subject is not None:
            statement = statement.where(MemoryRow.subject == subject)
        rows = await self._session.execute(statement.order_by(MemoryRow.id).limit(limit))
        return [_read(*row) for row in rows]

    async def lock(self, memory_id: str) -> MemoryRow | None:
        """The row of a memory that may be changed until the transaction ends."""
        statement = (
            select(MemoryRow)
            .where(MemoryRow.id == memory_id, MemoryRow.version_of.is_(None))
            .with_for_update(of=MemoryRow)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def space_of(self, memory_id: str) -> SpaceRow | None:
        """The space of a memory."""
        statement = (
            select(SpaceRow)
            .join(MemoryRow, MemoryRow.space_id == SpaceRow.id)
            .where(MemoryRow.id == memory_id)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def change(
        self,
        row: MemoryRow,
        changes: dict[str, Any],
        *,
        actor_id: str,
        reason: str | None,
        embedded: tuple[Vectors, EmbeddingModel, int] | None,
    ) -> None:
        """Make a new version; the one before stays, retired, with its vector. `embedded` belongs to new content."""
        writer = MemoryWriter(self._session, self._organisation_id, row.space_id)
        await writer.share()
        if embedded is not None and await writer.is_forgotten(row.subject, str(changes["content"])):
            raise ConflictError("this text was to be forgotten, for good: say it in other words")
        version = {"version_id": new_id("mem"), "memory_id": row.id}
        await self._session.execute(_KEEP_VERSION, {**version, "reason": RetiredFor.CORRECTED.value})
        await self._session.execute(_KEEP_VECTORS, version)
        before = {name: getattr(row, name) for name in changes}
        for name, value in changes.items():
            setattr(row, name, value)
        row.version += 1
        row.recorded_at = func.date_trunc("milliseconds", func.now())
        if embedded is not None:
            vector, model, token_count = embedded
            row.fingerprint, row.token_count = fingerprint(row.content), token_count
            await self._session.flush()
            await self._replace_index(row, vector, model)
            await writer.retire_facts([row.id])
        await self._session.flush()
        await self._session.execute(
            insert(MemoryChangeRow).values(
                id=new_id("chg"),
                organisation_id=self._organisation_id,
                memory_id=row.id,
                space_id=row.space_id,
                action="updated",
                reason=reason,
                actor_id=actor_id,
                before={"version_id": version["version_id"], **_jsonable(before)},
                after=_jsonable(changes),
            )
        )
        await refresh_memories(self._session, [row.id])
        await self._session.execute(_COUNT, {"space": row.space_id})

    async def _replace_index(self, row: MemoryRow, vector: Vectors, model: EmbeddingModel) -> None:
        searched = searched_text(row.speaker, row.content)
        await self._session.execute(
            _INDEX, {"configuration": configuration(None), "searched": searched, "memory_id": row.id}
        )
        values = {
            "memory_id": row.id,
            "model": model.name,
            "dimension": model.dimension,
            "organisation_id": self._organisation_id,
            "space_id": row.space_id,
            "embedding": vector.tolist(),
        }
        await self._session.execute(
            insert(MemoryEmbeddingRow)
            .values(values)
            .on_conflict_do_update(
                index_elements=["memory_id", "model"], set_={"embedding": values["embedding"]}
            )
        )

    async def history(
        self, memory_id: str, *, before: int | None = None, limit: int = 50
    ) -> Sequence[MemoryVersionRead]:
        """Versions of a memory, newest first, with what was said about each change."""
        versions = (
            select(MemoryRow, MemoryChangeRow)
            .outerjoin(
                MemoryChangeRow,
                (MemoryChangeRow.memory_id == memory_id)
                & (MemoryChangeRow.before["version_id"].astext == MemoryRow.id),
            )
            .where((MemoryRow.id == memory_id) | (MemoryRow.version_of == memory_id))
            .order_by(MemoryRow.version.desc())
            .limit(limit)
        )
        if before is not None:
            versions = versions.where(MemoryRow.version < before)
        return [_version(row, change) for row, change in await self._session.execute(versions)]

    async def session_recalls(
        self, session_id: str, *, after: str | None = None, limit: int = 50
    ) -> Sequence[SessionRecall]:
        """Questions of a session, newest first."""
        statement = (
            select(MemoryRecallRow)
            .where(
                MemoryRecallRow.organisation_id == self._organisation_id,
                MemoryRecallRow.session_id == session_id,
            )
            .order_by(MemoryRecallRow.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(MemoryRecallRow.id < after)
        return [
            SessionRecall(
                id=row.id,
                query=row.query,
                mode=RecallMode(row.mode),
                outcome=RecallOutcome(row.outcome),
                hits=[SessionHit.model_validate(hit) for hit in row.hits.get("items", [])],
                took_ms=round(row.took_ms, 2),
                asked_at=row.at,
            )
            for row in await self._session.scalars(statement)
        ]


def _reading() -> Select[MemoryRow, str, int, list[dict[str, Any]] | None]:
    same = aliased(MemoryRow)
    merged = (
        select(func.jsonb_agg(same.source, type_=JSONB))
        .where(same.superseded_by == MemoryRow.id, same.retired_for == RetiredFor.DUPLICATE.value)
        .scalar_subquery()
    )
    return (
        select(MemoryRow, SpaceRow.name, func.coalesce(MemoryAccessRow.accesses, 0), merged)
        .join(SpaceRow, SpaceRow.id == MemoryRow.space_id)
        .outerjoin(MemoryAccessRow, MemoryAccessRow.memory_id == MemoryRow.id)
    )


def _read(row: MemoryRow, space: str, accesses: int, merged: Sequence[dict[str, Any]] | None) -> MemoryRead:
    return MemoryRead(
        id=row.id,
        space=space,
        content=row.content,
        kind=MemoryKind(row.kind),
        subject=row.subject or None,
        speaker=row.speaker,
        role=row.role,
        external_id=row.external_id,
        session_id=row.session_id or None,
        confidence=round(row.confidence, 4),
        importance=round(row.importance, 4),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        recorded_at=row.recorded_at,
        retired_at=row.retired_at,
        superseded_by=row.superseded_by,
        source=MemorySource.model_validate(row.source),
        merged_sources=[MemorySource.model_validate(source) for source in merged or ()],
        version=row.version,
        accesses=accesses,
        tags=row.tags,
        metadata=row.metadata_,
        expires_at=row.expires_at,
        operation_id=row.operation_id,
    )


def _version(row: MemoryRow, change: MemoryChangeRow | None) -> MemoryVersionRead:
    return MemoryVersionRead(
        version=row.version,
        content=row.content,
        kind=MemoryKind(row.kind),
        confidence=round(row.confidence, 4),
        importance=round(row.importance, 4),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        tags=row.tags,
        metadata=row.metadata_,
        expires_at=row.expires_at,
        recorded_at=row.recorded_at,
        retired_at=row.retired_at,
        reason=change.reason if change else None,
        changed_by=change.actor_id if change else None,
    )


def _jsonable(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name.rstrip("_"): value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
