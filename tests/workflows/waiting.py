"""Somebody who waits to hear what became of a request, as an operation does."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from perdure.schemas.memories import RememberResult


@workflow.defn
class Waiting:
    """Ends with what it hears."""

    def __init__(self) -> None:
        self._heard: str | None = None

    @workflow.signal
    def written(self, result: RememberResult | None) -> None:
        self._heard = "again" if result is None else str(result.remembered)

    @workflow.run
    async def run(self) -> str | None:
        await workflow.wait_condition(lambda: self._heard is not None)
        return self._heard
