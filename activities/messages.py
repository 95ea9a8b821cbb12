"""Delivering messages, one attempt at a time."""

from temporalio import activity

from activities.failures import failures
from perdure.schemas.messages import Delivered, DeliverMessageInput


class MessageActivities:
    """Side effects of delivery. Whoever gets a message twice knows it by its id."""

    @activity.defn
    async def deliver_message(self, job: DeliverMessageInput) -> Delivered:
        """Try once, and write down how it went."""
        with failures():
            msg = f"{job.message_id} cannot be delivered yet"
            raise NotImplementedError(msg)
