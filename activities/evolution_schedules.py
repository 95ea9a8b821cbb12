"""The schedule by which a space evolves: what it is called, and its end."""

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


def schedule_id(space_id: str) -> str:
    """Of the schedule, and the beginning of the ids of the workflows that it starts."""
    return f"evolve-memory-{space_id}"


async def end_schedule(client: Client, space_id: str) -> None:
    """Delete a space's schedule; one that is gone is no error."""
    try:
        await client.get_schedule_handle(schedule_id(space_id)).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
