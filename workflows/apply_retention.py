"""`apply_retention`: once a day, what is older than its organisation wants to keep it goes."""

from collections import Counter

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.retention import RetentionActivities
    from perdure.schemas.retention import RetentionJob, RetentionPage, RetentionReport, RetentionState
    from workflows import policies

NAMED_REFUSED = 100


@workflow.defn
class ApplyRetention:
    """Go through all organisations, half a minute at a time. It is the installation's, and no organisation's operation.

    The schedule starts it without input; it gives itself one when it continues as new.
    """

    @workflow.run
    async def run(self, state: RetentionState | None = None) -> RetentionReport:
        if state is None:
            job = RetentionJob(now=workflow.now())
            page = await workflow.execute_activity_method(
                RetentionActivities.sweep_log_ins, job, **policies.LONG_IO
            )
            state = RetentionState(now=job.now, deleted=page.deleted)
        while True:
            page = await workflow.execute_activity_method(
                RetentionActivities.sweep_organisations,
                RetentionJob(now=state.now, after=state.after),
                **policies.LONG_IO,
            )
            state = _after(state, page)
            if page.after is None:
                return RetentionReport(
                    at=state.now,
                    organisations=state.organisations,
                    deleted=state.deleted,
                    refused=state.refused,
                )
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(state)


def _after(state: RetentionState, page: RetentionPage) -> RetentionState:
    deleted = Counter(state.deleted) + Counter(page.deleted)
    refused = dict.fromkeys([*state.refused, *page.refused])
    return state.model_copy(
        update={
            "after": page.after or "",
            "deleted": dict(sorted(deleted.items())),
            "organisations": state.organisations + page.organisations,
            "refused": list(refused)[:NAMED_REFUSED],
        }
    )
