"""As little as an operation can be: one activity, and a payload that goes in and comes out of it."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy


@activity.defn
async def hand_back(text: str) -> str:
    """The text itself."""
    return text


@workflow.defn
class HandBack:
    """Takes a text to an activity and back."""

    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(
            hand_back,
            text,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
