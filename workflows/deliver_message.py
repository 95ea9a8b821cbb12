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

    @workflow.run
    async def run(self, job: DeliverMessageInput) -> Delivered:
        while True:
            delivered = await workflow.execute_activity_method(
                MessageActivities.deliver_message, job, **policies.IO
            )
            if delivered.next_at is None:
                return delivered
            await workflow.sleep(max(delivered.next_at - workflow.now(), timedelta(0)))
