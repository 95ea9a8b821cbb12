"""`evolve_memory`: memories are merged, connected, drawn together and put away, and nothing is lost."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.evolution import EvolutionActivities
    from activities.starting import ORGANISATION, TASK_TIMEOUT, found_by
    from perdure.domain.evolution import EvolutionStage
    from perdure.schemas.evolution import (
        DecisionJob,
        EvolutionJob,
        EvolveMemoryInput,
        EvolveMemoryResult,
        ExpiryJob,
        OpenProposals,
        ProposalBatch,
        ProposalDecision,
        ScheduledEvolution,
        StageJob,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.operation import Operation

_STAGES = {
    EvolutionStage.UPDATE: EvolutionActivities.update_memories,
    EvolutionStage.EXTEND: EvolutionActivities.extend_relations,
    EvolutionStage.DERIVE: EvolutionActivities.derive_insights,
    EvolutionStage.DECAY: EvolutionActivities.decay_memories,
}


def proposals_id(operation_id: str) -> str:
    """Workflow id of what waits for decisions about the proposals of a run."""
    return f"{operation_id}.proposals"


@workflow.defn
class EvolveMemory(Operation):
    """One stage after the other, each page by page. How far it is stands in the database, beside what was changed."""

    @workflow.run
    async def run(self, job: EvolveMemoryInput) -> EvolveMemoryResult:
        return await self.perform(job, lambda: self._evolve(job))

    async def _evolve(self, job: EvolveMemoryInput) -> EvolveMemoryResult:
        task = EvolutionJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            space_id=job.space_id,
            stages=job.stages,
            dry_run=job.dry_run,
        )
        begun = await self.step(EvolutionActivities.begin_evolution, task, policies.CPU)
        self.report(total=begun.total * len(job.stages))
        for stage in job.stages:
            await self._pages(job, stage)
        if EvolutionStage.DERIVE in job.stages and not job.dry_run:
            await self._ask(task)
        result = await self.step(EvolutionActivities.conclude_evolution, task, policies.CPU)
        self.report(done=self.progress.total)
        return result

    async def _pages(self, job: EvolveMemoryInput, stage: EvolutionStage) -> None:
        task = StageJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            space_id=job.space_id,
            stage=stage,
        )
        while True:
            page = await self.step(_STAGES[stage], task, policies.CPU)
            self.report(done=min(self.progress.done + page.examined, self.progress.total))
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(job)
            if page.done:
                return

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """What was proposed before this run was cut off still waits for decisions, and no longer than it said."""
        if isinstance(job, EvolveMemoryInput) and EvolutionStage.DERIVE in job.stages and not job.dry_run:
            await self._ask(
                EvolutionJob(
                    organisation_id=job.organisation_id,
                    operation_id=job.operation_id,
                    space_id=job.space_id,
                )
            )

    async def _ask(self, task: EvolutionJob) -> None:
        """Have somebody wait for the decisions: they may take longer than this run."""
        found = await self.step(EvolutionActivities.find_proposals, task, policies.CPU)
        if found.deadline is None:
            return
        try:
            await workflow.start_child_workflow(
                DecideProposals.run,
                ProposalBatch(
                    organisation_id=task.organisation_id,
                    operation_id=task.operation_id,
                    deadline=found.deadline,
                ),
                id=proposals_id(task.operation_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(ORGANISATION, task.organisation_id)]
                ),
                static_summary="Wait for decisions about proposals",
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the decisions are waited for already")


@workflow.defn
class DecideProposals:
    """Wait for decisions until the deadline; what nobody has decided about expires then. It is no operation."""

    def __init__(self) -> None:
        self._decisions: list[tuple[ProposalDecision, bool]] = []

    @workflow.signal
    def accept_proposal(self, decision: ProposalDecision) -> None:
        """What is proposed becomes a memory."""
        self._decisions.append((decision, True))

    @workflow.signal
    def decline_proposal(self, decision: ProposalDecision) -> None:
        """What is proposed is not wanted, and is not proposed again."""
        self._decisions.append((decision, False))

    @workflow.run
    async def run(self, batch: ProposalBatch) -> None:
        while batch.deadline is not None:
            workflow.set_current_details(f"proposals wait for decisions until {batch.deadline.isoformat()}")
            left = max(batch.deadline - workflow.now(), timedelta(0))
            try:
                await workflow.wait_condition(lambda: bool(self._decisions), timeout=left)
            except TimeoutError:
                found = await self._expire(batch)
            else:
                found = await self._decide(batch)
            batch = batch.model_copy(update={"deadline": found.deadline})
            if not self._decisions and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(batch)

    async def _decide(self, batch: ProposalBatch) -> OpenProposals:
        decision, accepted = self._decisions.pop(0)
        job = DecisionJob(
            organisation_id=batch.organisation_id,
            operation_id=batch.operation_id,
            proposal_id=decision.proposal_id,
            decided_by=decision.decided_by,
            accepted=accepted,
        )
        return await workflow.execute_activity_method(
            EvolutionActivities.decide_proposal, job, **policies.CPU
        )

    async def _expire(self, batch: ProposalBatch) -> OpenProposals:
        job = ExpiryJob(
            organisation_id=batch.organisation_id,
            operation_id=batch.operation_id,
            now=workflow.now(),
        )
        return await workflow.execute_activity_method(
            EvolutionActivities.expire_proposals, job, **policies.CPU
        )


@workflow.defn
class StartEvolution:
    """What a space's schedule starts: accepts a run as an operation, and starts that. It is no operation itself."""

    @workflow.run
    async def run(self, job: ScheduledEvolution) -> None:
        start = await workflow.execute_activity_method(
            EvolutionActivities.accept_evolution, job, **policies.CPU
        )
        if start.job is None:
            return
        try:
            await workflow.start_child_workflow(
                EvolveMemory.run,
                start.job,
                id=start.job.operation_id,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                search_attributes=found_by(job.organisation_id, start.job.kind, job.space_id),
                static_summary=start.summary,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s runs already", start.job.operation_id)
