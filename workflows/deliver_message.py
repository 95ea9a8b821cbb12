"""`DeliverMessage`: bring one message to its receiver, for days if need be."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages import MessageActivities
    from perdure.schemas.messages import Delivered, DeliverMessageInput
    from workflows import policies


@workflow.defn
class DeliverMessage:
    """Try, wait, try again, until it is sent or dead. Its id is the message's; it is no operation.

    The API's reconciler starts it for every message that was committed: nobody else needs to.
    """

    def __init__(self) -> None:
        self._wanted_now = False

    @workflow.signal
    def try_now(self) -> None:
        """Somebody wants no waiting; who says so during an attempt has their wish already."""
        self._wanted_now = True

    @workflow.run
    async def run(self, job: DeliverMessageInput) -> Delivered:
        while True:
            delivered = await workflow.execute_activity_method(
                MessageActivities.deliver_message, job, **policies.DELIVERY
            )
            if delivered.retry_in_s is None:
                return delivered
            self._wanted_now = False
            try:
                await workflow.wait_condition(
                    lambda: self._wanted_now, timeout=timedelta(seconds=delivered.retry_in_s)
                )
            except TimeoutError:
                continue
