"""Writes what is drawn from memories, citing them; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.evolution_changes import Change, EvolutionChanges, Relation, shown
from perdure.db.evolution_runs import StageState
from perdure.db.memory_writer import MemoryWriter, NewMemory, Outcome
from perdure.db.models import SpaceRow
from perdure.domain.evolution import ChangeAction, insight_identity
from perdure.domain.memories import MemoryKind, RetiredFor, estimated_tokens
from perdure.ports.models import Vectors

_SUPPORTS = "supports"
_MOST_TOKENS = 500

_CITED = text(
    """
    SELECT id, version FROM memories
    WHERE id = ANY(CAST(:ids AS text[])) AND retired_at IS NULL ORDER BY id FOR SHARE
    """
)
_KNOWN = text(
    """
    SELECT identity FROM memories WHERE space_id = :space AND rests_on && CAST(:ids AS text[])
        AND identity = :identity AND (retired_at IS NULL OR retired_for = :undone) LIMIT 1
    """
)
_RESTS_ON = text("UPDATE memories SET rests_on = CAST(:ids AS text[]) WHERE id = :id")


@dataclass(frozen=True)
class Draft:
    """An insight before it is a memory."""

    subject: str
    content: str
    memory_ids: Sequence[str]
    confidence: float
    reason: str
    valid_from: datetime

    @property
    def identity(self) -> str:
        """The same for what rests on the same memories."""
        return insight_identity(self.subject, self.memory_ids)


class InsightWriter:
    """Insights of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def cited(self, memory_ids: Sequence[str]) -> Mapping[str, int]:
        """Versions of those of some memories that are current, and stay so until the transaction ends."""
        rows = await self._session.execute(_CITED, {"ids": list(memory_ids)})
        return {row.id: row.version for row in rows}

    async def knows(self, space_id: str, draft: Draft) -> bool:
        """Whether it is there already, or was undone."""
        given = {
            "space": space_id,
            "ids": list(draft.memory_ids),
            "identity": draft.identity,
            "undone": RetiredFor.UNDONE.value,
        }
        return (await self._session.execute(_KNOWN, given)).first() is not None

    async def write(self, state: StageState, space: SpaceRow, draft: Draft, vector: Vectors) -> str | None:
        """Make the memory with its relations and the change that can be undone; its id.

        None when it is known, or was to be forgotten.
        """
        if await self.knows(state.space_id, draft):
            return None
        outcome = Outcome(memory_ids=[])
        writer = MemoryWriter(self._session, self._organisation_id, state.space_id)
        await writer.add([_memory(state, draft, vector)], {state.operation_id: outcome}, space)
        if not outcome.memory_ids:
            return None
        (memory_id,) = outcome.memory_ids
        await self._session.execute(_RESTS_ON, {"id": memory_id, "ids": list(draft.memory_ids)})
        relations = [Relation(cited, _SUPPORTS, memory_id, draft.confidence) for cited in draft.memory_ids]
        changes = EvolutionChanges(self._session, self._organisation_id)
        await changes.relate(state.space_id, relations, state.operation_id)
        change = Change(memory_id, 1, ChangeAction.DERIVED, draft.reason)
        await changes.note(state, [(change, {}, {"relations": [shown(each) for each in relations]})])
        return memory_id


def _memory(state: StageState, draft: Draft, vector: Vectors) -> NewMemory:
    return NewMemory(
        operation_id=state.operation_id,
        kind=MemoryKind.INSIGHT.value,
        content=draft.content,
        subject=draft.subject,
        speaker=None,
        role=None,
        external_id=None,
        session_id="",
        valid_from=draft.valid_from,
        source={"type": "memory", "id": draft.memory_ids[0], "start": 0, "end": 0},
        tags=(),
        metadata={},
        expires_at=None,
        sequence=0,
        ordinal=0,
        piece=0,
        token_count=estimated_tokens(draft.content, _MOST_TOKENS),
        identity=draft.identity,
        vector=vector,
        confidence=draft.confidence,
    )
