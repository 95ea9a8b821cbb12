"""Starts the delivery of messages that were committed: the table is their outbox."""

from collections import defaultdict

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from activities.starting import KIND, ORGANISATION, TASK_TIMEOUT
from perdure.db.deliveries import DeliveryRepository, due_messages
from perdure.db.session import Database
from perdure.schemas.messages import DeliverMessageInput
from workflows import queues
from workflows.deliver_message import DeliverMessage

PAGE = 200


class MessageStarter:
    """Several may run side by side: a message has one workflow, by its id."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database, self._client = database, client

    async def tick(self) -> None:
        """Hand over what waits. A workflow that runs already is told to wait no longer."""
        async with self._database.transaction(None) as session:
            due = await due_messages(session, PAGE)
        started: dict[str, list[str]] = defaultdict(list)
        for message_id, organisation_id in due:
            await self._client.start_workflow(
                DeliverMessage.run,
                DeliverMessageInput(organisation_id=organisation_id, message_id=message_id),
                id=message_id,
                task_queue=queues.IO,
                task_timeout=TASK_TIMEOUT,
                start_signal="try_now",
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(ORGANISATION, organisation_id),
                        SearchAttributePair(KIND, "deliver_message"),
                    ]
                ),
                static_summary="Deliver a message",
            )
            started[organisation_id].append(message_id)
        for organisation_id, message_ids in started.items():
            async with self._database.transaction(organisation_id) as session:
                await DeliveryRepository(session, organisation_id).hand_over(message_ids)
