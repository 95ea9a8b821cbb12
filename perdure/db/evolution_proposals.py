"""What evolution proposes: kept until somebody decides or the deadline passes; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.evolution_runs import StageState
from perdure.db.insight_writer import Draft, InsightWriter
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import MemoryProposalRow, SpaceRow
from perdure.db.session import Transaction
from perdure.domain.evolution import EvolutionStage, ProposalStatus
from perdure.domain.ids import new_id
from perdure.domain.memories import MemoryKind
from perdure.errors import ConflictError, NotFoundError
from perdure.ports.models import Embedders, EmbeddingCall, Vectors
from perdure.schemas.evolution import OpenProposals, ProposalRead

DERIVE = "derive"
# Somebody waits for the memory that is made.
_PATIENCE = timedelta(seconds=10)

_LAST_TOLD = text("SELECT max(valid_from) FROM memories WHERE id = ANY(CAST(:ids AS text[]))")
_WITHDRAW = text(
    """
    UPDATE memory_proposals p SET status = 'expired', decided_at = now()
    WHERE p.space_id = :space AND p.status = 'open' AND EXISTS (
        SELECT FROM unnest(p.memory_ids) AS cited (id)
        LEFT JOIN memories m ON m.id = cited.id AND m.retired_at IS NULL WHERE m.id IS NULL
    )
    """
)


@dataclass(frozen=True)
class EmbeddedProposal:
    """The vector of what a proposal says, under the model of its space."""

    model: str
    vector: Vectors


async def embedded_proposal(
    transaction: Transaction, organisation_id: str, proposal_id: str, embedders: Embedders
) -> EmbeddedProposal | None:
    """Embed before anything is held, because a provider may take its time. None of what is not open."""
    async with transaction(organisation_id) as session:
        row = await session.get(MemoryProposalRow, proposal_id)
        space = await session.get(SpaceRow, row.space_id) if row is not None else None
    if row is None or space is None or row.status != ProposalStatus.OPEN.value:
        return None
    call = EmbeddingCall(organisation_id, "insight", row.operation_id, "evolve_memory", patience=_PATIENCE)
    vectors = await embedders.embed(call, space.embedding_model, [row.content])
    return EmbeddedProposal(space.embedding_model, vectors[0])


class EvolutionProposals:
    """Proposals of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def propose(self, state: StageState, draft: Draft, deadline: datetime) -> bool:
        """Keep a draft until it is decided about; false when it was proposed before, whatever became of it."""
        statement = (
            insert(MemoryProposalRow)
            .values(
                id=new_id("prp"),
                organisation_id=self._organisation_id,
                space_id=state.space_id,
                operation_id=state.operation_id,
                action=DERIVE,
                content=draft.content,
                kind=MemoryKind.INSIGHT.value,
                subject=draft.subject,
                memory_ids=list(draft.memory_ids),
                identity=draft.identity,
                reason=draft.reason,
                confidence=draft.confidence,
                deadline=deadline,
            )
            .on_conflict_do_nothing(index_elements=["space_id", "identity"])
            .returning(MemoryProposalRow.id)
        )
        return (await self._session.execute(statement)).first() is not None

    async def list(
        self,
        *,
        space: str | None = None,
        status: ProposalStatus | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[ProposalRead]:
        """Newest first; `after` is the id that the page before ended with."""
        conditions: list[Any] = [MemoryProposalRow.organisation_id == self._organisation_id]
        if space is not None:
            conditions.append(SpaceRow.name == space)
        if status is not None:
            conditions.append(MemoryProposalRow.status == status.value)
        if after is not None:
            conditions.append(MemoryProposalRow.id < after)
        return await self._read(*conditions, limit=limit)

    async def get(self, proposal_id: str) -> ProposalRead:
        """One proposal; NotFoundError when there is none of this id."""
        found = await self._read(MemoryProposalRow.id == proposal_id, limit=1)
        if not found:
            raise _missing(proposal_id)
        return found[0]

    async def accept(self, proposal_id: str, decided_by: str, embedded: EmbeddedProposal | None) -> None:
        """Make the memory. Accepted before, it stays so; ConflictError when it cannot be made any more."""
        row = await self._open(proposal_id, ProposalStatus.ACCEPTED)
        if row is None:
            return
        writer = MemoryWriter(self._session, self._organisation_id, row.space_id)
        await writer.share()
        space = await writer.space()
        insights = InsightWriter(self._session, self._organisation_id)
        cited = await insights.cited(row.memory_ids)
        if space is None or len(cited) < len(set(row.memory_ids)):
            raise ConflictError(
                "memories that this rests on have changed since: decline it, and let the space evolve again"
            )
        told: datetime = (await self._session.execute(_LAST_TOLD, {"ids": row.memory_ids})).scalar_one()
        draft = Draft(row.subject, row.content, row.memory_ids, row.confidence, row.reason, told)
        if embedded is None or embedded.model != space.embedding_model:
            raise ConflictError("the space has just changed its embedding model: try again")
        row.memory_id = await insights.write(_state(row), space, draft, embedded.vector)
        if row.memory_id is None:
            raise ConflictError(
                "the same is remembered already, or was to be forgotten for good: decline the proposal"
            )
        await self._decide(row, ProposalStatus.ACCEPTED, decided_by)

    async def decline(self, proposal_id: str, decided_by: str) -> None:
        """Do not make the memory, and do not propose it again."""
        row = await self._open(proposal_id, ProposalStatus.DECLINED)
        if row is not None:
            await self._decide(row, ProposalStatus.DECLINED, decided_by)

    async def expire(self, operation_id: str, now: datetime) -> None:
        """Close what nobody has decided about in time, of one run."""
        await self._expire(now, MemoryProposalRow.operation_id == operation_id)

    async def expire_in(self, space_id: str, now: datetime) -> None:
        """The same of a space: should nobody wait for the decisions any more."""
        await self._expire(now, MemoryProposalRow.space_id == space_id)

    async def knows(self, space_id: str, draft: Draft) -> bool:
        """Whether it was proposed before, whatever became of it."""
        statement = select(MemoryProposalRow.id).where(
            MemoryProposalRow.space_id == space_id, MemoryProposalRow.identity == draft.identity
        )
        return (await self._session.execute(statement)).first() is not None

    async def withdraw(self, space_id: str) -> None:
        """Close what rests on memories that have changed since: it could not be accepted any more."""
        await self._session.execute(_WITHDRAW, {"space": space_id})

    async def open_of(self, operation_id: str) -> OpenProposals:
        """What of a run waits for a decision."""
        statement = select(func.count(), func.min(MemoryProposalRow.deadline)).where(
            MemoryProposalRow.organisation_id == self._organisation_id,
            MemoryProposalRow.operation_id == operation_id,
            MemoryProposalRow.status == ProposalStatus.OPEN.value,
        )
        count, deadline = (await self._session.execute(statement)).one()
        return OpenProposals(count=count, deadline=deadline)

    async def _open(self, proposal_id: str, wanted: ProposalStatus) -> MemoryProposalRow | None:
        """A proposal that may be decided about; None when it was decided so before."""
        row = await self._session.get(MemoryProposalRow, proposal_id, with_for_update=True)
        if row is None:
            raise _missing(proposal_id)
        if row.status == wanted.value:
            return None
        if row.status != ProposalStatus.OPEN.value:
            raise ConflictError(f"proposal {proposal_id} is {row.status} already")
        return row

    async def _decide(self, row: MemoryProposalRow, status: ProposalStatus, decided_by: str) -> None:
        row.status, row.decided_by, row.decided_at = status.value, decided_by, datetime.now(UTC)
        await self._session.flush()

    async def _expire(self, now: datetime, condition: Any) -> None:
        await self._session.execute(
            update(MemoryProposalRow)
            .where(
                condition,
                MemoryProposalRow.organisation_id == self._organisation_id,
                MemoryProposalRow.status == ProposalStatus.OPEN.value,
                MemoryProposalRow.deadline <= now,
            )
            .values(status=ProposalStatus.EXPIRED.value, decided_at=now)
        )

    async def _read(self, *conditions: Any, limit: int) -> Sequence[ProposalRead]:
        statement = (
            select(MemoryProposalRow, SpaceRow.name)
            .join(SpaceRow, SpaceRow.id == MemoryProposalRow.space_id)
            .where(*conditions)
            .order_by(MemoryProposalRow.id.desc())
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return [_proposal(row, space) for row, space in await self._session.execute(statement)]


def _state(row: MemoryProposalRow) -> StageState:
    """As if the stage that proposed it made it now."""
    return StageState(
        organisation_id=row.organisation_id,
        operation_id=row.operation_id or "",
        space_id=row.space_id,
        stage=EvolutionStage.DERIVE,
        dry_run=False,
        place="",
        since=None,
        until_id="",
        at=row.created_at,
        ended=True,
    )


def _proposal(row: MemoryProposalRow, space: str) -> ProposalRead:
    return ProposalRead(
        id=row.id,
        space=space,
        action=row.action,
        content=row.content,
        kind=MemoryKind(row.kind),
        subject=row.subject or None,
        memory_ids=row.memory_ids,
        reason=row.reason,
        confidence=round(row.confidence, 4),
        status=ProposalStatus(row.status),
        deadline=row.deadline,
        created_at=row.created_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        memory_id=row.memory_id,
    )


def _missing(proposal_id: str) -> NotFoundError:
    return NotFoundError(f"no proposal {proposal_id}: check the id, or list GET /api/v1/memories/proposals")
