"""Memories evolve: each activity is one page of a stage, or one decision about what was proposed."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from temporalio import activity

from activities.evolution_stages import DecayStage, ExtendStage, Stage, UpdateStage
from activities.failures import failures, may_pass
from activities.insight_stage import DeriveStage
from activities.language_models import RoutedLanguageModels
from perdure.db.evolution_proposals import EvolutionProposals, embedded_proposal
from perdure.db.evolution_runs import EvolutionRuns, Progress, evolution_operation
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import SpaceRow
from perdure.db.operation_repository import OperationRepository, input_fields
from perdure.db.planner_statistics import refresh_planner_statistics
from perdure.db.session import Transaction
from perdure.domain.evolution import EvolutionStage
from perdure.domain.ids import new_id
from perdure.errors import NotFoundError, PerdureError
from perdure.ports.models import Embedders
from perdure.schemas.evolution import (
    DecisionJob,
    EvolutionBegun,
    EvolutionJob,
    EvolutionStart,
    EvolveMemoryInput,
    EvolveMemoryResult,
    ExpiryJob,
    OpenProposals,
    ScheduledEvolution,
    StageJob,
    StagePage,
)

# Who wants what a schedule starts.
SCHEDULE = "schedule"
# A page is followed by as long a pause, but by none longer than this: nobody waits for a run, while questions and
# writes, which it would slow down as long as it keeps a core busy, are waited for.
_LONGEST_REST_S = 5.0


class EvolutionActivities:
    """Side effects of evolution. Each is safe to run twice: where a stage is stands beside what it changed."""

    def __init__(self, transaction: Transaction, embedders: Embedders, models: RoutedLanguageModels) -> None:
        self._transaction, self._embedders = transaction, embedders
        self._stages: Mapping[EvolutionStage, Stage] = {
            EvolutionStage.UPDATE: UpdateStage(transaction),
            EvolutionStage.EXTEND: ExtendStage(transaction),
            EvolutionStage.DERIVE: DeriveStage(transaction, embedders, models),
            EvolutionStage.DECAY: DecayStage(transaction),
        }

    @activity.defn
    async def begin_evolution(self, job: EvolutionJob) -> EvolutionBegun:
        """Note the run. A second time it is as it was begun."""
        with failures():
            # It reads all of the space, often right after that was filled.
            await refresh_planner_statistics(self._transaction)
            async with self._transaction(job.organisation_id) as session:
                if await session.get(SpaceRow, job.space_id) is None:
                    raise NotFoundError(f"space {job.space_id} was deleted")
                # Should nobody wait for the decisions any more.
                await EvolutionProposals(session, job.organisation_id).expire_in(
                    job.space_id, datetime.now(UTC)
                )
                return EvolutionBegun(total=await EvolutionRuns(session, job.organisation_id).begin(job))

    @activity.defn
    async def update_memories(self, job: StageJob) -> StagePage:
        """Merge what says the same, and retire what is true no more, among a page of memories."""
        return await self._page(job)

    @activity.defn
    async def extend_relations(self, job: StageJob) -> StagePage:
        """Connect a page of memories with what is near them."""
        return await self._page(job)

    @activity.defn
    async def derive_insights(self, job: StageJob) -> StagePage:
        """Draw insights from the memories of some subjects."""
        return await self._page(job)

    @activity.defn
    async def decay_memories(self, job: StageJob) -> StagePage:
        """Let a page of memories fade, and put away what is over, forgotten by all, or junk."""
        return await self._page(job)

    @activity.defn
    async def conclude_evolution(self, job: EvolutionJob) -> EvolveMemoryResult:
        """Note that the run is over. A second run reports the same."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                return await EvolutionRuns(session, job.organisation_id).conclude(job.operation_id)

    @activity.defn
    async def find_proposals(self, job: EvolutionJob) -> OpenProposals:
        """Until when proposals of a run wait for a decision."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                proposals = EvolutionProposals(session, job.organisation_id)
                return await proposals.open_of(job.operation_id)

    @activity.defn
    async def decide_proposal(self, job: DecisionJob) -> OpenProposals:
        """Carry a decision out. One that was made before stands, and one that cannot be carried out stays open."""
        with failures():
            try:
                await self._decide(job)
            except PerdureError as refused:
                if may_pass(refused):
                    raise
                activity.logger.info("proposal %s is not decided: %s", job.proposal_id, refused)
            async with self._transaction(job.organisation_id) as session:
                return await EvolutionProposals(session, job.organisation_id).open_of(job.operation_id)

    async def _decide(self, job: DecisionJob) -> None:
        embedded = None
        if job.accepted:
            embedded = await embedded_proposal(
                self._transaction, job.organisation_id, job.proposal_id, self._embedders
            )
        async with self._transaction(job.organisation_id) as session:
            proposals = EvolutionProposals(session, job.organisation_id)
            if job.accepted:
                await proposals.accept(job.proposal_id, job.decided_by, embedded)
            else:
                await proposals.decline(job.proposal_id, job.decided_by)

    @activity.defn
    async def expire_proposals(self, job: ExpiryJob) -> OpenProposals:
        """Close what nobody has decided about in time. A second run closes nothing more."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                proposals = EvolutionProposals(session, job.organisation_id)
                await proposals.expire(job.operation_id, job.now)
                return await proposals.open_of(job.operation_id)

    @activity.defn
    async def accept_evolution(self, job: ScheduledEvolution) -> EvolutionStart:
        """Accept a run that a schedule wants, unless one is under way. A second run finds the first one's."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                if await session.get(SpaceRow, job.space_id) is None:
                    return EvolutionStart()
                runs = EvolutionRuns(session, job.organisation_id)
                await runs.alone(job.space_id)
                row = await runs.running(job.space_id)
                if row is None:
                    wanted = evolution_operation(
                        job.organisation_id, SCHEDULE, job.space_id, list(EvolutionStage), dry_run=False
                    )
                    row = await OperationRepository(session).create(**wanted, operation_id=new_id("op"))
                elif row.run_id is not None or row.actor_id != SCHEDULE:
                    return EvolutionStart()
            return EvolutionStart(
                job=EvolveMemoryInput.model_validate(input_fields(row)), summary=row.summary
            )

    async def _page(self, job: StageJob) -> StagePage:
        """Take a stage a page further. When another run of this page has done so meanwhile, that is it."""
        with failures():
            started = time.perf_counter()
            async with self._transaction(job.organisation_id) as session:
                state = await EvolutionRuns(session, job.organisation_id).state(job.operation_id, job.stage)
            if state.ended:
                return StagePage(examined=0, done=True)
            work = await self._stages[job.stage].look(state)
            # A page that the disk has not seen when the database dies is taken again, from where the stage is then.
            # The last one of a stage is waited for, and with it all before: nobody looks at this stage again.
            done = work.place is None
            async with self._transaction(job.organisation_id, durable=done) as session:
                runs = EvolutionRuns(session, job.organisation_id)
                now = await runs.state(job.operation_id, job.stage, lock=True)
                if now.ended or now.place != state.place:
                    return StagePage(examined=0, done=now.ended)
                await MemoryWriter(session, job.organisation_id, job.space_id).share()
                changed = await work.write(session)
                took_ms = (time.perf_counter() - started) * 1000
                await runs.advance(
                    state, Progress(work.place, work.examined, changed.counts, changed.junk, took_ms)
                )
            if not done:
                await asyncio.sleep(min(took_ms / 1000, _LONGEST_REST_S))
            return StagePage(examined=work.examined, done=done)
