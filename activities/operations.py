"""What workflows ask to have written about themselves."""

from temporalio import activity

from perdure.db.operation_repository import OperationRepository, attempt_of
from perdure.db.session import Transaction
from perdure.schemas.operations import StatusChange


class OperationActivities:
    """Side effects on the operation's record. Each is safe to run twice."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @activity.defn
    async def record_status(self, change: StatusChange) -> None:
        """Write the status. A second run finds the operation closed, or writes the same again."""
        attempt = attempt_of(activity.info().workflow_id)
        async with self._transaction(change.organisation_id) as session:
            await OperationRepository(session).conclude(change, attempt)
