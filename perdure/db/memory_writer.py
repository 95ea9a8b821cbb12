"""Writes memories in the order in which they were accepted; the caller owns the transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db import vector_index
from perdure.db.arrays import any_of
from perdure.db.candidates import REMEMBERED
from perdure.db.chunk_repository import vector_literals
from perdure.db.memory_requests import MemoryRequests, stored_vectors
from perdure.db.models import MemoryAccessRow, MemoryRequestRow, MemoryRow, MemoryTombstoneRow, SpaceRow
from perdure.db.profiles import Remembered, add_entries
from perdure.db.statistics_repository import MEMORIES, StatisticsRepository
from perdure.domain.ids import new_id
from perdure.domain.memories import (
    ANY_SUBJECT,
    Identities,
    RetiredFor,
    Said,
    fingerprint,
    normalised,
    tombstone,
)
from perdure.domain.text_search import configuration, searchable
from perdure.ports.models import Vectors
from perdure.schemas.memories import RememberResult

# What was recalled so lately and comes back word for word came out of here.
_LOOP_WITHIN = timedelta(hours=1)
# People repeat what is shorter.
_LOOP_CHARACTERS = 20
_NAMED_IDS = 100
# Rows per statement, as for chunks.
_BATCH = 1000

_SHARE = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('memories ' || :space, 0))")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('memories ' || :space, 0))")
_INSERT = text(
    """
    INSERT INTO memories (id, organisation_id, space_id, kind, content, subject, speaker, role, external_id,
        session_id, valid_from, valid_to, confidence, importance, version, source, tags, metadata,
        expires_at, sequence, ordinal, piece, fingerprint, identity, operation_id, token_count, document_id, tsv)
    SELECT r.id, CAST(:organisation AS text), CAST(:space AS text), r.kind, r.content, r.subject, r.speaker, r.role,
        r.external_id, r.session_id, r.valid_from, r.valid_to, r.confidence, r.importance, r.version, r.source::jsonb,
        ARRAY(SELECT jsonb_array_elements_text(r.tags::jsonb)), r.metadata::jsonb, r.expires_at, r.sequence,
        r.ordinal, r.piece, r.fingerprint, r.identity, r.operation_id, r.tokens, r.document_id,
        to_tsvector(CAST(:configuration AS regconfig), r.searched)
    FROM unnest(
        CAST(:ids AS text[]), CAST(:kinds AS text[]), CAST(:contents AS text[]), CAST(:subjects AS text[]),
        CAST(:speakers AS text[]), CAST(:roles AS text[]), CAST(:external_ids AS text[]),
        CAST(:session_ids AS text[]), CAST(:valid_froms AS timestamptz[]), CAST(:valid_tos AS timestamptz[]),
        CAST(:confidences AS real[]), CAST(:importances AS real[]), CAST(:versions AS integer[]),
        CAST(:sources AS text[]), CAST(:tags AS text[]), CAST(:metadata AS text[]),
        CAST(:expiries AS timestamptz[]), CAST(:sequences AS bigint[]), CAST(:ordinals AS integer[]),
        CAST(:pieces AS integer[]), CAST(:fingerprints AS text[]), CAST(:identities AS text[]),
        CAST(:operation_ids AS text[]), CAST(:tokens AS integer[]), CAST(:documents AS text[]),
        CAST(:searched AS text[])
    ) AS r (id, kind, content, subject, speaker, role, external_id, session_id, valid_from, valid_to, confidence,
        importance, version, source, tags, metadata, expires_at, sequence, ordinal, piece, fingerprint, identity,
        operation_id, tokens, document_id, searched)
    """
)
_INSERT_VECTORS = text(
    """
    INSERT INTO memory_embeddings
        (memory_id, organisation_id, model, dimension, space_id, embedding, in_vector_index)
    SELECT r.id, CAST(:organisation AS text), CAST(:model AS text), CAST(:dimension AS integer), s.id,
           CAST(r.vector AS halfvec), s.memory_vector_index <> 'none'
    FROM unnest(CAST(:ids AS text[]), CAST(:vectors AS text[])) AS r (id, vector)
    JOIN spaces s ON s.id = CAST(:space AS text)
    """
)
_RETIRE = text(
    """
    UPDATE memories m
    SET retired_at = date_trunc('milliseconds', now()), retired_for = :reason, superseded_by = r.successor
    FROM unnest(CAST(:ids AS text[]), CAST(:successors AS text[])) AS r (id, successor)
    WHERE m.id = r.id AND m.retired_at IS NULL
    """
)
# What evolution has drawn, evolution ends, with a change that can be undone.
_RETIRE_FACTS = text(
    """
    UPDATE memories SET retired_at = date_trunc('milliseconds', now()), retired_for = :reason
    WHERE space_id = :space AND rests_on && CAST(:ids AS text[]) AND retired_at IS NULL AND version_of IS NULL
        AND kind IN ('fact', 'preference', 'event')
    """
)
_PEOPLE = text(
    """
    INSERT INTO memory_people (organisation_id, space_id, name)
    SELECT CAST(:organisation AS text), CAST(:space AS text), name
    FROM unnest(CAST(:names AS text[])) AS r (name) ORDER BY name
    ON CONFLICT DO NOTHING
    """
)
_COUNT = text("UPDATE spaces SET memory_count = greatest(0, memory_count + :change) WHERE id = :space")


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory that is to be written; all but what the database gives it."""

    operation_id: str
    kind: str
    content: str
    subject: str
    speaker: str | None
    role: str | None
    external_id: str | None
    session_id: str
    valid_from: datetime
    source: Mapping[str, Any]
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    expires_at: datetime | None
    sequence: int
    ordinal: int
    piece: int
    token_count: int
    identity: str
    vector: Vectors
    valid_to: datetime | None = None
    confidence: float = 1.0
    importance: float = 0.5
    document_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """Of its text."""
        return fingerprint(self.content)


@dataclass(slots=True)
class Outcome:
    """What became of the pieces of one operation, while it is counted."""

    remembered: int = 0
    corrected: int = 0
    duplicates: int = 0
    recalled: int = 0
    forgotten: int = 0
    memory_ids: list[str] | None = None

    def result(self) -> RememberResult:
        return RememberResult(
            remembered=self.remembered,
            corrected=self.corrected,
            duplicates=self.duplicates,
            recalled=self.recalled,
            forgotten=self.forgotten,
            memory_ids=(self.memory_ids or [])[:_NAMED_IDS],
        )


@dataclass(frozen=True)
class _Known:
    """What is known already of the texts that are to be written."""

    by_identity: dict[str, MemoryRow]
    by_external_id: dict[str, list[MemoryRow]]
    tombstones: set[str]
    recalled: set[str]


class MemoryWriter:
    """Writes to the memory of one space."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str) -> None:
        self._session, self._organisation_id, self._space_id = session, organisation_id, space_id

    async def share(self) -> None:
        """Go on beside other writers, but not while something is being forgotten."""
        await self._session.execute(_SHARE, {"space": self._space_id})
        await vector_index.share(self._session, [self._space_id], REMEMBERED)

    async def alone(self) -> None:
        """Wait until nobody writes, and let nobody until the transaction ends."""
        await self._session.execute(_ALONE, {"space": self._space_id})

    async def is_forgotten(self, subject: str, content: str) -> bool:
        """Whether a text was to be forgotten, of this subject or of all."""
        digests = [tombstone(self._space_id, each, fingerprint(content)) for each in (subject, ANY_SUBJECT)]
        statement = select(MemoryTombstoneRow.digest).where(
            MemoryTombstoneRow.space_id == self._space_id, MemoryTombstoneRow.digest == any_of(digests)
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def retire_facts(self, memory_ids: Sequence[str]) -> None:
        """End the facts that were drawn from memories that say something else now."""
        given = {"space": self._space_id, "ids": list(memory_ids), "reason": RetiredFor.OUTDATED.value}
        await self._session.execute(_RETIRE_FACTS, given)

    async def space(self) -> SpaceRow | None:
        """The space; its model does not change until the transaction ends."""
        return await self._session.get(
            SpaceRow, self._space_id, with_for_update={"read": True, "key_share": True}
        )

    async def write(self, operation_ids: Sequence[str]) -> dict[str, RememberResult]:
        """Write requests in their order; outcomes by operation, of those written before, too.

        One that was embedded for another model than the space's is left out: it has to be embedded again.
        """
        await self.share()
        space = await self.space()
        requests = MemoryRequests(self._session, self._organisation_id)
        done: dict[str, RememberResult] = {}
        fresh: list[MemoryRequestRow] = []
        for row in await requests.lock(operation_ids):
            if row.outcome is not None:
                done[row.operation_id] = RememberResult.model_validate(row.outcome)
            elif space is not None and row.model == space.embedding_model and row.body is not None:
                fresh.append(row)
        if not fresh or space is None:
            return done
        memories = [each for row in fresh for each in _memories(row, space.embedding_dimension)]
        outcomes = {row.operation_id: Outcome(memory_ids=[]) for row in fresh}
        await self.add(memories, outcomes, space)
        for operation_id, outcome in outcomes.items():
            done[operation_id] = outcome.result()
            await requests.conclude(operation_id, done[operation_id].model_dump(mode="json"))
        return done

    async def add(
        self, memories: Sequence[NewMemory], outcomes: Mapping[str, Outcome], space: SpaceRow
    ) -> None:
        """Insert what is new; count in the outcomes of their operations what became of each."""
        known = await self._known(memories)
        rows: list[tuple[str, int, NewMemory]] = []
        retired: dict[str, str] = {}
        told: dict[str, list[str]] = {}
        for memory in memories:
            outcome = outcomes[memory.operation_id]
            found = known.by_identity.get(memory.identity)
            if self._is_forgotten(memory, known):
                outcome.forgotten += 1
            elif found is not None and (
                memory.external_id is None or found.fingerprint == memory.fingerprint
            ):
                outcome.duplicates += 1
                told.setdefault(memory.external_id or "", []).append(memory.identity)
            elif found is None and _is_loop(memory, known):
                outcome.recalled += 1
            else:
                memory_id = new_id("mem")
                version = 1
                if found is not None:
                    retired[found.id], version = memory_id, found.version + 1
                    outcome.corrected += 1
                else:
                    outcome.remembered += 1
                rows.append((memory_id, version, memory))
                known.by_identity[memory.identity] = MemoryRow(
                    id=memory_id, version=version, fingerprint=memory.fingerprint
                )
                told.setdefault(memory.external_id or "", []).append(memory.identity)
                if outcome.memory_ids is not None:
                    outcome.memory_ids.append(memory_id)
        self._shorten(known, rows, told, retired)
        await self._retire(retired)
        for first in range(0, len(rows), _BATCH):
            await self._insert(rows[first : first + _BATCH], space)
        await add_entries(
            self._session,
            [
                Remembered(memory_id, each.kind, each.content, each.subject, each.speaker)
                for memory_id, _, each in rows
            ],
        )
        await self._count(len(rows), {name for *_, each in rows for name in (each.subject, each.speaker)})

    @staticmethod
    def _shorten(
        known: _Known,
        rows: Sequence[tuple[str, int, NewMemory]],
        told: Mapping[str, list[str]],
        retired: dict[str, str],
    ) -> None:
        """Of a message that was corrected into a shorter one, the pieces that are no more."""
        successors = {each.external_id: memory_id for memory_id, _, each in reversed(rows)}
        for external_id, before in known.by_external_id.items():
            successor = successors.get(external_id)
            if successor is None:
                continue
            for row in before:
                if row.identity not in told.get(external_id, ()):
                    retired[row.id] = successor

    def _is_forgotten(self, memory: NewMemory, known: _Known) -> bool:
        return any(
            tombstone(self._space_id, subject, memory.fingerprint) in known.tombstones
            for subject in (memory.subject, ANY_SUBJECT)
        )

    async def _known(self, memories: Sequence[NewMemory]) -> _Known:
        identities = list({memory.identity for memory in memories})
        prints = list({memory.fingerprint for memory in memories})
        external_ids = list({memory.external_id for memory in memories if memory.external_id is not None})
        subjects = {memory.subject for memory in memories}
        digests = {
            tombstone(self._space_id, subject, memory.fingerprint)
            for memory in memories
            for subject in (memory.subject, ANY_SUBJECT)
        }
        current = (MemoryRow.space_id == self._space_id, MemoryRow.retired_at.is_(None))
        same = await self._session.scalars(
            select(MemoryRow).where(*current, MemoryRow.identity == any_of(identities))
        )
        by_identity = {row.identity: row for row in same}
        by_external_id: dict[str, list[MemoryRow]] = {}
        if external_ids:
            rows = await self._session.scalars(
                select(MemoryRow).where(
                    *current,
                    MemoryRow.external_id == any_of(external_ids),
                    MemoryRow.subject.in_(subjects),
                )
            )
            for row in rows:
                by_external_id.setdefault(row.external_id or "", []).append(row)
        tombstones = await self._session.scalars(
            select(MemoryTombstoneRow.digest).where(
                MemoryTombstoneRow.space_id == self._space_id,
                MemoryTombstoneRow.digest == any_of(digests),
            )
        )
        recalled = await self._session.scalars(
            select(MemoryRow.fingerprint)
            .join(MemoryAccessRow, MemoryAccessRow.memory_id == MemoryRow.id)
            .where(
                *current,
                MemoryRow.fingerprint == any_of(prints),
                MemoryAccessRow.last_accessed_at > func.now() - _LOOP_WITHIN,
            )
        )
        return _Known(by_identity, by_external_id, set(tombstones), set(recalled))

    async def _retire(self, retired: Mapping[str, str]) -> None:
        if retired:
            await self._session.execute(
                _RETIRE,
                {
                    "reason": RetiredFor.CORRECTED.value,
                    "ids": list(retired),
                    "successors": list(retired.values()),
                },
            )
            await self.retire_facts(list(retired))

    async def _insert(self, rows: Sequence[tuple[str, int, NewMemory]], space: SpaceRow) -> None:
        columns = [_columns(memory_id, version, memory) for memory_id, version, memory in rows]
        by_column = {name: [values[name] for values in columns] for name in columns[0]}
        await self._session.execute(
            _INSERT,
            {
                "organisation": self._organisation_id,
                "space": self._space_id,
                "configuration": configuration(None),
                **by_column,
            },
        )
        await self._session.execute(
            _INSERT_VECTORS,
            {
                "organisation": self._organisation_id,
                "space": self._space_id,
                "model": space.embedding_model,
                "dimension": space.embedding_dimension,
                "ids": by_column["ids"],
                "vectors": vector_literals(np.stack([memory.vector for *_, memory in rows])),
            },
        )

    async def _count(self, change: int, names: Iterable[str | None]) -> None:
        """Last, because it locks the row that all writers of the space need."""
        if not change:
            return
        known = sorted({name for name in names if name})
        if known:
            await self._session.execute(
                _PEOPLE, {"organisation": self._organisation_id, "space": self._space_id, "names": known}
            )
        statistics = StatisticsRepository(self._session, self._organisation_id, MEMORIES)
        await statistics.refresh_if_grown(self._space_id)
        await self._session.execute(_COUNT, {"space": self._space_id, "change": change})


def _is_loop(memory: NewMemory, known: _Known) -> bool:
    # A document says what it says, whoever has just recalled it.
    return (
        memory.document_id is None
        and memory.fingerprint in known.recalled
        and len(normalised(memory.content)) >= _LOOP_CHARACTERS
    )


def _memories(row: MemoryRequestRow, dimension: int) -> list[NewMemory]:
    """What a prepared request says, in its order."""
    body: dict[str, Any] = row.body or {}
    identities, numbers = Identities(), dict[int, int]()
    found = []
    for piece, vector in zip(body["pieces"], stored_vectors(row, dimension), strict=True):
        ordinal = int(piece["turn"])
        turn = body["turns"][ordinal]
        numbers[ordinal] = numbers.get(ordinal, -1) + 1
        session_id = turn["session_id"] or body["session_id"] or ""
        said = Said(
            subject=row.subject,
            speaker=turn["speaker"],
            session_id=session_id,
            external_id=turn["external_id"],
            created_at=turn["created_at"],
            fingerprint=fingerprint(piece["text"]),
            in_dialogue=body["in_dialogue"],
        )
        found.append(
            NewMemory(
                operation_id=row.operation_id,
                kind=body["kind"],
                content=piece["text"],
                subject=row.subject,
                speaker=turn["speaker"],
                role=turn["role"],
                external_id=turn["external_id"],
                session_id=session_id,
                valid_from=_instant(turn["created_at"]) or _instant(body["valid_from"]) or row.created_at,
                source={
                    "type": "message",
                    "id": turn["message_id"],
                    "start": piece["start"],
                    "end": piece["end"],
                },
                tags=body["tags"],
                metadata=body["metadata"],
                expires_at=_instant(body["expires_at"]),
                sequence=row.sequence,
                ordinal=ordinal,
                piece=numbers[ordinal],
                token_count=piece["tokens"],
                identity=identities.of(said, numbers[ordinal]),
                vector=vector,
            )
        )
    return found


def _instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _columns(memory_id: str, version: int, memory: NewMemory) -> dict[str, object]:
    """Parameters of `_INSERT`, one element of each."""
    return {
        "ids": memory_id,
        "kinds": memory.kind,
        "contents": memory.content,
        "subjects": memory.subject,
        "speakers": memory.speaker,
        "roles": memory.role,
        "external_ids": memory.external_id,
        "session_ids": memory.session_id,
        "valid_froms": memory.valid_from,
        "valid_tos": memory.valid_to,
        "confidences": memory.confidence,
        "importances": memory.importance,
        "versions": version,
        "sources": json.dumps(memory.source),
        "tags": json.dumps(list(memory.tags)),
        "metadata": json.dumps(memory.metadata),
        "expiries": memory.expires_at,
        "sequences": memory.sequence,
        "ordinals": memory.ordinal,
        "pieces": memory.piece,
        "fingerprints": memory.fingerprint,
        "identities": memory.identity,
        "operation_ids": memory.operation_id,
        "tokens": memory.token_count,
        "documents": memory.document_id,
        "searched": searched_text(memory.speaker, memory.content),
    }


def searched_text(speaker: str | None, content: str) -> str:
    """What a memory is found by: the speaker is a word of it."""
    return searchable(f"{speaker}: {content}" if speaker else content)
