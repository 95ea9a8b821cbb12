"""A workflow whose only activity asks a model."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from perdure.schemas.base import Contract

ACTIVITY = "ask_a_model"


class AskJob(Contract):
    """Whose operation it is."""

    organisation_id: str
    operation_id: str


@workflow.defn
class Ask:
    """Asks once, with retries."""

    @workflow.run
    async def run(self, job: AskJob) -> str:
        answer: str = await workflow.execute_activity(
            ACTIVITY, job, result_type=str, start_to_close_timeout=timedelta(seconds=30)
        )
        return answer
