"""Temporal Schedules of the installation: made, or brought up to date, whenever a worker starts."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.starting import KIND, TASK_TIMEOUT
from workflows import queues
from workflows.apply_retention import ApplyRetention

RETENTION = "apply-retention"
# A round that a day of outage prevented is caught up with; older ones would do the same once more.
CATCH_UP = timedelta(days=1)
JITTER = timedelta(minutes=10)


def retention_schedule(every: timedelta) -> Schedule:
    """Rounds of retention, one at a time."""
    return Schedule(
        # Without input: what it takes, it looks up.
        action=ScheduleActionStartWorkflow(
            ApplyRetention.run,
            id=RETENTION,
            task_queue=queues.IO,
            task_timeout=TASK_TIMEOUT,
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(KIND, "apply_retention")]),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)], jitter=min(JITTER, every / 10)),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


async def ensure_schedules(client: Client, retention_every: timedelta) -> None:
    """Make the schedules; those that exist become as they are here. Whether one is paused stays as it is."""
    wanted = retention_schedule(retention_every)
    try:
        await client.create_schedule(RETENTION, wanted)
    except ScheduleAlreadyRunningError:

        def renewed(found: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule = retention_schedule(retention_every)
            schedule.state = found.description.schedule.state
            return ScheduleUpdate(schedule=schedule)

        await client.get_schedule_handle(RETENTION).update(renewed)
