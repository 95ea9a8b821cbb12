"""A workflow that carries texts of any size, and takes on too much where it is told to."""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from workflows.payload_limits import MAX_PAYLOAD_BYTES

# An error that were tried again would never end: these tests would run into their time limit.
_OPTIONS: Any = {
    "start_to_close_timeout": timedelta(minutes=1),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100)),
}


@activity.defn
async def hand_back(text: str) -> str:
    """The text itself."""
    return text


@activity.defn
async def bring_too_much() -> str:
    """More than a workflow carries."""
    return "x" * MAX_PAYLOAD_BYTES


@workflow.defn
class Courier:
    """Takes a text to an activity and back."""

    @workflow.run
    async def run(self, text: str) -> str:
        if text == "bring too much":
            return await workflow.execute_activity(bring_too_much, **_OPTIONS)
        if text == "take too much":
            text = "x" * MAX_PAYLOAD_BYTES
        answer = await workflow.execute_activity(hand_back, text, **_OPTIONS)
        return "x" * MAX_PAYLOAD_BYTES if text == "answer too much" else answer
