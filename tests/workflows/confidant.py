"""A workflow that puts something secret into every place that Temporal has for text."""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

_ONCE: Any = {
    "start_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(maximum_attempts=1),
}


def secret(place: str, token: str) -> str:
    """What stands in a place. Only the token is told to the workflow."""
    return f"{place} of {token}"


@activity.defn
async def whisper(text: str) -> str:
    """Answer."""
    activity.heartbeat(f"{text}, heartbeat")
    return f"{text}, answered"


@activity.defn
async def blurt_out(token: str) -> None:
    """Fail without a type of ours."""
    stumble_in_the_dark(token)


def stumble_in_the_dark(token: str) -> None:
    """Stand in a stack trace."""
    raise RuntimeError(secret("activity failure", token))


@workflow.defn
class Confidant:
    """Ends when it has been told two things; then it fails, or answers."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.run
    async def run(self, token: str, fails: bool) -> str:
        workflow.set_current_details(secret("current details", token))
        workflow.upsert_memo({"later": secret("later memo", token)})
        await workflow.sleep(timedelta(milliseconds=10), summary=secret("timer summary", token))
        await workflow.execute_local_activity(whisper, secret("local activity", token), **_ONCE)
        await workflow.execute_activity(
            whisper, secret("activity", token), summary=secret("activity summary", token), **_ONCE
        )
        try:
            await workflow.execute_activity(blurt_out, token, **_ONCE)
        except ActivityError:
            self._told.append("a failure")
        await workflow.wait_condition(lambda: len(self._told) == 3)
        if fails:
            raise ApplicationError(secret("workflow failure", token), secret("failure details", token))
        return secret("result", token)

    @workflow.signal
    def listen(self, text: str) -> None:
        """Be told by signal."""
        self._told.append(text)

    @workflow.update
    def answer(self, text: str) -> str:
        """Be told by update."""
        self._told.append(text)
        return f"{text}, answered"

    @workflow.query
    def told(self, text: str) -> list[str]:
        """What was told."""
        return [*self._told, text]
