"""The installation's rounds through all organisations: providers that are not well, and what nobody ended."""

from collections import Counter
from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.monitoring import MonitoringActivities
    from perdure.schemas.retention import SweepJob, SweepPage, SweepReport, SweepState
    from workflows import policies

Sweep = Callable[[SweepJob], Awaitable[SweepPage]]


@workflow.defn
class MonitorAIProcessing:
    """Tell of providers that fail, are slow or dear. The schedule starts it without input."""

    @workflow.run
    async def run(self, state: SweepState | None = None) -> SweepReport:
        async def sweep(job: SweepJob) -> SweepPage:
            return await workflow.execute_activity_method(
                MonitoringActivities.monitor_providers, job, **policies.LONG_IO
            )

        return await _round(state, sweep)


@workflow.defn
class CleanupExpiredWorkflows:
    """End what was left open by workflows that are gone. The schedule starts it without input."""

    @workflow.run
    async def run(self, state: SweepState | None = None) -> SweepReport:
        async def sweep(job: SweepJob) -> SweepPage:
            return await workflow.execute_activity_method(
                MonitoringActivities.clean_up_expired, job, **policies.LONG_IO
            )

        return await _round(state, sweep)


async def _round(given: SweepState | None, sweep: Sweep) -> SweepReport:
    state = given or SweepState(now=workflow.now())
    while True:
        page = await sweep(SweepJob(now=state.now, after=state.after))
        counted = Counter(state.counted) + Counter(page.counted)
        state = state.model_copy(
            update={
                "after": page.after or "",
                "counted": dict(sorted(counted.items())),
                "organisations": state.organisations + page.organisations,
            }
        )
        if page.after is None:
            return SweepReport(at=state.now, organisations=state.organisations, counted=state.counted)
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(state)
