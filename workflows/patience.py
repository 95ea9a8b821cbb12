"""What an operation does when no provider can be asked for now: it pauses with a reason, and goes on later."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from perdure.schemas.operations import OperationError

from workflows.operation import Operation
from workflows.policies import ActivityPolicy

Argument = TypeVar("Argument")
Output = TypeVar("Output")

# What passes: a budget is raised, a month ends, somebody gives another key.
HINDRANCES = frozenset({"budget-reached", "providers-failed", "provider-unavailable"})
FIRST_LOOK = timedelta(seconds=30)
LAST_LOOK = timedelta(hours=1)


class Patience(Operation):
    """An operation whose steps may be hindered for a while."""

    def __init__(self) -> None:
        super().__init__()
        self._hindered = False

    @workflow.signal
    async def pause(self) -> None:
        """See `Operation`; somebody who pauses what is hindered wants it to stay so."""
        self._hindered = False
        await super().pause()

    @workflow.signal
    async def resume(self) -> None:
        """See `Operation`; what is hindered tries again."""
        self._hindered, self._error = False, None
        await super().resume()

    async def patient_step(
        self,
        method: Callable[[Any, Argument], Awaitable[Output]],
        argument: Argument,
        policy: ActivityPolicy,
        *,
        summary: str | None = None,
    ) -> Output:
        """Run a step; while it is hindered, be paused, and try again now and then, or when somebody resumes."""
        look_again = FIRST_LOOK
        while True:
            try:
                return await self.step(method, argument, policy, summary=summary)
            except ActivityError as error:
                hindrance = error.cause
                if not isinstance(hindrance, ApplicationError) or hindrance.type not in HINDRANCES:
                    raise
                await self._hold(OperationError(type=hindrance.type, detail=hindrance.message), look_again)
                look_again = min(2 * look_again, LAST_LOOK)

    async def _hold(self, reason: OperationError, look_again: timedelta) -> None:
        """Paused, with the reason in the operation until it goes on."""
        if not self._paused:
            self._error = reason
            await super().pause()
            self._hindered = True
        try:
            await workflow.wait_condition(lambda: not self._paused, timeout=look_again)
        except TimeoutError:
            if self._hindered:
                await self.resume()
