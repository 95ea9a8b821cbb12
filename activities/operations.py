"""What workflows ask to have written about themselves."""

from temporalio import activity

from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Transaction
from perdure.schemas.operations import TERMINAL, OperationStatus, StatusChange, StepState


class OperationActivities:
    """Side effects on the operation's record. Each is safe to run twice."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @activity.defn
    async def record_status(self, change: StatusChange) -> None:
        """Write the status. A second run finds the operation closed, or writes the same again."""
        async with self._transaction(change.organisation_id) as session:
            operations = OperationRepository(session)
            await operations.record_status(change)
            if change.status in TERMINAL and change.status is not OperationStatus.COMPLETED:
                state = (
                    StepState.CANCELLED if change.status is OperationStatus.CANCELLED else StepState.FAILED
                )
                await operations.close_steps(change.operation_id, state)
