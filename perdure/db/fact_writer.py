"""Writes facts that were drawn from what somebody said, citing it; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.evolution_changes import EvolutionChanges, Relation
from perdure.db.insight_writer import InsightWriter
from perdure.db.memory_writer import MemoryWriter, NewMemory, Outcome
from perdure.db.models import SpaceRow
from perdure.domain.fact_extraction import Fact, Told
from perdure.domain.memories import Identities, MemoryKind, Said, fingerprint
from perdure.ports.models import Vectors

_SUPPORTS = "supports"
# Of a statement; the exact number is for the index, which weighs by length.
_CHARACTERS_PER_TOKEN = 4
_SAID = text(
    """
    SELECT id, content, speaker, subject, valid_from, tags, metadata, expires_at, sequence, ordinal
    FROM memories
    WHERE operation_id = :operation AND space_id = :space AND kind = :evidence AND rests_on IS NULL
        AND retired_at IS NULL AND version_of IS NULL AND role IS DISTINCT FROM 'system' AND id > :after
    ORDER BY id LIMIT :limit
    """
)
_DRAWN = text(
    """
    SELECT count(*) FROM memories
    WHERE operation_id = :operation AND space_id = :space AND rests_on && CAST(:ids AS text[])
    """
)
_RESTS_ON = text("UPDATE memories SET rests_on = CAST(:cited AS text[]) WHERE id = :id")


@dataclass(frozen=True)
class Evidence:
    """What was said, with what else a fact inherits from it."""

    told: Told
    subject: str
    valid_from: datetime
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    expires_at: datetime | None
    sequence: int
    ordinal: int


class FactWriter:
    """Facts in one space, of one request."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str, operation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id
        self._space_id, self._operation_id = space_id, operation_id

    async def evidence(self, after: str, limit: int) -> list[Evidence]:
        """What the request has said, from a place on."""
        given = {
            "operation": self._operation_id,
            "space": self._space_id,
            "evidence": MemoryKind.EVIDENCE.value,
            "after": after,
            "limit": limit,
        }
        return [_evidence(row) for row in await self._session.execute(_SAID, given)]

    async def drawn(self, memory_ids: Sequence[str]) -> int:
        """How many facts the request has drawn from some of them already."""
        given = {"operation": self._operation_id, "space": self._space_id, "ids": list(memory_ids)}
        return int((await self._session.execute(_DRAWN, given)).scalar_one())

    async def write(
        self, facts: Sequence[Fact], vectors: Vectors, evidence: Sequence[Evidence], model: str
    ) -> int | None:
        """Add facts whose evidence is still current; how many. None when the space has changed its model meanwhile.

        Nothing that is there is touched: what is known already, or was to be forgotten, is passed over.
        """
        writer = MemoryWriter(self._session, self._organisation_id, self._space_id)
        await writer.share()
        space = await writer.space()
        if space is None or space.embedding_model != model:
            return None
        current = await InsightWriter(self._session, self._organisation_id).cited(
            sorted({memory_id for fact in facts for memory_id in fact.memory_ids})
        )
        by_id = {each.told.id: each for each in evidence}
        added = 0
        for fact, vector in zip(facts, vectors, strict=True):
            if current.keys() >= set(fact.memory_ids):
                cited = [by_id[memory_id] for memory_id in fact.memory_ids]
                added += await self._add(writer, space, fact, vector, cited)
        return added

    async def _add(
        self, writer: MemoryWriter, space: SpaceRow, fact: Fact, vector: Vectors, cited: Sequence[Evidence]
    ) -> int:
        outcome = Outcome(memory_ids=[])
        await writer.add(
            [_memory(self._operation_id, fact, vector, cited)], {self._operation_id: outcome}, space
        )
        for memory_id in outcome.memory_ids or ():
            await self._session.execute(_RESTS_ON, {"id": memory_id, "cited": list(fact.memory_ids)})
            edges = [Relation(each, _SUPPORTS, memory_id, fact.confidence) for each in fact.memory_ids]
            changes = EvolutionChanges(self._session, self._organisation_id)
            await changes.relate(self._space_id, edges, self._operation_id)
        return outcome.remembered


def _evidence(row: Any) -> Evidence:
    return Evidence(
        Told(row.id, row.speaker, row.content),
        row.subject,
        row.valid_from,
        row.tags,
        row.metadata,
        row.expires_at,
        row.sequence,
        row.ordinal,
    )


def _memory(operation_id: str, fact: Fact, vector: Vectors, cited: Sequence[Evidence]) -> NewMemory:
    """Whom it is about, and how long it is kept, is what the request said of its evidence."""
    last = max(cited, key=lambda each: (each.valid_from, each.told.id))
    expiries = [each.expires_at for each in cited if each.expires_at is not None]
    said = Said(
        subject=last.subject,
        speaker=None,
        session_id="",
        external_id=None,
        created_at=None,
        fingerprint=fingerprint(fact.statement),
        in_dialogue=False,
    )
    return NewMemory(
        operation_id=operation_id,
        kind=fact.kind.value,
        content=fact.statement,
        subject=last.subject,
        speaker=None,
        role=None,
        external_id=None,
        session_id="",  # it is no turn: it would part those that follow each other
        valid_from=last.valid_from,
        source={"type": "memory", "id": fact.memory_ids[0], "start": 0, "end": len(cited[0].told.text)},
        tags=last.tags,
        metadata=last.metadata,
        expires_at=min(expiries, default=None),
        sequence=last.sequence,
        ordinal=last.ordinal,
        piece=0,
        token_count=len(fact.statement) // _CHARACTERS_PER_TOKEN + 1,
        identity=Identities().of(said, 0),
        vector=vector,
        confidence=fact.confidence,
    )
